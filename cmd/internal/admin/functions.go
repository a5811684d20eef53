package admin

import (
	"context"
	"fmt"
	"time"

	"timeclock/device"
	"timeclock/device/roster"
)

// FunctionBadge is a badge that chooses what the next tap means.
type FunctionBadge struct {
	UID      WholeUID        `json:"uid"`
	Function device.Function `json:"function"` // empty: it is to be none any more
	Project  string          `json:"project,omitempty"`
}

// Functions lists the function badges.
func (a *Admin) Functions(context.Context, string, None) ([]FunctionBadge, error) {
	out := []FunctionBadge{}
	for _, b := range a.rooms.Roster.Functions() {
		f := FunctionBadge{UID: WholeUID{b.UID}, Function: b.Function}
		if code := b.Function.Project(); code != "" {
			f.Project = a.rooms.Projects.Name(code)
		}
		out = append(out, f)
	}
	return out, nil
}

// SetFunction makes a badge a function badge, or takes that back. A project's code is checked, if Zeitstrom
// tells which there are.
func (a *Admin) SetFunction(ctx context.Context, by string, f FunctionBadge) (None, error) {
	if err := a.checkFunction(ctx, f.Function); err != nil {
		return None{}, err
	}
	err := a.rooms.Roster.SetFunction(f.UID.UID, f.Function)
	kind, why := device.EventFunctionBadge, fmt.Sprintf("%s: %s", f.UID, f.Function)
	if f.Function == "" {
		kind, why = device.EventFunctionBadgeRemoved, f.UID.String()
	}
	a.did(by, kind, why, err)
	return None{}, err
}

// projectsTime is how long the list of projects is waited for.
const projectsTime = 5 * time.Second

func (a *Admin) checkFunction(ctx context.Context, f device.Function) error {
	code := f.Project()
	if code == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, projectsTime)
	defer cancel()
	a.rooms.Projects.Fresh(ctx) // where they cannot be listed nothing is checked
	return a.rooms.Projects.Check(code)
}

// EnrollFunction waits for a badge that is to be a function badge.
func (a *Admin) EnrollFunction(ctx context.Context, by string, f device.Function) (roster.EnrollState, error) {
	if err := a.checkFunction(ctx, f); err != nil {
		return roster.EnrollState{}, err
	}
	return a.rooms.Enrollment.BeginFunction(f, func(s roster.EnrollState) {
		a.did(by, device.EventFunctionBadge, fmt.Sprintf("%s: %s", s.Badge.UID, f), nil)
	})
}

// Projects are those that can be chosen, as Zeitstrom has listed them last.
func (a *Admin) Projects() []device.Project { return a.rooms.Projects.List() }

// ProjectName is what people call the project with a code.
func (a *Admin) ProjectName(code string) string { return a.rooms.Projects.Name(code) }

// GivesHints reports whether employees are given hints.
func (a *Admin) GivesHints() bool { return a.rooms.Rules.Hints }

// hintsBack is how far back hints are listed.
const hintsBack = 62 * 24 * time.Hour

// Hints lists the bookings of the last two months that the law on working hours says something of, newest
// first.
func (a *Admin) Hints(context.Context, string, None) ([]Punch, error) {
	out, since := []Punch{}, time.Now().Add(-hintsBack)
	names := a.rooms.Roster.Employees()
	var found []device.Entry
	err := a.rooms.Queue.Backward(func(e device.Entry) bool {
		if e.Hints != 0 && e.State != device.Dropped {
			found = append(found, e)
		}
		return e.Claimed || e.Stamp.Uncertain || e.Time.After(since)
	})
	for _, e := range found {
		out = append(out, a.punch(e, names))
	}
	return out, err
}
