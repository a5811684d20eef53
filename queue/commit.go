package queue

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// stage is a commit that is being prepared: what goes into the file, and what the index is to
// learn once it is there. A stage that comes to nothing leaves the index as it was.
type stage struct {
	*bolt.Tx
	chain     chain
	undo      undo
	settled   ranges
	attempted ranges
	inTail    int
	learn     []func(*index)
}

// then has the index learn something when the commit has succeeded.
func (st *stage) then(learn func(*index)) { st.learn = append(st.learn, learn) }

// undo is what records were before a commit that failed: nil for those that were not
// there. bbolt writes a commit before it fails, so the file may hold it nevertheless:
// the next commit begins by putting back what was confirmed.
type undo map[recordKey][]byte

type recordKey struct{ bucket, key string }

// set stores a record as it is.
func (st *stage) set(bucket, key, stored []byte) error {
	st.keep(bucket, key)
	return st.Bucket(bucket).Put(key, stored)
}

// put stores a value with its CRC.
func (st *stage) put(bucket, key, value []byte) error { return st.set(bucket, key, sum(key, value)) }

func (st *stage) delete(bucket, key []byte) error {
	st.keep(bucket, key)
	return st.Bucket(bucket).Delete(key)
}

// keep keeps what a record was before this commit.
func (st *stage) keep(bucket, key []byte) {
	r := recordKey{string(bucket), string(key)}
	if _, known := st.undo[r]; !known && st.undo != nil {
		st.undo[r] = bytes.Clone(st.Bucket(bucket).Get(key))
	}
}

// restore puts records back.
func (u undo) restore(tx *bolt.Tx) error {
	for r, stored := range u {
		b := tx.Bucket([]byte(r.bucket))
		var err error
		if b == nil { // it was made in a commit that is not in the file
			continue
		}
		if stored == nil {
			err = b.Delete([]byte(r.key))
		} else {
			err = b.Put([]byte(r.key), stored)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// merge adds what a later commit has changed. What an earlier one has changed was
// confirmed before both.
func (u undo) merge(later undo) undo {
	if u == nil {
		return later
	}
	for r, stored := range later {
		if _, known := u[r]; !known {
			u[r] = stored
		}
	}
	return u
}

// save commits a change, and with it which punches are settled and attempted, and the events
// that wait: what is known of deliveries rides along with the next punch. Without a change it
// commits what is not in the file yet. After a failure nothing of the change counts, as long as
// this program runs: what the file may hold of it goes with the next commit that succeeds.
func (s *Store) save(change func(*stage) error) error {
	if change == nil && !s.unsaved {
		return nil
	}
	if s.problem = s.commit(change); s.problem != nil && s.db != nil {
		s.unsaved = true // as soon as the disk is well again it is to hold what was confirmed
		s.flush.Reset(flushAfter)
	}
	return s.problem
}

func (s *Store) commit(change func(*stage) error) error {
	if s.db == nil {
		return s.absent
	}
	if err := s.findFile(); err != nil {
		return err
	}
	if s.undo != nil {
		if err := writeMetaAgain(s.path); err != nil {
			return fmt.Errorf("the disk takes no writes: %w", err)
		}
	}
	st := &stage{chain: s.chain, undo: undo{}, settled: s.settled, attempted: s.attempted, inTail: s.inTail}
	err := s.db.Update(func(tx *bolt.Tx) error {
		st.Tx = tx
		if err := s.undo.restore(tx); err != nil {
			return err
		}
		for _, e := range s.events {
			if err := st.event(e); err != nil {
				return err
			}
		}
		if change != nil {
			if err := change(st); err != nil {
				return err
			}
		}
		st.attempted = st.attempted.without(st.settled)
		return errors.Join(st.putRanges(settledKey, st.settled), st.putRanges(attemptedKey, st.attempted),
			st.put(stateBucket, headKey, st.chain.encode()))
	})
	if err != nil {
		s.undo = s.undo.merge(st.undo)
		return err
	}
	s.undo, s.unsaved, s.events = nil, false, nil
	s.settled, s.attempted, s.chain, s.inTail = st.settled, st.attempted, st.chain, st.inTail
	for _, learn := range st.learn {
		learn(&s.index)
	}
	return nil
}

// note adds an event to the journal with the next commit, or a moment later.
func (s *Store) note(e device.Event) {
	s.events = append(s.events, e)
	s.saveSoon()
}

// saveSoon stores what is only in memory, a moment later if no commit comes before.
func (s *Store) saveSoon() {
	if !s.unsaved {
		s.unsaved = true
		s.flush.Reset(flushAfter)
	}
}

// flushLate stores what no commit carried to the disk.
func (s *Store) flushLate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.save(nil) // what fails is tried again
}

// view reads what was confirmed.
func (s *Store) view(read func(*bolt.Tx) error) error {
	switch {
	case s.db == nil: // there is nothing to be read
		return nil
	case s.undo == nil:
		return s.db.View(read)
	}
	tx, err := s.db.Begin(true) // it is not committed
	if err != nil {
		return err
	}
	return errors.Join(s.undo.restore(tx), read(tx), tx.Rollback())
}

// takeOutUnconfirmed takes out of the file what a commit that failed may have left there.
func (s *Store) takeOutUnconfirmed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.undo == nil {
		return nil
	}
	return s.save(nil)
}

// writeMetaAgain writes both of bbolt's meta pages once more and has them on the disk. The
// kernel takes a page for written whose writing has failed (fsync(2), "EIO"), so the disk
// may have an older one than bbolt, which would let the next commit write over pages that
// the older one needs.
func writeMetaAgain(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	pages := make([]byte, 2*pageSize)
	if _, err = f.ReadAt(pages, 0); err == nil {
		_, err = f.WriteAt(pages, 0)
	}
	return errors.Join(err, f.Sync(), f.Close())
}
