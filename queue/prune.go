package queue

import (
	"bytes"
	"errors"
	"time"

	"timeclock/device"
)

// Prune forgets what is older than keep, counted from the newest punch: a system
// clock that jumps ahead must not empty the journal. A punch that may not go,
// because it is pending or quarantined, is moved aside, with the hash that the
// journal had there, so that the rest can go and what stays can still be verified.
// It returns how many punches were forgotten.
func (s *Store) Prune(keep time.Duration) (forgotten int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := time.Time{}
	for _, p := range s.last {
		if p.Time.After(newest) && !p.Stamp.Uncertain {
			newest = p.Time
		}
	}
	if now := time.Now(); newest.After(now) { // booked by a clock that was ahead
		newest = now
	}
	cutoff := newest.Add(-keep)
	dropped := map[device.PunchID]bool{}
	err = s.save(func(c *commit) error {
		forgotten = 0
		base, err := getChain(c.Tx, baseKey)
		if err != nil {
			return err
		}
		history := c.Bucket(historyBucket)
		var old [][]byte // keys, oldest first
		cursor := history.Cursor()
		for k, v := cursor.First(); k != nil && len(old) < pruneAtOnce; k, v = cursor.Next() {
			p, err := punchAt(c.Tx, k, v)
			if err != nil {
				return err
			}
			if !p.Time.Before(cutoff) {
				break
			}
			old = append(old, bytes.Clone(k))
		}
		if len(old) == 0 {
			return nil
		}
		for _, k := range old {
			if err := c.pruneExceptions(&base, k); err != nil {
				return err
			}
			stored := bytes.Clone(history.Get(k))
			base.add(k, stored)
			p, err := punchAt(c.Tx, k, stored)
			if err != nil {
				return err
			}
			base.punch, base.n = p.ID, 0
			if state := s.entry(p).State; state == Delivered || state == Dropped {
				forgotten++
				dropped[p.ID] = state == Dropped
				if err := errors.Join(c.delete(marksBucket, k), c.delete(timesBucket, k)); err != nil {
					return err
				}
			} else if err := c.set(asideBucket, k, append(stored, base.head[:]...)); err != nil {
				return err
			}
			if err := c.delete(historyBucket, k); err != nil {
				return err
			}
		}
		return c.put(stateBucket, baseKey, base.encode())
	})
	if err != nil {
		return 0, err
	}
	for id, was := range dropped {
		if was {
			delete(s.marks, id)
		}
	}
	return forgotten, nil
}

// pruneAtOnce bounds what one commit forgets: taps wait for it.
const pruneAtOnce = 2000

// pruneExceptions forgets the exceptions whose keys come before k.
func (c *commit) pruneExceptions(base *chain, k []byte) error {
	cursor := c.Bucket(exceptionsBucket).Cursor()
	for ek, ev := cursor.First(); ek != nil && bytes.Compare(ek, k) < 0; ek, ev = cursor.First() {
		base.add(ek, ev)
		base.n++
		if err := c.delete(exceptionsBucket, bytes.Clone(ek)); err != nil {
			return err
		}
	}
	return nil
}
