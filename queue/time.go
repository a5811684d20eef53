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

// withTime gives a punch whose time was not certain the true one. What the clock
// had shown stays with it.
func withTime(p device.Punch, at time.Time) device.Punch {
	p.Raw, p.Time, p.Stamp.Uncertain = p.Time, at, false
	return p
}

// seen keeps the newest punch whose time somebody vouched for.
func (s *Store) seen(p device.Punch) {
	if !p.Stamp.Uncertain && !p.Stamp.Believed && p.Time.After(s.newest.Time) {
		s.newest = p
	}
}

// Newest returns the newest punch, by its time, of those whose time somebody
// vouched for: not only the settings, or a person. The zero Punch if there is none.
func (s *Store) Newest() device.Punch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

// Repair gives those punches and unclaimed taps whose times are not certain their
// true times, as far as fix knows them, and returns how many it repaired. The
// punches may be delivered then. One that would come long before the employee's
// punch before it stays as it is, for a person.
func (s *Store) Repair(fix func(device.Stamp) (time.Time, bool)) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var punches []device.Punch
	for _, p := range s.uncertain {
		if _, ok := fix(p.Stamp); ok && !s.contrary[p.ID] {
			punches = append(punches, p)
		}
	}
	var taps []int // places among the unclaimed
	for i, t := range s.unclaimed {
		if _, ok := fix(t.Stamp); ok && t.Stamp.Uncertain {
			taps = append(taps, i)
		}
	}
	if len(punches)+len(taps) == 0 {
		return 0, nil
	}
	slices.SortFunc(punches, func(a, b device.Punch) int { return cmp.Compare(a.ID, b.ID) })
	before, err := s.before(punches)
	if err != nil {
		return 0, err
	}
	var repaired []device.Punch
	for _, p := range punches {
		at, _ := fix(p.Stamp)
		prev, fixed := before[p.Employee], withTime(p, at)
		early := prev.Time.Sub(at)
		switch {
		case early <= 0:
		case early <= device.MaxStep:
			fixed = withTime(p, prev.Time)
		case prev.Contradicts(fixed): // that one's time is wrong
			s.wrong[prev.ID] = prev
		default:
			s.contrary[p.ID] = true
			continue
		}
		p = fixed
		before[p.Employee] = p
		repaired = append(repaired, p)
	}
	unclaimed := slices.Clone(s.unclaimed)
	err = s.setTimes(repaired, "repaired", func(c *commit) error {
		for _, i := range taps {
			t := &unclaimed[i]
			t.Raw = t.Time
			t.Time, _ = fix(t.Stamp)
			t.Stamp.Uncertain = false
			if err := c.putUnclaimed(*t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.unclaimed = unclaimed
	return len(repaired) + len(taps), nil
}

// before returns the punch of each employee that is nearest before the first of
// theirs among those given, of those whose times are certain.
func (s *Store) before(punches []device.Punch) (map[device.EmployeeID]device.Punch, error) {
	first := map[device.EmployeeID]device.PunchID{}
	for _, p := range slices.Backward(punches) {
		first[p.Employee] = p.ID
	}
	found := map[device.EmployeeID]device.Punch{}
	err := s.view(func(tx *bolt.Tx) error {
		return newestFirst(tx, func(p device.Punch) bool {
			if id, wanted := first[p.Employee]; wanted && p.ID < id && s.vouches(p) {
				found[p.Employee] = p
				delete(first, p.Employee)
			}
			return len(first) > 0
		})
	})
	return found, err
}

// vouches reports whether a punch says something about the times of those next to
// it: a claimed tap is older than its place says, and a dropped one was none.
func (s *Store) vouches(p device.Punch) bool {
	return !p.Stamp.Uncertain && !p.Claimed && s.marks[p.ID].State != Dropped
}

// SetTime gives a punch whose time is not certain the time that a person says. It
// must lie between those of the employee's punches before and after it.
func (s *Store) SetTime(id device.PunchID, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.read(id)
	if err != nil {
		return err
	}
	if !p.Stamp.Uncertain || !s.pending(id) {
		return fmt.Errorf("the time of punch %d is certain: correct the booking at Zeitstrom", id)
	}
	prev, next, err := s.neighbours(p, func(q device.Punch) bool { return q.Employee == p.Employee && s.vouches(q) })
	switch {
	case err != nil:
		return err
	case at.Before(prev.Time.Truncate(time.Second)):
		return fmt.Errorf("the employee's booking before it, punch %d, is of %s", prev.ID, prev.Time.Local().Format(time.DateTime))
	case next.ID != 0 && at.After(next.Time):
		return fmt.Errorf("the employee's booking after it, punch %d, is of %s", next.ID, next.Time.Local().Format(time.DateTime))
	}
	p.Stamp.Believed = true
	return s.setTimes([]device.Punch{withTime(p, at)}, "time set", func(*commit) error { return nil })
}

// setTimes stores the true times of punches, and what else goes with them.
func (s *Store) setTimes(punches []device.Punch, what string, also func(*commit) error) error {
	err := s.save(func(c *commit) error {
		for _, p := range punches {
			if err := c.putRepair(p); err != nil {
				return err
			}
			e := Exception{Punch: p.ID, What: what, Why: fmt.Sprintf("the clock showed %s, it was %s", p.Raw.UTC().Format(time.RFC3339), p.Time.UTC().Format(time.RFC3339))}
			if p.Raw.Sub(p.Time).Abs() < time.Second {
				e.What, e.Why = "confirmed", "the clock had shown the right time"
			}
			if err := c.exception(e); err != nil {
				return err
			}
		}
		return also(c)
	})
	if err != nil {
		return fmt.Errorf("times not stored: %w", err)
	}
	for _, p := range punches {
		if i := s.place(p); i >= 0 {
			s.lanes[p.Employee][i] = newItem(p)
		}
		delete(s.uncertain, p.ID)
		if s.last[p.Employee].ID == p.ID {
			s.last[p.Employee] = p
		}
		s.seen(p)
	}
	s.notify()
	return nil
}

// Uncertain returns the pending punches whose times are not certain, in order.
func (s *Store) Uncertain() []device.Punch {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Collect(maps.Values(s.uncertain))
	slices.SortFunc(out, func(a, b device.Punch) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Around returns the nearest punches before and after one whose times are certain,
// whoever made them: what is known of its time. They are the zero Punch if
// there are none.
func (s *Store) Around(p device.Punch) (before, after device.Punch, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.neighbours(p, s.vouches)
}

// neighbours returns the nearest punches before and after p that fit.
func (s *Store) neighbours(p device.Punch, fits func(device.Punch) bool) (before, after device.Punch, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		return newestFirst(tx, func(q device.Punch) bool {
			switch {
			case q.ID == p.ID || !fits(q):
			case q.ID > p.ID:
				after = q
			default:
				before = q
				return false
			}
			return true
		})
	})
	return before, after, err
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
	if !s.pending(p.ID) || s.doubtful[p.ID] || !s.waiting[p.Employee] {
		return p, fmt.Errorf("punch %d may be at Zeitstrom already", p.ID)
	}
	turned := p
	turned.Intent = p.Intent.Other()
	turned.Basis = device.Basis{Source: device.ThisClock, Intent: p.Intent, Time: p.Time}
	settled := s.settled
	s.settled = s.settled.with(p.ID)
	m := newMark(Dropped, fmt.Sprintf("the employee turned it round: punch %d", s.next))
	turned, err := s.append(turned, func(c *commit) error { return c.mark(p.ID, m) })
	if err != nil {
		s.settled = settled
		return p, err
	}
	s.marks[p.ID] = m
	if s.inLane(p) { // else the store was read anew in between
		err = s.takeOut(p)
	}
	return turned, err
}
