package device

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"time"
)

// Roster tells whom a badge belongs to. While it is not Whole, one that it does not know may
// be somebody's.
//
// Function is what a badge chooses that is nobody's.
type Roster interface {
	Lookup(UID) (Badge, bool)
	Function(UID) (Function, bool)
	Whole() bool
}

// Queue keeps punches. Last is the newest punch that this clock made for an
// employee, and whether Zeitstrom lacks it or an earlier one of theirs; Recent are those of
// the last days, oldest first. Append returns once the punch is on disk, with its ID set; soon
// says that it will be sent at once. Switch does that with a check-out and the check-in that
// follows it at the same second: both or neither.
//
// Keep stores the tap of an unknown badge and returns the badge's claim number,
// 0 for one that makes up its UIDs; the same badge within the lock-out is one tap. An
// orphan's badge may be in the part of the roster that was lost.
//
// Wait keeps an employee's punches here, or lets them go: while somebody may
// still change their mind. Turn replaces a punch by one in the other direction. TakeBack
// puts another choice in the place of a punch's function; its error is ErrTooLate if that is not
// possible any more.
type Queue interface {
	Last(EmployeeID) (p Punch, pending bool, err error)
	Recent(EmployeeID) []Entry
	Append(p Punch, soon bool) (Punch, error)
	Switch(out, in Punch, soon bool) (Punch, error)
	TakeBack(p Punch, plain Detail) (Punch, error)
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
	// little ahead of it.
	Latest(ctx context.Context, e EmployeeID, last Punch, before time.Time) (Known, error)
	// Remembered is what was asked for last, other than for a tap, if that counts still: it
	// was asked after the last punch. It is for when there is no answer now.
	Remembered(e EmployeeID, last Punch) (k Known, counts bool)
	// Heard is the last answer of all, whatever was booked since.
	Heard(e EmployeeID) Known
	// Month asks how long an employee has worked in the month of a day.
	Month(ctx context.Context, e EmployeeID, day time.Time) (Month, error)
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
	Hours          bool // whether employees are told how long they have worked
	Hints          bool // whether they are told what the law on working hours says of it
}

