package device

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Roster tells whom a badge belongs to. While it is not Whole, one that it does not know may
// be somebody's.
type Roster interface {
	Lookup(UID) (Badge, bool)
	Whole() bool
}

// Queue keeps punches. Last is the newest punch that this clock made for an
// employee, and whether Zeitstrom lacks it or an earlier one of theirs. Append
// returns once the punch is on disk, with its ID set; soon says that it will be sent at once.
//
// Keep stores the tap of an unknown badge and returns the badge's claim number,
// 0 for one that makes up its UIDs; the same badge within the lock-out is one tap. An
// orphan's badge may be in the part of the roster that was lost.
//
// Wait keeps an employee's punches here, or lets them go: while somebody may
// still change their mind. Turn replaces a punch by one in the other direction.
type Queue interface {
	Last(EmployeeID) (p Punch, pending bool, err error)
	Append(p Punch, soon bool) (Punch, error)
	Keep(tap Tap, lockout time.Duration, orphan bool) (claim int, err error)
	Wait(e EmployeeID, yes bool)
	Turn(Punch) (Punch, error)
}

// Stamper tells when something happened, for the wall clock may be wrong.
type Stamper interface {
	Stamp(time.Time) Stamp
}

// ErrNotAsked says that Zeitstrom is not asked now: it did not answer when it was last tried.
var ErrNotAsked = errors.New("not asking Zeitstrom")

// Elsewhere is what Zeitstrom knows: of this clock's bookings and of those that
// were made at another door or in the app. Last is the newest punch that this clock made
// for an employee: an answer that lacks it has not caught up with it, unless it was
// deleted there.
type Elsewhere interface {
	// Sends reports whether what is booked now goes to Zeitstrom at once.
	Sends() bool
	// Latest asks what an employee did last before an instant, by clocks that may be a
	// little ahead of it; the Intent is empty if nothing is known of the days before it.
	Latest(ctx context.Context, e EmployeeID, last Punch, before time.Time) (Intent, time.Time, error)
	// Remembered is what was asked for last, other than for a tap, if that counts still: it
	// was asked after the last punch. It is for when there is no answer now.
	Remembered(e EmployeeID, last Punch) (i Intent, at time.Time, known bool)
}

// Office gives badges to people: it takes the taps that are not to book.
type Office interface {
	Enroll(Tap) (o Outcome, taken bool)
}

// Field tells whether a badge is still held to the reader.
type Field interface {
	Resting(UID) bool
}

// Screen is told every answer. Show must not wait for slow hardware.
type Screen interface {
	Show(Outcome)
}

// Rules are what a company wants of its clock.
type Rules struct {
	Lockout      time.Duration  // the same employee's next tap within it changes nothing
	LongestShift time.Duration  // an older check-in is a forgotten check-out
	Ask          time.Duration  // how long a tap waits for Zeitstrom's knowledge; 0: it is not asked
	Zone         *time.Location // in which a badge's first and last day are meant
	// SecondThoughts is how long a badge must stay after the answer to turn the
	// direction round; 0: it cannot.
	SecondThoughts time.Duration
}

// Terminal answers taps: it finds the employee, decides the intent, has the
// punch stored, and only then lets the screen say so.
type Terminal struct {
	Roster    Roster
	Queue     Queue
	Clock     Stamper
	Elsewhere Elsewhere
	Office    Office
	Field     Field
	Screen    Screen
	Rules     Rules
	Log       *slog.Logger
	Taps      <-chan Tap

	second secondThought
	pulse  Pulse
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
		case <-t.second.tick:
			t.thinkAgain()
		case <-t.pulse.C():
		}
	}
}

func (t *Terminal) String() string { return "terminal" }

// Alive returns nil as soon as Run comes round.
func (t *Terminal) Alive(ctx context.Context) error { return t.pulse.Beat(ctx) }

