package queue

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// Salvaged says what could be read of damaged files.
type Salvaged struct {
	Punches int `json:"punches"`
	Open    int `json:"open"`    // of those: not known to be at Zeitstrom, so it will be asked
	Doubted int `json:"doubted"` // of those: in quarantine, since nobody knows which of two records counts
}

// Salvage makes a new queue at path from whatever can be read in the given
// files, of which some may be missing: a damaged one and its last snapshot. It
// looks at bytes and checksums only and does not care how broken the structure
// around them is. What is not known to be settled becomes ambiguous: it may be
// at Zeitstrom already, and is asked about before it is sent.
//
// Of two records with one number the later one counts: by the uptime, if both are of one
// run of the computer, else the one in the earlier of the given files. If neither tells,
// or if the newest one was never confirmed, it goes to quarantine.
//
// Alive is called now and then. It needs little memory, however large the files are.
func Salvage(path string, alive func(), files ...string) (Salvaged, error) {
	w := newWreck(alive)
	defer w.close()
	for _, file := range files {
		if err := w.add(file); err != nil {
			return Salvaged{}, err
		}
	}
	return w.build(path)
}

// Scan says of damaged files what a clock must know that goes on without them: the number
// after all that they can hold, and what each employee did last.
func Scan(alive func(), files ...string) (next device.PunchID, last []device.Pending, err error) {
	w := newWreck(alive)
	defer w.close()
	for _, file := range files {
		if err := w.add(file); err != nil {
			return 0, nil, err
		}
	}
	newest := map[device.EmployeeID]device.PunchID{}
	for id := range w.ids() {
		p, _ := w.punch(id)
		if w.marks[id].State == Dropped {
			continue
		}
		newest[p.Employee] = id
	}
	for _, id := range newest {
		p, _ := w.punch(id)
		last = append(last, device.Pending{Punch: p, Ambiguous: !w.settled.has(id)})
	}
	return w.next, last, nil
}

// wreck is what was found.
type wreck struct {
	alive     func()
	files     []*os.File
	blocks    map[device.PunchID]*block // by the punch's number divided by blockSize
	next      device.PunchID
	newest    device.PunchID               // of the punches that were found
	proven    []device.PunchID             // of each file the newest that is known to be confirmed; 0: nobody knows
	reopened  map[device.PunchID]Exception // what happened last to those that were not settled any more
	doubts    map[device.PunchID]string
	marks     map[device.PunchID]mark
	settled   ranges
	times     map[device.PunchID][]byte // repaired ones, as they were stored
	unclaimed map[tapKey]UnclaimedTap
}

// block is where punches were found: that of a million takes a few megabytes.
type block [blockSize]struct {
	at  uint64 // file and offset, 0: none
	sum uint32 // its checksum
}

const (
	blockSize = 1 << 12
	fileShift = 56
	// chunk is how much is looked at at once, and overlap more than the longest record.
	chunk   = 4 << 20
	overlap = longestValue + 64
)

func newWreck(alive func()) *wreck {
	return &wreck{
		alive: alive, blocks: map[device.PunchID]*block{}, next: 1, doubts: map[device.PunchID]string{},
		marks: map[device.PunchID]mark{}, times: map[device.PunchID][]byte{}, unclaimed: map[tapKey]UnclaimedTap{},
		reopened: map[device.PunchID]Exception{},
	}
}

func (w *wreck) close() {
	for _, f := range w.files {
		f.Close()
	}
}

// add looks for records in a file.
func (w *wreck) add(path string) error {
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	w.files = append(w.files, f)
	newest, _ := confirmed(f)
	w.proven = append(w.proven, newest)
	buf := make([]byte, chunk+overlap)
	for at := int64(0); ; at += chunk {
		n, err := f.ReadAt(buf, at)
		w.search(buf[:n], len(w.files)-1, at)
		w.alive()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n < len(buf) {
			return nil
		}
	}
}

// punchesIn yields the punches in a part of a file, and where they begin. A record's key
// stands right before its value.
func punchesIn(content []byte) iter.Seq2[device.Punch, int] {
	return func(yield func(device.Punch, int) bool) {
		for i := 0; i+recordSize <= len(content); i++ {
			r := content[i : i+recordSize]
			if kind, intent := r[keyLen+4], r[keyLen+5]; kind != kindPunch || intent == 0 || int(intent) >= len(intents) {
				continue
			}
			if p, err := decodePunch(r[:keyLen], r[keyLen:]); err == nil && p.ID > 0 && !yield(p, i) {
				return
			}
		}
	}
}

const (
	keyLen     = 8
	recordSize = keyLen + 4 + punchBytes
)

