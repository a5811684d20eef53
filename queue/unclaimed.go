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

// UnclaimedTap is a tap of a badge that belonged to nobody.
type UnclaimedTap struct {
	UID   device.UID
	Time  time.Time
	Stamp device.Stamp
	Raw   time.Time // what the clock had shown, if Time was repaired; else zero
	Claim int       // the badge's claim number
	// Orphan: part of the badge map was lost then, so the badge may belong to somebody.
	Orphan bool

	id uint64
}

// unclaimedRecord is an UnclaimedTap as it is stored. It holds the whole UID,
// without which nobody could claim it.
type unclaimedRecord struct {
	UID    string        `json:"uid"`
	Time   time.Time     `json:"time"`
	Claim  int           `json:"claim"`
	Boot   device.BootID `json:"boot"`
	Uptime time.Duration `json:"uptime"` // in nanoseconds
	Doubt  bool          `json:"doubt"`  // the time is not certain
	Belief bool          `json:"belief"` // nobody vouched for it
	Raw    time.Time     `json:"raw"`
	Orphan bool          `json:"orphan,omitempty"`
}

// tap is an unclaimed tap without its number.
func (t UnclaimedTap) tap() device.Tap { return device.Tap{UID: t.UID, Time: t.Time, Stamp: t.Stamp} }

