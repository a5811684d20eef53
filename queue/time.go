package queue

import (
	"cmp"
	"encoding/json"
	"fmt"
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

// seen keeps the newest punch whose time is certain.
func (s *Store) seen(p device.Punch) {
	if !p.Stamp.Uncertain && p.Time.After(s.newest.Time) {
		s.newest = p
	}
}

// Newest returns the newest punch, by its time, of those whose time is certain;
// the zero Punch if there is none.
func (s *Store) Newest() device.Punch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

// maxClamp is how much later than it was a time may be told so that an employee's
// times stay in their order: more than a clock that was stepped by a time server.
const maxClamp = time.Minute

// Repair gives those punches and unclaimed taps whose times are not certain their
// true times, as far as fix knows them, and returns how many it repaired. The
// punches may be delivered then. One that would come long before the employee's
// punch before it stays as it is, for a person.
func (s *Store) Repair(fix func(device.Stamp) (time.Time, bool)) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var doubtful []device.Punch
	for _, lane := range s.lanes {
		for _, p := range lane {
			if p.Stamp.Uncertain {
				doubtful = append(doubtful, p)
			}
		}
	}
	taps := slices.DeleteFunc(slices.Clone(s.unclaimed), func(t UnclaimedTap) bool { return !t.Stamp.Uncertain })
	if len(doubtful)+len(taps) == 0 {
		return 0, nil
	}
	slices.SortFunc(doubtful, func(a, b device.Punch) int { return cmp.Compare(a.ID, b.ID) })
	before := map[device.EmployeeID]device.Punch{} // what was repaired
	var repaired []device.Punch
	for _, p := range doubtful {
		at, ok := fix(p.Stamp)
		if !ok {
			continue
		}
		prev, ok := before[p.Employee]
		if !ok {
			var err error
			if prev, _, err = s.neighbours(p, func(q device.Punch) bool { return q.Employee == p.Employee && !q.Stamp.Uncertain }); err != nil {
				return 0, err
			}
		}
		if early := prev.Time.Sub(at); early > maxClamp {
			continue
		} else if early > 0 {
			at = prev.Time
		}
		p = withTime(p, at)
		before[p.Employee] = p
		repaired = append(repaired, p)
	}
	taps = slices.DeleteFunc(taps, func(t UnclaimedTap) bool { _, ok := fix(t.Stamp); return !ok })
	for i, t := range taps {
		taps[i].Time, _ = fix(t.Stamp)
		taps[i].Stamp.Uncertain = false
	}
	if len(repaired)+len(taps) == 0 {
		return 0, nil
	}
	err := s.setTimes(repaired, "repaired", func(c *commit) error {
		for _, t := range taps {
			if err := putUnclaimed(c.Tx, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, t := range taps {
		i := slices.IndexFunc(s.unclaimed, func(u UnclaimedTap) bool { return u.id == t.id })
		s.unclaimed[i] = t
	}
	return len(repaired) + len(taps), nil
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
	prev, next, err := s.neighbours(p, func(q device.Punch) bool { return q.Employee == p.Employee && !q.Stamp.Uncertain })
	switch {
	case err != nil:
		return err
	case at.Before(prev.Time.Truncate(time.Second)):
		return fmt.Errorf("the employee's booking before it, punch %d, is of %s", prev.ID, prev.Time.Local().Format(time.DateTime))
	case next.ID != 0 && at.After(next.Time):
		return fmt.Errorf("the employee's booking after it, punch %d, is of %s", next.ID, next.Time.Local().Format(time.DateTime))
	}
	return s.setTimes([]device.Punch{withTime(p, at)}, "time set", func(*commit) error { return nil })
}

// setTimes stores the true times of punches, and what else goes with them.
func (s *Store) setTimes(punches []device.Punch, what string, also func(*commit) error) error {
	if err := s.reload(); err != nil {
		return err
	}
	err := s.save(func(c *commit) error {
		for _, p := range punches {
			v, err := json.Marshal(repair{p.Time})
			if err != nil {
				return err
			}
			if err := put(c.Bucket(timesBucket), key(p.ID), v); err != nil {
				return err
			}
			why := fmt.Sprintf("the clock showed %s, it was %s", p.Raw.UTC().Format(time.RFC3339), p.Time.UTC().Format(time.RFC3339))
			if err := c.exception(Exception{Punch: p.ID, What: what, Why: why}); err != nil {
				return err
			}
		}
		return also(c)
	})
	if err != nil {
		return fmt.Errorf("times not stored: %w", err)
	}
	for _, p := range punches {
		lane := s.lanes[p.Employee]
		if i := slices.IndexFunc(lane, func(q device.Punch) bool { return q.ID == p.ID }); i >= 0 {
			lane[i] = p
		}
		if s.last[p.Employee].ID == p.ID {
			s.last[p.Employee] = p
		}
		s.seen(p)
	}
	s.notify()
	return nil
}

// Around returns the nearest punches before and after one whose times are certain,
// whoever made them: what is known of its time. They are the zero Punch if
// there are none.
func (s *Store) Around(p device.Punch) (before, after device.Punch, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.neighbours(p, func(q device.Punch) bool { return !q.Stamp.Uncertain })
}

// neighbours returns the nearest punches before and after p that fit. A claimed tap
// is older than its place says, so what lies behind is not taken for what follows.
func (s *Store) neighbours(p device.Punch, fits func(device.Punch) bool) (before, after device.Punch, err error) {
	var later []device.Punch
	err = s.db.View(func(tx *bolt.Tx) error {
		return newestFirst(tx, func(q device.Punch) bool {
			if q.ID == p.ID || !fits(q) {
				return true
			}
			if q.ID > p.ID {
				later = append(later, q)
				return true
			}
			before = q
			return false
		})
	})
	for _, q := range slices.Backward(later) {
		if !q.Time.Before(before.Time) {
			return before, q, err
		}
	}
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
	if err := s.reload(); err != nil {
		return p, err
	}
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
