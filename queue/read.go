package queue

import (
	"encoding/hex"
	"fmt"
	"slices"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// Last returns the newest punch that this clock made for an employee, the zero
// Punch if there is none, and whether Zeitstrom lacks it or an earlier one that
// is still to come.
func (s *Store) Last(e device.EmployeeID) (p device.Punch, lacks bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.last[e]
	if earlier, there := s.earlier[e]; !ok && there {
		return earlier.Punch, earlier.Ambiguous, nil
	}
	return p, s.lacks(e), nil
}

// Recent returns the newest punches that this clock made for an employee and that count, by their times; those
// for a day's hours. They are Pending or Delivered.
func (s *Store) Recent(e device.EmployeeID) (punches []device.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.recent[e] {
		p := device.Entry{Punch: r.punch(e), State: device.Delivered}
		p.Stamp.Uncertain = s.untimed.has(r.id)
		if s.isPending(r.id) || s.marks[r.id].State == device.Quarantined {
			p.State = device.Pending
		}
		if s.marks[r.id].State != device.Dropped {
			punches = append(punches, p)
		}
	}
	slices.SortStableFunc(punches, func(a, b device.Entry) int { return a.Time.Compare(b.Time) })
	return punches
}

// Stats counts the punches by state, and says how the file is.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats(s.first)
	st.Journal = hex.EncodeToString(s.chain.head[:])
	st.Absent, st.Awaiting = s.db == nil, s.awaiting
	if s.problem != nil {
		st.Problem = s.problem.Error()
	}
	return st
}

// Undelivered returns every punch that is pending or quarantined, in order.
func (s *Store) Undelivered() ([]device.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []device.PunchID
	for _, lane := range s.lanes {
		for _, e := range lane {
			ids = append(ids, e.id)
		}
	}
	for id, m := range s.marks {
		if m.State == device.Quarantined {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	out := make([]device.Entry, 0, len(ids))
	err := s.view(func(tx *bolt.Tx) error {
		for _, id := range ids {
			p, err := getPunch(tx, id)
			if err != nil {
				return err
			}
			out = append(out, s.entryIn(tx, p))
		}
		return nil
	})
	return out, err
}

// Backward calls f for each punch, newest first, until f returns false. It reads a batch at a time and
// holds nothing while f works, however long that takes.
func (s *Store) Backward(f func(device.Entry) bool) error {
	var before device.PunchID // 0: the newest punch is next
	for {
		batch, err := s.batch(before)
		for _, e := range batch {
			if !f(e) {
				return nil
			}
			before = e.ID
		}
		if err != nil || len(batch) == 0 {
			return err
		}
	}
}

// batch reads the punches before one.
func (s *Store) batch(before device.PunchID) (batch []device.Entry, err error) {
	const most = 500
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.view(func(tx *bolt.Tx) error {
		return backward(tx, before, punchAt, func(p device.Punch) bool {
			batch = append(batch, s.entryIn(tx, p))
			return len(batch) < most
		})
	})
	return batch, err
}

// Find returns one punch.
func (s *Store) Find(id device.PunchID) (e device.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.read(id)
	if err != nil {
		return e, err
	}
	err = s.view(func(tx *bolt.Tx) error {
		e = s.entryIn(tx, p)
		return nil
	})
	return e, err
}

// entryIn says where a punch stands, and its project.
func (s *Store) entryIn(tx *bolt.Tx, p device.Punch) device.Entry {
	e := s.entry(p)
	if p.Project != "" {
		c, _ := getChosen(tx, key(p.ID), storedPunch(tx, p.ID))
		e.ProjectState, e.ProjectReason = c.State, c.Reason
	}
	return e
}

// read returns a punch from the file.
func (s *Store) read(id device.PunchID) (p device.Punch, err error) {
	if id == 0 || id >= s.next {
		return p, &device.Refusal{Cause: fmt.Sprintf("there is no punch %d", id), Remedy: device.SeePunches}
	}
	err = s.view(func(tx *bolt.Tx) error {
		p, err = getPunch(tx, id)
		return err
	})
	return p, err
}