// Terminal answers taps: it finds the employee, decides the intent, has the
// punch stored, and only then lets the screen say so.
type Terminal struct {
	Roster    Roster
	Queue     Queue
	Clock     Stamper
	Elsewhere Elsewhere
	Projects  Projects
	Office    Office
	Field     Field
	Screen    Screen
	Rules     Rules
	Log       *slog.Logger
	Taps      <-chan Tap
	Keys      <-chan Press // nil: there are none

	choice Choice
	chose  Press        // what chose last, if no badge has come since
	used   map[UID]used // by the badge; those whose time is over go with the next one
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
			t.takePresses()
			t.Answer(tap)
		case p := <-t.Keys:
			t.press(p)
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
	choice := t.choice.at(tap.Time)
	tap.Stamp = t.Clock.Stamp(tap.Time)
	came := tap.Time
	tap.Time = tap.Time.Round(0) // from here on it is what the wall clock showed
	o, taken := t.Office.Enroll(tap)
	if taken {
		o.Next = t.choice.next(came)
	} else {
		o = t.decide(tap, choice)
		t.finish(&o, choice, came)
		t.startSecondThought(&o)
	}
	t.Screen.Show(o)
	if o.Awaits {
		go t.tellMonth(o)
	}
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

// finish does with the function that was chosen what the answer says: it is used up, or kept for whom it
// was meant.
func (t *Terminal) finish(o *Outcome, c Choice, came time.Time) {
	if o.Kind == Chosen {
		f, _ := t.Roster.Function(o.Tap.UID)
		t.choose(f, came)
	} else {
		t.chose = Press{}
	}
	if o.Booked() {
		maps.DeleteFunc(t.used, func(uid UID, u used) bool {
			return uid == o.Tap.UID || !came.Before(u.until.Add(choiceTime))
		})
		if !o.TakenBack && c.Function != "" {
			if t.used == nil {
				t.used = map[UID]used{}
			}
			t.used[o.Tap.UID] = used{c.Function, o.Punch, o.plain, o.Switched, came.Add(takeBackTime)}
		}
	}
	if usedUp := o.Booked() || o.Kind == Repeated || o.Kind == HoursShown; usedUp && c.Function != "" {
		t.choice = Choice{}
	}
	o.Next = t.choice.next(came)
}

func (t *Terminal) decide(tap Tap, c Choice) Outcome {
	o := Outcome{Tap: tap, Punch: Punch{Time: tap.Time, Stamp: tap.Stamp}}
	if tap.Several {
		o.Kind = Several
		return o
	}
	badge, known := t.Roster.Lookup(tap.UID)
	if _, chooses := t.Roster.Function(tap.UID); !known && chooses {
		o.Kind = Chosen
		return o
	}
	switch {
	case !known:
		o.Kind = Unknown
		o.Claim, o.Err = t.Queue.Keep(tap, t.Rules.Lockout, !t.Roster.Whole())
		return o
	case !badge.Usable(t.day(tap)):
		o.Kind, o.Employee = Blocked, badge.Employee
		return o
	}
	o.Employee, o.Function = badge.Employee, c.Function
	last, pending, err := t.Queue.Last(o.Employee.ID)
	switch {
	case err != nil:
		o.Kind, o.Err = Failed, err
	case c.Function == ShowHours:
		t.hours(tap, &o, last, pending)
	case t.takesBack(tap, c) && t.takeBack(tap, &o):
	case t.lockedOut(tap, last, c.Function):
		o.Kind, o.Punch = Repeated, last
	default:
		t.follow(tap, &o, last, pending)
	}
	return o
}

// lockedOut reports whether a tap only repeats the one before it. One with a function that was not booked
// does not, if a second has passed: Zeitstrom keeps whole ones. A negative age means that the clock was set
// back since: no lock-out then.
func (t *Terminal) lockedOut(tap Tap, last Punch, f Function) bool {
	lockout := t.Rules.Lockout
	if f != "" && f != last.Function {
		lockout = min(lockout, time.Second)
		if sameSecond(tap.Time, last.Time) {
			lockout = time.Second
		}
	}
	age, certain := tap.Since(last)
	return last.ID != 0 && certain && age >= 0 && age < lockout
}

// follow books what follows what is known of the employee.
func (t *Terminal) follow(tap Tap, o *Outcome, last Punch, pending bool) {
	k := t.know(tap, o.Employee.ID, last, pending)
	intents := o.Function.plan(k)
	if len(intents) == 0 { // they are there already
		o.Kind, o.Stands = Repeated, true
		o.Punch = Punch{Employee: o.Employee.ID, Intent: k.basis.Intent, Time: k.basis.Time}
		if last.Intent == k.basis.Intent && k.basis.Time.Equal(last.Time.Truncate(time.Second)) {
			o.Punch = last
		}
		return
	}
	p := Punch{Intent: intents[0], Basis: k.basis, Detail: Detail{Function: o.Function, Project: o.Function.Project()}}
	switch {
	case len(intents) == 2:
		o.Switched = true
	case p.Intent == CheckIn && k.rests:
		o.Returned, o.Paused = true, k.paused
		p.Project = cmp.Or(p.Project, k.project)
		o.plain.Project = k.project
	case p.OnBreak():
		p.Project = k.project
	}
	o.Missed = p.Intent == CheckIn && k.missed
	if p.Project != "" {
		o.Project = t.Projects.Name(p.Project)
	}
	t.hint(tap, &p, k, o.Switched)
	t.book(tap, o, last, p)
	if o.Booked() && o.Punch.Intent == CheckOut && t.Rules.Hours {
		o.Worked = t.untilOut(addPunch(t.spansOf(o.Employee.ID, k), o.Punch), o.Punch, k)
	}
}

// book stores a punch, or a switch, which is the punch and one the other way at the same second.
func (t *Terminal) book(tap Tap, o *Outcome, last, p Punch) {
	e := o.Employee.ID
	thinks := t.Rules.SecondThoughts > 0 && o.Function == ""
	t.Queue.Wait(e, thinks)
	sends := t.Elsewhere.Sends()
	p.Employee, p.Time, p.Stamp = e, tap.Time, tap.Stamp
	p = tap.after(last, p)
	var punch Punch
	var err error
	if o.Switched {
		in := p
		in.Intent, in.Basis = CheckIn, p.basis()
		p.Project = ""
		punch, err = t.Queue.Switch(p, in, sends)
	} else {
		punch, err = t.Queue.Append(p, sends)
	}
	if err != nil {
		t.Queue.Wait(e, false)
		o.Kind, o.Err = Failed, err
		return
	}
	o.booked(punch, !sends)
}

// basis is what a punch tells whoever books next.
func (p Punch) basis() Basis {
	return Basis{Source: ThisClock, Intent: p.Intent, Time: p.Time.Truncate(time.Second)}
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
