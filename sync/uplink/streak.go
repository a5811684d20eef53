package uplink

import (
	"time"

	"timeclock/device"
)

// Of how many employees in a row the same refusal is nobody's own fault: one whose words
// are the same, and one of the token, which is one person's to mend.
const (
	sameWords = 3
	sameBar   = 2
)

// streak is a row of refusals with the same words, and nobody was accepted in between. It
// may be everybody's trouble: then those refused wait together, and whoever was not is
// tried first. The first who is accepted ends it.
type streak struct {
	most      int // employees, from whom on it is everybody's
	words     string
	employees map[device.EmployeeID]bool
	punches   []device.PunchID // put into quarantine since it began
	until     time.Time        // when one of them is tried again
}

// add adds a refusal. Other words begin another row.
func (s *streak) add(e device.EmployeeID, words string) {
	if s.employees == nil || words != s.words {
		*s = streak{most: s.most, words: words, employees: map[device.EmployeeID]bool{}}
	}
	s.employees[e] = true
}

func (s *streak) everyone() bool { return len(s.employees) >= s.most }

// holds reports whether an employee waits with the others.
func (s *streak) holds(e device.EmployeeID) bool { return s.everyone() && s.employees[e] }

// wait lets those refused wait together.
func (s *streak) wait(d time.Duration) { s.until = time.Now().Add(d) }

func (s *streak) end() { *s = streak{most: s.most} }

// release returns the punches that were quarantined before it was clear that everybody
// is refused.
func (s *streak) release() []device.PunchID {
	ids := s.punches
	s.punches = nil
	return ids
}
