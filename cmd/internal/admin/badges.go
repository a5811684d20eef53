package admin

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"timeclock/device"
	"timeclock/device/roster"
)

// Badges lists the badge map, by last name.
func (a *Admin) Badges(context.Context, string, None) ([]device.Badge, error) {
	return a.rooms.Roster.List(), nil
}

// badgeEvents are what the journal says of what became of a badge.
var badgeEvents = map[roster.Action]device.EventKind{
	roster.Added: device.EventBadgeAdded, roster.Changed: device.EventBadgeChanged,
	roster.Kept: device.EventBadgeKept, roster.Moved: device.EventBadgeMoved,
}

// NewBadge is a badge that somebody is to get.
type NewBadge struct {
	Badge device.Badge
	Move  bool // even if it belongs to somebody else
}

// AddBadge gives a badge to an employee.
func (a *Admin) AddBadge(_ context.Context, by string, n NewBadge) (roster.Action, error) {
	action, err := a.rooms.Roster.Add(n.Badge, n.Move)
	a.did(by, badgeEvents[action], fmt.Sprintf("%s for %s", n.Badge.UID, n.Badge.Employee.ID), err)
	return action, err
}

// RemoveBadge takes a badge out of the map, and returns it as it was.
func (a *Admin) RemoveBadge(_ context.Context, by string, uid WholeUID) (device.Badge, error) {
	b, err := a.rooms.Roster.Remove(uid.UID)
	a.did(by, device.EventBadgeRemoved, fmt.Sprintf("%s of %s", uid, b.Employee.ID), err)
	return b, err
}

// PutBack gives a badge that was removed back as it was.
func (a *Admin) PutBack(by string, b device.Badge) error {
	err := a.rooms.Roster.PutBack(b)
	a.did(by, device.EventBadgeAdded, fmt.Sprintf("%s for %s, as it was", b.UID, b.Employee.ID), err)
	return err
}

// Block is whether a badge may be used.
type Block struct {
	Badge   WholeUID
	Blocked bool
}

// BlockBadge says whether a badge may be used, and returns whose it is.
func (a *Admin) BlockBadge(_ context.Context, by string, b Block) (device.Employee, error) {
	e, err := a.rooms.Roster.Block(b.Badge.UID, b.Blocked)
	kind := device.EventBadgeUnblocked
	if b.Blocked {
		kind = device.EventBadgeBlocked
	}
	a.did(by, kind, fmt.Sprintf("%s of %s", b.Badge, e.ID), err)
	return e, err
}

// BadgeList is a file with badges, and how to take it over.
type BadgeList struct {
	File    []byte // CSV or XLSX
	Numbers device.Numbers
	Replace bool // remove the badges that it does not name
	Dry     bool // only a look
}

// ImportBadges takes over a badge list. The report comes beside an error that says why nothing was
// imported.
func (a *Admin) ImportBadges(ctx context.Context, by string, l BadgeList) (roster.Report, error) {
	staff, notice := a.staff(ctx)
	o := roster.Options{Numbers: l.Numbers, Replace: l.Replace, Dry: l.Dry, Tapped: a.Tapped(), Staff: staff}
	report, err := a.rooms.Roster.Import(bytes.NewReader(l.File), o)
	report.Notice = *notice
	if !l.Dry {
		removed := 0
		if l.Replace {
			removed = len(report.Missing)
		}
		why := fmt.Sprintf("%d lines, %d removed", len(report.Lines), removed)
		a.did(by, device.EventBadgesImported, why, err)
		a.BookOrphans()
	}
	return report, err
}

// Tapped knows the badges that were tapped and belong to nobody.
func (a *Admin) Tapped() func(device.UID) bool {
	taps, _ := a.rooms.Queue.Unclaimed()
	tapped := map[device.UID]bool{}
	for _, t := range taps {
		tapped[t.UID] = true
	}
	return func(uid device.UID) bool { return tapped[uid] }
}

// BookOrphans turns the taps that were kept while part of the badge map was lost into
// bookings, once their badges are in it again and no earlier bookings are still to be recovered.
// Those that would come before later bookings of the employee stay, for a person.
func (a *Admin) BookOrphans() {
	if !a.rooms.Roster.Whole() || a.rooms.Queue.Stats().Awaiting {
		return
	}
	taps, _ := a.rooms.Queue.Unclaimed()
	seen := map[device.UID]bool{}
	for _, t := range taps {
		if !t.Orphan || seen[t.UID] {
			continue
		}
		seen[t.UID] = true
		b, known := a.rooms.Roster.Lookup(t.UID)
		if !known || b.Blocked {
			continue
		}
		// What fails stays, and is tried again when the badge map changes.
		_, _ = a.rooms.Queue.Claim(device.Claim{
			Badge: t.UID, Employee: b.Employee.ID, Rules: a.rooms.Rules, Kind: device.EventTapsBooked,
			Reason: fmt.Sprintf("of %s for %s, from the time when the badge map was damaged", t.UID, b.Employee.ID),
		})
	}
}

// SyncBadges takes over the badge numbers that stand at Zeitstrom; with force even if most would
// be removed.
func (a *Admin) SyncBadges(ctx context.Context, by string, force bool) (roster.Merged, error) {
	m, err := a.rooms.Sync.Now(ctx, force)
	a.Synced(by, m, err)
	return m, err
}

