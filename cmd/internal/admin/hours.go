package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// What is corrected, in Zeitstrom's own terms.
type (
	Timespan = zeitstrom.Timespan // a time that somebody worked
	Change   = zeitstrom.Change   // of one
	Project  = zeitstrom.Project  // that one is assigned to
	Tag      = zeitstrom.Tag      // on one
)

// ErrNoAdminToken refuses to change hours where the company has not allowed it.
var ErrNoAdminToken = errors.New("this device changes nobody's hours: it has no admin's token")

// Correction is what somebody did to an employee's hours at Zeitstrom, for the
// journal.
type Correction struct {
	Kind     device.EventKind
	Timespan string
	Employee device.EmployeeID // empty: Zeitstrom does not tell
	Reason   string            // in the words of whoever corrects; empty: they have not said
}

// Corrected notes a correction, and lets the clock learn at once what the employee
// did last. It returns how many of their bookings Zeitstrom does not have.
func (a *Admin) Corrected(ctx context.Context, by string, x Correction) (pending int, err error) {
	why := fmt.Sprintf("timespan %s of %s", x.Timespan, x.Employee)
	if x.Reason != "" {
		why += ": " + x.Reason
	}
	a.did(by, x.Kind, why, nil)
	if x.Employee == "" {
		return 0, nil
	}
	a.rooms.Uplink.Corrected(x.Employee)
	waiting, err := a.rooms.Queue.Undelivered()
	for _, p := range waiting {
		if p.Employee == x.Employee {
			pending++
		}
	}
	_, lacks, lastErr := a.rooms.Queue.Last(x.Employee)
	if err := errors.Join(err, lastErr); err != nil || lacks || !a.rooms.Uplink.Online() {
		return pending, err
	}
	a.rooms.Uplink.Refresh(ctx, x.Employee) // what fails shows in the status; the next tap asks again
	return pending, nil
}

// Done is what a correction has come to.
type Done struct {
	Timespan Timespan // as it was before, or as it was added
	Pending  int      // bookings of the employee that this clock has still to send: they may contradict it
}

// Desk is where somebody corrects hours: at Zeitstrom, by an admin's token; and the clock is told.
type Desk struct {
	api  *zeitstrom.Client
	zone *time.Location // in which days are meant
	tell func(context.Context, Correction) (pending int, err error)
	why  string
}

// NewDesk opens a desk. Tell is told of each correction, and says how many of the employee's
// bookings Zeitstrom does not have.
func NewDesk(api *zeitstrom.Client, zone *time.Location, tell func(context.Context, Correction) (int, error)) *Desk {
	return &Desk{api: api, zone: zone, tell: tell}
}

// Because is the desk for corrections that have a reason. The clock's journal keeps it: the API takes
// none, and the employee's comment is theirs.
func (d *Desk) Because(why string) *Desk {
	because := *d
	because.why = why
	return &because
}

// Try asks Zeitstrom for something that an admin's token may read. That it may also change something
// shows only when something is changed.
func (d *Desk) Try(ctx context.Context) error {
	now := time.Now()
	for _, err := range d.Days(ctx, "", now, now, "") {
		return err
	}
	return nil
}

// Works reports whether somebody works in a timespan now: it is open, and began within the longest
// shift.
func (a *Admin) Works(t Timespan) bool {
	return t.CheckOut.IsZero() && time.Since(t.CheckIn) <= a.rooms.Rules.LongestShift
}

// Desk opens a desk for somebody: by a token that they have brought, which is kept
// nowhere, or else by the company's.
func (a *Admin) Desk(by, token string) (*Desk, error) {
	api, err := a.rooms.AdminAPI(token)
	if err != nil {
		return nil, err
	}
	return NewDesk(api, a.Zone(),
		func(ctx context.Context, x Correction) (int, error) { return a.Corrected(ctx, by, x) }), nil
}

// Timespan returns one.
func (d *Desk) Timespan(ctx context.Context, id string) (Timespan, error) {
	return d.api.Timespan(ctx, id)
}

// History returns how one was changed.
func (d *Desk) History(ctx context.Context, id string) ([]Change, error) {
	return d.api.History(ctx, id)
}

// midnight is the beginning of a day in the desk's zone.
func (d *Desk) midnight(t time.Time) time.Time {
	year, month, day := t.In(d.zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, d.zone)
}

