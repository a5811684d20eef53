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

// TestModel compares the store with a plain list over random punches, deliveries, refusals,
// doubts, people's decisions, writes that fail, and restarts.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	files := 0
	rapid.Check(t, func(t *rapid.T) {
		files++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", files))
		s, err := Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		m := &model{store: s, waits: map[device.EmployeeID]bool{}}
		defer func() { m.store.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"append": m.append,
			"settle": m.settle,
			"doubt":  m.doubt,
			"found":  m.found,
			"retry":  m.retry,
			"drop":   m.drop,
			"time":   m.time,
			"wait":   m.wait,
			"turn":   m.turn,
			"fail":   m.fail,
			"restart": func(t *rapid.T) {
				m.store.Close()
				if m.store, err = Open(path, nil); err != nil {
					t.Fatal(err)
				}
				clear(m.waits)
				// A stop in good order leaves nothing in doubt that was not.
			},
			"": m.compare,
		})
	})
}

// model is a queue as a plain list, beside the store that is to do the same.
type model struct {
	store *Store
	list  []row // a punch's number is its place, from 1
	waits map[device.EmployeeID]bool
}

// row is a punch and what became of it.
type row struct {
	employee  device.EmployeeID
	intent    device.Intent
	at        time.Time
	untimed   bool
	settled   bool
	ambiguous bool
	mark      string // quarantined, held or dropped
	by        string // who decided last
}

func (m *model) punch(id device.PunchID) device.Punch {
	r := m.list[id-1]
	return device.Punch{ID: id, Employee: r.employee, Intent: r.intent, Time: r.at}
}

// state is where a punch stands.
func (r row) state() device.State {
	switch {
	case r.mark != "":
		return device.State(r.mark)
	case r.settled:
		return "delivered"
	case r.untimed:
		return "untimed"
	case r.ambiguous:
		return "ambiguous"
	}
	return "pending"
}

// neighbour is the employee's punch before (-1) or after (1) another, of those that count.
func (m *model) neighbour(id device.PunchID, step int) *row {
	for i := int(id) - 1 + step; i >= 0 && i < len(m.list); i += step {
		if r := &m.list[i]; r.employee == m.list[id-1].employee && r.mark != "dropped" {
			return r
		}
	}
	return &row{settled: true}
}

// any draws a punch that is so; none: there is none.
func (m *model) any(t *rapid.T, so func(row) bool) (id device.PunchID) {
	var ids []device.PunchID
	for i, r := range m.list {
		if so(r) {
			ids = append(ids, device.PunchID(i+1))
		}
	}
	if len(ids) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(ids).Draw(t, "punch")
}

// add appends a row, which is held if it belongs to a check-in in quarantine.
func (m *model) add(r row) {
	m.list = append(m.list, r)
	id := device.PunchID(len(m.list))
	in := m.neighbour(id, -1)
	if r.intent == device.CheckOut && in.intent == device.CheckIn && in.mark == "quarantined" {
		m.list[id-1].mark = "held"
	}
}

func (m *model) append(t *rapid.T) {
	r := row{
		employee: employee(rapid.IntRange(0, 3).Draw(t, "employee")),
		intent:   rapid.SampledFrom([]device.Intent{device.CheckIn, device.CheckOut}).Draw(t, "intent"),
		at:       time.Unix(int64(len(m.list)), 0),
		untimed:  rapid.IntRange(0, 9).Draw(t, "clock") == 0,
	}
	p := device.Punch{Employee: r.employee, Intent: r.intent, Time: r.at, Stamp: device.Stamp{Uncertain: r.untimed}}
	p, err := m.store.Append(p, rapid.Bool().Draw(t, "soon"))
	if err != nil || p.ID != device.PunchID(len(m.list)+1) {
		t.Fatalf("Append = %+v, %v", p, err)
	}
	m.add(r)
}

