package queue

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

func TestJournal(t *testing.T) {
	path, _, made := damaged(t)
	s := open(t, path)
	if err := s.Drop("", made[4].ID, "entered by hand"); err != nil {
		t.Fatal(err)
	}
	s.MarkAmbiguous(made[250])
	s.Close()
	s = open(t, path)
	n, err := s.VerifyJournal()
	if err != nil || n != 300+4 {
		t.Errorf("%d entries, %v", n, err)
	}
	var exceptions []string
	last := JournalEntry{}
	err = s.Journal(func(e JournalEntry) error {
		if e.Event != nil {
			exceptions = append(exceptions, fmt.Sprintf("%d %s %s", e.Event.Punch, e.Event.Kind, e.Event.Reason))
		}
		last = e
		return nil
	})
	want := "5 quarantined refused: “no”|12 held its check-in is quarantined|5 dropped entered by hand|251 ambiguous "
	if got := strings.Join(exceptions, "|"); err != nil || got != want {
		t.Errorf("exceptions %q, want %q; %v", got, want, err)
	}
	if got := fmt.Sprintf("%x", last.Hash); got != s.Stats().Journal {
		t.Errorf("the last entry has the hash %s, the head is %s", got, s.Stats().Journal)
	}
}

// Whoever changes, removes or adds an entry without knowing how is found out,
// although the checksums are right.
func TestJournalShowsTampering(t *testing.T) {
	for name, tamper := range map[string]func(*bolt.Tx) error{
		"changed": func(tx *bolt.Tx) error {
			p, err := getPunch(tx, 17)
			if err != nil {
				return err
			}
			p.Time = p.Time.Add(-time.Hour)
			v, err := encodePunch(p)
			return errors.Join(err, (&stage{Tx: tx}).put(historyBucket, key(17), v))
		},
		"removed": func(tx *bolt.Tx) error { return tx.Bucket(historyBucket).Delete(key(17)) },
		"added": func(tx *bolt.Tx) error {
			v, err := encodePunch(punch(1, device.CheckIn, time.Now()))
			return errors.Join(err, (&stage{Tx: tx}).put(tailBucket, key(5000), v))
		},
	} {
		path, _, _ := damaged(t)
		s := open(t, path)
		if err := s.db.Update(tamper); err != nil {
			t.Fatal(err)
		}
		if _, err := s.VerifyJournal(); err == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// TestFullDisk fills the disk under a store, by a limit on the size of files:
// nothing that failed was confirmed, what was confirmed stays, and it works again
// when there is space.
func TestFullDisk(t *testing.T) {
	path := os.Getenv("QUEUE_TEST_FULL_DISK")
	if path == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), "QUEUE_TEST_FULL_DISK="+filepath.Join(t.TempDir(), "queue.db"))
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "stored after it") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ) // the write then fails
	s := open(t, path)
	stored := 0
	store := func() error {
		_, err := s.Append(punch(stored%5, device.CheckIn, time.Unix(int64(stored), 0)), false)
		if err == nil {
			stored++
		}
		return err
	}
	for range 40 {
		if err := store(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	full := syscall.Rlimit{Cur: uint64(info.Size()) - 3*pageSize, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for range 400 {
		if store() != nil {
			failed++
		}
	}
	if failed == 0 || s.Stats().Problem == "" {
		t.Fatalf("the disk was never full: %+v", s.Stats())
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		if err := store(); err != nil {
			t.Fatal("there is space again, yet:", err)
		}
	}
	if st := s.Stats(); st.Pending != stored || st.Problem != "" {
		t.Errorf("%d stored, %+v", stored, st)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if n, err := s.VerifyJournal(); err != nil || n != stored || s.Stats().Pending != stored {
		t.Errorf("%d stored, journal of %d: %v", stored, n, err)
	}
	t.Logf("%d failed while the disk was full; %d stored after it", failed, stored)
}

// Old punches go, those that may not are moved aside, and the journal can still
// be verified, also by what comes after.
func TestPrune(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	day := 24 * time.Hour
	eight := time.Now().AddDate(0, 0, -300)
	for i := range 100 {
		p, err := s.Append(punch(i%7, []device.Intent{device.CheckIn, device.CheckOut}[i/7%2],
			eight.Add(time.Duration(i)*day)), false)
		switch {
		case err != nil:
		case i == 3 || i == 50:
			err = s.Quarantine(p, "no")
		case i == 4:
			s.MarkAmbiguous(p)
		case i == 5:
			s.MarkAmbiguous(p)
			err = s.Drop("", p.ID, "because")
		case stateOf(s, p) == device.Pending:
			err = s.Deliver(p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for age, orphan := range map[time.Duration]bool{290 * day: false, 291 * day: true, day: false} {
		badge, err := device.NewUID([]byte{1, 2, 3, byte(age / day)})
		if err == nil {
			_, err = s.Keep(device.Tap{UID: badge, Time: time.Now().Add(-age)}, 0, orphan)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	before, head := s.Stats(), s.Stats().Journal
	entries, err := s.VerifyJournal()
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Prune(60 * day)
	if taps, _ := s.Unclaimed(); len(taps) != 2 {
		t.Errorf("taps that are kept: %v", taps)
	}
	if err != nil || n != 39-2-before.Held { // days 0 to 38, but for one quarantined and one ambiguous, and the held
		t.Errorf("%d forgotten, %v; held %d", n, err, before.Held)
	}
	if again, err := s.Prune(60 * day); again != 0 || err != nil {
		t.Errorf("pruned twice: %d, %v", again, err)
	}
	for range 2 {
		left, err := s.VerifyJournal()
		if err != nil || left >= entries || s.Stats().Journal != head {
			t.Errorf("%d of %d entries left, %v", left, entries, err)
		}
		if e, err := s.Find(4); err != nil || e.State != device.Quarantined {
			t.Errorf("a quarantined one: %+v, %v", e, err)
		}
		if got := s.Stats(); got.Pending != before.Pending || got.Quarantined != 2 {
			t.Errorf("Stats = %+v, were %+v", got, before)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
		head = s.Stats().Journal
	}
	if err := s.Retry("", 4); err != nil {
		t.Fatal(err)
	}
	if err := s.Deliver(punchOf(t, s, 4)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(punch(1, device.CheckIn, eight.Add(200*day)), false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.VerifyJournal(); err != nil {
		t.Error(err)
	}
}

func punchOf(t *testing.T, s *Store, id device.PunchID) device.Punch {
	t.Helper()
	e, err := s.Find(id)
	if err != nil {
		t.Fatal(err)
	}
	return e.Punch
}
