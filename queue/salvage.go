package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"

	"timeclock/device"
	"timeclock/device/durable"

	bolt "go.etcd.io/bbolt"
)

// Salvaged says what could be read of damaged files.
type Salvaged struct {
	Punches     int `json:"punches"`
	Open        int `json:"open"`    // of those: not known to be at Zeitstrom, so it will be asked
	Quarantined int `json:"doubted"` // of those: in quarantine, since nobody knows which of two records counts
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
	w, err := newWreck(alive, files)
	if err != nil {
		return Salvaged{}, err
	}
	defer w.close()
	return w.build(path)
}

// Scan says of damaged files what a clock must know that goes on without them: the number
// after all that they can hold, and what each employee did last.
func Scan(alive func(), files ...string) (next device.PunchID, last []device.Undelivered, err error) {
	w, err := newWreck(alive, files)
	if err != nil {
		return 0, nil, err
	}
	defer w.close()
	newest := map[device.EmployeeID]device.PunchID{}
	for id := range w.ids() {
		p, _ := w.punch(id)
		if w.marks[id].State == device.Dropped {
			continue
		}
		newest[p.Employee] = id
	}
	for _, id := range newest {
		p, _ := w.punch(id)
		if c, found := w.chosenFor(id); found {
			p.Detail = c.detail()
		}
		last = append(last, device.Undelivered{Punch: p, Ambiguous: !w.settled.has(id)})
	}
	return w.next, last, nil
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
	return found, durable.Rename(temp, path)
}

// write writes what was found, a commit for every so many punches.
func (w *wreck) write(db *bolt.DB, found *Salvaged) error {
	w.judge(found)
	var open ranges
	var chain chain
	booked := map[int64]bool{} // times of punches that had been unclaimed taps
	next, stop := iter.Pull(w.ids())
	defer stop()
	for more := true; more; {
		err := db.Update(func(tx *bolt.Tx) error {
			tx.Bucket(historyBucket).FillPercent = 1
			st := &stage{Tx: tx, chain: chain}
			for range atOnce {
				id, ok := next()
				if more = ok; !ok {
					break
				}
				p, ok := w.punch(id)
				if !ok {
					continue
				}
				if err := w.put(st, p); err != nil {
					return err
				}
				if found.Punches++; !w.settled.has(id) {
					open = open.with(id)
				}
				if len(w.unclaimed) > 0 {
					booked[p.Time.UnixNano()] = true
				}
			}
			chain = st.chain
			return nil
		})
		if err != nil {
			return err
		}
		w.alive()
	}
	found.Open = open.len()
	return db.Update(func(tx *bolt.Tx) error {
		st := &stage{Tx: tx, chain: chain}
		return errors.Join(
			w.putUnclaimed(st, booked),
			// The journal begins anew, and says so.
			st.event(device.Event{
				Kind: device.EventSalvaged, Reason: fmt.Sprintf("%d punches were recovered", found.Punches),
			}),
			st.putRanges(settledKey, w.settled), st.putRanges(attemptedKey, open),
			st.put(stateBucket, headKey, st.chain.encode()),
		)
	})
}

// judge decides what of the punches found is settled, and what goes to quarantine.
func (w *wreck) judge(found *Salvaged) {
	for id, m := range w.marks {
		if m.State == device.Dropped { // for good
			w.settled = w.settled.with(id)
		}
	}
	// A punch that was settled once and is not any more, by a person or since Zeitstrom did not
	// show it: an older list of those settled may still have it. To ask is safe.
	for id, e := range w.reopened {
		if (e.Kind == device.EventReopened || e.Kind == device.EventReleased) && w.marks[id].State != device.Dropped {
			w.settled = w.settled.minus(id)
		}
	}
	if proven := w.provenWhere(w.newest); proven > 0 {
		for id := range w.ids() { // a commit may have several
			if id > proven && !w.settled.has(id) {
				w.contradictory[id] = "whether this booking was confirmed at the door is not known: " +
					"the damaged file ends with it"
			}
		}
	}
	for id, why := range w.contradictory {
		if !w.settled.has(id) {
			w.marks[id] = newMark(device.Quarantined, why)
			w.settled = w.settled.with(id)
			found.Quarantined++
		}
	}
}

// putUnclaimed writes the unclaimed taps, without those that had become punches: pages that
// are no longer in use still hold them.
func (w *wreck) putUnclaimed(st *stage, booked map[int64]bool) error {
	taps := slices.SortedFunc(maps.Values(w.unclaimed),
		func(a, b device.UnclaimedTap) int { return a.Time.Compare(b.Time) })
	for i, t := range taps {
		if booked[t.Time.UnixNano()] {
			continue
		}
		t.ID = uint64(i)
		if err := st.putUnclaimed(t); err != nil {
			return err
		}
	}
	return nil
}

// put writes a punch with its mark and its true time.
func (w *wreck) put(st *stage, p device.Punch) error {
	if err := st.punch(historyBucket, p); err != nil {
		return err
	}
	if c, found := w.chosenFor(p.ID); found {
		if err := st.putChosen(p.ID, c); err != nil {
			return err
		}
	}
	if m, ok := w.marks[p.ID]; ok && (m.State == device.Held) != w.settled.has(p.ID) {
		if err := st.putMark(p.ID, m); err != nil {
			return err
		}
	}
	if v, ok := w.times[p.ID]; ok {
		return st.put(timesBucket, key(p.ID), v)
	}
	return nil
}
