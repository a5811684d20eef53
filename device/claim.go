package device

import (
	"fmt"
	"time"
)

// UnclaimedTap is a tap of a badge that belonged to nobody.
type UnclaimedTap struct {
	Tap
	ID    uint64    // given by the queue
	Raw   time.Time // what the clock had shown, if Time was repaired; else zero
	Claim int       // the badge's claim number
	// Orphan: part of the badge map was lost then, so the badge may belong to somebody.
	Orphan bool
}

// Claim is the wish to turn the unclaimed taps of a badge into punches of the employee that
// it belongs to now.
type Claim struct {
	Badge    UID
	Employee EmployeeID
	Rules    Rules
	Force    bool      // even if the employee has later punches
	Dry      bool      // only a look
	Kind     EventKind // what the journal says of it: EventTapsClaimed or EventTapsBooked
	Reason   string    // behind the number of taps
	By       string
}

// Plan makes punches of a badge's taps, oldest first, with their true times and the directions
// that follow from what is known of the employee at that time. Before is their newest punch
// before the first tap; later says that they have punches after it.
func (c Claim) Plan(taps []UnclaimedTap, before Punch, later bool) (plan []Punch, err error) {
	if len(taps) > 0 && later && !c.Force {
		return nil, &Refusal{fmt.Sprintf("this employee has bookings after the badge's first tap (%s): "+
			"claiming it would put bookings before them", taps[0].Time.Local().Format(time.DateTime)), ClaimAnyway}
	}
	for _, t := range taps {
		age, known := t.Since(before)
		follows := before.Employee != "" && known && age >= 0
		if follows && age < c.Rules.Lockout {
			continue
		}
		p := Punch{Employee: c.Employee, Time: t.Time, Raw: t.Raw, Stamp: t.Stamp, Claimed: true}
		p.Intent = Next(before.Intent, age, known, c.Rules.LongestShift)
		if before.Employee != "" {
			p.Basis = Basis{Source: ThisClock, Intent: before.Intent, Time: before.Time}
		}
		if follows && before.Claimed && p.Time.Before(before.Time) { // the clock was set back in between
			p.Raw, p.Time = p.Time, before.Time.Add(age)
		}
		plan = append(plan, p)
		before = p
	}
	return plan, nil
}
