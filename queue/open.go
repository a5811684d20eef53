package queue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"timeclock/device"
	"timeclock/device/durable"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	pageSize = 4096 // also on kernels with larger pages: a commit writes whole pages
	format   = 1
	// lockTimeout bounds the wait for another process's lock; a daemon that
	// was told to stop may need a moment.
	lockTimeout = time.Second
)

func options() *bolt.Options {
	return &bolt.Options{
		Timeout:        lockTimeout,
		PageSize:       pageSize,
		NoFreelistSync: true, // else every commit writes the whole list of free pages
		FreelistType:   bolt.FreelistMapType,
	}
}

// Open opens the queue at path and creates it if there is none. A file that is
// empty or cut short is ErrDamaged, never a new start. Of a file that took the place of a
// damaged one nothing is sent until Join; recall tells what each employee did last before it.
// It may be nil.
func Open(path string, recall Recall) (*Store, error) {
	switch err := checkSize(path); {
	case errors.Is(err, fs.ErrNotExist):
		if err := create(path); err != nil {
			return nil, fmt.Errorf("cannot create the queue: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("cannot open the queue: %w", err)
	}
	db, err := bolt.Open(path, 0o600, options())
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, ErrInUse
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum),
		errors.Is(err, berrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	case err != nil:
		return nil, fmt.Errorf("cannot open the queue: %w", err)
	}
	s := newStore(db)
	s.path = path
	if s.file, err = inodeOf(path); err != nil {
		db.Close()
		return nil, fmt.Errorf("cannot open the queue: %w", err)
	}
	if err := db.View(s.load); err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.awaiting && recall != nil {
		s.recall(recall())
	}
	return s, nil
}

func newStore(db *bolt.DB) *Store {
	s := &Store{
		changed: make(chan struct{}, 1), waiting: map[device.EmployeeID]bool{},
		contents: contents{db: db, index: newIndex()},
	}
	s.flush = time.AfterFunc(time.Hour, s.flushLate)
	s.flush.Stop()
	return s
}

// Absent is a queue that has no file, because of what why says: nothing can be stored in
// it until Adopt gives it one.
func Absent(why error) *Store {
	s := newStore(nil)
	s.absent, s.problem = why, why
	return s
}

// Adopt takes over a queue that was opened, which is not to be used any more; or it takes in
// why there still is none.
func (s *Store) Adopt(opened *Store, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if why != nil {
		s.absent, s.problem = why, why
		return
	}
	opened.mu.Lock()
	defer opened.mu.Unlock()
	opened.flush.Stop()
	noted := s.events
	s.contents = opened.contents
	for _, e := range noted { // while there was no file
		s.note(e)
	}
	s.notify()
}

// create makes a new queue under another name first: a power cut in between
// leaves no half-made file under the queue's own name.
func create(path string) error { return createWith(path, func(*stage) error { return nil }) }

func createWith(path string, also func(*stage) error) (err error) {
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bolt.Open(temp, 0o600, options())
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		st := &stage{Tx: tx}
		return errors.Join(st.putRanges(settledKey, nil), st.putRanges(attemptedKey, nil),
			st.put(stateBucket, lostKey, []byte{0}),
			st.put(stateBucket, headKey, chain{}.encode()), st.put(stateBucket, baseKey, chain{}.encode()),
			st.put(metaBucket, formatKey, []byte{format}), also(st))
	})
	if err := errors.Join(err, db.Sync(), db.Close()); err != nil {
		return err
	}
	return durable.Rename(temp, path)
}

// load builds what is kept in memory from the file, newest punch first.
func (s *Store) load(tx *bolt.Tx) error {
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w: bucket %q is missing", ErrDamaged, name)
		}
	}
	switch v, err := get(tx.Bucket(metaBucket), formatKey); {
	case err != nil:
		return err
	case len(v) != 1 || v[0] != format:
		return fmt.Errorf("the queue has format %v, this version of timeclock reads format %d: "+
			"install the version that wrote it", v, format)
	}
	var err error
	if s.settled, err = getRanges(tx, settledKey); err != nil {
		return err
	}
	if s.attempted, err = getRanges(tx, attemptedKey); err != nil {
		return err
	}
	if s.marks, err = getMarks(tx); err != nil {
		return err
	}
	if s.chain, err = getChain(tx, headKey); err != nil {
		return err
	}
	if err := s.loadUnclaimed(tx); err != nil {
		return err
	}
	// What was chosen is looked up for those few of which it matters.
	if err := backward(tx, 0, timedAt, func(p device.Punch) bool { s.older(p); return true }); err != nil {
		return err
	}
	s.loaded()
	if err := s.loadChosen(tx); err != nil {
		return err
	}
	s.inTail = tx.Bucket(tailBucket).Stats().KeyN
	return s.loadFirst(tx)
}

// loadFirst reads where a file begins that took the place of a damaged one.
func (s *Store) loadFirst(tx *bolt.Tx) error {
	state := tx.Bucket(stateBucket)
	if state.Get(firstKey) == nil {
		return nil
	}
	v, err := get(state, firstKey)
	if err != nil || len(v) != 8 {
		return fmt.Errorf("%w: first number", ErrDamaged)
	}
	s.first = device.PunchID(binary.BigEndian.Uint64(v))
	s.next = max(s.next, s.first)
	s.awaiting = state.Get(aloneKey) == nil
	return nil
}

// Verify opens a queue file read-only and reads all of it. bbolt may panic, hang
// or die on a damaged page: call it in a child process, with a time-out. One that somebody
// else has open is not read: Open finds that, too.
func Verify(path string) error {
	if err := errors.Join(checkSize(path), checkMetas(path)); err != nil {
		return err
	}
	o := options()
	o.ReadOnly = true
	o.PreLoadFreelist = false
	db, err := bolt.Open(path, 0o600, o)
	if errors.Is(err, berrors.ErrTimeout) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return newStore(db).load(tx)
	})
}

func checkSize(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() < 4*pageSize {
		err = fmt.Errorf("%w: %s has only %d bytes", ErrDamaged, path, info.Size())
	}
	return err
}