// search finds records by their checksums, at any offset.
func (w *wreck) search(content []byte, file int, at int64) {
	for p, i := range punchesIn(content) {
		w.found(p, binary.BigEndian.Uint32(content[i+keyLen:]), uint64(file)<<fileShift|uint64(at+int64(i)+1))
	}
	for value := range values(content, settledKey) {
		if r, err := decodeRanges(value); err == nil && r.len() > w.settled.len() {
			w.settled = r
			w.next = max(w.next, r[len(r)-1].last+1)
		}
	}
	for key, value := range texts(content, `{"state":"`) {
		var m mark
		if json.Unmarshal(value, &m) == nil {
			id := device.PunchID(binary.BigEndian.Uint64(key))
			if old, ok := w.marks[id]; !ok || m.Since.After(old.Since) {
				w.marks[id] = m
			}
		}
	}
	for key, value := range texts(content, `{"time":"`) {
		w.times[device.PunchID(binary.BigEndian.Uint64(key))] = bytes.Clone(value)
	}
	for key, value := range texts(content, `{"uid":"`) {
		if t, err := decodeUnclaimed(value); err == nil && len(key) == keyLen {
			k := tapKey{t.UID, t.Stamp.Boot, t.Stamp.Uptime}
			if (k.boot == device.BootID{}) {
				k.since = time.Duration(t.Time.UnixNano())
			}
			if old, known := w.unclaimed[k]; !known || old.Stamp.Uncertain { // it may have got its true time since
				w.unclaimed[k] = t
			}
		}
	}
	for _, value := range exceptionsIn(content) {
		var e Exception
		if json.Unmarshal(value, &e) != nil {
			continue
		}
		switch old := w.reopened[e.Punch]; e.What {
		case whatReopened, whatReleased, string(Quarantined), string(Dropped), string(Delivered):
			if !e.At.Before(old.At) {
				w.reopened[e.Punch] = e
			}
		}
	}
}

// tapKey is what tells one tap from another, whatever its number: files have their own.
type tapKey struct {
	uid   device.UID
	boot  device.BootID
	since time.Duration // of the uptime; since 1970 if the boot is not known
}

// found notes where a punch is. If there is another one of its number, the later one counts.
func (w *wreck) found(p device.Punch, sum uint32, at uint64) {
	w.next, w.newest = max(w.next, p.ID+1), max(w.newest, p.ID)
	b := w.blocks[p.ID/blockSize]
	if b == nil {
		b = &block{}
		w.blocks[p.ID/blockSize] = b
	}
	slot := &b[p.ID%blockSize]
	if slot.at != 0 && slot.sum == sum {
		return
	}
	if slot.at != 0 {
		other, ok := w.read(slot.at)
		oneBoot := ok && other.Stamp.Boot == p.Stamp.Boot && p.Stamp.Boot != device.BootID{} && other.Stamp.Uptime != p.Stamp.Uptime
		switch {
		case oneBoot && other.Stamp.Uptime > p.Stamp.Uptime, !oneBoot && slot.at>>fileShift < at>>fileShift:
			return
		case !oneBoot && ok:
			w.doubts[p.ID] = fmt.Sprintf("the damaged file has two different bookings of this number, and nothing tells which counts: "+
				"%s at %s, and %s at %s",
				other.Intent, other.Time.UTC().Format(time.RFC3339), p.Intent, p.Time.UTC().Format(time.RFC3339))
		default:
			delete(w.doubts, p.ID)
		}
	}
	slot.at, slot.sum = at, sum
}

// read reads the punch at a place.
func (w *wreck) read(at uint64) (device.Punch, bool) {
	record := make([]byte, recordSize)
	if _, err := w.files[at>>fileShift].ReadAt(record, int64(at&(1<<fileShift-1))-1); err != nil {
		return device.Punch{}, false
	}
	p, err := decodePunch(record[:keyLen], record[keyLen:])
	return p, err == nil
}

// ids yields the numbers of the punches that were found, in order.
func (w *wreck) ids() iter.Seq[device.PunchID] {
	return func(yield func(device.PunchID) bool) {
		for _, n := range slices.Sorted(maps.Keys(w.blocks)) {
			for i, slot := range w.blocks[n] {
				if slot.at != 0 && !yield(n*blockSize+device.PunchID(i)) {
					return
				}
			}
		}
	}
}

func (w *wreck) punch(id device.PunchID) (device.Punch, bool) {
	return w.read(w.blocks[id/blockSize][id%blockSize].at)
}

// texts yields the whole records whose value is JSON that begins like this, with
// their keys.
func texts(content []byte, begin string) iter.Seq2[[]byte, []byte] {
	return records(content, begin, keyLen)
}

func records(content []byte, begin string, keyLen int) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		const sumLen = 4
		for i := 0; ; i++ {
			n := bytes.Index(content[i:], []byte(begin))
			if n < 0 {
				return
			}
			if i += n; i < keyLen+sumLen {
				continue
			}
			key := content[i-sumLen-keyLen : i-sumLen]
			if value := grow(key, content[i-sumLen:]); value != nil && !yield(key, value) {
				return
			}
		}
	}
}

// exceptionsIn yields the exceptions of the journal, with their keys.
func exceptionsIn(content []byte) iter.Seq2[[]byte, []byte] {
	return records(content, `{"at":"`, keyLen+4)
}

// values yields the values stored under a key that are whole.
func values(content, key []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := 0; ; {
			n := bytes.Index(content[i:], key)
			if n < 0 {
				return
			}
			i += n + len(key)
			if value := grow(key, content[i:]); value != nil && !yield(value) {
				return
			}
		}
	}
}

