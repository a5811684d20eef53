package queue

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// State is where a punch stands.
type State string

// The states a punch can be in.
const (
	Pending     State = "pending"
	Ambiguous   State = "ambiguous" // pending: sent, and not clearly answered
	Held        State = "held"      // pending: a check-out whose check-in is quarantined, or a punch whose time is not certain yet
	Delivered   State = "delivered"
	Quarantined State = "quarantined" // refused for good, kept for a person to decide
	Dropped     State = "dropped"     // a person decided that it is never sent
)

// Entry is a punch with what became of it.
type Entry struct {
	device.Punch
	State  State
	Reason string    // the server's words, or a person's
	Since  time.Time // when it came into that state; zero while pending
}

// Stats counts the punches by state.
type Stats struct {
	Pending, Delivered, Quarantined int // ambiguous and held ones are pending too
	Ambiguous, Held, Dropped        int
	Uncertain                       int       // of those held: those whose time is not certain yet
	OldestPending                   time.Time // zero if none is pending
	Problem                         string    // why the last write failed; empty if it did not
}

// Last returns the newest punch that this clock made for an employee, the zero
// Punch if there is none, and whether Zeitstrom lacks it or an earlier one that
// is still to come.
func (s *Store) Last(e device.EmployeeID) (p device.Punch, pending bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.last[e]
	if earlier, there := s.earlier[e]; !ok && there {
		return earlier.Punch, earlier.Ambiguous, nil
	}
	return p, len(s.lanes[e]) > 0 || s.marks[p.ID].State == Quarantined, nil
}

// Stats counts the punches by state.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Delivered: s.settled.len(), Ambiguous: len(s.doubtful)}
	if s.settled.has(s.first - 1) { // which is none
		st.Delivered--
	}
	for id := range s.doubtful {
		if s.marks[id].State == Held {
			st.Ambiguous--
		}
	}
	if s.problem != nil {
		st.Problem = s.problem.Error()
	}
	for _, m := range s.marks {
		switch m.State {
		case Held:
			st.Held++
		case Quarantined:
			st.Quarantined++
			st.Delivered--
		case Dropped:
			st.Dropped++
			st.Delivered--
		}
	}
	for _, lane := range s.lanes {
		st.Pending += len(lane)
		for _, i := range lane {
			if _, unsure := s.uncertain[i.id]; unsure {
				st.Uncertain++
				if s.marks[i.id].State != Held {
					st.Held++
				}
			} else if at := time.Unix(0, i.time); st.OldestPending.IsZero() || at.Before(st.OldestPending) {
				st.OldestPending = at
			}
		}
	}
	return st
}

// Undelivered returns every punch that is pending or quarantined, in order.
func (s *Store) Undelivered() ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Entry
	err := s.view(func(tx *bolt.Tx) error {
		for _, lane := range s.lanes {
			for _, i := range lane {
				p, err := getPunch(tx, i.id)
				if err != nil {
					return err
				}
				out = append(out, s.entry(p))
			}
		}
		for id, m := range s.marks {
			if m.State != Quarantined {
				continue
			}
			p, err := getPunch(tx, id)
			if err != nil {
				return err
			}
			out = append(out, s.entry(p))
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
	return out, err
}

// Wrong returns the punches whose times are wrong, as later ones of the same run of the
// computer show, in order: those that were noticed since the program was started.
func (s *Store) Wrong() []device.Punch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.wrong), func(a, b device.Punch) int { return cmp.Compare(a.ID, b.ID) })
}

// Recent returns the newest punches, at most n, newest first.
func (s *Store) Recent(n int) ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Entry
	err := s.view(func(tx *bolt.Tx) error {
		return newestFirst(tx, func(p device.Punch) bool {
			if len(out) < n {
				out = append(out, s.entry(p))
			}
			return len(out) < n
		})
	})
	return out, err
}

// State returns where a punch stands.
func (s *Store) State(p device.Punch) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entry(p).State
}

// Find returns one punch.
func (s *Store) Find(id device.PunchID) (Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.read(id)
	return s.entry(p), err
}

func (s *Store) entry(p device.Punch) Entry {
	e := Entry{Punch: p, State: Pending}
	if m, ok := s.marks[p.ID]; ok {
		e.State, e.Reason, e.Since = m.State, m.Reason, m.Since
		return e
	}
	switch {
	case s.settled.has(p.ID):
		e.State = Delivered
	case p.Stamp.Uncertain:
		e.State, e.Reason = Held, "its time is not certain yet"
	case s.doubtful[p.ID]:
		e.State = Ambiguous
	}
	return e
}