// Days yields the timespans that begin on the days from first to last, of one employee or of
// everybody, as Zeitstrom lists them.
func (d *Desk) Days(
	ctx context.Context, e device.EmployeeID, first, last time.Time, verbosity string,
) iter.Seq2[Timespan, error] {
	from, to := d.midnight(first), d.midnight(last).AddDate(0, 0, 1)
	f := zeitstrom.Between(from, to, e)
	f.Verbosity = verbosity
	return func(yield func(Timespan, error) bool) {
		for t, err := range d.api.Timespans(ctx, f) {
			if err == nil && (t.CheckIn.Before(from) || !t.CheckIn.Before(to)) {
				continue
			}
			t.Employee = cmp.Or(t.Employee, e)
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
}

// Week returns an employee's timespans of the seven days from a day on, in order, with one that
// reaches into the first of them.
func (d *Desk) Week(ctx context.Context, e device.EmployeeID, from time.Time) (spans []Timespan, err error) {
	first := d.midnight(from)
	for t, err := range d.Days(ctx, e, first.AddDate(0, 0, -1), first.AddDate(0, 0, 6), "detail") {
		if err != nil {
			return nil, err
		}
		if !t.CheckIn.Before(first) || t.CheckOut.After(first) {
			spans = append(spans, t)
		}
	}
	return spans, nil
}

// Workday returns the timespans of the workday that one belongs to, in order.
func (d *Desk) Workday(ctx context.Context, was Timespan) (spans []Timespan, err error) {
	for t, err := range d.Days(ctx, was.Employee, was.CheckIn.AddDate(0, 0, -1), was.CheckIn.AddDate(0, 0, 1),
		"detail") {
		if err != nil {
			return nil, err
		}
		if t.Workday == was.Workday {
			spans = append(spans, t)
		}
	}
	return spans, nil
}

// FindWorkday finds the id of an employee's workday: by a timespan of that day, or by one of their
// badges.
func (d *Desk) FindWorkday(
	ctx context.Context, e device.EmployeeID, day time.Time, badges []device.Badge,
) (string, error) {
	var found []string
	for t, err := range d.Days(ctx, e, day, day, "detail") {
		if err != nil {
			return "", err
		}
		if t.Workday != "" && !slices.Contains(found, t.Workday) {
			found = append(found, t.Workday)
		}
	}
	date := d.midnight(day).Format(time.DateOnly)
	switch len(found) {
	case 0:
	case 1:
		return found[0], nil
	default:
		return "", &device.Refusal{
			Cause: fmt.Sprintf("%s has %d workdays on %s", e, len(found), date), Remedy: device.SayWorkday,
		}
	}
	for _, b := range badges {
		if b.Employee.ID != e {
			continue
		}
		days, err := d.api.Workdays(ctx, day, day, b.UID.Hex())
		if err != nil {
			return "", err
		}
		if len(days) == 1 && d.midnight(days[0].CheckIn).Equal(d.midnight(day)) {
			return days[0].ID, nil
		}
	}
	return "", &device.Refusal{
		Cause: fmt.Sprintf("no workday of %s is known on %s", e, date), Remedy: device.SayWorkday,
	}
}

// correct makes a change of one timespan.
func (d *Desk) correct(
	ctx context.Context, id string, kind device.EventKind, change func(Timespan) error,
) (Done, error) {
	t, err := d.api.Timespan(ctx, id)
	if err != nil {
		return Done{}, err
	}
	return d.done(ctx, kind, t, change(t))
}

// done tells the clock of what was done, or may have been.
func (d *Desk) done(ctx context.Context, kind device.EventKind, t Timespan, err error) (Done, error) {
	switch {
	case errors.Is(err, zeitstrom.ErrUnknown):
		kind = kind.OutcomeUnknown()
	case err != nil:
		return Done{}, err
	}
	pending, _ := d.tell(ctx, Correction{kind, t.ID, t.Employee, d.why}) // it is done, whatever the clock makes of it
	return Done{t, pending}, err
}

// SetTimes corrects a timespan's times; a zero time stays as it is.
func (d *Desk) SetTimes(ctx context.Context, id string, checkin, checkout time.Time) (Done, error) {
	return d.correct(ctx, id, device.EventTimesCorrected, func(t Timespan) error {
		if checkin.IsZero() {
			checkin = t.CheckIn
		}
		return d.api.SetTimes(ctx, t.ID, checkin, checkout)
	})
}

// Add adds a timespan to an employee's workday; a zero checkout leaves it open.
func (d *Desk) Add(
	ctx context.Context, e device.EmployeeID, workday string, checkin, checkout time.Time,
) (Done, error) {
	t, err := d.api.AddTimes(ctx, workday, checkin, checkout)
	t.Employee = cmp.Or(t.Employee, e)
	return d.done(ctx, device.EventTimespanAdded, t, err)
}

// Split makes two timespans of one.
func (d *Desk) Split(ctx context.Context, id string, at time.Time) (Done, error) {
	return d.correct(ctx, id, device.EventTimespanSplit, func(t Timespan) error { return d.api.Split(ctx, t, at) })
}

// Merge makes one timespan of several.
func (d *Desk) Merge(ctx context.Context, ids []string) (Done, error) {
	spans := make([]Timespan, len(ids))
	for i, id := range ids {
		var err error
		if spans[i], err = d.api.Timespan(ctx, id); err != nil {
			return Done{}, err
		}
	}
	return d.done(ctx, device.EventTimespansMerged, spans[0], d.api.Merge(ctx, spans))
}

// Comment sets the comment; an empty one clears it.
func (d *Desk) Comment(ctx context.Context, id, text string) (Done, error) {
	return d.correct(ctx, id, device.EventCommentSet,
		func(t Timespan) error { return d.api.SetComment(ctx, t.ID, text) })
}

// Assign assigns a project.
func (d *Desk) Assign(ctx context.Context, id string, p Project) (Done, error) {
	return d.correct(ctx, id, device.EventProjectAssigned,
		func(t Timespan) error { return d.api.AssignProject(ctx, t.ID, p) })
}

// Tag replaces all tags.
func (d *Desk) Tag(ctx context.Context, id string, tags []Tag) (Done, error) {
	return d.correct(ctx, id, device.EventTagsSet, func(t Timespan) error { return d.api.SetTags(ctx, t.ID, tags) })
}

// Delete deletes a timespan for good.
func (d *Desk) Delete(ctx context.Context, id string) (Done, error) {
	return d.correct(ctx, id, device.EventTimespanDeleted, func(t Timespan) error { return d.api.Delete(ctx, t.ID) })
}
