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
// Version 0.9 takes no notice of what it does not know of these, and of the field "orphan"
// of an unclaimed tap.
//
// Ids are 8 bytes big-endian. Every value begins with its CRC-32C, taken over
// key and value: bbolt itself does not notice a flipped bit.
package queue

import (
	"context"
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
	eager   bool // new punches are sent at once: store them as attempted
	waiting map[device.EmployeeID]bool
	contents
}

// contents are the file, and what is known of it.
type contents struct {
	db     *bolt.DB // nil: there is none
	path   string   // of the file; bbolt's own is that by which it was opened
	file   inode    // of the file that is open
	absent error    // why there is none

	next          device.PunchID
	newest        device.Punch // by its time, of those whose time somebody vouched for
	inTail        int
	last          map[device.EmployeeID]device.Punch
	lanes         map[device.EmployeeID][]item    // pending, oldest first
	uncertain     map[device.PunchID]device.Punch // of those: their times are not certain
	settled       ranges
	unsaved       bool // settled has grown since it was last stored
	marks         map[device.PunchID]mark
	attempts      ranges
	doubtful      map[device.PunchID]bool         // pending, sent and not clearly answered
	contrary      map[device.PunchID]bool         // whose true times contradict those before them
	wrong         map[device.PunchID]device.Punch // whose times contradict those after them, since the program was started
	unclaimed     []UnclaimedTap                  // oldest first
	nextUnclaimed uint64
	lost          int // unclaimed taps that had to go

	first    device.PunchID                       // of a file that took the place of a damaged one; else 0
	interim  bool                                 // what was in the damaged one is still to join
	awaiting bool                                 // punches of a damaged file are still to join: nothing is sent
	earlier  map[device.EmployeeID]device.Pending // meanwhile: what each did last before

	chain      chain
	exceptions []Exception // not yet in the file
	undo       undo        // what the file may hold of commits that failed; nil: none did
	problem    error       // of the last write
}

// Close stores what is not stored yet and closes the file. Of the punches that
// were marked as attempted only those are still so that nobody is sure of: only
// a crash makes the others ambiguous.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush.Stop()
	if s.db == nil {
		return nil
	}
	s.attempts = nil
	for id := range s.doubtful {
		s.attempts = s.attempts.with(id)
	}
	return errors.Join(s.save(func(*commit) error { return nil }), s.db.Close())
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

// Eager tells the queue whether new punches are sent as soon as they are
// stored. Then Append marks them as attempted in the same commit.
func (s *Store) Eager(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eager = yes
}

// Append stores a punch and returns it with its ID once it is on disk. After
// an error it counts as never made, unless the program or the power ends before any
// other write succeeds: then the file may hold it, and it counts.
func (s *Store) Append(p device.Punch) (device.Punch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(p, func(*commit) error { return nil })
}

// append stores a punch, and in the same commit what else follows from it.
func (s *Store) append(p device.Punch, also func(*commit) error) (device.Punch, error) {
	p.ID = s.next
	held := s.belongsToQuarantine(p)
	attempts := s.attempts
	if s.eager && !s.awaiting && !held && !p.Stamp.Uncertain && !s.waiting[p.Employee] {
		s.attempts = s.attempts.with(p.ID)
	}
	full := s.inTail >= tailSize
	err := s.save(func(c *commit) error {
		if full {
			if err := c.moveTail(); err != nil {
				return err
			}
		}
		if err := c.punch(tailBucket, p); err != nil {
			return err
		}
		if held {
			if err := c.mark(p.ID, heldMark()); err != nil {
				return err
			}
		}
		return also(c)
	})
	if err != nil {
		s.attempts = attempts
		return p, fmt.Errorf("punch not stored: %w", err)
	}
	if full {
		s.inTail = 0
	}
	s.inTail++
	s.remember(p, held)
	return p, nil
}

// remember takes a stored punch into memory and tells the uplink.
func (s *Store) remember(p device.Punch, held bool) {
	s.next = p.ID + 1
	if before := s.last[p.Employee]; before.Contradicts(p) {
		s.wrong[before.ID] = before
		s.note(Exception{Punch: before.ID, What: "contradicted", Why: fmt.Sprintf("by punch %d, which came later, at an earlier time", p.ID)})
	}
	if before, ok := s.last[p.Employee]; !ok || !olderClaim(p, before) {
		s.last[p.Employee] = p
	}
	s.seen(p)
	if held {
		s.marks[p.ID] = heldMark()
	}
	s.line(p)
	s.notify()
}

// olderClaim reports whether a punch is a claimed tap from before another one,
// though its ID is higher.
func olderClaim(p, other device.Punch) bool {
	return p.Claimed && !p.Stamp.Uncertain && !other.Stamp.Uncertain && p.Time.Before(other.Time)
}

// note adds an exception to the journal with the next commit, or a moment later.
func (s *Store) note(e Exception) {
	s.exceptions = append(s.exceptions, e)
	s.saveSoon()
}

// saveSoon stores what is only in memory, a moment later if no commit comes before.
func (s *Store) saveSoon() {
	if !s.unsaved {
		s.unsaved = true
		s.flush.Reset(flushAfter)
	}
}

// Alive returns nil as soon as the store answers, which it does not while its disk
// keeps it waiting.
func (s *Store) Alive(ctx context.Context) error {
	free := make(chan struct{})
	go func() {
		defer close(free)
		s.mu.Lock()
		defer s.mu.Unlock()
	}()
	select {
	case <-free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
