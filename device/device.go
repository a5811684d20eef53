// Package device is the time clock's own language: badges, employees, taps and
// punches, and the Terminal that turns a tap into a punch and an answer.
//
// It knows nothing of chips, files, networks or pictures and imports nothing
// but the standard library; the rooms around it bring those and import it.
package device

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// EmployeeID is an employee's UUID at Zeitstrom, in lower case with hyphens.
type EmployeeID string

// ParseEmployeeID reads a UUID in its 36-character form, in either case.
func ParseEmployeeID(s string) (EmployeeID, error) {
	id := strings.ToLower(strings.TrimSpace(s))
	if len(id) != 36 {
		return "", fmt.Errorf("employee id %q is not a UUID: copy it from Zeitstrom, "+
			"it looks like a1b2c3d4-e5f6-7890-abcd-ef1234567890", s)
	}
	for i, c := range []byte(id) {
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (c == '-') || !hyphen && !strings.ContainsRune("0123456789abcdef", rune(c)) {
			return "", fmt.Errorf("employee id %q is not a UUID: character %d is %q", s, i+1, c)
		}
	}
	return EmployeeID(id), nil
}

// Employee is the person a badge belongs to.
type Employee struct {
	ID       EmployeeID
	Name     string // first name first; may be empty
	LastName string // the end of Name; empty: it is not known where that begins
	Number   string // personnel number; empty: not known
}

// Names returns first and last name. Where it is not known where the last name begins, it is the
// last word.
func (e Employee) Names() (first, last string) {
	if first, found := strings.CutSuffix(e.Name, e.LastName); found && e.LastName != "" {
		return strings.TrimSpace(first), e.LastName
	}
	name := strings.TrimSpace(e.Name)
	space := strings.LastIndex(name, " ")
	return strings.TrimSpace(name[:max(0, space)]), name[space+1:]
}

// Listed is the name as lists have it: "Müller, Anna".
func (e Employee) Listed() string {
	first, last := e.Names()
	if first == "" {
		return last
	}
	return last + ", " + first
}

// Person is an employee as Zeitstrom has them.
type Person struct {
	Employee
	External string // id in the company's other systems; empty: none
	Badge    string // number of the badge, as somebody typed it in; empty: none
	Archived bool   // has left
}

// Intent is the direction of a punch, in the words of Zeitstrom's
// app-timestamps API.
type Intent string

// The two intents that the API knows.
const (
	CheckIn  Intent = "checkin"
	CheckOut Intent = "checkout"
)

// Tap is one badge brought to the reader at an instant.
type Tap struct {
	UID     UID
	Time    time.Time
	Stamp   Stamp // given by the terminal
	Several bool  // several badges at once where only one is wanted; UID is zero
}

// PunchID is a punch's place in the queue's journal, counted from 1. It is
// unique on one clock.
type PunchID uint64

// String is the number in decimal digits.
func (id PunchID) String() string { return fmt.Sprintf("%d", uint64(id)) }

// Punch is a tap accepted for an employee: the event that is stored and
// delivered. It carries neither name nor UID, so that whatever keeps punches
// keeps no credentials.
type Punch struct {
	ID       PunchID // given by the queue
	Employee EmployeeID
	Intent   Intent
	Time     time.Time // Zeitstrom gets it in UTC, cut to whole seconds
	// Raw is what the clock showed at the tap, if that turned out to be wrong
	// and Time was repaired; else zero.
	Raw   time.Time
	Stamp Stamp // while it is Uncertain the punch is not delivered
	Basis Basis
	Detail
	Claimed bool // it had been a tap of an unknown badge: it is older than its ID says
}

// ErrNotPending says that a punch was delivered, refused or dropped already.
var ErrNotPending = errors.New("the booking is not pending")

// OutcomeKind says what became of a tap. Its text is what scripts see in
// `timeclock tap -json`.
type OutcomeKind string

// What can become of a tap.
const (
	CheckedIn  OutcomeKind = "checkin"  // the punch is on disk
	CheckedOut OutcomeKind = "checkout" // the punch is on disk
	Repeated   OutcomeKind = "repeated" // within the lock-out: nothing was written
	Unknown    OutcomeKind = "unknown"  // the badge is not in the roster
	Several    OutcomeKind = "several"  // badges at once: none of them counts
	Blocked    OutcomeKind = "blocked"  // the badge may not be used, or not on this day
	// Instead of booking, a badge was to be given to somebody.
	Enrolled    OutcomeKind = "enrolled"
	NotEnrolled OutcomeKind = "not-enrolled" // Err says why it was not
	Failed      OutcomeKind = "failed"       // the punch could not be stored: the employee must tap again
	// Nothing was to be booked.
	Chosen     OutcomeKind = "function" // a function was chosen for the next tap, or taken back
	HoursShown OutcomeKind = "hours"    // Worked says how long they have worked
	Tried      OutcomeKind = "tried"    // the clock is on a technician's bench
)

// Outcome is the answer to a tap. Punch is the punch just stored or, for
// Repeated, the earlier one that this tap would have repeated, which may be one that was made elsewhere
// and has no ID; for the others only time and stamp are set, to the tap's.
type Outcome struct {
	Kind     OutcomeKind
	Tap      Tap
	Employee Employee
	Punch    Punch
	Offline  bool  // Zeitstrom cannot be reached: what was booked is saved, not sent
	Claim    int   // of an Unknown badge: the number under which it can be claimed; 0: none
	Err      error // why it Failed, or why an Unknown badge's tap is not kept
	// Turns is how many seconds the badge must stay until the direction is turned
	// round; 0: it will not be.
	Turns int
	// Update: this answer shows already, only Turns or the month have changed.
	Update bool

	Function Function // that was used by the tap; empty: none
	// Next is what is chosen for the tap after this one.
	Next      Choice
	Project   string        // name of the project that the booking is for; empty: none
	TakenBack bool          // the function of the booking is taken back; it stays without
	Stands    bool          // of Repeated: the employee is what the function would have made them
	Switched  bool          // booked: out of one project and in on another one
	Returned  bool          // booked: back from a break
	Paused    time.Duration // that break; 0: it is not known how long it was
	Missed    bool          // booked: the end of the last break was forgotten
	Worked    Worked
	Awaits    bool // the month's hours are still to come, as an Update

	plain Detail // what an ordinary tap would have chosen
}

// Forgotten returns what a booking leaves open, as far as is known: the check-in that no check-out
// followed, or the break that did not end.
func (o Outcome) Forgotten() (since time.Time, open bool) {
	if o.Missed {
		return o.Punch.Basis.Time, true
	}
	return o.Punch.Forgotten()
}

// Booked reports whether the tap became a punch.
func (o Outcome) Booked() bool { return o.Kind == CheckedIn || o.Kind == CheckedOut }
