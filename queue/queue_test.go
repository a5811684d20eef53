package queue

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"timeclock/device"

	"pgregory.net/rapid"
)

func employee(n int) device.EmployeeID {
	return device.EmployeeID(fmt.Sprintf("a1b2c3d4-e5f6-7890-abcd-%012d", n))
}

func punch(n int, intent device.Intent, at time.Time) device.Punch {
	return device.Punch{Employee: employee(n), Intent: intent, Time: at}
}

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path)
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
		p, err := s.Append(punch(i%3, device.CheckIn, at.Add(time.Duration(i)*time.Second)))
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
	if got, want := s.Stats(), (Stats{Pending: 98, Delivered: 1, Quarantined: 1, OldestPending: made[2].Time}); got.Pending != want.Pending ||
		got.Delivered != want.Delivered || got.Quarantined != want.Quarantined || !got.OldestPending.Equal(want.OldestPending) {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
	heads := s.Heads()
	if len(heads) != 3 || heads[0].ID != made[2].ID || heads[1].ID != made[3].ID || heads[2].ID != made[4].ID {
		t.Errorf("Heads = %v, want punches 3, 4 and 5", heads)
	}
	if last, ok, err := s.Last(employee(0)); !ok || err != nil || last.ID != made[99].ID || !last.Time.Equal(made[99].Time) {
		t.Errorf("Last = %v, %v, %v; want %v", last, ok, err, made[99])
	}
	entries, err := s.Undelivered()
	if err != nil || len(entries) != 99 || entries[0].State != Quarantined || entries[0].Reason != "employee_id: unknown" || entries[1].State != Pending {
		t.Errorf("Undelivered begins with %+v (%d, %v)", entries[:2], len(entries), err)
	}
	recent, err := s.Recent(2)
	if err != nil || len(recent) != 2 || recent[0].ID != 100 || recent[1].ID != 99 {
		t.Errorf("Recent = %+v, %v", recent, err)
	}
}

// TestModel compares the store with a plain list over random appends,
// deliveries, refusals and restarts.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	files := 0
	rapid.Check(t, func(t *rapid.T) {
		files++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", files))
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { s.Close() }()
		var model []Entry
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				p, err := s.Append(punch(rapid.IntRange(0, 4).Draw(t, "employee"), device.CheckOut, time.Unix(int64(len(model)), 0)))
				if err != nil || p.ID != device.PunchID(len(model)+1) {
					t.Fatalf("Append = %+v, %v", p, err)
				}
				model = append(model, Entry{Punch: p, State: Pending})
			},
			"settle": func(t *rapid.T) {
				heads := s.Heads()
				if len(heads) == 0 {
					t.Skip("nothing pending")
				}
				p := rapid.SampledFrom(heads).Draw(t, "head")
				state, settle := Delivered, s.Deliver
				if rapid.Bool().Draw(t, "refused") {
					state, settle = Quarantined, func(p device.Punch) error { return s.Quarantine(p, "no") }
				}
				if err := settle(p); err != nil {
					t.Fatal(err)
				}
				model[p.ID-1].State = state
			},
			"restart": func(t *rapid.T) {
				s.Close()
				if s, err = Open(path); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) { compare(t, s, model) },
		})
	})
}

func compare(t *rapid.T, s *Store, model []Entry) {
	heads := map[device.EmployeeID]device.PunchID{}
	last := map[device.EmployeeID]device.PunchID{}
	var st Stats
	for _, e := range model {
		last[e.Employee] = e.ID
		switch e.State {
		case Pending:
			st.Pending++
			if heads[e.Employee] == 0 {
				heads[e.Employee] = e.ID
			}
		case Delivered:
			st.Delivered++
		case Quarantined:
			st.Quarantined++
		}
	}
	got := s.Stats()
	got.OldestPending = time.Time{}
	if got != st {
		t.Fatalf("Stats = %+v, want %+v", got, st)
	}
	var ids []device.PunchID
	for _, p := range s.Heads() {
		ids = append(ids, p.ID)
	}
	if want := slices.Sorted(maps.Values(heads)); !slices.Equal(ids, want) {
		t.Fatalf("Heads = %v, want %v", ids, want)
	}
	for e, id := range last {
		if p, ok, err := s.Last(e); !ok || err != nil || p.ID != id {
			t.Fatalf("Last(%s) = %v, %v, %v; want %d", e, p, ok, err, id)
		}
	}
	recent, err := s.Recent(len(model) + 1)
	if err != nil || len(recent) != len(model) {
		t.Fatalf("Recent gave %d of %d, %v", len(recent), len(model), err)
	}
	for i, e := range recent {
		if want := model[len(model)-1-i]; e.ID != want.ID || e.State != want.State || e.Employee != want.Employee {
			t.Fatalf("Recent[%d] = %+v, want %+v", i, e, want)
		}
	}
}

func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ranges
		model := map[device.PunchID]bool{}
		for _, id := range rapid.SliceOf(rapid.Uint64Range(1, 40)).Draw(t, "ids") {
			r = r.with(device.PunchID(id))
			model[device.PunchID(id)] = true
		}
		for id := device.PunchID(0); id < 42; id++ {
			if r.has(id) != model[id] {
				t.Fatalf("%v.has(%d) = %v", r, id, r.has(id))
			}
		}
		if r.len() != len(model) {
			t.Fatalf("%v.len() = %d, want %d", r, r.len(), len(model))
		}
		again, err := decodeRanges(r.encode())
		if err != nil || !slices.Equal(again, r) {
			t.Fatalf("%v came back as %v, %v", r, again, err)
		}
	})
}

func FuzzDecodeRanges(f *testing.F) {
	f.Add(ranges{{1, 5}, {9, 9}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRanges(b)
		if err != nil {
			return
		}
		if again, err := decodeRanges(r.encode()); err != nil || !slices.Equal(again, r) {
			t.Errorf("%v came back as %v, %v", r, again, err)
		}
	})
}

func FuzzDecodePunch(f *testing.F) {
	v, err := encodePunch(punch(1, device.CheckIn, time.Unix(1, 0)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key(1), v)
	f.Fuzz(func(t *testing.T, k, v []byte) {
		p, err := decodePunch(k, append([]byte{byte(checksum(k, v) >> 24), byte(checksum(k, v) >> 16), byte(checksum(k, v) >> 8), byte(checksum(k, v))}, v...))
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
	for name, content := range map[string][]byte{"empty": nil, "short": make([]byte, 100), "zeros": make([]byte, 64<<10)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s file: %v, want ErrDamaged", name, err)
		}
	}
	path := filepath.Join(dir, "flipped")
	s := open(t, path)
	if _, err := s.Append(punch(7, device.CheckIn, time.Unix(1, 0))); err != nil {
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
	if i := strings.Index(string(content), string(record)); i < 0 {
		t.Fatal("the punch is not in the file as it was encoded")
	} else {
		content[i+len(record)-1] ^= 1
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrDamaged) {
		t.Errorf("a flipped bit in a punch: %v, want ErrDamaged", err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	open(t, path)
	if _, err := Open(path); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open = %v, want ErrInUse", err)
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
	s, err := Open(path)
	if err != nil {
		panic(err)
	}
	for i := 0; ; i++ {
		p, err := s.Append(punch(i%10, device.CheckIn, time.Now()))
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString(strconv.Itoa(int(p.ID)) + "\n")
	}
}
