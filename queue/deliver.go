package queue

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// Heads returns the oldest pending punch of each employee that is not held,
// oldest first: what may be delivered now without breaking anybody's order. A
// punch whose time is not certain holds up the employee's later ones.
// After a restart every punch that Attempt had marked is ambiguous.
func (s *Store) Heads() []device.Pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.awaiting {
		return nil
	}
	heads := make([]device.Pending, 0, len(s.lanes))
	for e, lane := range s.lanes {
		if s.waiting[e] {
			continue
		}
		for _, i := range lane {
			if _, unsure := s.uncertain[i.id]; unsure {
				break
			}
			if s.marks[i.id].State != Held {
				heads = append(heads, device.Pending{Punch: i.punch(e), Ambiguous: s.doubtful[i.id]})
				break
			}
		}
	}
	slices.SortFunc(heads, func(a, b device.Pending) int { return cmp.Compare(a.ID, b.ID) })
	return heads
}

// batch is how many punches one mark covers. After a crash each of them must be
// asked about; without a crash each costs a 256th of a commit.
const batch = 256

// Attempt makes sure that it is on disk that a punch may have been sent, and
// must be called before that. One commit covers those that follow it, too.
func (s *Store) Attempt(p device.Punch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inLane(p) {
		return fmt.Errorf("punch %d: %w", p.ID, device.ErrNotPending)
	}
	if s.attempts.has(p.ID) {
		return nil
	}
	before := s.attempts
	last := min(p.ID+batch, s.next)
	s.attempts = s.attempts.withRun(run{p.ID, last - 1})
	for id := range s.uncertain {
		s.attempts = s.attempts.minus(id)
	}
	if err := s.save(func(*commit) error { return nil }); err != nil {
		s.attempts = before
		return fmt.Errorf("punch %d not marked as sent: %w", p.ID, err)
	}
	return nil
}

// Doubt records that a punch was sent and not clearly answered. Attempt has put
// on disk what is needed after a crash.
func (s *Store) Doubt(p device.Punch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.doubtful[p.ID] {
		s.note(Exception{Punch: p.ID, What: string(Ambiguous)})
	}
	s.doubtful[p.ID] = true
}

// flushAfter is how long a delivery may wait for a punch whose commit it can
// ride on. A crash in between makes the punch ambiguous, not lost.
const flushAfter = 2 * time.Second

// Deliver records that Zeitstrom has the punch: at once in memory, on disk with
// the next commit or a moment later.
func (s *Store) Deliver(p device.Punch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	doubted := s.doubtful[p.ID]
	if err := s.takeOut(p); err != nil {
		return err
	}
	if doubted {
		s.note(Exception{Punch: p.ID, What: string(Delivered), Why: "it had been ambiguous"})
	}
	s.saveSoon()
	return nil
}

// Reopen records that a punch that was taken for delivered may not be at Zeitstrom: it is
// ambiguous again, in its place before the employee's newer ones.
func (s *Store) Reopen(p device.Punch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.read(p.ID)
	if err != nil {
		return err
	}
	if s.entry(p).State != Delivered { // a person has decided about it meanwhile
		return nil
	}
	settled, attempts := s.settled, s.attempts
	s.settled, s.attempts = settled.minus(p.ID), attempts.with(p.ID)
	err = s.save(func(c *commit) error {
		return c.exception(Exception{Punch: p.ID, What: whatReopened, Why: "it was taken for delivered, and Zeitstrom does not show it"})
	})
	if err != nil {
		s.settled, s.attempts = settled, attempts
		return fmt.Errorf("state not stored: %w", err)
	}
	s.doubtful[p.ID] = true
	s.lineUp(p)
	s.notify()
	return nil
}

// flushLate stores deliveries that no punch carried to the disk.
func (s *Store) flushLate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.save(nil) // what fails is tried again
}

