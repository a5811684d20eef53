package roster

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"timeclock/device"
)

var _ device.Office = (*Enrollment)(nil)

// Way says how somebody gets a badge.
type Way string

// The ways to get a badge.
const (
	Another Way = "another" // beside those that they have
	Renewed Way = "renew"   // instead of those that they have, which are blocked
	MovedTo Way = "move"    // also one that belongs to somebody else
)

// enrollTime is how long a badge is waited for.
const enrollTime = time.Minute

// Enrollment gives the next badge that is held to the reader to somebody.
type Enrollment struct {
	roster *Roster

	mu    sync.Mutex
	state EnrollState
	again chan struct{} // closed when the state changes
	begun time.Time
	done  func(EnrollState)
	once  device.UID // somebody else's badge, that was held there once
}

// EnrollState is how far an enrollment is.
type EnrollState struct {
	Number int // of the enrollment, from 1
	For    device.Employee
	// Function is what the badge is to choose, if it is to be a function badge; For is nobody then.
	Function device.Function
	Way      Way
	Until    time.Time      // when it is given up
	Waiting  bool           // for a badge
	Badge    device.Badge   // that was given out
	Blocked  []device.Badge // by Renewed
	Problem  string         // why the last badge that was held there was not taken
}

// NewEnrollment makes one for a badge map.
func NewEnrollment(r *Roster) *Enrollment { return &Enrollment{roster: r, again: make(chan struct{})} }

// Begin waits for a badge, and calls done once one was given out. It is refused
// while somebody else is to get one.
func (e *Enrollment) Begin(who device.Employee, way Way, done func(EnrollState)) (EnrollState, error) {
	return e.begin(EnrollState{For: who, Way: way}, done)
}

// BeginFunction is Begin for a function badge.
func (e *Enrollment) BeginFunction(f device.Function, done func(EnrollState)) (EnrollState, error) {
	return e.begin(EnrollState{Function: f}, done)
}

func (e *Enrollment) begin(wish EnrollState, done func(EnrollState)) (EnrollState, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if s := e.state; s.Waiting && now.Before(s.Until) && (s.For.ID != wish.For.ID || s.Function != wish.Function) {
		if s.Function != "" {
			return s, fmt.Errorf("a badge for %s is waited for just now: wait for that, or cancel it", s.Function)
		}
		return s, fmt.Errorf("%s (%s) is to get a badge just now: wait for that, or cancel it", s.For.Name, s.For.ID)
	}
	e.begun, e.done, e.once = now.Round(0), done, device.UID{}
	wish.Number, wish.Waiting, wish.Until = e.state.Number+1, true, now.Add(enrollTime)
	e.change(wish)
	return e.state, nil
}

// End gives up an enrollment, if it is still the one of that number.
func (e *Enrollment) End(number int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.state; s.Number == number && s.Waiting {
		s.Waiting = false
		e.change(s)
	}
}

// State returns how far it is, and a channel that is closed when that changes.
func (e *Enrollment) State() (EnrollState, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state
	s.Waiting = s.Waiting && time.Now().Before(s.Until)
	return s, e.again
}

func (e *Enrollment) change(s EnrollState) {
	e.state = s
	close(e.again)
	e.again = make(chan struct{})
}

// Enroll implements device.Office.
func (e *Enrollment) Enroll(tap device.Tap) (device.Outcome, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state
	if !s.Waiting || !time.Now().Before(s.Until) || tap.Time.Before(e.begun) { // made before: it books
		return device.Outcome{}, false
	}
	o := device.Outcome{
		Kind: device.NotEnrolled, Tap: tap, Employee: s.For, Function: s.Function,
		Punch: device.Punch{Time: tap.Time, Stamp: tap.Stamp},
	}
	if tap.Several {
		s.Problem = "several badges were held to the reader: hold one"
		e.change(s)
		o.Kind = device.Several
		return o, true
	}
	b := device.Badge{UID: tap.UID, Employee: s.For}
	var err error
	if s.Function != "" {
		b.Employee = device.Employee{}
		err = e.roster.SetFunction(tap.UID, s.Function)
	} else if was, known := e.roster.Lookup(tap.UID); s.Way == MovedTo && known && was.Employee.ID != s.For.ID &&
		e.once != tap.UID {
		e.once = tap.UID // a colleague who only wants to book does not lose it
		err = fmt.Errorf("the badge belongs to %s: hold it there again to move it", was.Employee.Name)
	} else if s.Way == Renewed {
		s.Blocked, err = e.roster.Renew(b)
	} else {
		var action Action
		if action, err = e.roster.Add(b, s.Way == MovedTo); action == Kept {
			err = errors.New("they have this badge already")
		}
	}
	if err != nil {
		s.Problem, o.Err = err.Error(), err
	} else {
		s.Waiting, s.Problem, o.Kind = false, "", device.Enrolled
		if s.Badge = b; s.Function == "" {
			s.Badge, _ = e.roster.Lookup(tap.UID)
		}
		e.done(s)
	}
	e.change(s)
	return o, true
}
