package queue

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

var onP101 = device.Detail{Function: "project=P-101", Project: "P-101"}

// chose stores a punch for which something was chosen.
func chose(t testing.TB, s *Store, n int, i device.Intent, at time.Time, d device.Detail) device.Punch {
	t.Helper()
	p := punch(n, i, at)
	p.Detail = d
	p, err := s.Append(p, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// assignments are those that are due.
func assignments(t testing.TB, s *Store) []device.Assignment {
	t.Helper()
	all, err := s.Assignments(func(device.Assignment) bool { return true }, 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// events are the kinds of what the journal says, with their reasons.
func events(t testing.TB, s *Store) (all []string) {
	t.Helper()
	s.save(nil)
	err := s.Journal(func(e JournalEntry) error {
		if e.Event != nil {
			all = append(all, fmt.Sprintf("%d %s: %s", e.Event.Punch, e.Event.Kind, e.Event.Reason))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A file has no more than version 0.9 knows until something is chosen, and the record of a punch stays what
// it would be without.
func TestChosenBesideTheRecord(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	must(t, appended(s, punch(1, device.CheckIn, eight)))
	record := func(id device.PunchID) (stored []byte, names int) {
		err := s.db.View(func(tx *bolt.Tx) error {
			stored = bytes.Clone(storedPunch(tx, id))
			return tx.ForEach(func([]byte, *bolt.Bucket) error { names++; return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		return stored, names
	}
	if _, n := record(1); n != len(buckets) {
		t.Errorf("%d buckets without a choice, want %d", n, len(buckets))
	}
	p := chose(t, s, 1, device.CheckOut, eight.Add(time.Hour), device.Detail{
		Function: device.TakeBreak, Project: "P-101", Hints: device.TenHours,
	})
	plain := p
	plain.Detail = device.Detail{}
	want, err := encodePunch(plain)
	if stored, n := record(p.ID); err != nil || !bytes.Equal(stored, sum(key(p.ID), want)) || n != len(buckets)+1 {
		t.Errorf("the record is %x, %d buckets; want %x", stored, n, want)
	}
}

// What was chosen is there after a restart, in the journal, and as long as the punch is kept.
func TestChosenSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	in := chose(t, s, 1, device.CheckIn, eight, onP101)
	pause := chose(t, s, 1, device.CheckOut, eight.Add(time.Hour), device.Detail{
		Function: device.TakeBreak, Project: "P-101",
	})
	back := chose(t, s, 1, device.CheckIn, eight.Add(2*time.Hour), device.Detail{Project: "P-101"})
	hinted := chose(t, s, 2, device.CheckOut, eight, device.Detail{Hints: device.TenHours})
	want := []string{
		"1 function: project=P-101", "2 function: break", "3 project goes on: P-101", "4 hints: ten-hours",
	}
	for range 2 {
		if got := events(t, s); !slices.Equal(got, want) {
			t.Errorf("the journal says %q", got)
		}
		for _, p := range []device.Punch{in, pause, back, hinted} {
			if got := find(s, p.ID); got.Detail != p.Detail {
				t.Errorf("punch %d: %+v, want %+v", p.ID, got.Detail, p.Detail)
			}
		}
		last, _, err := s.Last(employee(1))
		if err != nil || last.ID != back.ID || last.Detail != back.Detail || last.OnBreak() {
			t.Errorf("last: %+v, %v", last, err)
		}
		if st := s.Stats(); st.Assigning != 2 || st.Refused != 0 || st.Pending != 4 {
			t.Errorf("%+v", st)
		}
		if _, err := s.VerifyJournal(); err != nil {
			t.Error(err)
		}
		must(t, s.Close())
		s = open(t, path)
	}
}

// A switch is both punches or none, at the same second and in order.
func TestSwitch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	must(t, appended(s, punch(1, device.CheckIn, eight)))
	out, in := punch(1, device.CheckOut, eight.Add(time.Hour)), punch(1, device.CheckIn, eight.Add(time.Hour))
	in.Detail = onP101
	s.path = "/proc/none/queue.db"
	if _, err := s.Switch(out, in, true); err == nil || s.Stats().Pending != 1 {
		t.Errorf("on a disk that takes no writes: %v, %+v", err, s.Stats())
	}
	s.path = path
	stored, err := s.Switch(out, in, true)
	if err != nil || stored.ID != 3 || stored.Detail != onP101 || find(s, 2).Intent != device.CheckOut {
		t.Errorf("%+v, %v", stored, err)
	}
	var order []device.PunchID
	for len(s.Heads()) > 0 {
		h := s.Heads()[0]
		order = append(order, h.ID)
		must(t, s.Attempt(h.Punch), s.Deliver(h.Punch))
	}
	if !slices.Equal(order, []device.PunchID{1, 2, 3}) {
		t.Errorf("delivered in the order %v", order)
	}
}

// A project waits for its check-in to be delivered, and what becomes of it is kept.
func TestAssignments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	p := chose(t, s, 1, device.CheckIn, eight, onP101)
	other := chose(t, s, 2, device.CheckIn, eight, device.Detail{Function: "project=P-9", Project: "P-9"})
	chose(t, s, 2, device.CheckOut, eight.Add(time.Hour), device.Detail{Function: device.TakeBreak, Project: "P-9"})
	if got := assignments(t, s); len(got) > 0 {
		t.Errorf("before they are delivered: %+v", got)
	}
	must(t, s.Deliver(p), s.Quarantine(other, "no"))
	if got := assignments(t, s); len(got) != 1 || got[0].ID != p.ID || got[0].Project != "P-101" ||
		got[0].State != device.AssignmentWaits {
		t.Errorf("delivered: %+v", got)
	}
	must(t, s.Assigning(p.ID, "span-1", "before"), s.Close())
	s = open(t, path)
	if got := assignments(t, s); len(got) != 1 || got[0].Timespan != "span-1" || got[0].Before != "before" {
		t.Errorf("after a restart: %+v", got)
	}
	if _, err := s.TakeBack(find(s, p.ID), device.Detail{}); err == nil {
		t.Error("what was tried was taken back")
	}
	must(t, s.Assigned(p.ID, device.AssignmentRefused, "no such project"))
	must(t, s.Assigned(p.ID, device.AssignmentRefused, "no such project"), s.Close())
	s = open(t, path)
	if got := assignments(t, s); len(got) != 1 || got[0].State != device.AssignmentRefused ||
		got[0].Reason != "no such project" || s.Stats().Refused != 1 {
		t.Errorf("refused: %+v", got)
	}
	must(t, s.Assigned(p.ID, device.AssignmentDone, "span-1"))
	a := assignment(s, find(s, p.ID))
	if a.State != device.AssignmentDone || len(assignments(t, s)) > 0 || s.Stats().Assigning != 1 {
		t.Errorf("done: %+v, %+v", a, s.Stats())
	}
	must(t, s.Drop("", other.ID, "because"))
	if a := assignment(s, find(s, other.ID)); a.State != device.AssignmentDropped ||
		s.Stats().Assigning != 0 {
		t.Errorf("a punch that is dropped takes its project along: %+v", a)
	}
	refusals := 0
	for _, e := range events(t, s) {
		if e == "1 project refused: no such project" {
			refusals++
		}
	}
	if refusals != 1 {
		t.Errorf("the refusal stands in the journal %d times", refusals)
	}
}

func TestTakeBack(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	p := chose(t, s, 1, device.CheckOut, eight, device.Detail{Function: device.TakeBreak, Project: "P-1"})
	back, err := s.TakeBack(p, device.Detail{})
	last, _, _ := s.Last(employee(1))
	if err != nil || back.OnBreak() || last.OnBreak() || find(s, p.ID).Detail != (device.Detail{}) {
		t.Errorf("%+v, %+v, %v", back, last, err)
	}
	in := chose(t, s, 1, device.CheckIn, eight.Add(time.Hour), onP101)
	if _, err := s.TakeBack(p, device.Detail{}); err == nil {
		t.Error("that of an older punch was taken back")
	}
	if _, err := s.TakeBack(in, device.Detail{}); err != nil || s.Stats().Assigning != 0 {
		t.Errorf("%v, %+v", err, s.Stats())
	}
	if got := events(t, s); !slices.Contains(got, "1 function taken back: break") ||
		!slices.Contains(got, "2 function taken back: project=P-101") {
		t.Errorf("the journal says %q", got)
	}
}

// A punch that is turned round leaves its project behind.
func TestTurnLeavesTheProject(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	s.Wait(employee(1), true)
	p := chose(t, s, 1, device.CheckIn, eight, device.Detail{Project: "P-101"})
	turned, err := s.Turn(p)
	if err != nil || turned.Detail != (device.Detail{}) || s.Stats().Assigning != 0 {
		t.Errorf("%+v, %v, %+v", turned, err, s.Stats())
	}
}

// What was chosen for a number counts for that punch only: another one that a version without choices
// has made under it has none.
func TestChosenIsOfOnePunch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	p := chose(t, s, 1, device.CheckIn, eight, onP101)
	must(t, s.Deliver(p), s.Close())
	db, err := bolt.Open(path, 0o600, options())
	if err != nil {
		t.Fatal(err)
	}
	p.Time, p.Detail = eight.Add(time.Hour), device.Detail{}
	v, err := encodePunch(p)
	must(t, err, db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(tailBucket).Put(key(p.ID), sum(key(p.ID), v))
	}), db.Close())
	s = open(t, path)
	if got := find(s, p.ID); got.Detail != (device.Detail{}) || len(assignments(t, s)) > 0 || s.Stats().Assigning != 0 {
		t.Errorf("%+v has %+v", got, assignments(t, s))
	}
}

// A damaged file gives back what was chosen, the newest of it; and so does one that another queue joins.
func TestChosenIsSalvaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "queue.db")
	s := open(t, path)
	a := chose(t, s, 1, device.CheckIn, eight, onP101)
	b := chose(t, s, 2, device.CheckIn, eight, onP101)
	must(t, s.Deliver(a), s.Deliver(b), s.Assigning(a.ID, "span-1", "before"),
		s.Assigned(b.ID, device.AssignmentDone, "span-2"), s.Close())
	must(t, altered(path, func(content []byte) { clear(content[:2*pageSize]) }))
	recovered := path + ".recovered"
	if _, err := Salvage(recovered, func() {}, path); err != nil {
		t.Fatal(err)
	}
	must(t, os.Remove(path))
	interim, err := Interim(path, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := chose(t, interim, 3, device.CheckIn, eight, onP101)
	d := chose(t, interim, 4, device.CheckOut, eight, device.Detail{Function: device.TakeBreak})
	must(t, interim.Join(recovered))
	for range 2 {
		for id, want := range map[device.PunchID]device.Assignment{
			a.ID: {State: device.AssignmentWaits, Timespan: "span-1", Before: "before"},
			b.ID: {State: device.AssignmentDone, Reason: "span-2"},
			c.ID: {State: device.AssignmentWaits},
			d.ID: {},
		} {
			want.Punch = find(interim, id)
			if got := assignment(interim, want.Punch); got != want {
				t.Errorf("punch %d: %+v; want %+v", id, got, want)
			}
		}
		if last, _, _ := interim.Last(employee(4)); !last.OnBreak() || interim.Stats().Assigning != 2 {
			t.Errorf("%+v, %+v", last, interim.Stats())
		}
		must(t, interim.Close())
		interim = open(t, path)
	}
}

// The newest punches of each employee are known without a look into the file.
func TestRecent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	for i := range 40 {
		must(t, appended(s, punch(1, []device.Intent{device.CheckIn, device.CheckOut}[i%2],
			eight.Add(time.Duration(i)*3*time.Hour))))
	}
	must(t, s.Deliver(find(s, 1)), s.Deliver(find(s, 39)), s.Quarantine(find(s, 40), "no"), s.Drop("", 40, "because"))
	for range 2 {
		got := s.Recent(employee(1))
		if n := len(got); n != 24 || got[0].ID != 16 || got[n-1].ID != 39 || got[n-1].State != device.Delivered ||
			!got[n-1].Time.Equal(eight.Add(38*3*time.Hour)) || got[n-1].Intent != device.CheckIn ||
			got[n-2].State != device.Pending {
			t.Errorf("%d: %+v", n, got)
		}
		must(t, s.Close())
		s = open(t, path)
	}
}

// An employee's choice costs one commit, as an ordinary tap does.
func TestChosenCost(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	must(t, appended(s, punch(1, device.CheckIn, eight)))
	n := txid(t, s)
	chose(t, s, 1, device.CheckOut, eight, device.Detail{Function: device.TakeBreak})
	if got := txid(t, s) - n; got != 1 {
		t.Errorf("%d commits", got)
	}
}

func txid(t *testing.T, s *Store) (id int) {
	t.Helper()
	must(t, s.db.View(func(tx *bolt.Tx) error { id = tx.ID(); return nil }))
	return id
}

// assignment is what became of a punch's project.
func assignment(s *Store, p device.Punch) (a device.Assignment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.view(func(tx *bolt.Tx) error {
		c, _ := getChosen(tx, key(p.ID), storedPunch(tx, p.ID))
		a = c.assignment(p)
		return nil
	})
	if err != nil {
		panic(err)
	}
	return a
}