// settle is what the uplink does: it tries a punch that is next, and learns something of it.
func (m *model) settle(t *rapid.T) {
	heads := m.store.Heads()
	if len(heads) == 0 {
		t.Skip("nothing is next")
	}
	p := rapid.SampledFrom(heads).Draw(t, "head").Punch
	if err := m.store.Attempt(p); err != nil {
		t.Fatal(err)
	}
	r := &m.list[p.ID-1]
	var err error
	switch rapid.IntRange(0, 2).Draw(t, "answer") {
	case 0:
		err = m.store.Deliver(p)
		r.settled, r.ambiguous = true, false
	case 1:
		err = m.store.Quarantine(p, "no")
		r.settled, r.ambiguous, r.mark = true, false, "quarantined"
		if out := m.neighbour(p.ID, 1); r.intent == device.CheckIn && out.intent == device.CheckOut && !out.settled {
			out.mark = "held"
		}
	default:
		err = m.store.MarkAmbiguous(p)
		r.ambiguous = true
	}
	if err != nil {
		t.Fatal(err)
	}
}

// doubt is about a punch that was taken for delivered.
func (m *model) doubt(t *rapid.T) {
	id := m.any(t, func(r row) bool { return r.state() == "delivered" })
	if err := m.store.MarkAmbiguous(m.punch(id)); err != nil {
		t.Fatal(err)
	}
	m.list[id-1].settled, m.list[id-1].ambiguous = false, true
}

// found is a quarantined punch that is at Zeitstrom after all.
func (m *model) found(t *rapid.T) {
	id := m.any(t, func(r row) bool { return r.mark == "quarantined" })
	if err := m.store.Deliver(m.punch(id)); err != nil {
		t.Fatal(err)
	}
	m.release(id)
}

// release takes a punch out of quarantine, with the check-out that was held with it.
func (m *model) release(id device.PunchID) {
	r := &m.list[id-1]
	r.mark = ""
	if out := m.neighbour(id, 1); r.intent == device.CheckIn && out.intent == device.CheckOut && out.mark == "held" {
		out.mark = ""
	}
}

func (m *model) retry(t *rapid.T) {
	id := m.any(t, func(row) bool { return true })
	r := &m.list[id-1]
	state := r.state()
	may := state == "quarantined" || state == "ambiguous" || state == "held"
	if err := m.store.Retry("eva", id); (err == nil) != may {
		t.Fatalf("Retry of a punch that is %s: %v", state, err)
	}
	switch state {
	case "quarantined":
		m.release(id)
		r.settled = false
	case "held":
		r.mark = ""
	case "ambiguous":
		r.ambiguous = false
	}
	if may {
		r.by = "eva"
	}
}

func (m *model) drop(t *rapid.T) {
	id := m.any(t, func(row) bool { return true })
	r := &m.list[id-1]
	state := r.state()
	may := state == "quarantined" || state == "ambiguous" || state == "held" || state == "untimed"
	if err := m.store.Drop("ben", id, "because"); (err == nil) != may {
		t.Fatalf("Drop of a punch that is %s: %v", state, err)
	}
	if may {
		r.mark, r.settled, r.ambiguous, r.by = "dropped", true, false, "ben"
	}
}

func (m *model) time(t *rapid.T) {
	id := m.any(t, func(r row) bool { return r.untimed && !r.settled })
	p := m.punch(id)
	p.Stamp.Uncertain = true
	n, err := m.store.SetTimes(device.Fix{
		Punches: []device.Punch{p.WithTime(p.Time)}, Kind: device.EventTimeSet, By: "eva",
	})
	if n != 1 || err != nil {
		t.Fatalf("SetTimes = %d, %v", n, err)
	}
	m.list[id-1].untimed, m.list[id-1].by = false, "eva"
}

func (m *model) wait(t *rapid.T) {
	e, yes := employee(rapid.IntRange(0, 3).Draw(t, "employee")), rapid.Bool().Draw(t, "yes")
	m.store.Wait(e, yes)
	m.waits[e] = yes
}

func (m *model) turn(t *rapid.T) {
	id := m.any(t, func(r row) bool { return !r.settled })
	r := m.list[id-1]
	may := !r.ambiguous && m.waits[r.employee]
	p := m.punch(id)
	p.Stamp.Uncertain = r.untimed
	turned, err := m.store.Turn(p)
	if (err == nil) != may {
		t.Fatalf("Turn of a punch that is %s: %v", r.state(), err)
	}
	if !may {
		return
	}
	before := m.list[id-1]
	m.list[id-1].mark, m.list[id-1].settled, m.list[id-1].by = "dropped", true, ""
	before.intent, before.mark, before.by = before.intent.Other(), "", ""
	m.add(before)
	if turned.ID != device.PunchID(len(m.list)) {
		t.Fatalf("turned is %+v", turned)
	}
}

