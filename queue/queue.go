// Package queue keeps punches on disk from the moment an employee is told of
// them until Zeitstrom has them, and afterwards as this clock's journal.
//
// It is one bbolt file. Append returns once the punch is on disk; nothing that
// is pending is ever dropped. The queue does not know how punches are delivered
// and decides nothing about them: it keeps order, state and reasons.
//
// # Format 1
//
// Five buckets, laid out so that a commit touches as few pages as possible:
//
//	meta     "format" → 1
//	tail     punch id → record; the newest punches, few enough to be stored
//	         inside the root page that every commit writes anyway
//	history  punch id → record; all older ones, moved there together
//	state    "settled" → the ids that are no longer pending, as ranges
//	marks    punch id → record; what became of those that were refused
//
// Ids are 8 bytes big-endian. Every value begins with its CRC-32C, taken over
// key and value: bbolt itself does not notice a flipped bit.
package queue

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// ErrInUse says that another process has the file open.
var ErrInUse = errors.New("the queue is in use by another timeclock: stop that one first")

// ErrDamaged says that the file is not what this package wrote.
var ErrDamaged = errors.New("the queue file is damaged")

// State is where a punch stands.
type State string

// The states a punch can be in.
const (
	Pending     State = "pending"
	Delivered   State = "delivered"
	Quarantined State = "quarantined" // refused for good, kept for a person to decide
)

// Entry is a punch with what became of it.
type Entry struct {
	device.Punch
	State  State
	Reason string    // the server's words, if it was refused
	Since  time.Time // when it was refused
}

// Stats counts the punches by state.
type Stats struct {
	Pending, Delivered, Quarantined int
	OldestPending                   time.Time // zero if none is pending
	Problem                         string    // why the last write failed; empty if it did not
}

// Store is an open queue. Its methods may be called from any goroutine.
type Store struct {
	db      *bolt.DB
	changed chan struct{}

	mu       sync.Mutex
	next     device.PunchID
	inTail   int
	last     map[device.EmployeeID]device.Punch
	lanes    map[device.EmployeeID][]device.Punch // pending, oldest first
	settled  ranges
	marks    map[device.PunchID]mark
	doubtful *device.Punch // its commit failed, yet it may be in the file
	problem  error         // of the last write
}

// Close closes the file. Nothing is in flight then: each call has committed.
func (s *Store) Close() error { return s.db.Close() }

// Changed gets a value after an Append. Values that nobody waits for are
// merged into one.
func (s *Store) Changed() <-chan struct{} { return s.changed }

// Append stores a punch and returns it with its ID once it is on disk. After
// an error the punch may be in the file nevertheless; the next call finds out
// before it does anything else, so that knowledge and file agree again.
func (s *Store) Append(p device.Punch) (device.Punch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.settleDoubt(); err != nil {
		return p, err
	}
	p.ID = s.next
	moved := s.inTail >= tailSize
	err := s.update(func(tx *bolt.Tx) error { return appendPunch(tx, p, moved) })
	if err != nil {
		s.doubtful = &p
		if stored, again := s.settleDoubt(); again == nil && stored {
			return p, nil
		}
		return p, fmt.Errorf("punch not stored: %w", err)
	}
	s.remember(p, moved)
	return p, nil
}

// update commits a change and remembers how that went.
func (s *Store) update(f func(*bolt.Tx) error) error {
	s.problem = s.db.Update(f)
	return s.problem
}

// settleDoubt finds out whether a punch whose commit failed is in the file. It
// does so in a commit of its own: if that succeeds, what it saw is on disk.
func (s *Store) settleDoubt() (stored bool, err error) {
	if s.doubtful == nil {
		return false, nil
	}
	p := *s.doubtful
	var inTail int
	err = s.update(func(tx *bolt.Tx) error {
		tail := tx.Bucket(tailBucket)
		stored = tail.Get(key(p.ID)) != nil
		inTail = 0
		return tail.ForEach(func(_, _ []byte) error { inTail++; return nil })
	})
	if err != nil {
		return false, fmt.Errorf("the disk does not take any writes: %w", err)
	}
	s.doubtful = nil
	if stored {
		s.remember(p, false)
	}
	s.inTail = inTail
	return stored, nil
}

