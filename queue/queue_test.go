package queue

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"timeclock/device"
)

func employee(n int) device.EmployeeID {
	return device.EmployeeID(fmt.Sprintf("a1b2c3d4-e5f6-7890-abcd-%012d", n))
}

func punch(n int, intent device.Intent, at time.Time) device.Punch {
	return device.Punch{Employee: employee(n), Intent: intent, Time: at}
}

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestPunchesSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	at := time.Date(2026, 3, 29, 6, 59, 59, 123456789, time.UTC)
	var made []device.Punch
	for i := range 100 { // more than a tail holds
		p, err := s.Append(punch(i%3, device.CheckIn, at.Add(time.Duration(i)*time.Second)), false)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, p)
	}
	if err := s.Deliver(made[0]); err != nil {
		t.Fatal(err)
	}
	if err := s.Quarantine(made[1], "employee_id: unknown"); err != nil {
		t.Fatal(err)
	}
	if err := s.Deliver(made[0]); err == nil {
		t.Error("a punch was delivered twice")
	}
	s.Close()

	s = open(t, path)
	if got, want := s.Stats(), (Stats{
		Pending: 98, Delivered: 1, Quarantined: 1, OldestPending: made[2].Time,
	}); got.Pending != want.Pending ||
		got.Delivered != want.Delivered || got.Quarantined != want.Quarantined ||
		!got.OldestPending.Equal(want.OldestPending) {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
	heads := s.Heads()
	if len(heads) != 3 || heads[0].ID != made[2].ID || heads[1].ID != made[3].ID || heads[2].ID != made[4].ID {
		t.Errorf("Heads = %v, want punches 3, 4 and 5", heads)
	}
	if last, pending, err := s.Last(employee(0)); !pending || err != nil || last.ID != made[99].ID ||
		!last.Time.Equal(made[99].Time) {
		t.Errorf("Last = %v, %v, %v; want %v", last, pending, err, made[99])
	}
	entries, err := s.Undelivered()
	if err != nil || len(entries) != 99 || entries[0].State != device.Quarantined ||
		entries[0].Reason != "employee_id: unknown" || entries[1].State != device.Pending {
		t.Errorf("Undelivered begins with %+v (%d, %v)", entries[:2], len(entries), err)
	}
	newest, err := recent(s, 2)
	if err != nil || len(newest) != 2 || newest[0].ID != 100 || newest[1].ID != 99 {
		t.Errorf("the newest are %+v, %v", newest, err)
	}
}

func FuzzDecodePunch(f *testing.F) {
	v, err := encodePunch(punch(1, device.CheckIn, time.Unix(1, 0)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key(1), v)
	f.Fuzz(func(t *testing.T, k, v []byte) {
		p, err := decodePunch(k,
			append([]byte{
				byte(checksum(k, v) >> 24), byte(checksum(k, v) >> 16), byte(checksum(k, v) >> 8), byte(checksum(k, v)),
			}, v...))
		if err != nil {
			return
		}
		if again, err := encodePunch(p); err != nil || !slices.Equal(again, v) {
			t.Errorf("%x became %+v and %x, %v", v, p, again, err)
		}
	})
}

func TestDamageIsNamed(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"empty": nil, "short": make([]byte, 100), "zeros": make([]byte, 64<<10),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, nil); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s file: %v, want ErrDamaged", name, err)
		}
	}
	path := filepath.Join(dir, "flipped")
	s := open(t, path)
	if _, err := s.Append(punch(7, device.CheckIn, time.Unix(1, 0)), false); err != nil {
		t.Fatal(err)
	}
	s.Close()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	record, err := encodePunch(punch(7, device.CheckIn, time.Unix(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(record)
	flipped[len(flipped)-1] ^= 1
	if !bytes.Contains(content, record) {
		t.Fatal("the punch is not in the file as it was encoded")
	}
	content = bytes.ReplaceAll(content, record, flipped) // in pages that are no longer in use, too
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("a flipped bit in a punch: %v, want ErrDamaged", err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	open(t, path)
	if _, err := Open(path, nil); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open = %v, want ErrInUse", err)
	}
	if err := Verify(path); err != nil {
		t.Errorf("a file that is in use is not damaged: %v", err)
	}
}

// TestKilled kills a process that appends as fast as it can; every punch it
// had confirmed must be there.
func TestKilled(t *testing.T) {
	if path := os.Getenv("QUEUE_TEST_APPEND"); path != "" {
		appendForEver(path)
	}
	path := filepath.Join(t.TempDir(), "queue.db")
	confirmed := 0
	for range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "QUEUE_TEST_APPEND="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var id int
		for range 40 {
			if _, err := fmt.Fscanln(out, &id); err != nil {
				t.Fatal(err)
			}
		}
		cmd.Process.Kill()
		for { // what it still said before it died
			if _, err := fmt.Fscanln(out, &id); err != nil {
				break
			}
		}
		cmd.Wait()
		confirmed = max(confirmed, id)
		s := open(t, path)
		if got := s.Stats().Pending; got < confirmed {
			t.Errorf("%d punches were confirmed, %d are there", confirmed, got)
		}
		s.Close()
	}
}

func appendForEver(path string) {
	s, err := Open(path, nil)
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		p, err := s.Append(punch(i%10, device.CheckIn, time.Now()), false)
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString(strconv.Itoa(int(p.ID)) + "\n")
	}
}

// Whoever reads backward holds nobody up, however slow they are: they may book meanwhile, and still get each
// punch once.
func TestBackwardHoldsNobodyUp(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	const n = 1100 // two batches and a part
	for i := range n {
		if _, err := s.Append(punch(i%7, device.CheckIn, at.Add(time.Duration(i)*time.Minute)), false); err != nil {
			t.Fatal(err)
		}
	}
	next := device.PunchID(n)
	err := s.Backward(func(e device.Entry) bool {
		if e.ID != next {
			t.Fatalf("punch %d, want %d", e.ID, next)
		}
		next--
		if e.ID%100 == 0 {
			if _, err := s.Append(punch(1, device.CheckOut, at), false); err != nil {
				t.Fatal(err)
			}
		}
		return true
	})
	if next != 0 || err != nil {
		t.Errorf("%d were not told, %v", next, err)
	}
}