// Keep stores a tap of an unknown badge and returns the badge's claim number. A
// badge that makes up its UID can never be claimed: it is not stored, and its
// claim number is 0. The same badge's next taps within the lock-out are one tap.
func (s *Store) Keep(tap device.Tap, lockout time.Duration, orphan bool) (claim int, err error) {
	if tap.UID.Random() {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := UnclaimedTap{UID: tap.UID, Time: tap.Time, Stamp: tap.Stamp, Orphan: orphan, id: s.nextUnclaimed}
	for _, old := range slices.Backward(s.unclaimed) {
		if old.UID == tap.UID {
			if age, known := tap.SinceTap(old.tap()); known && age >= 0 && age < lockout {
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
	err = s.save(func(c *commit) error {
		if err := c.deleteUnclaimed(drop); err != nil {
			return err
		}
		if err := c.put(stateBucket, lostKey, binary.AppendUvarint(nil, uint64(lost))); err != nil {
			return err
		}
		return c.putUnclaimed(t)
	})
	if err != nil {
		return 0, fmt.Errorf("unclaimed tap not stored: %w", err)
	}
	if len(drop) > 0 {
		s.unclaimed = slices.DeleteFunc(slices.Clone(s.unclaimed), func(t UnclaimedTap) bool {
			return slices.ContainsFunc(drop, func(d UnclaimedTap) bool { return d.id == t.id })
		})
	}
	s.unclaimed = append(slices.Clip(s.unclaimed), t)
	s.nextUnclaimed++
	s.lost = lost
	return t.Claim, nil
}

func (c *commit) putUnclaimed(t UnclaimedTap) error {
	v, err := json.Marshal(unclaimedRecord{
		t.UID.Hex(), t.Time.UTC(), t.Claim, t.Stamp.Boot, t.Stamp.Uptime, t.Stamp.Uncertain, t.Stamp.Believed, t.Raw, t.Orphan,
	})
	if err != nil {
		return err
	}
	return c.put(unclaimedBucket, key(device.PunchID(t.id)), v)
}

// tooMany returns the oldest taps that have to go for a new one: orphans do not drive out
// others, nor others them.
func (s *Store) tooMany(orphan bool) (drop []UnclaimedTap) {
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

// Orphans returns the badges with taps from the time when part of the badge map was lost.
func (s *Store) Orphans() (uids []device.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[device.UID]bool{}
	for _, t := range s.unclaimed {
		if t.Orphan && !seen[t.UID] {
			seen[t.UID] = true
			uids = append(uids, t.UID)
		}
	}
	return uids
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

func (c *commit) deleteUnclaimed(taps []UnclaimedTap) error {
	for _, t := range taps {
		if err := c.delete(unclaimedBucket, key(device.PunchID(t.id))); err != nil {
			return err
		}
	}
	return nil
}

// Unclaimed returns the taps of unknown badges, oldest first, and how many older
// ones had to go.
func (s *Store) Unclaimed() (taps []UnclaimedTap, lost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unclaimed), s.lost
}

// Claim turns the unclaimed taps of a badge into punches of the employee that it
// belongs to now, with their true times and the directions that follow from what
// is known of the employee at that time. It refuses if the employee has later
// bookings, whose directions would then be wrong, unless forced. With dry it
// only returns the punches that it would make.
func (s *Store) Claim(uid device.UID, e device.EmployeeID, rules device.Rules, force, dry bool) ([]device.Punch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var claimed []UnclaimedTap
	for _, t := range s.unclaimed {
		if t.UID == uid {
			claimed = append(claimed, t)
		}
	}
	if len(claimed) == 0 {
		return nil, nil
	}
	before, later, err := s.around(e, claimed[0].Time)
	if err != nil {
		return nil, err
	}
	if later && !force {
		return nil, fmt.Errorf("this employee has bookings after the badge's first tap (%s): claiming it would put bookings before them; see `timeclock queue list -all`, and use -force if that is right", claimed[0].Time.Local().Format(time.DateTime))
	}
	plan := s.plan(e, before, claimed, rules)
	if dry {
		return plan, nil
	}
	err = s.save(func(c *commit) error {
		if err := c.moveTail(); err != nil { // ids stay ascending in the history
			return err
		}
		for _, p := range plan {
			if err := c.punch(historyBucket, p); err != nil {
				return err
			}
			if err := c.exception(Exception{Punch: p.ID, What: "claimed"}); err != nil {
				return err
			}
		}
		return c.deleteUnclaimed(claimed)
	})
	if err != nil {
		return nil, fmt.Errorf("nothing claimed: %w", err)
	}
	s.unclaimed = slices.DeleteFunc(slices.Clone(s.unclaimed), func(t UnclaimedTap) bool { return t.UID == uid })
	for _, p := range plan {
		s.remember(p, false)
	}
	s.inTail = 0
	return plan, nil
}

// plan makes punches of taps, from what is known of the employee before them.
func (s *Store) plan(e device.EmployeeID, before device.Punch, taps []UnclaimedTap, rules device.Rules) (plan []device.Punch) {
	for _, t := range taps {
		age, known := t.tap().Since(before)
		if before.ID != 0 && known && age >= 0 && age < rules.Lockout {
			continue
		}
		p := device.Punch{ID: s.next + device.PunchID(len(plan)), Employee: e, Time: t.Time, Raw: t.Raw, Stamp: t.Stamp, Claimed: true}
		p.Intent = device.Next(before.Intent, age, known, rules.LongestShift)
		if before.ID != 0 {
			p.Basis = device.Basis{Source: device.ThisClock, Intent: before.Intent, Time: before.Time}
		}
		if before.ID != 0 && before.Claimed && known && age >= 0 && p.Time.Before(before.Time) { // the clock was set back in between
			p.Raw, p.Time = p.Time, before.Time.Add(age)
		}
		plan = append(plan, p)
		before = p
	}
	return plan
}

// around returns an employee's newest punch before an instant, and whether there
// are later ones.
func (s *Store) around(e device.EmployeeID, at time.Time) (before device.Punch, later bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		return newestFirst(tx, func(p device.Punch) bool {
			switch {
			case p.Employee != e || s.marks[p.ID].State == Dropped:
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
		t.id = binary.BigEndian.Uint64(k)
		s.unclaimed = append(s.unclaimed, t)
		s.nextUnclaimed = t.id + 1
		return nil
	})
}

func decodeUnclaimed(v []byte) (t UnclaimedTap, err error) {
	var r unclaimedRecord
	if err := json.Unmarshal(v, &r); err != nil {
		return t, err
	}
	uid, err := device.ParseUID(r.UID)
	stamp := device.Stamp{Boot: r.Boot, Uptime: r.Uptime, Uncertain: r.Doubt, Believed: r.Belief}
	return UnclaimedTap{UID: uid, Time: r.Time, Stamp: stamp, Raw: r.Raw, Claim: r.Claim, Orphan: r.Orphan}, err
}
