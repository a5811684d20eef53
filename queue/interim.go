package queue

import (
	"encoding/binary"
	"errors"
	"fmt"

	"timeclock/device"
	"timeclock/device/durable"

	bolt "go.etcd.io/bbolt"
)

// firstKey is under which an interim queue keeps its first number; aloneKey says that what was
// to join it was given up.
var (
	firstKey = []byte("first")
	aloneKey = []byte("alone")
)

// Interim makes and opens a queue in the place of a damaged one, which is salvaged
// meanwhile: its numbers begin above all that the damaged one can hold. Until the
// recovered punches join it, nothing is sent: an employee may have earlier ones among them.
// Last is what each employee did last, as far as it can be read at once; those that are
// Ambiguous may not be at Zeitstrom.
func Interim(path string, first device.PunchID, last []device.Pending) (*Store, error) {
	err := createWith(path, func(c *commit) error {
		err := c.put(stateBucket, firstKey, binary.BigEndian.AppendUint64(nil, uint64(first)))
		if first > 1 { // by this version 0.9 knows, too, where the numbers go on
			err = errors.Join(err, c.putRanges(settledKey, ranges{{first - 1, first - 1}}))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s, err := Open(path)
	if err != nil {
		return nil, err
	}
	s.Await(last)
	return s, nil
}

// Interim reports whether this is an interim queue that recovered punches are to join.
func (s *Store) Interim() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.interim
}

// Await keeps all punches of an interim queue from being sent until those of a damaged file
// have joined them.
func (s *Store) Await(last []device.Pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.interim {
		return
	}
	s.awaiting, s.earlier = true, map[device.EmployeeID]device.Pending{}
	for _, p := range last {
		s.earlier[p.Employee] = p
	}
}

// Awaiting reports whether recovered punches are still to join.
func (s *Store) Awaiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.awaiting
}

// GoOn gives up what was to join, and lets the punches be sent.
func (s *Store) GoOn() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.save(func(c *commit) error { return c.put(stateBucket, aloneKey, nil) }); err != nil {
		return err
	}
	s.awaiting, s.interim = false, false
	s.notify()
	return nil
}

// Join puts the punches of this queue behind those of a recovered one, and takes that file
// in the place of its own.
func (s *Store) Join(recovered string) (err error) {
	old, err := Open(recovered)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, old.Close())
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.db == nil:
		return s.absent
	case !s.interim || !s.awaiting: // it has joined already, or was given up
		return errors.New("this queue awaits no recovered bookings")
	}
	for _, run := range s.settled.without(ranges{{s.first - 1, s.first - 1}}) {
		old.settled = old.settled.withRun(run)
	}
	for _, run := range s.attempts {
		old.attempts = old.attempts.withRun(run)
	}
	var mine []device.Punch
	err = old.save(func(c *commit) error {
		return s.view(func(tx *bolt.Tx) error {
			base, err := getChain(tx, baseKey)
			if err != nil {
				return err
			}
			var failed error
			_, err = walk(tx, nil, base, func(e JournalEntry) bool {
				if e.Punch != nil {
					mine = append(mine, *e.Punch)
					failed = c.punch(historyBucket, *e.Punch)
				} else {
					failed = c.record(*e.Exception)
				}
				return failed == nil
			})
			for id, m := range s.marks {
				failed = errors.Join(failed, c.putMark(id, m))
			}
			for i, t := range s.unclaimed {
				t.id = old.nextUnclaimed + uint64(i)
				failed = errors.Join(failed, c.putUnclaimed(t))
			}
			return errors.Join(err, failed)
		})
	})
	if err == nil {
		err = durable.Rename(recovered, s.path)
	}
	if err != nil {
		return fmt.Errorf("recovered bookings not joined: %w", err)
	}
	for _, p := range mine {
		old.remember(p, s.marks[p.ID].State == Held)
		if s.settled.has(p.ID) { // dropped by a person meanwhile
			old.takeOut(p)
		}
	}
	for id, m := range s.marks {
		old.marks[id] = m
	}
	for id := range s.doubtful {
		old.doubtful[id] = true
	}
	for i, t := range s.unclaimed {
		t.id = old.nextUnclaimed + uint64(i)
		old.unclaimed = append(old.unclaimed, t)
	}
	old.nextUnclaimed += uint64(len(s.unclaimed))
	old.exceptions = append(old.exceptions, s.exceptions...)
	old.inTail, old.path, old.unsaved = 0, s.path, true
	old.flush.Stop()
	mineDB := s.db
	s.contents = old.contents
	s.flush.Reset(flushAfter)
	s.notify()
	mineDB.Close() // it has no name any more
	return nil
}
