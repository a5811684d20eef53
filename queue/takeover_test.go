package queue

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"timeclock/device"
)

// What another device had not delivered comes in once, in its order and behind what is here already, and is
// asked about before it is sent.
func TestTakeOver(t *testing.T) {
	dir := t.TempDir()
	old := open(t, filepath.Join(dir, "old.db"))
	add := func(s *Store, e int, intent device.Intent, at time.Time, uncertain bool) device.Punch {
		t.Helper()
		p := punch(e, intent, at)
		p.Stamp.Uncertain = uncertain
		p, err := s.Append(p, false)
		must(t, err)
		return p
	}
	done := add(old, 1, device.CheckIn, eight, false)
	must(t, old.Deliver(done))
	out := add(old, 1, device.CheckOut, eight.Add(time.Hour), false)
	refused := add(old, 2, device.CheckIn, eight, false)
	add(old, 2, device.CheckOut, eight.Add(2*time.Hour), false) // held with it
	must(t, old.Quarantine(refused, "no"))
	add(old, 3, device.CheckIn, eight, true)
	entries, err := old.Undelivered()
	must(t, err)
	if len(entries) != 4 {
		t.Fatalf("%d entries", len(entries))
	}

	path := filepath.Join(dir, "new.db")
	s := open(t, path)
	s.Remember(entries)
	if last, lacks, err := s.Last(refused.Employee); err != nil || !lacks || last.Intent != device.CheckOut {
		t.Errorf("before it is taken over the last of employee 2 is %+v, %v, %v", last, lacks, err)
	}
	newer := add(s, 1, device.CheckIn, eight.Add(24*time.Hour), false)
	untimed, err := s.TakeOver("list", entries, "console")
	must(t, err)
	if len(untimed) != 1 || untimed[0].Punch.Employee != entries[3].Employee {
		t.Errorf("untimed: %+v", untimed)
	}
	if _, err := s.TakeOver("list", entries, "console"); !errors.Is(err, ErrTakenOver) {
		t.Errorf("a second time: %v", err)
	}
	for range 2 { // as it is, and after a restart
		st := s.Stats()
		if st.Pending != 4 || st.Ambiguous != 3 || st.Held+st.Quarantined+st.Untimed != 0 || st.Dropped != 1 ||
			st.Problem != "" {
			t.Errorf("%+v", st)
		}
		if last, _, err := s.Last(out.Employee); err != nil || last.ID != newer.ID {
			t.Errorf("the last is %+v, %v", last, err)
		}
		if last, _, err := s.Last(entries[3].Employee); err != nil || last.ID != 0 {
			t.Errorf("the last of who was untimed is %+v, %v", last, err)
		}
		e, err := s.Find(newer.ID + 1)
		if err != nil || e.State != device.Ambiguous || !e.Time.Equal(out.Time) || e.Intent != device.CheckOut {
			t.Errorf("%+v, %v", e, err)
		}
		for _, h := range s.Heads() {
			if h.ID != newer.ID && !h.Ambiguous {
				t.Errorf("%d is sent without a question", h.ID)
			}
		}
		if _, err := s.VerifyJournal(); err != nil {
			t.Error(err)
		}
		must(t, s.Close())
		s = open(t, path)
	}
	// Who was untimed books on.
	later := add(s, 3, device.CheckIn, eight.Add(48*time.Hour), false)
	found := false
	for _, h := range s.Heads() {
		found = found || h.ID == later.ID
	}
	if !found {
		t.Error("a booking of who was untimed waits")
	}
	var events []device.EventKind
	must(t, s.Journal(func(e JournalEntry) error {
		if e.Event != nil {
			events = append(events, e.Event.Kind)
		}
		return nil
	}))
	if n := len(events); n < 4 || events[0] != device.EventTakenOver {
		t.Errorf("the journal has %v", events)
	}
}