// remember takes a stored punch into memory and tells the uplink.
func (s *Store) remember(p device.Punch, moved bool) {
	if moved {
		s.inTail = 0
	}
	s.inTail++
	s.next = p.ID + 1
	s.last[p.Employee] = p
	s.lanes[p.Employee] = append(s.lanes[p.Employee], p)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Last returns the newest punch that this clock made for an employee,
// delivered or not.
func (s *Store) Last(e device.EmployeeID) (device.Punch, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.settleDoubt(); err != nil {
		return device.Punch{}, false, err
	}
	p, ok := s.last[e]
	return p, ok, nil
}

// Heads returns the oldest pending punch of each employee, oldest first: what
// may be delivered now without breaking anybody's order.
func (s *Store) Heads() []device.Punch {
	s.mu.Lock()
	defer s.mu.Unlock()
	heads := make([]device.Punch, 0, len(s.lanes))
	for _, lane := range s.lanes {
		heads = append(heads, lane[0])
	}
	slices.SortFunc(heads, func(a, b device.Punch) int { return cmp.Compare(a.ID, b.ID) })
	return heads
}

// Deliver records that Zeitstrom has the punch.
func (s *Store) Deliver(p device.Punch) error { return s.settle(p, nil) }

// Quarantine records that Zeitstrom refused the punch for good, and its words.
func (s *Store) Quarantine(p device.Punch, reason string) error {
	return s.settle(p, &mark{State: Quarantined, Reason: reason, Since: time.Now().UTC().Truncate(time.Second)})
}

// settle takes a punch out of what is pending, on disk first.
func (s *Store) settle(p device.Punch, m *mark) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	lane := s.lanes[p.Employee]
	i := slices.IndexFunc(lane, func(q device.Punch) bool { return q.ID == p.ID })
	if i < 0 {
		return fmt.Errorf("punch %d is not pending", p.ID)
	}
	settled := s.settled.with(p.ID)
	err := s.update(func(tx *bolt.Tx) error {
		if m != nil {
			if err := putMark(tx, p.ID, *m); err != nil {
				return err
			}
		}
		return putSettled(tx, settled)
	})
	if err != nil {
		return fmt.Errorf("state of punch %d not stored: %w", p.ID, err)
	}
	s.settled = settled
	if m != nil {
		s.marks[p.ID] = *m
	}
	if lane = slices.Delete(lane, i, i+1); len(lane) > 0 {
		s.lanes[p.Employee] = lane
	} else {
		delete(s.lanes, p.Employee)
	}
	return nil
}

// Stats counts the punches by state.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Quarantined: len(s.marks), Delivered: s.settled.len() - len(s.marks)}
	if s.problem != nil {
		st.Problem = s.problem.Error()
	}
	for _, lane := range s.lanes {
		st.Pending += len(lane)
		if st.OldestPending.IsZero() || lane[0].Time.Before(st.OldestPending) {
			st.OldestPending = lane[0].Time
		}
	}
	return st
}

// Undelivered returns every punch that is pending or quarantined, in order.
func (s *Store) Undelivered() ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Entry
	for _, lane := range s.lanes {
		for _, p := range lane {
			out = append(out, Entry{Punch: p, State: Pending})
		}
	}
	err := s.db.View(func(tx *bolt.Tx) error {
		for _, id := range slices.Collect(maps.Keys(s.marks)) {
			p, err := getPunch(tx, id)
			if err != nil {
				return err
			}
			out = append(out, s.entry(p))
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
	return out, err
}

// Recent returns the newest punches, at most n, newest first.
func (s *Store) Recent(n int) ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Entry
	err := s.db.View(func(tx *bolt.Tx) error {
		return newestFirst(tx, func(p device.Punch) bool {
			if len(out) < n {
				out = append(out, s.entry(p))
			}
			return len(out) < n
		})
	})
	return out, err
}

func (s *Store) entry(p device.Punch) Entry {
	if m, ok := s.marks[p.ID]; ok {
		return Entry{Punch: p, State: m.State, Reason: m.Reason, Since: m.Since}
	}
	if s.settled.has(p.ID) {
		return Entry{Punch: p, State: Delivered}
	}
	return Entry{Punch: p, State: Pending}
}