// longestValue is the longest value of ours, in bytes.
const longestValue = 64 << 10

// grow finds the end of a stored value, of which only the beginning is known, by
// its checksum.
func grow(key, stored []byte) []byte {
	if len(stored) < 4 {
		return nil
	}
	want := binary.BigEndian.Uint32(stored)
	sum := crc32.Checksum(key, castagnoli)
	for n := 4; ; n++ {
		if sum == want {
			return stored[4:n]
		}
		if n == len(stored) || n > longestValue {
			return nil
		}
		sum = crc32.Update(sum, castagnoli, stored[n:n+1])
	}
}

// provenWhere is the newest confirmed punch of the file in which one was found; 0: that file
// cannot tell.
func (w *wreck) provenWhere(id device.PunchID) device.PunchID {
	b := w.blocks[id/blockSize]
	if b == nil || b[id%blockSize].at == 0 {
		return 0
	}
	return w.proven[b[id%blockSize].at>>fileShift]
}

// atOnce is how many punches one commit of a salvage writes.
const atOnce = 5000

// build writes what was found into a new queue.
func (w *wreck) build(path string) (found Salvaged, err error) {
	temp := path + ".salvage"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Salvaged{}, err
	}
	if err := create(temp); err != nil {
		return Salvaged{}, err
	}
	db, err := bolt.Open(temp, 0o600, options())
	if err != nil {
		return Salvaged{}, err
	}
	db.NoSync = true // it counts as a whole, or not at all
	if err := errors.Join(w.write(db, &found), db.Sync(), db.Close()); err != nil {
		return Salvaged{}, err
	}
	return found, device.Rename(temp, path)
}

func (w *wreck) write(db *bolt.DB, found *Salvaged) error {
	for id, m := range w.marks {
		if m.State == Dropped { // for good
			w.settled = w.settled.with(id)
		}
	}
	// A punch that was settled once and is not any more, by a person or since Zeitstrom did not
	// show it: an older list of those settled may still have it. To ask is safe.
	for id, e := range w.reopened {
		if (e.What == whatReopened || e.What == whatReleased) && w.marks[id].State != Dropped {
			w.settled = w.settled.minus(id)
		}
	}
	if proven := w.provenWhere(w.newest); proven > 0 && w.newest > proven && !w.settled.has(w.newest) {
		w.doubts[w.newest] = "whether this booking was confirmed at the door is not known: the damaged file ends with it"
	}
	for id, why := range w.doubts {
		if !w.settled.has(id) {
			w.marks[id] = newMark(Quarantined, why)
			w.settled = w.settled.with(id)
			found.Doubted++
		}
	}
	var open ranges
	var chain chain
	booked := map[int64]bool{} // times of punches that had been unclaimed taps
	next, stop := iter.Pull(w.ids())
	defer stop()
	for more := true; more; {
		err := db.Update(func(tx *bolt.Tx) error {
			tx.Bucket(historyBucket).FillPercent = 1
			c := commit{Tx: tx, chain: chain}
			for range atOnce {
				id, ok := next()
				if more = ok; !ok {
					break
				}
				p, ok := w.punch(id)
				if !ok {
					continue
				}
				if err := w.put(&c, p); err != nil {
					return err
				}
				if found.Punches++; !w.settled.has(id) {
					open = open.with(id)
				}
				if len(w.unclaimed) > 0 {
					booked[p.Time.UnixNano()] = true
				}
			}
			chain = c.chain
			return nil
		})
		if err != nil {
			return err
		}
		w.alive()
	}
	found.Open = open.len()
	return db.Update(func(tx *bolt.Tx) error {
		c := commit{Tx: tx, chain: chain}
		taps := slices.SortedFunc(maps.Values(w.unclaimed), func(a, b UnclaimedTap) int { return a.Time.Compare(b.Time) })
		for i, t := range taps {
			// Pages that are no longer in use still hold those that had become punches.
			if booked[t.Time.UnixNano()] {
				continue
			}
			t.id = uint64(i)
			if err := c.putUnclaimed(t); err != nil {
				return err
			}
		}
		// The journal begins anew, and says so.
		if err := c.exception(Exception{What: "salvaged", Why: fmt.Sprintf("%d punches were recovered", found.Punches)}); err != nil {
			return err
		}
		return errors.Join(c.putRanges(settledKey, w.settled), c.putRanges(attemptedKey, open), c.put(stateBucket, headKey, c.chain.encode()))
	})
}

// put writes a punch with its mark and its true time.
func (w *wreck) put(c *commit, p device.Punch) error {
	if err := c.punch(historyBucket, p); err != nil {
		return err
	}
	if m, ok := w.marks[p.ID]; ok && (m.State == Held) != w.settled.has(p.ID) {
		if err := c.putMark(p.ID, m); err != nil {
			return err
		}
	}
	if v, ok := w.times[p.ID]; ok {
		return c.put(timesBucket, key(p.ID), v)
	}
	return nil
}
