package queue

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// The journal is every punch and every event, in the order in which they
// came to be, chained by hashes: each entry's hash is the SHA-256 of the hash
// before it, its key and its value. Who keeps the newest hash elsewhere can tell
// whether anything before it was changed. Ordinary delivery is no part of it.

// JournalEntry is a punch or an event, with the hash of the journal up to it.
type JournalEntry struct {
	Punch *device.Punch // nil: an event
	State device.State  // of the punch, now
	Event *device.Event // nil: a punch
	Hash  [sha256.Size]byte
}

// chain is the end of the journal.
type chain struct {
	head  [sha256.Size]byte
	punch device.PunchID // the newest
	n     uint32         // events after it
}

func (c *chain) add(key, stored []byte) {
	h := sha256.New()
	h.Write(c.head[:])
	h.Write(key)
	h.Write(stored)
	h.Sum(c.head[:0])
}

// punch adds a punch to the journal and stores it.
func (st *stage) punch(bucket []byte, p device.Punch) error {
	v, err := encodePunch(p)
	if err != nil {
		return err
	}
	k := key(p.ID)
	stored := sum(k, v)
	st.chain.add(k, stored)
	st.chain.punch, st.chain.n = p.ID, 0
	if bytes.Equal(bucket, tailBucket) {
		st.inTail++
	}
	st.then(func(x *index) { x.append(p) })
	if !p.Raw.IsZero() {
		if err := st.putRepair(p); err != nil {
			return err
		}
	}
	if err := st.chooses(p, stored); err != nil {
		return err
	}
	return st.set(bucket, k, stored)
}

// event adds an event to the journal that happens now.
func (st *stage) event(e device.Event) error {
	e.At = time.Now().UTC().Truncate(time.Second)
	return st.record(e)
}

// record adds an event that happened at another time. Its key is the newest punch's and a
// number, so that the order of both together is that of their keys.
func (st *stage) record(e device.Event) error {
	v, err := json.Marshal(e)
	if err != nil {
		return err
	}
	st.chain.n++
	k := binary.BigEndian.AppendUint32(key(st.chain.punch), st.chain.n)
	st.chain.add(k, sum(k, v))
	return st.put(eventsBucket, k, v)
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

// Journal calls f for each entry, oldest first, until f fails. It reads a batch at
// a time and holds nothing while f works, however long that takes.
func (s *Store) Journal(f func(JournalEntry) error) error {
	s.takeOutUnconfirmed() // if that fails now, it will go with the next commit
	var from []byte
	var at chain
	for {
		var batch []JournalEntry
		db, err := s.bolt()
		if err != nil {
			return err
		}
		err = db.View(func(tx *bolt.Tx) (err error) {
			if from == nil {
				if at, err = getChain(tx, baseKey); err != nil {
					return err
				}
			}
			const most = 500
			next, err := walk(tx, from, at, func(e JournalEntry) bool {
				batch = append(batch, e)
				return len(batch) < most
			})
			from, at = next.key, next.chain
			return err
		})
		if err != nil || len(batch) == 0 {
			return err
		}
		s.states(batch)
		for _, e := range batch {
			if err := f(e); err != nil {
				return err
			}
		}
	}
}

// states says of punches where they stand.
func (s *Store) states(batch []JournalEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range batch {
		if e.Punch != nil {
			batch[i].State = s.entry(*e.Punch).State
		}
	}
}

// VerifyJournal reads the whole journal and compares its hash with the one that
// was stored with its newest entry. It returns the number of entries that there
// still are; what was pruned is stood for by its hash.
func (s *Store) VerifyJournal() (entries int, err error) {
	if err := s.takeOutUnconfirmed(); err != nil {
		return 0, err
	}
	db, err := s.bolt()
	if err != nil {
		return 0, err
	}
	err = db.View(func(tx *bolt.Tx) error {
		want, err := getChain(tx, headKey)
		if err != nil {
			return err
		}
		base, err := getChain(tx, baseKey)
		if err != nil {
			return err
		}
		end, err := walk(tx, nil, base, func(JournalEntry) bool { entries++; return true })
		if err == nil && end.chain.head != want.head {
			err = fmt.Errorf("the journal was changed: its %d entries have the hash %x, and it should be %x", entries,
				end.chain.head, want.head)
		}
		return err
	})
	return entries, err
}

// place is where a walk has come to.
type place struct {
	key   []byte
	chain chain
}

// walk goes through the journal from behind a key, a punch and then the events
// after it, until f returns false.
func walk(tx *bolt.Tx, from []byte, at chain, f func(JournalEntry) bool) (place, error) {
	here := place{from, at}
	cursors := []*bolt.Cursor{
		tx.Bucket(historyBucket).Cursor(), tx.Bucket(tailBucket).Cursor(), tx.Bucket(eventsBucket).Cursor(),
	}
	keys, values := make([][]byte, len(cursors)), make([][]byte, len(cursors))
	for i, c := range cursors {
		if keys[i], values[i] = c.Seek(from); from != nil && bytes.Equal(keys[i], from) {
			keys[i], values[i] = c.Next()
		}
	}
	for {
		first := -1
		for i, k := range keys {
			if k != nil && (first < 0 || bytes.Compare(k, keys[first]) < 0) {
				first = i
			}
		}
		if first < 0 {
			return here, nil
		}
		e, err := decodeEntry(tx, keys[first], values[first])
		if err != nil {
			return here, err
		}
		here.key = bytes.Clone(keys[first])
		here.chain.add(keys[first], values[first])
		if e.Hash = here.chain.head; !f(e) {
			return here, nil
		}
		keys[first], values[first] = cursors[first].Next()
	}
}

// decodeEntry tells punches from events by their keys.
func decodeEntry(tx *bolt.Tx, k, stored []byte) (e JournalEntry, err error) {
	if len(k) == 8 {
		p, err := punchAt(tx, k, stored)
		return JournalEntry{Punch: &p}, err
	}
	v, err := check(k, stored)
	if err != nil {
		return e, err
	}
	e.Event = &device.Event{}
	if err := json.Unmarshal(v, e.Event); err != nil {
		return e, fmt.Errorf("%w: event %x cannot be read", ErrDamaged, k)
	}
	return e, nil
}
