package admin

import (
	"context"
	"fmt"
	"io"
	"time"

	"timeclock/device"
	"timeclock/device/roster"
)

// Console is who acts through the control socket: whoever may open it.
const Console = "console"

// What people do stands in the journal, with who did it, and with no more of a
// badge's UID than a log would show.

// did notes what somebody did, if it was done.
func (c *Clock) did(who string, kind device.EventKind, why string, err error) {
	if err == nil {
		c.Queue.Note(device.Event{Kind: kind, Why: why, By: who})
	}
}

// Retry sends a quarantined, held or ambiguous punch again.
func (c *Clock) Retry(who string, id device.PunchID) error {
	return c.Queue.Retry(who, id)
}

// Drop decides that such a punch is never sent.
func (c *Clock) Drop(who string, id device.PunchID, reason string) error {
	return c.Queue.Drop(who, id, reason)
}

// badgeEvents are what the journal says of what became of a badge.
var badgeEvents = map[roster.Action]device.EventKind{
	roster.Added: device.EventBadgeAdded, roster.Changed: device.EventBadgeChanged,
	roster.Kept: device.EventBadgeKept, roster.Moved: device.EventBadgeMoved,
}

// AddBadge gives a badge to an employee.
func (c *Clock) AddBadge(who string, b device.Badge, move bool) (roster.Action, error) {
	action, err := c.Roster.Add(b, move)
	c.did(who, badgeEvents[action], fmt.Sprintf("%s for %s", b.UID, b.Employee.ID), err)
	return action, err
}

// RemoveBadge takes a badge out of the map.
func (c *Clock) RemoveBadge(who string, uid device.UID) (device.Employee, error) {
	e, err := c.Roster.Remove(uid)
	c.did(who, device.EventBadgeRemoved, fmt.Sprintf("%s of %s", uid, e.ID), err)
	return e, err
}

// BlockBadge says whether a badge may be used.
func (c *Clock) BlockBadge(who string, uid device.UID, blocked bool) (device.Employee, error) {
	e, err := c.Roster.Block(uid, blocked)
	kind := device.EventBadgeUnblocked
	if blocked {
		kind = device.EventBadgeBlocked
	}
	c.did(who, kind, fmt.Sprintf("%s of %s", uid, e.ID), err)
	return e, err
}

// ImportBadges takes over a badge list.
func (c *Clock) ImportBadges(who string, file io.Reader, o roster.Options) (roster.Report, error) {
	o.Tapped = Tapped(c.Queue)
	report, err := c.Roster.Import(file, o)
	if !o.Dry {
		why := fmt.Sprintf("%d lines, %d removed", len(report.Lines), len(report.Removed))
		c.did(who, device.EventBadgesImported, why, err)
		c.BookOrphans()
	}
	return report, err
}

// BookOrphans turns the taps that were kept while part of the badge map was lost into
// bookings, once their badges are in it again and no earlier bookings are still to be recovered. Those that
// would come before later bookings
// of the employee stay, for a person.
func (c *Clock) BookOrphans() {
	if !c.Roster.Whole() || c.Queue.Stats().Awaiting {
		return
	}
	for _, uid := range c.orphans() {
		b, known := c.Roster.Lookup(uid)
		if !known || b.Blocked {
			continue
		}
		// What fails stays, and is tried again when the badge map changes.
		_, _ = c.Queue.Claim(device.Claim{
			Badge: uid, Employee: b.Employee.ID, Rules: c.Rules, Kind: device.EventTapsBooked,
			Why: fmt.Sprintf("of %s for %s, from the time when the badge map was damaged", uid, b.Employee.ID),
		})
	}
}

// orphans are the badges with taps from the time when part of the badge map was lost.
func (c *Clock) orphans() (uids []device.UID) {
	taps, _ := c.Queue.Unclaimed()
	seen := map[device.UID]bool{}
	for _, t := range taps {
		if t.Orphan && !seen[t.UID] {
			seen[t.UID] = true
			uids = append(uids, t.UID)
		}
	}
	return uids
}

// SyncBadges takes over the badge numbers that stand at Zeitstrom.
func (c *Clock) SyncBadges(ctx context.Context, who string, force bool) (roster.Merged, error) {
	m, err := c.Sync.Now(ctx, force)
	c.Synced(who, m, err)
	return m, err
}

// Synced notes what was taken over from Zeitstrom; nobody asked for it if it was
// time.
func (c *Clock) Synced(who string, m roster.Merged, err error) {
	why := fmt.Sprintf("%d added, %d changed, %d removed, %d blocked", len(m.Added), len(m.Changed), len(m.Removed), len(m.Blocked))
	c.did(who, device.EventBadgesSynced, why, err)
}

// Enroll waits for the badge that somebody is to get.
func (c *Clock) Enroll(who string, e device.Employee, way roster.Way) (roster.EnrolState, error) {
	return c.Enrol.Begin(e, way, func(s roster.EnrolState) {
		c.did(who, device.EventBadgeEnrolled, fmt.Sprintf("%s for %s (%s), %d blocked", s.Badge.UID, e.ID, way, len(s.Blocked)), nil)
	})
}

// AwaitEnrolment returns how far an enrolment is, once that is no longer as it was
// at after, or a moment later.
func (c *Clock) AwaitEnrolment(ctx context.Context, after roster.EnrolState) roster.EnrolState {
	const moment = 10 * time.Second
	patient, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	for {
		now, changed := c.Enrol.State()
		if now.Number != after.Number || now.Waiting != after.Waiting || now.Problem != after.Problem {
			return now
		}
		select {
		case <-changed:
		case <-time.After(min(moment, max(time.Until(now.Until), time.Millisecond))):
		case <-patient.Done():
			return now
		}
	}
}

// Claim gives a badge to an employee and turns its unclaimed taps into punches,
// unless dry: then it only tells which it would make.
func (c *Clock) Claim(who string, b device.Badge, force, dry bool) ([]Punch, error) {
	if was, known := c.Roster.Lookup(b.UID); known && was.Employee.ID != b.Employee.ID {
		return nil, fmt.Errorf("badge %s belongs to %s (%s) by now", b.UID.Hex(), was.Employee.Name, was.Employee.ID)
	}
	claim := device.Claim{
		Badge: b.UID, Employee: b.Employee.ID, Rules: c.Rules, Force: force, Dry: true,
		Kind: device.EventTapsClaimed, Why: fmt.Sprintf("of %s for %s", b.UID, b.Employee.ID), By: who,
	}
	plan, err := c.Queue.Claim(claim)
	if err != nil {
		return nil, err
	}
	if !dry {
		// The badge first: if the punches fail, the taps can still be claimed.
		if _, err := c.AddBadge(who, b, false); err != nil {
			return nil, err
		}
		claim.Dry = false
		if plan, err = c.Queue.Claim(claim); err != nil {
			return nil, err
		}
	}
	names := c.Roster.Names()
	out := make([]Punch, len(plan))
	for i, p := range plan {
		state := device.Pending
		if p.Stamp.Uncertain {
			state = device.Untimed
		}
		out[i] = c.punch(device.Entry{Punch: p, State: state}, names)
	}
	return out, nil
}
