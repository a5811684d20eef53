package device

import "time"

// Source is who knew something about an employee.
type Source string

// Who can know.
const (
	Nobody    Source = ""
	ThisClock Source = "clock"
	Zeitstrom Source = "zeitstrom" // whoever booked it: another door, the app, an admin
)

// Basis is what was known of an employee when the intent of a punch was decided.
// It stays with the punch, so that one can see later why the clock decided as it did.
type Basis struct {
	Source Source
	Intent Intent    // what the employee did last; empty if nothing is known
	Time   time.Time // when that was, to the second
	// Silent: Zeitstrom was asked and did not answer in time, or not clearly.
	Silent bool
}

// Forgotten returns the check-in that a punch leaves open: the employee has
// not checked out, and too long ago for this punch to be that check-out.
func (p Punch) Forgotten() (checkin time.Time, ok bool) {
	return p.Basis.Time, p.Intent == CheckIn && p.Basis.Intent == CheckIn
}

// Next returns the intent that follows what is known of an employee. A check-in
// that is older than the longest shift is a forgotten check-out and is not
// closed by today's arrival. An age that is not known proves nothing.
func Next(known Intent, age time.Duration, ageKnown bool, longestShift time.Duration) Intent {
	if known != CheckIn || ageKnown && age > longestShift {
		return CheckIn
	}
	return CheckOut
}

// Other returns the opposite direction.
func (i Intent) Other() Intent {
	if i == CheckIn {
		return CheckOut
	}
	return CheckIn
}
