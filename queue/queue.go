// Package queue keeps punches on disk from the moment an employee is told of
// them until Zeitstrom has them, and afterwards as this clock's journal.
//
// It is one bbolt file. Append returns once the punch is on disk; nothing that
// is pending is ever dropped. The queue does not know how punches are delivered;
// it keeps order, state and reasons, and pairs together: a check-out is held
// while its check-in is in quarantine.
//
// What was not confirmed is not booked: bbolt may write a commit before it fails, and the
// next commit takes out what it left. A file that is damaged is salvaged by its records'
// checksums into another one, which the queue that took its place joins then.
//
// # Format 1
//
// Nine buckets, laid out so that a commit touches as few pages as possible:
//
//	meta     "format" → 1
//	tail     punch id → record; the newest punches, few enough to be stored
//	         inside the root page that every commit writes anyway
//	history  punch id → record; all older ones, moved there together
//	state    "settled" → the ids that are no longer pending, as ranges;
//	         "attempted" → the ids that may have been sent, as ranges;
//	         "head" → the hash of the journal, "base" → that of its pruned part;
//	         in a queue that takes the place of a damaged one also "first" → its
//	         first number, and "alone" once what was to join it was given up
//	marks    punch id → record; what became of those that were refused,
//	         held or dropped
//	unclaimed  number → record; taps of unknown badges
//	aside    punch id → record and hash; old ones that may not be pruned
//	times    punch id → record; the true times of punches whose time was not
//	         certain
//	exceptions punch id and number → record; what happened to punches beside
//	         being delivered, see Journal
//
// A tenth is made when it is first needed:
//
//	chosen   punch id → record; function, project and hints of those that have
//	         any, and what became of the project
//
// Version 0.9 takes no notice of what it does not know of these, and of the field "orphan"
// of an unclaimed tap.
//
// Ids are 8 bytes big-endian. Every value begins with its CRC-32C, taken over
// key and value: bbolt itself does not notice a flipped bit.
package queue

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// ErrInUse says that another process has the file open.
var ErrInUse = errors.New("the queue is in use by another timeclock: stop that one first")

// ErrDamaged says that the file is not what this package wrote.
var ErrDamaged = errors.New("the queue file is damaged")

// Store is an open queue. Its methods may be called from any goroutine.
type Store struct {
	changed chan struct{}
	flush   *time.Timer

	mu      sync.Mutex
	waiting map[device.EmployeeID]bool // who may still change their mind
	contents
}

// contents are the file, and what is known of it.
type contents struct {
	db     *bolt.DB // nil: there is none
	path   string   // of the file; bbolt's own is that by which it was opened
	file   inode    // of the file that is open
	absent error    // why there is none

	index
	inTail        int
	unclaimed     []device.UnclaimedTap // oldest first
	nextUnclaimed uint64
	lost          int // unclaimed taps that had to go

	first    device.PunchID                           // of a file that took the place of a damaged one; else 0
	awaiting bool                                     // what was in that one is still to join: nothing is sent
	earlier  map[device.EmployeeID]device.Undelivered // meanwhile: what each did last before

	chain   chain
	events  []device.Event // not yet in the file
	unsaved bool           // deliveries or events are not
	undo    undo           // what the file may hold of commits that failed; nil: none did
	problem error          // of the last write
}

// Close stores what is not stored yet and closes the file. Of the punches that
// were marked as attempted only those are still so that nobody is sure of: only
// a crash makes the others ambiguous. Where there is no file it says so, if there was something
// to store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush.Stop()
	if s.db == nil {
		if len(s.events) > 0 {
			return s.absent
		}
		return nil
	}
	err := s.save(func(st *stage) error {
		st.attempted = nil
		for _, lane := range s.lanes {
			for _, e := range lane {
				if e.ambiguous {
					st.attempted = st.attempted.with(e.id)
				}
			}
		}
		return nil
	})
	return errors.Join(err, s.db.Close())
}

// Changed gets a value after an Append, and when a person decided something.
// Values that nobody waits for are merged into one.
func (s *Store) Changed() <-chan struct{} { return s.changed }

func (s *Store) notify() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Note adds to the journal what a person did. It is stored with the next commit,
// or a moment later.
func (s *Store) Note(e device.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(e)
}

// Append stores a punch and returns it with its ID once it is on disk. Soon says that it will
// be sent at once, so that it is marked as attempted in the same commit. After
// an error it counts as never made, unless the program or the power ends before any
// other write succeeds: then the file may hold it, and it counts.
func (s *Store) Append(p device.Punch, soon bool) (device.Punch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(p, s.last[p.Employee], s.mayGo(p, soon), func(*stage) error { return nil })
}

// Switch stores a check-out and the check-in that follows it at the same second as Append does, in one
// commit, and returns the check-in.
func (s *Store) Switch(out, in device.Punch, soon bool) (device.Punch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	soon = s.mayGo(out, soon)
	in.ID = s.next + 1
	_, err := s.append(out, s.last[out.Employee], soon, func(st *stage) error {
		return s.place(st, in, device.Punch{}, soon)
	})
	return in, err
}

// mayGo reports whether a new punch that would be sent soon may be.
func (s *Store) mayGo(p device.Punch, soon bool) bool {
	return soon && !s.awaiting && !p.Stamp.Uncertain && !s.waiting[p.Employee]
}

// append stores a punch that follows another one of the employee's, and in the same commit what
// else is to be stored.
func (s *Store) append(p, before device.Punch, soon bool, also func(*stage) error) (device.Punch, error) {
	p.ID = s.next
	err := s.save(func(st *stage) error {
		if err := s.place(st, p, before, soon); err != nil {
			return err
		}
		return also(st)
	})
	if err != nil {
		return p, fmt.Errorf("punch not stored: %w", err)
	}
	s.notify()
	return p, nil
}

// place stores a new punch that follows another one of the employee's.
func (s *Store) place(st *stage, p, before device.Punch, soon bool) error {
	held := isPair(before, p) && s.marks[before.ID].State == device.Quarantined
	if soon && !held {
		st.attempted = st.attempted.with(p.ID)
	}
	if st.inTail >= tailSize {
		if err := st.moveTail(); err != nil {
			return err
		}
	}
	if err := st.punch(tailBucket, p); err != nil {
		return err
	}
	if err := st.noteChosen(p); err != nil {
		return err
	}
	if held {
		if err := st.mark(p.ID, heldMark(), ""); err != nil {
			return err
		}
	}
	if last := s.last[p.Employee]; last.Contradicts(p) {
		return st.contradicted(last, p)
	}
	return nil
}

// contradicted notes that a punch has a wrong time, as a later one shows.
func (st *stage) contradicted(before, p device.Punch) error {
	st.then(func(x *index) { x.wrong[before.ID] = true })
	why := fmt.Sprintf("by punch %d, which came later, at an earlier time", p.ID)
	return st.event(device.Event{Punch: before.ID, Kind: device.EventContradicted, Reason: why})
}
