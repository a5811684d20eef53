package queue

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// The journal is every punch and every exception, in the order in which they
// came to be, chained by hashes: each entry's hash is the SHA-256 of the hash
// before it, its key and its value. Who keeps the newest hash elsewhere can tell
// whether anything before it was changed. Ordinary delivery is no part of it.

// Exception is something that happened to a punch beside being delivered.
type Exception struct {
	At    time.Time      `json:"at"`
	Punch device.PunchID `json:"punch,omitempty"`
	What  string         `json:"what"` // ambiguous, found, quarantined, held, retried, released, dropped, claimed, salvaged
	Why   string         `json:"why,omitempty"`
}

// JournalEntry is a punch or an exception, with the hash of the journal up to it.
type JournalEntry struct {
	Punch     *device.Punch // nil: an exception
	Exception *Exception    // nil: a punch
	Hash      [sha256.Size]byte
}

// commit is a write transaction that goes on with the journal.
type commit struct {
	*bolt.Tx
	chain chain
}

// chain is the end of the journal.
type chain struct {
	head  [sha256.Size]byte
	punch device.PunchID // the newest
	n     uint32         // exceptions after it
}

func (c *chain) add(key, stored []byte) {
	h := sha256.New()
	h.Write(c.head[:])
	h.Write(key)
	h.Write(stored)
	h.Sum(c.head[:0])
}

// punch adds a punch to the journal and stores it.
func (c *commit) punch(bucket []byte, p device.Punch) error {
	v, err := encodePunch(p)
	if err != nil {
		return err
	}
	k := key(p.ID)
	c.chain.add(k, sum(k, v))
	c.chain.punch, c.chain.n = p.ID, 0
	return put(c.Bucket(bucket), k, v)
}

// exception adds an exception to the journal. Its key is the newest punch's and a
// number, so that the order of both together is that of their keys.
func (c *commit) exception(e Exception) error {
	e.At = time.Now().UTC().Truncate(time.Second)
	v, err := json.Marshal(e)
	if err != nil {
		return err
	}
	c.chain.n++
	k := binary.BigEndian.AppendUint32(key(c.chain.punch), c.chain.n)
	c.chain.add(k, sum(k, v))
	return put(c.Bucket(exceptionsBucket), k, v)
}

// head is a chain as it is stored.
func (c chain) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(c.punch))
	return append(binary.BigEndian.AppendUint32(b, c.n), c.head[:]...)
}

func getChain(tx *bolt.Tx, key []byte) (c chain, err error) {
	v, err := get(tx.Bucket(stateBucket), key)
	if err == nil && len(v) != 12+sha256.Size {
		err = fmt.Errorf("%w: head of the journal", ErrDamaged)
	}
	if err != nil {
		return c, err
	}
	c.punch, c.n = device.PunchID(binary.BigEndian.Uint64(v)), binary.BigEndian.Uint32(v[8:])
	copy(c.head[:], v[12:])
	return c, nil
}

// Head returns the hash of the whole journal, in hex.
func (s *Store) Head() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return hex.EncodeToString(s.chain.head[:])
}

// Journal calls f for each entry, oldest first, until f fails.
func (s *Store) Journal(f func(JournalEntry) error) error {
	return s.bolt().View(func(tx *bolt.Tx) error {
		_, err := walk(tx, f)
		return err
	})
}

// VerifyJournal reads the whole journal and compares its hash with the one that
// was stored with its newest entry. It returns the number of entries that there
// still are; what was pruned is stood for by its hash.
func (s *Store) VerifyJournal() (entries int, err error) {
	err = s.bolt().View(func(tx *bolt.Tx) error {
		want, err := getChain(tx, headKey)
		if err != nil {
			return err
		}
		got, err := walk(tx, func(JournalEntry) error { entries++; return nil })
		if err == nil && got != want.head {
			err = fmt.Errorf("the journal was changed: its %d entries have the hash %x, and it should be %x", entries, got, want.head)
		}
		return err
	})
	return entries, err
}

// walk goes through the journal by key: a punch, then the exceptions after it.
func walk(tx *bolt.Tx, f func(JournalEntry) error) (head [sha256.Size]byte, err error) {
	c, err := getChain(tx, baseKey)
	if err != nil {
		return c.head, err
	}
	exceptions := tx.Bucket(exceptionsBucket).Cursor()
	ek, ev := exceptions.First()
	before := func(k []byte) error { // exceptions whose key comes before k
		for ; ek != nil && (k == nil || bytes.Compare(ek, k) < 0); ek, ev = exceptions.Next() {
			v, err := check(ek, ev)
			if err != nil {
				return err
			}
			var e Exception
			if err := json.Unmarshal(v, &e); err != nil {
				return fmt.Errorf("%w: exception %x cannot be read", ErrDamaged, ek)
			}
			c.add(ek, ev)
			if err := f(JournalEntry{Exception: &e, Hash: c.head}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, bucket := range [][]byte{historyBucket, tailBucket} {
		err := tx.Bucket(bucket).ForEach(func(k, stored []byte) error {
			if err := before(k); err != nil {
				return err
			}
			p, err := decodePunch(k, stored)
			if err != nil {
				return err
			}
			c.add(k, stored)
			return f(JournalEntry{Punch: &p, Hash: c.head})
		})
		if err != nil {
			return c.head, err
		}
	}
	return c.head, before(nil)
}
