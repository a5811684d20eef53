package queue

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// ErrTakenOver says that a list of bookings was taken over already.
var ErrTakenOver = errors.New("these bookings were taken over already")

// takenKey is under which it stands that a list was taken over.
func takenKey(list string) []byte { return []byte("taken over " + list) }

// Remember takes in what another device had not delivered, before it is taken over: what each employee did
// last there tells what their next tap here is, until they have one here.
func (s *Store) Remember(entries []device.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := make([]device.Undelivered, len(entries))
	for i, e := range entries { // the newest of each is the last
		last[i] = device.Undelivered{Punch: e.Punch, Ambiguous: true}
	}
	s.recall(last)
}

// TakeOver takes in what another device had not delivered, in its order and all of it in one commit. Nobody
// knows what became of it: each is ambiguous, and Zeitstrom is asked before it is sent, also about those that it
// had refused there. Those whose time was not certain there never get one here: they are dropped, and
// returned for a person to add. A list is taken over once.
func (s *Store) TakeOver(list string, entries []device.Entry, by string) (untimed []device.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := false
	if err := s.view(func(tx *bolt.Tx) error {
		taken = tx.Bucket(stateBucket).Get(takenKey(list)) != nil
		return nil
	}); err != nil || taken {
		return nil, cmp.Or(err, ErrTakenOver)
	}
	err = s.save(func(st *stage) error {
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
		return nil, fmt.Errorf("nothing taken over: %w", err)
	}
	s.earlier = nil
	s.notify()
	return slices.DeleteFunc(slices.Clone(entries), func(e device.Entry) bool { return !e.Stamp.Uncertain }), nil
}

// takeOver takes in one under a number of this queue. Newer ones may be here already.
func (st *stage) takeOver(e device.Entry, id device.PunchID, by string) error {
	was, p := e.ID, e.Punch
	p.ID, p.Claimed = id, true
	if p.Stamp.Uncertain {
		p.Detail = device.Detail{} // nothing of it will ever be
		st.settled = st.settled.with(id)
		if err := st.putMark(id, newMark(device.Dropped, "its time was not certain on the old device")); err != nil {
			return err
		}
	} else {
		st.attempted = st.attempted.with(id)
	}
	if err := st.punch(historyBucket, p); err != nil {
		return err
	}
	why := fmt.Sprintf("it was number %d on the old device", was)
	if err := st.event(device.Event{Punch: id, Kind: device.EventTakenOver, Reason: why, By: by}); err != nil {
		return err
	}
	if p.Stamp.Uncertain {
		return st.event(device.Event{
			Punch: id, Kind: device.EventDropped, Reason: "its time was not certain on the old device", By: by,
		})
	}
	st.then(func(x *index) { x.pending(p).ambiguous = true })
	return st.noteChosen(p)
}
