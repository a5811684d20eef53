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
	"math"
	"os"
	"slices"
	"time"

	"timeclock/device"
)

// wreck is what was found.
type wreck struct {
	alive  func()
	files  []*os.File
	blocks map[device.PunchID]*block // by the punch's number divided by blockSize
	next   device.PunchID
	newest device.PunchID // of the punches that were found
	// of each file the newest that is known to be confirmed; 0: nobody knows
	proven        []device.PunchID
	reopened      map[device.PunchID]device.Event // what happened last to those that were not settled any more
	contradictory map[device.PunchID]string
	marks         map[device.PunchID]mark
	settled       ranges
	times         map[device.PunchID][]byte // repaired ones, as they were stored
	unclaimed     map[tapKey]device.UnclaimedTap
	chosen        map[device.PunchID]*chosenBlock // by the punch's number divided by blockSize
}

// chosenBlock is where choices were found.
type chosenBlock [blockSize]struct {
	at       uint64 // file and offset, 0: none
	of       uint32
	revision uint32
	size     uint16
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

// newWreck looks for records in files, of which some may be missing.
func newWreck(alive func(), files []string) (*wreck, error) {
	w := &wreck{
		alive: alive, blocks: map[device.PunchID]*block{}, next: 1, contradictory: map[device.PunchID]string{},
		marks: map[device.PunchID]mark{}, times: map[device.PunchID][]byte{},
		unclaimed: map[tapKey]device.UnclaimedTap{},
		reopened:  map[device.PunchID]device.Event{}, chosen: map[device.PunchID]*chosenBlock{},
	}
	for _, file := range files {
		if err := w.add(file); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
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
			if kind, intent := r[keyLen+4], r[keyLen+5]; kind != kindPunch || intent == 0 ||
				int(intent) >= len(intents) {
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
			id := idOf(key)
			if old, ok := w.marks[id]; !ok || m.Since.After(old.Since) {
				w.marks[id] = m
			}
		}
	}
	for key, value := range texts(content, `{"time":"`) {
		w.times[idOf(key)] = bytes.Clone(value)
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
	for key, value := range texts(content, chosenMark) {
		// Both are parts of the content, which ends where they could.
		w.foundChosen(idOf(key), value, uint64(file)<<fileShift|uint64(at+int64(cap(content)-cap(key))+1))
	}
	for _, value := range eventsIn(content) {
		var e device.Event
		if json.Unmarshal(value, &e) != nil {
			continue
		}
		switch old := w.reopened[e.Punch]; e.Kind {
		case device.EventReopened, device.EventReleased, device.EventQuarantined, device.EventDropped,
			device.EventDelivered:
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
		oneBoot := ok && other.Stamp.Boot == p.Stamp.Boot && p.Stamp.Boot != device.BootID{} &&
			other.Stamp.Uptime != p.Stamp.Uptime
		switch {
		case oneBoot && other.Stamp.Uptime > p.Stamp.Uptime, !oneBoot && slot.at>>fileShift < at>>fileShift:
			return
		case !oneBoot && ok:
			w.contradictory[p.ID] = fmt.Sprintf("the damaged file has two different bookings of this number, "+
				"and nothing tells which counts: %s at %s, and %s at %s",
				other.Intent, other.Time.UTC().Format(time.RFC3339), p.Intent, p.Time.UTC().Format(time.RFC3339))
		default:
			delete(w.contradictory, p.ID)
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

// foundChosen notes where a choice is. If there are several of one punch the newest counts.
func (w *wreck) foundChosen(id device.PunchID, value []byte, at uint64) {
	c, ok := decodeChosen(value)
	if !ok || len(value) > math.MaxUint16 {
		return
	}
	b := w.chosen[id/blockSize]
	if b == nil {
		b = &chosenBlock{}
		w.chosen[id/blockSize] = b
	}
	slot := &b[id%blockSize]
	if slot.at == 0 || slot.of != c.Of || uint64(slot.revision) <= c.Revision {
		slot.at, slot.of, slot.revision, slot.size = at, c.Of, uint32(c.Revision), uint16(len(value))
	}
}

// chosenFor returns what was chosen for a punch that was found.
func (w *wreck) chosenFor(id device.PunchID) (c chosen, found bool) {
	b := w.chosen[id/blockSize]
	if b == nil || b[id%blockSize].at == 0 {
		return c, false
	}
	slot := b[id%blockSize]
	record := make([]byte, keyLen+4+int(slot.size))
	if _, err := w.files[slot.at>>fileShift].ReadAt(record, int64(slot.at&(1<<fileShift-1))-1); err != nil {
		return c, false
	}
	value, err := check(record[:keyLen], record[keyLen:])
	if err != nil || slot.of != w.blocks[id/blockSize][id%blockSize].sum {
		return c, false
	}
	return decodeChosen(value)
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

// eventsIn yields the events of the journal, with their keys.
func eventsIn(content []byte) iter.Seq2[[]byte, []byte] {
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