// Synced notes what was taken over from Zeitstrom; nobody asked for it if it was time.
func (a *Admin) Synced(by string, m roster.Merged, err error) {
	why := fmt.Sprintf("%d added, %d changed, %d removed, %d blocked", len(m.Added), len(m.Changed), len(m.Removed),
		len(m.Blocked))
	a.did(by, device.EventBadgesSynced, why, err)
}

// Enroll is the wish that somebody gets the next badge that is held to the reader.
type Enroll struct {
	Who  string // as Employee takes it
	Name string // empty: as it is known
	Way  roster.Way
}

// Enroll waits for that badge.
func (a *Admin) Enroll(ctx context.Context, by string, wish Enroll) (roster.EnrollState, error) {
	e, err := a.Employee(ctx, by, wish.Who)
	if err != nil {
		return roster.EnrollState{}, err
	}
	e = Named(e, wish.Name)
	return a.rooms.Enrollment.Begin(e, wish.Way, func(s roster.EnrollState) {
		why := fmt.Sprintf("%s for %s (%s), %d blocked", s.Badge.UID, e.ID, wish.Way, len(s.Blocked))
		a.did(by, device.EventBadgeEnrolled, why, nil)
	})
}

// AwaitEnrollment returns how far an enrollment is, once that is no longer as it was
// before, or a moment later.
func (a *Admin) AwaitEnrollment(ctx context.Context, _ string, before roster.EnrollState) (roster.EnrollState, error) {
	const moment = 10 * time.Second
	patient, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	for {
		now, changed := a.rooms.Enrollment.State()
		if now.Number != before.Number || now.Waiting != before.Waiting || now.Problem != before.Problem {
			return now, nil
		}
		select {
		case <-changed:
		case <-time.After(min(moment, max(time.Until(now.Until), time.Millisecond))):
		case <-patient.Done():
			return now, nil
		}
	}
}

// EndEnrollment gives up the enrollment of that number; 0: the one that there is.
func (a *Admin) EndEnrollment(_ context.Context, _ string, number int) (None, error) {
	if number == 0 {
		s, _ := a.rooms.Enrollment.State()
		number = s.Number
	}
	a.rooms.Enrollment.End(number)
	return None{}, nil
}

// Unclaimed is a badge that belongs to nobody, with its taps.
type Unclaimed struct {
	Claim     int         `json:"claim"`
	UID       WholeUID    `json:"uid"` // whole: for the admin who gives it to someone
	Taps      []time.Time `json:"taps"`
	Uncertain bool        `json:"uncertain,omitempty"` // at least one of the times is not certain
}

// UnclaimedBadges are those badges, newest first.
type UnclaimedBadges struct {
	Badges []Unclaimed
	Lost   int // older taps that had to go
}

// UnclaimedBadges lists the badges that belong to nobody.
func (a *Admin) UnclaimedBadges(context.Context, string, None) (out UnclaimedBadges, err error) {
	taps, lost := a.rooms.Queue.Unclaimed()
	out.Lost = lost
	for _, t := range slices.Backward(taps) {
		i := slices.IndexFunc(out.Badges, func(b Unclaimed) bool { return b.UID.UID == t.UID })
		if i < 0 {
			out.Badges = append(out.Badges, Unclaimed{Claim: t.Claim, UID: WholeUID{t.UID}})
			i = len(out.Badges) - 1
		}
		out.Badges[i].Taps = append(out.Badges[i].Taps, t.Time)
		out.Badges[i].Uncertain = out.Badges[i].Uncertain || t.Stamp.Uncertain
	}
	return out, nil
}

// Claim is the wish to give a badge to an employee and to turn its unclaimed taps into punches.
type Claim struct {
	Badge device.Badge
	Force bool // even if the employee has later bookings
	Dry   bool // only a look
}

// Claim fulfils it, and returns the punches.
func (a *Admin) Claim(ctx context.Context, by string, c Claim) ([]Punch, error) {
	b := c.Badge
	if was, known := a.rooms.Roster.Lookup(b.UID); known && was.Employee.ID != b.Employee.ID {
		return nil, fmt.Errorf("badge %s belongs to %s (%s) by now", b.UID.Hex(), was.Employee.Name, was.Employee.ID)
	}
	if err := a.rooms.Roster.NotFunction(b.UID); err != nil {
		return nil, err
	}
	claim := device.Claim{
		Badge: b.UID, Employee: b.Employee.ID, Rules: a.rooms.Rules, Force: c.Force, Dry: true,
		Kind: device.EventTapsClaimed, Reason: fmt.Sprintf("of %s for %s", b.UID, b.Employee.ID), By: by,
	}
	plan, err := a.rooms.Queue.Claim(claim)
	if err == nil && !c.Dry {
		// The badge first: if the punches fail, the taps can still be claimed.
		if _, err = a.AddBadge(ctx, by, NewBadge{Badge: b}); err == nil {
			claim.Dry = false
			plan, err = a.rooms.Queue.Claim(claim)
		}
	}
	if err != nil {
		return nil, err
	}
	names := a.rooms.Roster.Employees()
	out := make([]Punch, len(plan))
	for i, p := range plan {
		out[i] = a.punch(device.Entry{Punch: p, State: device.Pending}, names)
	}
	return out, nil
}
