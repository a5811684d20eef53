package queue

import (
	"errors"
	"fmt"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// Retry is somebody's decision to send a punch: a quarantined one again, and the check-out that
// was held with it; one that is held though its check-in is not at Zeitstrom; an ambiguous one
// without asking.
func (s *Store) Retry(by string, id device.PunchID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.read(id)
	if err != nil {
		return err
	}
	var change func(*stage) error
	switch s.entry(p).State {
	case device.Held:
		change = func(st *stage) error { return st.release(id, by) }
	case device.Ambiguous:
		change = func(st *stage) error {
			st.then(func(x *index) { x.pending(p).ambiguous = false })
			return st.event(device.Event{Punch: id, Kind: device.EventRetried, By: by})
		}
	case device.Quarantined:
		change = func(st *stage) error {
			st.settled = st.settled.minus(id)
			st.then(func(x *index) { x.comeBack(p, false) })
			return s.releasePair(st, p, by)
		}
	case device.Untimed:
		return &device.Refusal{
			Cause: fmt.Sprintf("the time of punch %d is not certain", id), Remedy: device.SetTimeInstead,
		}
	default:
		return fmt.Errorf("punch %d is neither quarantined nor ambiguous nor held: there is nothing to retry", id)
	}
	return s.decide(change)
}

// Drop is somebody's decision that a punch is never sent. It stays in the file, with the
// reason. Only what waits for a person can be dropped: quarantined, ambiguous, held and untimed
// punches.
func (s *Store) Drop(by string, id device.PunchID, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.read(id)
	if err != nil {
		return err
	}
	switch s.entry(p).State {
	case device.Quarantined, device.Ambiguous, device.Held, device.Untimed:
	default:
		return fmt.Errorf("punch %d is neither quarantined nor ambiguous nor held: it cannot be dropped", id)
	}
	return s.decide(func(st *stage) error { return s.drop(st, p, newMark(device.Dropped, reason), by) })
}

// drop takes a punch out for good. Whoever made it did last what they did before.
func (s *Store) drop(st *stage, p device.Punch, m mark, by string) error {
	st.settle(p)
	if err := errors.Join(st.mark(p.ID, m, by), s.leaveProject(st, p.ID)); err != nil {
		return err
	}
	last, err := s.lastWithout(st.Tx, p)
	st.then(func(x *index) {
		if last.ID == 0 {
			delete(x.last, p.Employee)
		} else {
			x.last[p.Employee] = last
		}
	})
	return err
}

// lastWithout finds an employee's newest punch that counts if one does not.
func (s *Store) lastWithout(tx *bolt.Tx, dropped device.Punch) (last device.Punch, err error) {
	err = newestFirst(tx, func(p device.Punch) bool {
		if p.Employee != dropped.Employee || p.ID == dropped.ID || s.marks[p.ID].State == device.Dropped {
			return true
		}
		if last.ID == 0 || last.Precedes(p) {
			last = p
		}
		return last.Claimed
	})
	return last, err
}

// lastBut is what an employee did last, but for one punch.
func (s *Store) lastBut(p device.Punch) (last device.Punch, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		last, err = s.lastWithout(tx, p)
		return err
	})
	return last, err
}

// Wait keeps an employee's punches from being delivered while they may still
// change their mind, or lets them go. It is forgotten with the process.
func (s *Store) Wait(e device.EmployeeID, yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[e] == yes {
		return
	}
	if yes {
		s.waiting[e] = true
		return
	}
	delete(s.waiting, e)
	s.notify()
}

// Turn replaces a punch that was not sent by one in the other direction, made at
// the same time, and returns that one. Both stay in the journal.
func (s *Store) Turn(p device.Punch) (device.Punch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.pending(p); e == nil || e.ambiguous || !s.waiting[p.Employee] {
		return p, fmt.Errorf("punch %d may be at Zeitstrom already", p.ID)
	}
	turned := p
	turned.Intent = p.Intent.Other()
	turned.Detail = device.Detail{}
	turned.Basis = device.Basis{Source: device.ThisClock, Intent: p.Intent, Time: p.Time}
	before, err := s.lastBut(p)
	if err != nil {
		return p, err
	}
	m := newMark(device.Dropped, fmt.Sprintf("the employee turned it round: punch %d", s.next))
	turned, err = s.append(turned, before, false, func(st *stage) error {
		st.settle(p)
		return errors.Join(st.mark(p.ID, m, ""), s.leaveProject(st, p.ID))
	})
	if err != nil {
		return p, err
	}
	return turned, nil
}

// Timing returns the newest punch, by its time, of those whose time somebody vouched for, which
// neither the settings nor a person do; the zero Punch if there is none. Untimed is how many
// pending punches and unclaimed taps have no certain time.
func (s *Store) Timing() (newest device.Punch, untimed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	untimed = s.untimed.len()
	for _, t := range s.unclaimed {
		if t.Stamp.Uncertain {
			untimed++
		}
	}
	return s.newest, untimed
}

// SetTimes stores the true times of punches and unclaimed taps. The punches may be delivered
// then. What somebody has decided about in the meantime stays as it is; it returns how many
// got their time.
func (s *Store) SetTimes(f device.Fix) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taps := s.stillUntimed(f.Taps)
	err = s.save(func(st *stage) error {
		for _, p := range f.Punches {
			if !s.untimed.has(p.ID) {
				continue
			}
			if err := st.setTime(p, f); err != nil {
				return err
			}
			n++
		}
		for _, t := range taps {
			if err := st.putUnclaimed(t); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("times not stored: %w", err)
	}
	for _, id := range f.Wrong {
		s.wrong[id] = true
	}
	s.replaceTaps(taps)
	s.notify()
	return n, nil
}

// setTime stores the true time of a punch.
func (st *stage) setTime(p device.Punch, f device.Fix) error {
	st.attempted = st.attempted.minus(p.ID)
	st.then(func(x *index) { x.timed(p) })
	e := device.Event{Punch: p.ID, Kind: f.Kind, By: f.By}
	e.Reason = fmt.Sprintf("the clock showed %s, it was %s", p.Raw.UTC().Format(time.RFC3339),
		p.Time.UTC().Format(time.RFC3339))
	if p.Raw.Sub(p.Time).Abs() < time.Second {
		e.Kind, e.Reason = device.EventConfirmed, "the clock had shown the right time"
	}
	return errors.Join(st.putRepair(p), st.event(e))
}
