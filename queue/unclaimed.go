package queue

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// Unclaimed taps are bounded: nobody may fill the disk with badges of their own.
const (
	maxUnclaimed = 1000
	maxOrphans   = 100_000 // while part of the badge map is lost: they are bookings
	maxClaim     = 999     // claim numbers are short: people read them from the display
)

// Keep stores a tap of an unknown badge and returns the badge's claim number. A
// badge that makes up its UID can never be claimed: it is not stored, and its
// claim number is 0. The same badge's next taps within the lock-out are one tap.
func (s *Store) Keep(tap device.Tap, lockout time.Duration, orphan bool) (claim int, err error) {
	if tap.UID.Random() {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := device.UnclaimedTap{Tap: tap, Orphan: orphan, ID: s.nextUnclaimed}
	for _, old := range slices.Backward(s.unclaimed) {
		if old.UID == tap.UID {
			if age, known := tap.SinceTap(old.Tap); known && age >= 0 && age < lockout {
				return old.Claim, nil
			}
			t.Claim = old.Claim
			break
		}
	}
	if t.Claim == 0 {
		t.Claim = s.freeClaim()
	}
	drop := s.tooMany(orphan)
	lost := s.lost + len(drop)
	err = s.save(func(st *stage) error {
		if err := st.deleteUnclaimed(drop); err != nil {
			return err
		}
		if err := st.put(stateBucket, lostKey, binary.AppendUvarint(nil, uint64(lost))); err != nil {
			return err
		}
		return st.putUnclaimed(t)
	})
	if err != nil {
		return 0, fmt.Errorf("unclaimed tap not stored: %w", err)
	}
	s.forgetTaps(drop)
	s.unclaimed = append(slices.Clip(s.unclaimed), t)
	s.nextUnclaimed++
	s.lost = lost
	return t.Claim, nil
}

// tooMany returns the oldest taps that have to go for a new one: orphans do not drive out
// others, nor others them.
func (s *Store) tooMany(orphan bool) (drop []device.UnclaimedTap) {
	most := maxUnclaimed
	if orphan {
		most = maxOrphans
	}
	for _, t := range s.unclaimed {
		if t.Orphan == orphan {
			drop = append(drop, t)
		}
	}
	return drop[:max(0, len(drop)-most+1)]
}

// freeClaim returns the next number that no badge has.
func (s *Store) freeClaim() int {
	taken := map[int]bool{}
	last := 0
	for _, t := range s.unclaimed {
		taken[t.Claim] = true
		last = t.Claim
	}
	for n := last%maxClaim + 1; ; n = n%maxClaim + 1 {
		if !taken[n] {
			return n
		}
		if n == last { // all are taken
			return n
		}
	}
}

// forgetTaps takes taps out of those that are kept in memory. Whoever was given them keeps
// theirs.
func (s *Store) forgetTaps(taps []device.UnclaimedTap) {
	if len(taps) == 0 {
		return
	}
	gone := map[uint64]bool{}
	for _, t := range taps {
		gone[t.ID] = true
	}
	s.unclaimed = slices.DeleteFunc(slices.Clone(s.unclaimed), func(t device.UnclaimedTap) bool { return gone[t.ID] })
}

// stillUntimed returns those of the taps with their true times that are still kept without.
func (s *Store) stillUntimed(fixed []device.UnclaimedTap) []device.UnclaimedTap {
	untimed := map[uint64]bool{}
	for _, t := range s.unclaimed {
		untimed[t.ID] = t.Stamp.Uncertain
	}
	return slices.DeleteFunc(slices.Clone(fixed), func(t device.UnclaimedTap) bool { return !untimed[t.ID] })
}

// replaceTaps gives taps that are kept their true times.
func (s *Store) replaceTaps(fixed []device.UnclaimedTap) {
	s.unclaimed = slices.Clone(s.unclaimed)
	for _, t := range fixed {
		if i := slices.IndexFunc(s.unclaimed, func(o device.UnclaimedTap) bool { return o.ID == t.ID }); i >= 0 {
			s.unclaimed[i] = t
		}
	}
}

// Unclaimed returns the taps of unknown badges, oldest first, and how many older
// ones had to go.
func (s *Store) Unclaimed() (taps []device.UnclaimedTap, lost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unclaimed), s.lost
}

