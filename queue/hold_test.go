package queue

import (
	"path/filepath"
	"testing"
	"time"

	"timeclock/device"
)

// pair stores a check-in and a check-out of one employee.
func pair(t *testing.T, s *Store) (in, out device.Punch) {
	t.Helper()
	var err error
	if in, err = s.Append(punch(1, device.CheckIn, eight), false); err == nil {
		out, err = s.Append(punch(1, device.CheckOut, eight.Add(8*time.Hour)), false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return in, out
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A check-out that a person had sent on its own, and that was not clearly
// answered, is still ambiguous after it was held again.
func TestHoldRemembersDoubt(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	in, out := pair(t, s)
	must(t, s.Quarantine(in, "no"), s.Retry("", out.ID), s.Attempt(out))
	s.MarkAmbiguous(out)
	must(t, s.Retry("", in.ID), s.Quarantine(in, "again"), s.Retry("", in.ID), s.Deliver(in))
	if heads := s.Heads(); len(heads) != 1 || !heads[0].Ambiguous {
		t.Errorf("heads %v", heads)
	}
}

// Zeitstrom shows a check-in that somebody has just taken back from quarantine.
func TestReleaseAfterRetry(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	in, out := pair(t, s)
	must(t, s.Quarantine(in, "no"), s.Retry("", in.ID), s.Deliver(in))
	if heads := s.Heads(); stateOf(s, in) != device.Delivered || len(heads) != 1 || heads[0].ID != out.ID {
		t.Errorf("the check-in is %s, heads %v", stateOf(s, in), heads)
	}
}

// Only the check-out right after a refused check-in is held with it.
func TestHoldTakesItsOwnCheckOut(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	in, out := pair(t, s)
	must(t, s.Quarantine(in, "no"), s.Drop("", out.ID, "by hand"))
	next, err := s.Append(punch(1, device.CheckIn, eight.Add(24*time.Hour)), false)
	must(t, err, s.Deliver(next))
	last, err := s.Append(punch(1, device.CheckOut, eight.Add(32*time.Hour)), false)
	must(t, err, s.Retry("", in.ID), s.Quarantine(in, "again"))
	if got := stateOf(s, last); got != device.Pending {
		t.Errorf("tomorrow's check-out is %s", got)
	}
}

// Somebody who reads the journal slowly, or asks about punches meanwhile, holds
// up nobody.
func TestSlowReaderOfTheJournal(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	s.db.NoSync = true
	pair(t, s)
	reading, done := make(chan bool), make(chan error, 1)
	go func() {
		first := true
		done <- s.Journal(func(JournalEntry) error {
			if first {
				first = false
				reading <- true
				<-reading
			}
			stateOf(s, device.Punch{ID: 1})
			return nil
		})
	}()
	<-reading
	for i := range 3000 { // the file must grow
		if _, err := s.Append(punch(i%3, device.CheckOut, eight.Add(time.Duration(i)*time.Hour)), false); err != nil {
			t.Fatal(err)
		}
	}
	reading <- true
	must(t, <-done)
	n := 0
	must(t, s.Journal(func(e JournalEntry) error { n++; return nil }))
	entries, err := s.VerifyJournal()
	if must(t, err); n != entries || n != 3002 {
		t.Errorf("%d entries read, %d verified", n, entries)
	}
}
