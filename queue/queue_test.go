package queue

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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
// deliveries, refusals, people's decisions and restarts.
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
		m := model{}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				s.Eager(rapid.Bool().Draw(t, "eager"))
				intent := rapid.SampledFrom([]device.Intent{device.CheckIn, device.CheckOut}).Draw(t, "intent")
				p, err := s.Append(punch(rapid.IntRange(0, 3).Draw(t, "employee"), intent, time.Unix(int64(len(m)), 0)))
				if err != nil || p.ID != device.PunchID(len(m)+1) {
					t.Fatalf("Append = %+v, %v", p, err)
				}
				m.append(p)
			},
			"settle": func(t *rapid.T) {
				heads := s.Heads()
				if len(heads) == 0 {
					t.Skip("nothing pending")
				}
				p := rapid.SampledFrom(heads).Draw(t, "head").Punch
				if err := s.Attempt(p); err != nil {
					t.Fatal(err)
				}
				switch rapid.IntRange(0, 2).Draw(t, "answer") {
				case 0:
					err = s.Deliver(p)
					m[p.ID-1].State = Delivered
				case 1:
					err = s.Quarantine(p, "no")
					m.quarantine(p)
				default:
					s.Doubt(p)
					m[p.ID-1].State = Ambiguous
				}
				if err != nil {
					t.Fatal(err)
				}
			},
			"decide": func(t *rapid.T) {
				if len(m) == 0 {
					t.Skip("no punch")
				}
				id := device.PunchID(rapid.IntRange(1, len(m)).Draw(t, "punch"))
				switch rapid.IntRange(0, 2).Draw(t, "decision") {
				case 0:
					if err, may := s.Retry(id), m.waits(id); (err == nil) != may {
						t.Fatalf("Retry of a punch that is %s: %v", m[id-1].State, err)
					} else if may {
						m.retry(id)
					}
				case 1:
					if err, may := s.Drop(id, "because"), m.waits(id); (err == nil) != may {
						t.Fatalf("Drop of a punch that is %s: %v", m[id-1].State, err)
					} else if may {
						m[id-1].State = Dropped
					}
				default:
					holders, err := s.Holders()
					if err != nil {
						t.Fatal(err)
					}
					for _, in := range holders {
						if err := s.Release(in); err != nil {
							t.Fatal(err)
						}
						m.retry(in.ID)
						m[in.ID-1].State = Delivered
					}
				}
			},
			"restart": func(t *rapid.T) {
				s.Close()
				if s, err = Open(path); err != nil {
					t.Fatal(err)
				}
				// What was only marked as sent may have been: nobody knows now.
				for i, e := range m {
					switch {
					case e.State == Pending && s.doubtful[e.ID]:
						m[i].State = Ambiguous
					case e.State == Held && s.doubtful[e.ID]:
						m[i].Reason = "doubt"
					}
				}
			},
			"": func(t *rapid.T) { m.compare(t, s) },
		})
	})
}

// model is a queue as a plain list: what a punch is and what became of it.
type model []Entry

// neighbour returns the employee's punch before (-1) or after (1) another.
func (m model) neighbour(id device.PunchID, step int) *Entry {
	for i := int(id) - 1 + step; i >= 0 && i < len(m); i += step {
		if m[i].Employee == m[id-1].Employee {
			return &m[i]
		}
	}
	return &Entry{}
}

func (m *model) append(p device.Punch) {
	*m = append(*m, Entry{Punch: p, State: Pending})
	if in := m.neighbour(p.ID, -1); p.Intent == device.CheckOut && in.Intent == device.CheckIn && in.State == Quarantined {
		(*m)[p.ID-1].State = Held
	}
}

func (m model) quarantine(p device.Punch) {
	m[p.ID-1].State = Quarantined
	out := m.neighbour(p.ID, 1)
	if p.Intent == device.CheckIn && out.Intent == device.CheckOut && isPending(out.State) {
		if out.State == Ambiguous {
			out.Reason = "doubt"
		}
		out.State = Held
	}
}

// goOn ends a hold: what had been ambiguous before is so again.
func (e *Entry) goOn() {
	if e.State = Pending; e.Reason == "doubt" {
		e.State, e.Reason = Ambiguous, ""
	}
}

func isPending(s State) bool { return s == Pending || s == Ambiguous || s == Held }