// Answer turns one tap into its outcome and shows it. Taps must come one at a
// time: each is decided by what the one before it left.
func (t *Terminal) Answer(tap Tap) Outcome {
	t.endSecondThought()
	tap.Stamp = t.Clock.Stamp(tap.Time)
	tap.Time = tap.Time.Round(0) // from here on it is what the wall clock showed
	o, taken := t.Office.Enroll(tap)
	if !taken {
		o = t.decide(tap)
		t.startSecondThought(&o)
	}
	t.Screen.Show(o)
	log := t.Log.With("outcome", string(o.Kind), "badge", tap.UID)
	switch {
	case o.Kind == NotEnrolled:
		log.Info("badge not given out", "employee", o.Employee.ID) // the reason names a UID
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
	o := Outcome{Tap: tap, Punch: Punch{Time: tap.Time, Stamp: tap.Stamp}}
	if tap.Several {
		o.Kind = Several
		return o
	}
	badge, known := t.Roster.Lookup(tap.UID)
	switch {
	case !known:
		o.Kind = Unknown
		o.Claim, o.Err = t.Queue.Keep(tap, t.Rules.Lockout, !t.Roster.Whole())
		return o
	case !badge.Usable(t.day(tap)):
		o.Kind, o.Employee = Blocked, badge.Employee
		return o
	}
	o.Employee = badge.Employee
	last, pending, err := t.Queue.Last(o.Employee.ID)
	if err != nil {
		o.Kind, o.Err = Failed, err
		return o
	}
	// A negative age means that the clock was set back since: no lock-out then.
	if age, certain := tap.Since(last); last.ID != 0 && certain && age >= 0 && age < t.Rules.Lockout {
		o.Kind, o.Punch = Repeated, last
		return o
	}
	intent, basis := t.direction(tap, o.Employee.ID, last, pending)
	t.Queue.Wait(o.Employee.ID, t.Rules.SecondThoughts > 0)
	sends := t.Elsewhere.Sends()
	p := Punch{Employee: o.Employee.ID, Intent: intent, Time: tap.Time, Stamp: tap.Stamp, Basis: basis}
	punch, err := t.Queue.Append(tap.after(last, p), sends)
	if err != nil {
		t.Queue.Wait(o.Employee.ID, false)
		o.Kind, o.Err = Failed, err
		return o
	}
	o.booked(punch, !sends)
	return o
}

// day is the day of a tap; while the time is not certain no badge is refused for it.
func (t *Terminal) day(tap Tap) string {
	if tap.Stamp.Uncertain {
		return ""
	}
	return tap.Time.In(t.Rules.Zone).Format(time.DateOnly)
}

func (o *Outcome) booked(p Punch, offline bool) {
	o.Kind, o.Punch, o.Offline = CheckedIn, p, offline
	if p.Intent == CheckOut {
		o.Kind = CheckedOut
	}
}

// direction decides whether an employee comes or goes, by the newest knowledge
// there is. Zeitstrom's is newer than this clock's if it has everything that
// this clock has; then it is asked, and whoever waits at the door waits for a
// moment only.
func (t *Terminal) direction(tap Tap, e EmployeeID, last Punch, pending bool) (Intent, Basis) {
	var b Basis
	if t.Rules.Ask > 0 && !pending && !tap.Stamp.Uncertain {
		ctx, cancel := context.WithTimeout(context.Background(), t.Rules.Ask)
		defer cancel()
		intent, at, err := t.Elsewhere.Latest(ctx, e, last, tap.Time)
		if err == nil {
			b = Basis{Source: Zeitstrom, Intent: intent, Time: at}
			return Next(intent, tap.Time.Sub(at), true, t.Rules.LongestShift), b
		}
		if b.Silent = !errors.Is(err, ErrNotAsked); b.Silent {
			t.Log.Debug("Zeitstrom did not say in time what the employee did last", "employee", e, "error", err)
		}
	}
	if !pending && !tap.Stamp.Uncertain {
		if intent, at, known := t.Elsewhere.Remembered(e, last); known {
			b.Source, b.Intent, b.Time = Zeitstrom, intent, at
			return Next(intent, tap.Time.Sub(at), true, t.Rules.LongestShift), b
		}
	}
	if last.ID != 0 {
		b.Source, b.Intent, b.Time = ThisClock, last.Intent, last.Time.Truncate(time.Second)
	}
	age, certain := tap.Since(last)
	return Next(b.Intent, age, certain, t.Rules.LongestShift), b
}
