package queue

import (
	"cmp"
	"errors"
	"fmt"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// ErrTakenOver says that a list of bookings was taken over already.
var ErrTakenOver = errors.New("these bookings were taken over already")

// takenKey is under which it stands that a list was taken over.
func takenKey(list string) []byte { return []byte("taken over " + list) }

// TakeOver takes in what another device had not delivered, in its order and all of it in one commit. Nobody
// knows what became of it: each is ambiguous, and Zeitstrom is asked before it is sent; those that were
// quarantined or held stay so; those without a certain time wait for one. A list is taken over once.
func (s *Store) TakeOver(list string, entries []device.Entry, by string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := false
	if err := s.view(func(tx *bolt.Tx) error {
		taken = tx.Bucket(stateBucket).Get(takenKey(list)) != nil
		return nil
	}); err != nil || taken {
		return cmp.Or(err, ErrTakenOver)
	}
	err := s.save(func(st *stage) error {
		if err := st.moveTail(); err != nil { // ids stay ascending in the history
			return err
		}
		for i, e := range entries {
			if err := st.takeOver(e, s.next+device.PunchID(i), by); err != nil {
				return err
			}
		}
		return st.put(stateBucket, takenKey(list), nil)
	})
	if err != nil {
		return fmt.Errorf("nothing taken over: %w", err)
	}
	s.notify()
	return nil
}

// takeOver takes in one under a number of this queue. Newer ones may be here already.
func (st *stage) takeOver(e device.Entry, id device.PunchID, by string) error {
	was, p := e.ID, e.Punch
	p.ID, p.Claimed = id, true
	if err := st.punch(historyBucket, p); err != nil {
		return err
	}
	why := fmt.Sprintf("it was number %d on the old device", was)
	if err := st.event(device.Event{Punch: id, Kind: device.EventTakenOver, Reason: why, By: by}); err != nil {
		return err
	}
	switch e.State {
	case device.Quarantined:
		st.settle(p)
		return st.mark(id, newMark(device.Quarantined, e.Reason), by)
	case device.Held:
		if err := st.mark(id, heldMark(), by); err != nil {
			return err
		}
	}
	if !p.Stamp.Uncertain {
		st.attempted = st.attempted.with(id)
		st.then(func(x *index) { x.pending(p).ambiguous = true })
	}
	return nil
}
