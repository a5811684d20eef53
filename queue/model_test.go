package queue

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"timeclock/device"

	"pgregory.net/rapid"
)

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
				// A stop in good order leaves nothing in doubt that was not.
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
		if m[i].Employee == m[id-1].Employee && m[i].State != Dropped {
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
		if e.State != Dropped {
			last[e.Employee] = e.ID
		}
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
		if p, _, err := s.Last(e); err != nil || p.ID != id {
			t.Fatalf("Last(%s) = %v, %v; want %d", e, p, err, id)
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
