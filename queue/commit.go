package queue

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// commit is a write transaction that goes on with the journal, and knows what it has
// changed.
type commit struct {
	*bolt.Tx
	chain chain
	undo  undo
}

// undo is what records were before a commit that failed: nil for those that were not
// there. bbolt writes a commit before it fails, so the file may hold it nevertheless:
// the next commit begins by putting back what was confirmed.
type undo map[recordKey][]byte

type recordKey struct{ bucket, key string }

// set stores a record as it is.
func (c *commit) set(bucket, key, stored []byte) error {
	c.keep(bucket, key)
	return c.Bucket(bucket).Put(key, stored)
}

// put stores a value with its CRC.
func (c *commit) put(bucket, key, value []byte) error { return c.set(bucket, key, sum(key, value)) }

func (c *commit) delete(bucket, key []byte) error {
	c.keep(bucket, key)
	return c.Bucket(bucket).Delete(key)
}

// keep keeps what a record was before this commit.
func (c *commit) keep(bucket, key []byte) {
	r := recordKey{string(bucket), string(key)}
	if _, known := c.undo[r]; !known && c.undo != nil {
		c.undo[r] = bytes.Clone(c.Bucket(bucket).Get(key))
	}
}

// restore puts records back.
func (u undo) restore(tx *bolt.Tx) error {
	for r, stored := range u {
		b := tx.Bucket([]byte(r.bucket))
		var err error
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

// save commits a change, and with it which punches are settled and attempted:
// what is known of deliveries rides along with the next punch. After a failure
// nothing of the change counts, as long as this program runs: what the file may hold
// of it goes with the next commit that succeeds.
func (s *Store) save(change func(*commit) error) error {
	if change == nil && !s.unsaved {
		return nil
	}
	if s.problem = s.commit(change); s.problem != nil && s.db != nil {
		s.unsaved = true // as soon as the disk is well again it is to hold what was confirmed
		s.flush.Reset(flushAfter)
	}
	return s.problem
}

func (s *Store) commit(change func(*commit) error) error {
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
	settled, attempts := s.settled, s.attempts.without(s.settled)
	c := commit{chain: s.chain, undo: undo{}}
	err := s.db.Update(func(tx *bolt.Tx) error {
		c.Tx = tx
		if err := s.undo.restore(tx); err != nil {
			return err
		}
		for _, e := range s.exceptions {
			if err := c.exception(e); err != nil {
				return err
			}
		}
		if change != nil {
			if err := change(&c); err != nil {
				return err
			}
		}
		return errors.Join(c.putRanges(settledKey, settled), c.putRanges(attemptedKey, attempts),
			c.put(stateBucket, headKey, c.chain.encode()))
	})
	if err != nil {
		s.undo = s.undo.merge(c.undo)
		return err
	}
	s.undo, s.unsaved, s.attempts, s.chain, s.exceptions = nil, false, attempts, c.chain, nil
	return nil
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
	return s.save(func(*commit) error { return nil })
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