// Claim turns the unclaimed taps of a badge into punches of the employee that it
// belongs to now, as the claim plans them. Of a dry one it only returns the punches that it
// would make.
func (s *Store) Claim(c device.Claim) ([]device.Punch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taps := slices.DeleteFunc(slices.Clone(s.unclaimed), func(t device.UnclaimedTap) bool { return t.UID != c.Badge })
	if len(taps) == 0 {
		return nil, nil
	}
	before, later, err := s.around(c.Employee, taps[0].Time)
	if err != nil {
		return nil, err
	}
	plan, err := c.Plan(taps, before, later)
	if err != nil {
		return nil, err
	}
	for i := range plan {
		plan[i].ID = s.next + device.PunchID(i)
	}
	if c.Dry {
		return plan, nil
	}
	err = s.save(func(st *stage) error {
		if err := st.moveTail(); err != nil { // ids stay ascending in the history
			return err
		}
		last := s.last[c.Employee]
		for _, p := range plan {
			if err := st.punch(historyBucket, p); err != nil {
				return err
			}
			if last.Contradicts(p) {
				if err := st.contradicted(last, p); err != nil {
					return err
				}
			}
			if !p.Precedes(last) {
				last = p
			}
			if err := st.event(device.Event{Punch: p.ID, Kind: device.EventClaimed, By: c.By}); err != nil {
				return err
			}
		}
		e := device.Event{Kind: c.Kind, Reason: fmt.Sprintf("%d %s", len(plan), c.Reason), By: c.By}
		if err := st.event(e); err != nil {
			return err
		}
		return st.deleteUnclaimed(taps)
	})
	if err != nil {
		return nil, fmt.Errorf("nothing claimed: %w", err)
	}
	s.forgetTaps(taps)
	s.notify()
	return plan, nil
}

// around returns an employee's newest punch before an instant, and whether there
// are later ones.
func (s *Store) around(e device.EmployeeID, at time.Time) (before device.Punch, later bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		return newestFirst(tx, func(p device.Punch) bool {
			switch {
			case p.Employee != e || s.marks[p.ID].State == device.Dropped:
			case p.Time.After(at):
				later = true
			case p.Time.After(before.Time):
				before = p
			}
			return true
		})
	})
	return before, later, err
}

// unclaimedRecord is an unclaimed tap as it is stored. It holds the whole UID,
// without which nobody could claim it.
type unclaimedRecord struct {
	UID       string        `json:"uid"`
	Time      time.Time     `json:"time"`
	Claim     int           `json:"claim"`
	Boot      device.BootID `json:"boot"`
	Uptime    time.Duration `json:"uptime"` // in nanoseconds
	Uncertain bool          `json:"doubt"`  // the time is not certain
	Belief    bool          `json:"belief"` // nobody vouched for it
	Raw       time.Time     `json:"raw"`
	Orphan    bool          `json:"orphan,omitempty"`
}

func (st *stage) putUnclaimed(t device.UnclaimedTap) error {
	v, err := json.Marshal(unclaimedRecord{
		UID: t.UID.Hex(), Time: t.Time.UTC(), Claim: t.Claim, Boot: t.Stamp.Boot, Uptime: t.Stamp.Uptime,
		Uncertain: t.Stamp.Uncertain, Belief: t.Stamp.Believed, Raw: t.Raw, Orphan: t.Orphan,
	})
	if err != nil {
		return err
	}
	return st.put(unclaimedBucket, key(device.PunchID(t.ID)), v)
}

func (st *stage) deleteUnclaimed(taps []device.UnclaimedTap) error {
	for _, t := range taps {
		if err := st.delete(unclaimedBucket, key(device.PunchID(t.ID))); err != nil {
			return err
		}
	}
	return nil
}

// loadUnclaimed reads the unclaimed taps.
func (s *Store) loadUnclaimed(tx *bolt.Tx) error {
	v, err := get(tx.Bucket(stateBucket), lostKey)
	if err != nil {
		return err
	}
	lost, _ := binary.Uvarint(v)
	s.lost = int(lost)
	return tx.Bucket(unclaimedBucket).ForEach(func(k, stored []byte) error {
		v, err := check(k, stored)
		if err != nil {
			return err
		}
		t, err := decodeUnclaimed(v)
		if err != nil || len(k) != 8 {
			return fmt.Errorf("%w: unclaimed tap %x cannot be read", ErrDamaged, k)
		}
		t.ID = binary.BigEndian.Uint64(k)
		s.unclaimed = append(s.unclaimed, t)
		s.nextUnclaimed = t.ID + 1
		return nil
	})
}

func decodeUnclaimed(v []byte) (t device.UnclaimedTap, err error) {
	var r unclaimedRecord
	if err := json.Unmarshal(v, &r); err != nil {
		return t, err
	}
	t.UID, err = device.ParseUID(r.UID)
	t.Time, t.Claim, t.Raw, t.Orphan = r.Time, r.Claim, r.Raw, r.Orphan
	t.Stamp = device.Stamp{Boot: r.Boot, Uptime: r.Uptime, Uncertain: r.Uncertain, Believed: r.Belief}
	return t, err
}
