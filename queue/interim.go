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

// Recall says of files that are damaged what each employee did last, as far as it can be read
// at once; those that are Ambiguous may not be at Zeitstrom.
type Recall func() []device.Undelivered

// Interim makes and opens a queue in the place of a damaged one, which is salvaged
// meanwhile: its numbers begin above all that the damaged one can hold. Until the
// recovered punches join it, nothing is sent: an employee may have earlier ones among them.
func Interim(path string, first device.PunchID, recall Recall) (*Store, error) {
	err := createWith(path, func(st *stage) error {
		err := st.put(stateBucket, firstKey, binary.BigEndian.AppendUint64(nil, uint64(first)))
		if first > 1 { // by this version 0.9 knows, too, where the numbers go on
			err = errors.Join(err, st.putRanges(settledKey, ranges{{first - 1, first - 1}}))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return Open(path, recall)
}

// recall takes in what each employee did last in a file that is still to join.
func (s *Store) recall(last []device.Undelivered) {
	s.earlier = map[device.EmployeeID]device.Undelivered{}
	for _, p := range last {
		s.earlier[p.Employee] = p
	}
}

// GoOn is somebody's decision to give up what was to join: the punches are sent without it.
func (s *Store) GoOn(by string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.save(func(st *stage) error {
		e := device.Event{Kind: device.EventSalvageAsked, Reason: "give up: true", By: by}
		return errors.Join(st.put(stateBucket, aloneKey, nil), st.event(e))
	})
	if err != nil {
		return err
	}
	s.awaiting = false // what each did earlier still tells what their next tap is
	s.notify()
	return nil
}

// Join puts the punches of this queue behind those of a recovered one, and takes that file
// in the place of its own.
func (s *Store) Join(recovered string) (err error) {
	old, err := Open(recovered, nil)
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
	case !s.awaiting: // it has joined already, or was given up
		return errors.New("this queue awaits no recovered bookings")
	}
	err = old.save(func(st *stage) error { return s.copyTo(st, old) })
	if err == nil {
		err = durable.Rename(recovered, s.path)
	}
	if err != nil {
		return fmt.Errorf("recovered bookings not joined: %w", err)
	}
	for _, t := range s.unclaimed {
		t.ID = old.nextUnclaimed
		old.unclaimed = append(old.unclaimed, t)
		old.nextUnclaimed++
	}
	old.events = append(old.events, s.events...)
	old.path, old.unsaved = s.path, true
	old.flush.Stop()
	mine := s.db
	s.contents = old.contents
	s.flush.Reset(flushAfter)
	s.notify()
	mine.Close() // it has no name any more
	return nil
}

// copyTo copies everything that this queue has behind what an older one has, in a commit of that.
func (s *Store) copyTo(st *stage, older *Store) error {
	for _, run := range s.settled.without(ranges{{s.first - 1, s.first - 1}}) {
		st.settled = st.settled.withRun(run)
	}
	for _, run := range s.attempted {
		st.attempted = st.attempted.withRun(run)
	}
	var err error
	for id, m := range s.marks {
		err = errors.Join(err, st.putMark(id, m))
	}
	for i, t := range s.unclaimed {
		t.ID = older.nextUnclaimed + uint64(i)
		err = errors.Join(err, st.putUnclaimed(t))
	}
	return errors.Join(err, s.view(func(tx *bolt.Tx) error {
		base, err := getChain(tx, baseKey)
		if err != nil {
			return err
		}
		var failed error
		joined := map[device.EmployeeID]bool{}
		_, err = walk(tx, nil, base, func(e JournalEntry) bool {
			if e.Punch == nil {
				failed = st.record(*e.Event)
				return failed == nil
			}
			p := *e.Punch
			failed = st.punch(historyBucket, p)
			if c, found := getChosen(tx, key(p.ID), storedPunch(tx, p.ID)); found { // with what became of it
				c.Of = fingerprint(storedPunch(st.Tx, p.ID)) // a time that was set has changed the record
				failed = errors.Join(failed, st.putChosen(p.ID, c))
			}
			if before := older.last[p.Employee]; failed == nil && !joined[p.Employee] && before.Contradicts(p) {
				failed = st.contradicted(before, p)
			}
			joined[p.Employee] = true
			return failed == nil
		})
		st.then(func(x *index) { x.takeFlags(&s.index) })
		return errors.Join(err, failed)
	}))
}