func (m model) waits(id device.PunchID) bool {
	s := m[id-1].State
	return s == Quarantined || s == Ambiguous || s == Held
}

func (m model) retry(id device.PunchID) {
	e := &m[id-1]
	if e.State == Quarantined && e.Intent == device.CheckIn {
		if out := m.neighbour(id, 1); out.Intent == device.CheckOut && out.State == Held {
			out.goOn()
		}
	}
	if e.State == Held {
		e.goOn()
	} else {
		e.State = Pending
	}
}

func (m model) compare(t *rapid.T, s *Store) {
	heads := map[device.EmployeeID]device.PunchID{}
	last := map[device.EmployeeID]device.PunchID{}
	var st Stats
	for _, e := range m {
		last[e.Employee] = e.ID
		if isPending(e.State) {
			st.Pending++
		}
		if (e.State == Pending || e.State == Ambiguous) && heads[e.Employee] == 0 {
			heads[e.Employee] = e.ID
		}
		switch e.State {
		case Ambiguous:
			st.Ambiguous++
		case Held:
			st.Held++
		case Delivered:
			st.Delivered++
		case Quarantined:
			st.Quarantined++
		case Dropped:
			st.Dropped++
		}
	}
	got := s.Stats()
	got.OldestPending = time.Time{}
	if got != st {
		t.Fatalf("Stats = %+v, want %+v", got, st)
	}
	var ids []device.PunchID
	for _, h := range s.Heads() {
		ids = append(ids, h.ID)
		if h.Ambiguous != (m[h.ID-1].State == Ambiguous) {
			t.Fatalf("Heads says that punch %d is ambiguous: %v", h.ID, h.Ambiguous)
		}
	}
	if want := slices.Sorted(maps.Values(heads)); !slices.Equal(ids, want) {
		t.Fatalf("Heads = %v, want %v", ids, want)
	}
	for e, id := range last {
		if p, ok, err := s.Last(e); !ok || err != nil || p.ID != id {
			t.Fatalf("Last(%s) = %v, %v, %v; want %d", e, p, ok, err, id)
		}
	}
	recent, err := s.Recent(len(m) + 1)
	if err != nil || len(recent) != len(m) {
		t.Fatalf("Recent gave %d of %d, %v", len(recent), len(m), err)
	}
	for i, e := range recent {
		if want := m[len(m)-1-i]; e.ID != want.ID || e.State != want.State || e.Employee != want.Employee {
			t.Fatalf("Recent[%d] = %+v, want %+v", i, e, want)
		}
	}
}

func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ranges
		set := map[device.PunchID]bool{}
		for _, id := range rapid.SliceOf(rapid.Uint64Range(1, 40)).Draw(t, "ids") {
			r = r.with(device.PunchID(id))
			set[device.PunchID(id)] = true
		}
		for id := device.PunchID(0); id < 42; id++ {
			if r.has(id) != set[id] {
				t.Fatalf("%v.has(%d) = %v", r, id, r.has(id))
			}
		}
		if r.len() != len(set) {
			t.Fatalf("%v.len() = %d, want %d", r, r.len(), len(set))
		}
		again, err := decodeRanges(r.encode())
		if err != nil || !slices.Equal(again, r) {
			t.Fatalf("%v came back as %v, %v", r, again, err)
		}
		first := device.PunchID(rapid.Uint64Range(1, 40).Draw(t, "first"))
		add := run{first, first + device.PunchID(rapid.Uint64Range(0, 9).Draw(t, "length"))}
		more, less := r.withRun(add), r.without(ranges{add})
		for id := device.PunchID(0); id < 60; id++ {
			in := id >= add.first && id <= add.last
			if more.has(id) != (set[id] || in) || less.has(id) != (set[id] && !in) {
				t.Fatalf("%v and %v: with %v, without %v", r, add, more, less)
			}
		}
		if again, err := decodeRanges(more.encode()); err != nil || !slices.Equal(again, more) {
			t.Fatalf("%v came back as %v, %v", more, again, err)
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
	flipped := slices.Clone(record)
	flipped[len(flipped)-1] ^= 1
	if !bytes.Contains(content, record) {
		t.Fatal("the punch is not in the file as it was encoded")
	}
	content = bytes.ReplaceAll(content, record, flipped) // in pages that are no longer in use, too
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