// takeOut takes a punch out of what is pending.
func (s *Store) takeOut(p device.Punch) error {
	if !s.leave(p) {
		return fmt.Errorf("punch %d: %w", p.ID, device.ErrNotPending)
	}
	s.settled = s.settled.with(p.ID)
	delete(s.doubtful, p.ID)
	return nil
}

// Quarantine records that Zeitstrom refused the punch for good, and its words.
// The check-out that belongs to a refused check-in is held with it.
func (s *Store) Quarantine(p device.Punch, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	settled := s.settled
	marks := map[device.PunchID]mark{p.ID: newMark(Quarantined, reason)}
	if out, ok := s.checkOutOf(p); ok {
		marks[out.ID] = heldMark()
	}
	if !s.inLane(p) {
		return fmt.Errorf("punch %d: %w", p.ID, device.ErrNotPending)
	}
	s.settled = s.settled.with(p.ID)
	if err := s.mark(marks); err != nil {
		s.settled = settled
		return err
	}
	return s.takeOut(p)
}

// mark stores marks and then takes them into memory. A mark without a state
// removes the one there was.
func (s *Store) mark(marks map[device.PunchID]mark) error {
	err := s.save(func(c *commit) error {
		for _, id := range slices.Sorted(maps.Keys(marks)) {
			if err := c.mark(id, marks[id]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("state not stored: %w", err)
	}
	for id, m := range marks {
		if m.State == "" {
			delete(s.marks, id)
			continue
		}
		s.marks[id] = m
		if m.State != Held { // a held one is asked about when it goes on
			delete(s.doubtful, id)
		}
	}
	return nil
}

// mark stores a mark and says so in the journal.
func (c *commit) mark(id device.PunchID, m mark) error {
	e := Exception{Punch: id, What: string(m.State), Why: m.Reason}
	if m.State == "" {
		e.What = whatReleased
	}
	if err := c.exception(e); err != nil {
		return err
	}
	return c.putMark(id, m)
}

// checkOutOf returns the check-out that belongs to a check-in, the employee's
// next punch, if it is pending.
func (s *Store) checkOutOf(in device.Punch) (out device.Punch, ok bool) {
	if in.Intent != device.CheckIn {
		return out, false
	}
	s.view(func(tx *bolt.Tx) error {
		for _, bucket := range [][]byte{historyBucket, tailBucket} {
			c := tx.Bucket(bucket).Cursor()
			for k, v := c.Seek(key(in.ID + 1)); k != nil; k, v = c.Next() {
				if p, err := punchAt(tx, k, v); err == nil && p.Employee == in.Employee && s.marks[p.ID].State != Dropped {
					out = p
					return nil
				}
			}
		}
		return nil
	})
	return out, out.Intent == device.CheckOut && s.pending(out.ID)
}

// pending reports whether a punch waits to be delivered.
func (s *Store) pending(id device.PunchID) bool { return id != 0 && id < s.next && !s.settled.has(id) }

// belongsToQuarantine reports whether a new punch is the check-out of a check-in
// that is quarantined.
func (s *Store) belongsToQuarantine(p device.Punch) bool {
	before, ok := s.last[p.Employee]
	return ok && p.Intent == device.CheckOut && before.Intent == device.CheckIn && s.marks[before.ID].State == Quarantined
}

// Retry puts a quarantined punch back among those to be delivered, and the
// check-out that was held with it; or makes an ambiguous one to be sent again.
// It is a person's decision.
func (s *Store) Retry(id device.PunchID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doubtful[id] && s.marks[id].State != Held {
		delete(s.doubtful, id)
		s.note(Exception{Punch: id, What: "retried"})
		s.notify()
		return nil
	}
	var p device.Punch
	switch m := s.marks[id]; m.State {
	case Held:
		if err := s.mark(map[device.PunchID]mark{id: {}}); err != nil {
			return err
		}
		s.notify()
		return nil
	case Quarantined:
		var err error
		if p, err = s.read(id); err != nil {
			return err
		}
	default:
		if p, err := s.read(id); err == nil && p.Stamp.Uncertain && s.pending(id) {
			return fmt.Errorf("the time of punch %d is not certain: `timeclock queue time` gives it one", id)
		}
		return fmt.Errorf("punch %d is neither quarantined nor ambiguous nor held: there is nothing to retry", id)
	}
	settled := s.settled
	marks := map[device.PunchID]mark{id: {}}
	if out, ok := s.checkOutOf(p); ok && s.marks[out.ID].State == Held {
		marks[out.ID] = mark{}
	}
	s.settled = s.settled.minus(id)
	if err := s.mark(marks); err != nil {
		s.settled = settled
		return err
	}
	s.lineUp(p)
	s.notify()
	return nil
}

// read returns a punch from the file.
func (s *Store) read(id device.PunchID) (p device.Punch, err error) {
	if id == 0 || id >= s.next {
		return p, fmt.Errorf("there is no punch %d: `timeclock queue list -all` shows those there are", id)
	}
	err = s.view(func(tx *bolt.Tx) error {
		p, err = getPunch(tx, id)
		return err
	})
	return p, err
}

// Holders returns the quarantined check-ins whose check-outs are held.
func (s *Store) Holders() ([]device.Punch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var holders []device.Punch
	err := s.view(func(tx *bolt.Tx) error {
		for id, m := range s.marks {
			if m.State != Quarantined {
				continue
			}
			p, err := getPunch(tx, id)
			if err != nil {
				return err
			}
			if out, ok := s.checkOutOf(p); ok && s.marks[out.ID].State == Held {
				holders = append(holders, p)
			}
		}
		return nil
	})
	return holders, err
}

// Release records that a quarantined check-in is at Zeitstrom after all, and
// lets the check-out that was held with it go.
func (s *Store) Release(in device.Punch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	marks := map[device.PunchID]mark{in.ID: {}}
	if out, ok := s.checkOutOf(in); ok && s.marks[out.ID].State == Held {
		marks[out.ID] = mark{}
	}
	if s.pending(in.ID) { // somebody has taken it back from quarantine in the meantime
		if err := s.takeOut(in); err != nil {
			return err
		}
		s.saveSoon()
	}
	return s.mark(marks)
}

// Drop decides that a punch is never sent. It stays in the file, with the
// reason. Only what waits for a person can be dropped: quarantined, ambiguous
// and held punches.
func (s *Store) Drop(id device.PunchID, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.marks[id].State
	p, err := s.read(id)
	if err != nil {
		return err
	}
	if !s.doubtful[id] && state != Quarantined && state != Held && !(p.Stamp.Uncertain && s.pending(id)) {
		return fmt.Errorf("punch %d is neither quarantined nor ambiguous nor held: it cannot be dropped", id)
	}
	settled := s.settled
	s.settled = s.settled.with(id)
	if err := s.mark(map[device.PunchID]mark{id: newMark(Dropped, reason)}); err != nil {
		s.settled = settled
		return err
	}
	if s.inLane(p) {
		if err := s.takeOut(p); err != nil {
			return err
		}
	}
	s.notify()
	return s.findLast(p.Employee)
}

// findLast finds an employee's newest punch again, after one was dropped: that is
// none any more.
func (s *Store) findLast(e device.EmployeeID) error {
	delete(s.last, e)
	return s.view(func(tx *bolt.Tx) error {
		return newestFirst(tx, func(p device.Punch) bool {
			if p.Employee != e || s.marks[p.ID].State == Dropped {
				return true
			}
			if last, ok := s.last[e]; !ok || olderClaim(last, p) {
				s.last[e] = p
			}
			return s.last[e].Claimed
		})
	})
}

func newMark(state State, reason string) mark {
	return mark{State: state, Reason: reason, Since: time.Now().UTC().Truncate(time.Second)}
}

func heldMark() mark { return newMark(Held, "its check-in is quarantined") }
