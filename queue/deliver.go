package queue

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// Heads returns the punch of each employee that is next to be delivered, oldest first: the
// oldest pending one that is not held. An untimed punch keeps the employee's later ones
// waiting. After a restart every punch that Attempt had marked is ambiguous.
func (s *Store) Heads() []device.Undelivered {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.awaiting {
		return nil
	}
	heads := make([]device.Undelivered, 0, len(s.lanes))
	for e, lane := range s.lanes {
		if head, ok := s.head(lane); ok && !s.waiting[e] {
			heads = append(heads, device.Undelivered{Punch: head.punch(e), Ambiguous: head.ambiguous})
		}
	}
	slices.SortFunc(heads, func(a, b device.Undelivered) int { return cmp.Compare(a.ID, b.ID) })
	return heads
}

// batch is how many punches one mark covers. After a crash each of them must be
// asked about; without a crash each costs a 256th of a commit.
const batch = 256

// Attempt makes sure that it is on disk that a punch may have been sent, and
// must be called before that. One commit covers those that follow it, too; of an untimed one it
// says nothing, until it has its time.
func (s *Store) Attempt(p device.Punch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending(p) == nil {
		return notPending(p)
	}
	if s.attempted.has(p.ID) {
		return nil
	}
	err := s.save(func(st *stage) error {
		st.attempted = st.attempted.withRun(run{p.ID, min(p.ID+batch, s.next) - 1})
		return nil
	})
	if err != nil {
		return fmt.Errorf("punch %d not marked as sent: %w", p.ID, err)
	}
	return nil
}

func notPending(p device.Punch) error { return fmt.Errorf("punch %d: %w", p.ID, device.ErrNotPending) }

// MarkAmbiguous records that nobody knows whether Zeitstrom has a punch: it was sent and not clearly
// answered, or it was taken for delivered and Zeitstrom does not show it. That one is pending
// again, in its place before the employee's newer ones. For the other Attempt has put on disk
// what is needed after a crash.
func (s *Store) MarkAmbiguous(p device.Punch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.pending(p); e != nil {
		if !e.ambiguous {
			s.note(device.Event{Punch: p.ID, Kind: device.EventAmbiguous})
		}
		e.ambiguous = true
		return nil
	}
	p, err := s.read(p.ID)
	if err != nil {
		return err
	}
	if s.entry(p).State != device.Delivered { // a person has decided about it meanwhile
		return nil
	}
	return s.decide(func(st *stage) error {
		st.settled, st.attempted = st.settled.minus(p.ID), st.attempted.with(p.ID)
		st.then(func(x *index) { x.comeBack(p, true) })
		const why = "it was taken for delivered, and Zeitstrom does not show it"
		return st.event(device.Event{Punch: p.ID, Kind: device.EventReopened, Reason: why})
	})
}

// flushAfter is how long a delivery may wait for a punch whose commit it can
// ride on. A crash in between makes the punch ambiguous, not lost.
const flushAfter = 2 * time.Second

// Deliver records that Zeitstrom has a punch: at once in memory, on disk with the next commit
// or a moment later. It may be a quarantined check-in, which is there after all: then the
// check-out that was held with it goes on.
func (s *Store) Deliver(p device.Punch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := s.pending(p); {
	case e != nil:
		if e.ambiguous {
			s.note(device.Event{Punch: p.ID, Kind: device.EventDelivered, Reason: "it had been ambiguous"})
		}
		s.settled = s.settled.with(p.ID)
		s.leave(p)
		s.saveSoon()
		return nil
	case s.marks[p.ID].State == device.Quarantined:
		return s.decide(func(st *stage) error { return s.releasePair(st, p, "") })
	}
	return notPending(p)
}

// releasePair takes a punch out of quarantine, and lets the check-out that was held with it go
// on.
func (s *Store) releasePair(st *stage, p device.Punch, by string) error {
	if err := st.release(p.ID, by); err != nil {
		return err
	}
	if out, ok := s.checkOutOf(st.Tx, p); ok && s.held(out.ID) {
		return st.release(out.ID, by)
	}
	return nil
}

// Quarantine records that Zeitstrom refused the punch for good, and its words.
// The check-out that belongs to a refused check-in is held with it.
func (s *Store) Quarantine(p device.Punch, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending(p) == nil {
		return notPending(p)
	}
	return s.commitState(func(st *stage) error {
		st.settle(p)
		if err := st.mark(p.ID, newMark(device.Quarantined, reason), ""); err != nil {
			return err
		}
		if out, ok := s.checkOutOf(st.Tx, p); ok {
			return st.mark(out.ID, heldMark(), "")
		}
		return nil
	})
}

// settle takes a punch out of those that are pending.
func (st *stage) settle(p device.Punch) {
	st.settled = st.settled.with(p.ID)
	st.then(func(x *index) { x.leave(p) })
}

// mark stores what became of a punch, and says so in the journal.
func (st *stage) mark(id device.PunchID, m mark, by string) error {
	e := device.Event{Punch: id, Kind: device.EventKind(m.State), Reason: m.Reason, By: by}
	if err := st.event(e); err != nil {
		return err
	}
	return st.putMark(id, m)
}

// release forgets what became of a punch.
func (st *stage) release(id device.PunchID, by string) error {
	if err := st.event(device.Event{Punch: id, Kind: device.EventReleased, By: by}); err != nil {
		return err
	}
	return st.putMark(id, mark{})
}

// commitState commits what became of punches.
func (s *Store) commitState(change func(*stage) error) error {
	if err := s.save(change); err != nil {
		return fmt.Errorf("state not stored: %w", err)
	}
	return nil
}

// decide commits what makes that more, or less, is to be sent.
func (s *Store) decide(change func(*stage) error) error {
	err := s.commitState(change)
	if err == nil {
		s.notify()
	}
	return err
}

// checkOutOf returns the check-out that belongs to a check-in, the employee's
// next punch, if it is pending.
func (s *Store) checkOutOf(tx *bolt.Tx, in device.Punch) (out device.Punch, ok bool) {
	if in.Intent != device.CheckIn {
		return out, false
	}
	for _, bucket := range [][]byte{historyBucket, tailBucket} {
		c := tx.Bucket(bucket).Cursor()
		for k, v := c.Seek(key(in.ID + 1)); k != nil; k, v = c.Next() {
			p, err := punchAt(tx, k, v)
			if err == nil && p.Employee == in.Employee && s.marks[p.ID].State != device.Dropped {
				return p, p.Intent == device.CheckOut && s.isPending(p.ID)
			}
		}
	}
	return out, false
}

func newMark(state device.State, reason string) mark {
	return mark{State: state, Reason: reason, Since: time.Now().UTC().Truncate(time.Second)}
}

func heldMark() mark { return newMark(device.Held, "its check-in is quarantined") }
