package device

import (
	"context"
	"log/slog"
	"time"
)

// Roster tells whom a badge belongs to.
type Roster interface {
	Lookup(UID) (Employee, bool)
}

// Queue keeps punches. Last is the newest punch that this clock knows of an
// employee. Append returns once the punch is on disk, with its ID set.
//
// Keep stores the tap of an unknown badge and returns the badge's claim number,
// 0 for one that makes up its UIDs; the same badge within the lock-out is one tap.
type Queue interface {
	Last(EmployeeID) (Punch, bool, error)
	Append(Punch) (Punch, error)
	Keep(tap Tap, lockout time.Duration) (claim int, err error)
}

// Screen is told every answer. Show must not wait for slow hardware.
type Screen interface {
	Show(Outcome)
}

// Terminal answers taps: it finds the employee, decides the intent, has the
// punch stored, and only then lets the screen say so.
type Terminal struct {
	Roster  Roster
	Queue   Queue
	Screen  Screen
	Lockout time.Duration // the same employee's next tap within it changes nothing
	Log     *slog.Logger
	Taps    <-chan Tap
}

// Run answers taps until ctx ends. A tap that was already being answered is
// answered whole.
func (t *Terminal) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case tap := <-t.Taps:
			t.Answer(tap)
		}
	}
}

func (t *Terminal) String() string { return "terminal" }

// Answer turns one tap into its outcome and shows it. Taps must come one at a
// time: each is decided by what the one before it left.
func (t *Terminal) Answer(tap Tap) Outcome {
	o := t.decide(tap)
	t.Screen.Show(o)
	log := t.Log.With("outcome", string(o.Kind), "badge", tap.UID)
	switch {
	case o.Kind == Failed:
		log.Error("tap not stored: the employee was told to tap again", "employee", o.Employee.ID, "error", o.Err)
	case o.Err != nil:
		log.Error("unclaimed tap not kept", "error", o.Err)
	case o.Kind == Unknown:
		log.Info("tap", "claim", o.Claim)
	case o.Booked():
		log.Info("tap", "employee", o.Employee.ID, "punch", o.Punch.ID)
	default:
		log.Info("tap", "employee", o.Employee.ID)
	}
	return o
}

func (t *Terminal) decide(tap Tap) Outcome {
	o := Outcome{Tap: tap, Punch: Punch{Time: tap.Time}}
	if tap.Several {
		o.Kind = Several
		return o
	}
	employee, known := t.Roster.Lookup(tap.UID)
	if !known {
		o.Kind = Unknown
		o.Claim, o.Err = t.Queue.Keep(tap, t.Lockout)
		return o
	}
	o.Employee = employee
	last, any, err := t.Queue.Last(employee.ID)
	if err != nil {
		o.Kind, o.Err = Failed, err
		return o
	}
	// A negative age means that the clock was set back since: no lock-out then.
	if age := tap.Time.Sub(last.Time); any && age >= 0 && age < t.Lockout {
		o.Kind, o.Punch = Repeated, last
		return o
	}
	kind, intent := CheckedIn, CheckIn
	if any && last.Intent == CheckIn {
		kind, intent = CheckedOut, CheckOut
	}
	punch, err := t.Queue.Append(Punch{Employee: employee.ID, Intent: intent, Time: tap.Time})
	if err != nil {
		o.Kind, o.Err = Failed, err
		return o
	}
	o.Kind, o.Punch = kind, punch
	return o
}
