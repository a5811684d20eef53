package queue

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"timeclock/device"
)

// What was booked while a file was being salvaged comes after what it had.
func TestJoin(t *testing.T) {
	path, snapshot, made := damaged(t)
	next, last, err := Scan(func() {}, path, snapshot)
	if err != nil || next != made[299].ID+1 || len(last) != 7 {
		t.Fatalf("%d, %d, %v", next, len(last), err)
	}
	must(t, os.Link(path, path+".damaged"))
	s, err := Interim(path, next+1000, func() []device.Undelivered { return last })
	must(t, err)
	defer func() { s.Close() }()
	p, err := s.Append(punch(3, device.CheckIn, eight), false)
	if st := s.Stats(); st.Delivered != 0 || st.Pending != 1 {
		t.Errorf("before it has joined: %+v", st)
	}
	if err != nil || p.ID != next+1000 || len(s.Heads()) > 0 {
		t.Fatalf("%+v, %v, %v", p, err, s.Heads())
	}
	uid, err := device.ParseUID("A1B2C3D4")
	_, kept := s.Keep(device.Tap{UID: uid, Time: eight}, 0, false)
	must(t, err, kept)
	s.Note(device.Event{Kind: "a person did something"})
	if err := s.Snapshot(snapshot); err == nil {
		t.Error("the snapshot that is still needed was written over")
	}
	_, err = Salvage(path+".recovered", func() {}, path+".damaged", snapshot)
	must(t, err, s.Join(path+".recovered"))
	check := func(when string) {
		t.Helper()
		st := s.Stats()
		if taps, _ := s.Unclaimed(); st.Pending != 101 || st.Ambiguous != 100 || st.Quarantined != 1 ||
			st.Delivered != 199 || len(taps) != 1 {
			t.Errorf("%s: %+v, %d taps", when, st, len(taps))
		}
		if last, _, _ := s.Last(employee(3)); last.ID != p.ID {
			t.Errorf("%s: the last is %+v", when, last)
		}
		for _, h := range s.Heads() {
			if !h.Ambiguous || h.ID > 300 {
				t.Errorf("%s: head %+v", when, h)
			}
		}
		if n, err := s.VerifyJournal(); err != nil || n < 302 {
			t.Errorf("%s: journal of %d, %v", when, n, err)
		}
	}
	check("joined")
	if q, err := s.Append(punch(4, device.CheckIn, eight), false); err != nil || q.ID != p.ID+1 {
		t.Errorf("%+v, %v", q, err)
	} else {
		must(t, s.Deliver(q))
	}
	must(t, s.Close())
	s = open(t, path)
	if st := s.Stats(); st.Delivered != 200 || st.Pending != 101 {
		t.Errorf("after a restart %+v", st)
	}
}

// A recovered queue that has joined is not joined again, and one that was given up is not
// joined at all.
func TestJoinOnce(t *testing.T) {
	path, snapshot, _ := damaged(t)
	must(t, os.Link(path, path+".damaged"))
	s, err := Interim(path, 1000, nil)
	must(t, err)
	again := func() {
		t.Helper()
		_, err := Salvage(path+".recovered", func() {}, path+".damaged", snapshot)
		must(t, err)
		if err := s.Join(path + ".recovered"); err == nil {
			t.Error("it has joined again")
		}
	}
	_, err = Salvage(path+".recovered", func() {}, path+".damaged", snapshot)
	must(t, err, s.Join(path+".recovered"))
	before := whole(s)
	again()
	must(t, s.Close())
	s = open(t, path)
	again()
	if got := whole(s); got != before || s.Stats().Awaiting {
		t.Errorf("it has\n%s\nwant\n%s", got, before)
	}

	other := filepath.Join(t.TempDir(), "queue.db")
	s, err = Interim(other, 1000, nil)
	must(t, err, s.GoOn(""))
	if err := s.Join(path + ".damaged"); err == nil {
		t.Error("it has joined though it was given up")
	}
	must(t, s.Close())
	if s = open(t, other); s.Stats().Awaiting {
		t.Error("after a restart it awaits again")
	}
}

// What a person decided while the file was being salvaged still stands after a power cut.
func TestJoinKeepsDecisions(t *testing.T) {
	path, snapshot, _ := damaged(t)
	must(t, os.Link(path, path+".damaged"))
	s, err := Interim(path, 1000, nil)
	must(t, err)
	s.Wait(employee(1), true)
	p, err := s.Append(punch(1, device.CheckIn, eight), false)
	must(t, err)
	turned, err := s.Turn(p)
	must(t, err)
	s.Wait(employee(1), false)
	_, err = Salvage(path+".recovered", func() {}, path+".damaged", snapshot)
	must(t, err, s.Join(path+".recovered"))
	cut := path + ".cut"
	must(t, copyFile(path, cut), s.Close())
	s = open(t, cut)
	if stateOf(s, p) != device.Dropped || stateOf(s, turned) != device.Pending || s.Stats().Pending != 101 {
		t.Errorf("%s, %s, %+v", stateOf(s, p), stateOf(s, turned), s.Stats())
	}
}

// What employees did last, as far as it could be read, still tells what their next tap is after
// somebody has given the rest up.
func TestGivenUpRemembersDirections(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	came := punch(1, device.CheckIn, eight)
	came.ID = 7
	s, err := Interim(path, 1000, func() []device.Undelivered { return []device.Undelivered{{Punch: came}} })
	must(t, err, s.GoOn("ada"))
	t.Cleanup(func() { s.Close() })
	if last, _, err := s.Last(came.Employee); err != nil || last.Intent != device.CheckIn {
		t.Errorf("%+v, %v", last, err)
	}
}

// What people did while there was no file is in the journal of the one that is there then.
func TestAdoptKeepsWhatWasNoted(t *testing.T) {
	s := Absent(errors.New("the disk is away"))
	s.Note(device.Event{Kind: device.EventBadgeBlocked, By: "ada"})
	path := filepath.Join(t.TempDir(), "queue.db")
	opened, err := Open(path, nil)
	must(t, err)
	s.Adopt(opened, nil)
	must(t, s.Close())
	s = open(t, path)
	var kinds []device.EventKind
	must(t, s.Journal(func(e JournalEntry) error {
		kinds = append(kinds, e.Event.Kind)
		return nil
	}))
	if !slices.Equal(kinds, []device.EventKind{device.EventBadgeBlocked}) {
		t.Errorf("the journal has %q", kinds)
	}
}
