package queue

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

// Verify opens a queue file read-only and reads all of it. bbolt may panic, hang
// or die on a damaged page: call it in a child process, with a time-out.
func Verify(path string) error {
	if err := checkSize(path); err != nil {
		return err
	}
	o := options()
	o.ReadOnly = true
	o.PreLoadFreelist = false
	db, err := bolt.Open(path, 0o600, o)
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

// Salvaged says what could be read of damaged files.
type Salvaged struct {
	Punches int
	Open    int // of those: not known to be at Zeitstrom, so it will be asked
}

// Salvage makes a new queue at path from whatever can be read in the given
// files, of which some may be missing: a damaged one and its last snapshot. It
// looks at bytes and checksums only and does not care how broken the structure
// around them is. What is not known to be settled becomes ambiguous: it may be
// at Zeitstrom already, and is asked about before it is sent.
func Salvage(path string, files ...string) (Salvaged, error) {
	found := wreck{punches: map[device.PunchID]device.Punch{}, marks: map[device.PunchID]mark{}, times: map[device.PunchID][]byte{}, unclaimed: map[string][]byte{}}
	for _, file := range files {
		if info, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return Salvaged{}, err
		}
		found.search(content)
	}
	return found.build(path)
}

// wreck is what was found.
type wreck struct {
	punches map[device.PunchID]device.Punch
	marks   map[device.PunchID]mark
	settled ranges
	times   map[device.PunchID][]byte // repaired ones, as they were stored
	// unclaimed taps by their key, as they were stored
	unclaimed map[string][]byte
}

// search finds records by their checksums, at any offset. A record's key stands
// right before its value.
func (w *wreck) search(content []byte) {
	const keyLen, size = 8, 8 + 4 + punchBytes
	for i := 0; i+size <= len(content); i++ {
		r := content[i : i+size]
		if kind, intent := r[keyLen+4], r[keyLen+5]; kind != kindPunch || intent == 0 || int(intent) >= len(intents) {
			continue
		}
		if p, err := decodePunch(r[:keyLen], r[keyLen:]); err == nil {
			w.punches[p.ID] = p
		}
	}
	for value := range values(content, settledKey) {
		if r, err := decodeRanges(value); err == nil && r.len() > w.settled.len() {
			w.settled = r
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
		w.times[device.PunchID(binary.BigEndian.Uint64(key))] = value
	}
	for key, value := range texts(content, `{"uid":"`) {
		if _, err := decodeUnclaimed(value); err == nil {
			w.unclaimed[string(key)] = value
		}
	}
}

// texts yields the whole records whose value is JSON that begins like this, with
// their keys.
func texts(content []byte, begin string) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		const keyLen, sumLen = 8, 4
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

// grow finds the end of a stored value, of which only the beginning is known, by
// its checksum.
func grow(key, stored []byte) []byte {
	const longest = 64 << 10
	if len(stored) < 4 {
		return nil
	}
	want := binary.BigEndian.Uint32(stored)
	sum := crc32.Checksum(key, castagnoli)
	for n := 4; ; n++ {
		if sum == want {
			return stored[4:n]
		}
		if n == len(stored) || n > longest {
			return nil
		}
		sum = crc32.Update(sum, castagnoli, stored[n:n+1])
	}
}

// build writes what was found into a new queue.
func (w *wreck) build(path string) (Salvaged, error) {
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
	for id, m := range w.marks {
		if m.State == Dropped { // for good
			w.settled = w.settled.with(id)
		}
	}
	var open ranges
	for id := range w.punches {
		if !w.settled.has(id) {
			open = open.with(id)
		}
	}
	w.forgetClaimed()
	err = db.Update(func(tx *bolt.Tx) error {
		c := commit{Tx: tx}
		for _, id := range slices.Sorted(maps.Keys(w.punches)) {
			err := c.punch(historyBucket, w.punches[id])
			if m, ok := w.marks[id]; ok && err == nil && (m.State == Held) != w.settled.has(id) {
				err = c.putMark(id, m)
			}
			if v, ok := w.times[id]; ok && err == nil {
				err = c.put(timesBucket, key(id), v)
			}
			if err != nil {
				return err
			}
		}
		for k, v := range w.unclaimed {
			if err := c.put(unclaimedBucket, []byte(k), v); err != nil {
				return err
			}
		}
		// The journal begins anew, and says so.
		if err := c.exception(Exception{What: "salvaged", Why: fmt.Sprintf("%d punches were recovered", len(w.punches))}); err != nil {
			return err
		}
		return errors.Join(c.putRanges(settledKey, w.settled), c.putRanges(attemptedKey, open), c.put(stateBucket, headKey, c.chain.encode()))
	})
	if err := errors.Join(err, db.Sync(), db.Close()); err != nil {
		return Salvaged{}, err
	}
	return Salvaged{Punches: len(w.punches), Open: open.len()}, device.Rename(temp, path)
}

// forgetClaimed leaves out the taps that had become punches: pages that are no
// longer in use still hold them.
func (w *wreck) forgetClaimed() {
	booked := map[int64]bool{}
	for _, p := range w.punches {
		booked[p.Time.UnixNano()] = true
	}
	maps.DeleteFunc(w.unclaimed, func(_ string, v []byte) bool {
		t, err := decodeUnclaimed(v)
		return err != nil || booked[t.Time.UnixNano()]
	})
}

// inode identifies a file, whatever its name.
type inode struct {
	major, minor uint32
	number       uint64
}

// inodeOf asks for nothing else: whoever asks for a file's times makes the next
// write keep them exactly, which costs a fifth of a commit (Linux 6.13).
func inodeOf(path string) (inode, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO, &st); err != nil {
		return inode{}, &fs.PathError{Op: "statx", Path: path, Err: err}
	}
	return inode{st.Dev_major, st.Dev_minor, st.Ino}, nil
}

// findFile notices that somebody removed the file, or the whole state directory,
// while it is open: what is written then would be gone with the process. The
// file is still readable, so it is written anew and opened again.
func (s *Store) findFile() error {
	path := s.db.Path()
	if path == "" { // it was closed: there is no file to be missed
		return berrors.ErrDatabaseNotOpen
	}
	if now, err := inodeOf(path); err == nil && now == s.file {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("the queue file is gone and cannot be made anew: %w", err)
	}
	if err := snapshot(s.db, path); err != nil {
		return fmt.Errorf("the queue file is gone and cannot be made anew: %w", err)
	}
	db, err := bolt.Open(path, 0o600, options())
	if err != nil {
		return fmt.Errorf("the queue file was gone and cannot be opened again: %w", err)
	}
	file, err := inodeOf(path)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	old := s.db
	s.db, s.file = db, file
	return old.Close()
}

// bolt returns the open file, for what goes on without the store's lock.
func (s *Store) bolt() (*bolt.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.db, s.absent
}

// Snapshot writes a copy of the queue to path, as a whole or not at all.
func (s *Store) Snapshot(path string) error {
	if err := s.takeOutUnconfirmed(); err != nil {
		return err
	}
	db, err := s.bolt()
	if err != nil {
		return err
	}
	return snapshot(db, path)
}

func snapshot(db *bolt.DB, path string) error {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = db.View(func(tx *bolt.Tx) error {
		_, err := tx.WriteTo(f)
		return err
	})
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return device.Rename(temp, path)
}
