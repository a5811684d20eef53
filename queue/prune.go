package queue

import (
	"bytes"
	"errors"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// Cutoff is the instant before which everything is older than keep, counted from the newest punch: a
// system clock that jumps ahead must not empty the journal.
func (s *Store) Cutoff(keep time.Duration) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cutoff(keep)
}

func (s *Store) cutoff(keep time.Duration) time.Time {
	newest := time.Time{}
	for _, p := range s.last {
		if p.Time.After(newest) && !p.Stamp.Uncertain {
			newest = p.Time
		}
	}
	if now := time.Now(); newest.After(now) { // booked by a clock that was ahead
		newest = now
	}
	return newest.Add(-keep)
}

// Prune forgets what is older than keep, as Cutoff counts it. A punch that may not go,
// because it is pending or quarantined, is moved aside, with the hash that the
// journal had there, so that the rest can go and what stays can still be verified. Unclaimed taps
// go, too, but for those that are bookings of a badge map that was damaged.
// It returns how many punches were forgotten.
func (s *Store) Prune(keep time.Duration) (forgotten int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cutoff := s.cutoff(keep)
	var taps []device.UnclaimedTap
	for _, t := range s.unclaimed {
		if !t.Orphan && !t.Stamp.Uncertain && t.Time.Before(cutoff) {
			taps = append(taps, t)
		}
	}
	err = s.save(func(st *stage) (err error) {
		forgotten, err = s.prune(st, cutoff)
		return errors.Join(err, st.deleteUnclaimed(taps))
	})
	if err != nil {
		return 0, err
	}
	s.forgetTaps(taps)
	return forgotten, nil
}

func (s *Store) prune(st *stage, cutoff time.Time) (forgotten int, err error) {
	base, err := getChain(st.Tx, baseKey)
	if err != nil {
		return 0, err
	}
	old, err := oldest(st.Tx, cutoff)
	if err != nil || len(old) == 0 {
		return 0, err
	}
	for _, p := range old {
		k := key(p.ID)
		if err := st.pruneEvents(&base, k); err != nil {
			return 0, err
		}
		stored := bytes.Clone(st.Bucket(historyBucket).Get(k))
		base.add(k, stored)
		base.punch, base.n = p.ID, 0
		if state := s.entry(p).State; state == device.Delivered || state == device.Dropped {
			forgotten++
			err = errors.Join(st.putMark(p.ID, mark{}), st.delete(timesBucket, k), s.forgetChosen(st, p.ID))
		} else {
			err = st.set(asideBucket, k, append(stored, base.head[:]...))
		}
		if err := errors.Join(err, st.delete(historyBucket, k)); err != nil {
			return 0, err
		}
	}
	return forgotten, st.put(stateBucket, baseKey, base.encode())
}

// oldest returns the oldest punches from before an instant, in order.
func oldest(tx *bolt.Tx, cutoff time.Time) (old []device.Punch, err error) {
	cursor := tx.Bucket(historyBucket).Cursor()
	for k, v := cursor.First(); k != nil && len(old) < pruneAtOnce; k, v = cursor.Next() {
		p, err := punchAt(tx, k, v)
		if err != nil {
			return nil, err
		}
		if !p.Time.Before(cutoff) {
			break
		}
		old = append(old, p)
	}
	return old, nil
}

// pruneAtOnce bounds what one commit forgets: taps wait for it.
const pruneAtOnce = 2000

// pruneEvents forgets the events whose keys come before k.
func (st *stage) pruneEvents(base *chain, k []byte) error {
	cursor := st.Bucket(eventsBucket).Cursor()
	for ek, ev := cursor.First(); ek != nil && bytes.Compare(ek, k) < 0; ek, ev = cursor.First() {
		base.add(ek, ev)
		base.n++
		if err := st.delete(eventsBucket, bytes.Clone(ek)); err != nil {
			return err
		}
	}
	return nil
}