// fail is a disk that takes no writes: whatever is tried, nothing changes.
func (m *model) fail(t *rapid.T) {
	path := m.store.path
	m.store.path = "/proc/none/queue.db"
	defer func() { m.store.path = path }()
	heads := m.store.Heads()
	_, err := m.store.Append(punch(1, device.CheckIn, time.Unix(0, 0)), true)
	if err == nil {
		t.Fatal("stored on a disk that takes nothing")
	}
	for i := range m.list {
		p := m.punch(device.PunchID(i + 1))
		for what, err := range map[string]error{
			"retry": m.store.Retry("eva", p.ID), "drop": m.store.Drop("ben", p.ID, "no"),
		} {
			if err == nil {
				t.Fatalf("%s of punch %d was stored", what, p.ID)
			}
		}
		m.store.Turn(p)
		m.store.SetTimes(device.Fix{Punches: []device.Punch{p.WithTime(p.Time)}})
		if m.list[i].state() == "delivered" && m.store.MarkAmbiguous(p) == nil {
			t.Fatal("a doubt was stored")
		}
	}
	for _, h := range heads {
		if m.store.Quarantine(h.Punch, "no") == nil {
			t.Fatal("a refusal was stored")
		}
	}
}

func (m *model) compare(t *rapid.T) {
	heads, last := map[device.EmployeeID]device.PunchID{}, map[device.EmployeeID]device.PunchID{}
	blocked := map[device.EmployeeID]bool{}
	want := Stats{}
	for i, r := range m.list {
		id := device.PunchID(i + 1)
		if r.mark != "dropped" {
			last[r.employee] = id
		}
		if !r.settled {
			want.Pending++
			if r.untimed {
				want.Untimed++
				blocked[r.employee] = true
			}
			if r.mark == "" && heads[r.employee] == 0 && !blocked[r.employee] && !m.waits[r.employee] {
				heads[r.employee] = id
			}
		}
		switch r.state() {
		case "ambiguous":
			want.Ambiguous++
		case "held":
			want.Held++
			want.Waiting++
		case "untimed":
			want.Waiting++
		case "delivered":
			want.Delivered++
		case "quarantined":
			want.Quarantined++
		case "dropped":
			want.Dropped++
		}
	}
	got := m.store.Stats()
	got.OldestPending, got.Journal, got.Problem = time.Time{}, "", ""
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("Stats = %+v, want %+v", got, want)
	}
	var ids []device.PunchID
	for _, h := range m.store.Heads() {
		ids = append(ids, h.ID)
		if h.Ambiguous != m.list[h.ID-1].ambiguous {
			t.Fatalf("Heads says that punch %d is ambiguous: %v", h.ID, h.Ambiguous)
		}
	}
	if want := slices.Sorted(maps.Values(heads)); !slices.Equal(ids, want) {
		t.Fatalf("Heads = %v, want %v", ids, want)
	}
	for e, id := range last {
		if p, _, err := m.store.Last(e); err != nil || p.ID != id {
			t.Fatalf("Last(%s) = %v, %v; want %d", e, p, err, id)
		}
	}
	m.compareList(t)
}

// compareList compares each punch, and who decided about it last.
func (m *model) compareList(t *rapid.T) {
	all, err := recent(m.store, len(m.list)+1)
	if err != nil || len(all) != len(m.list) {
		t.Fatalf("there are %d of %d, %v", len(all), len(m.list), err)
	}
	for i, e := range all {
		r := m.list[len(m.list)-1-i]
		if e.ID != device.PunchID(len(m.list)-i) || e.State != r.state() || e.Employee != r.employee {
			t.Fatalf("punch %d is %+v, want %+v", len(m.list)-i, e, r)
		}
	}
	by := map[device.PunchID]string{}
	err = m.store.Journal(func(e JournalEntry) error {
		if e.Event != nil && e.Event.By != "" {
			by[e.Event.Punch] = e.Event.By
		}
		if e.Event != nil && (e.Event.Kind == device.EventDropped && e.Event.Reason[:3] == "the") { // turned round
			delete(by, e.Event.Punch)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range m.list {
		if got := by[device.PunchID(i+1)]; r.by != "" && got != r.by {
			t.Fatalf("the journal says that %q decided about punch %d, want %q", got, i+1, r.by)
		}
	}
}
