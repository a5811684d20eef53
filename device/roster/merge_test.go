package roster

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
)

func person(n int, number string) device.Person {
	return device.Person{Employee: device.Employee{ID: device.EmployeeID(fmt.Sprintf("a1b2c3d4-e5f6-7890-abcd-%012d",
		n)), Name: fmt.Sprint("Person ", n)}, Badge: number}
}

// everybody is a list that comes to its end.
func everybody(people []device.Person) iter.Seq2[device.Person, error] {
	return func(yield func(device.Person, error) bool) {
		for _, p := range people {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func gone(p device.Person) device.Person {
	p.Archived = true
	return p
}

// owners shows who has which badge, and by whom.
func owners(r *Roster) string {
	var out []string
	for _, b := range badges(r) {
		s := fmt.Sprintf("%s=%s/%s", b.UID.Hex()[:4], strings.TrimPrefix(b.Employee.Name, "Person "), b.Origin)
		if b.Blocked {
			s += "!"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestMerge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roster.csv")
	r := open(t, path)
	byHand := device.Badge{UID: uid(t, "03000000"), Employee: person(3, "").Employee}
	if _, err := r.Add(byHand, false); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		people    []device.Person
		want      string
		conflicts int
		err       string
	}{
		{[]device.Person{
			person(1, "01 00 00 00"), person(2, "02:00:00:00"), person(4, ""), gone(person(5, "05000000")),
		}, "0100=1/zeitstrom 0200=2/zeitstrom 0300=3/hand", 0, ""},
		// The same badge at Zeitstrom, for another and for the same person; nonsense; twice.
		{[]device.Person{
			person(1, "01000000"), person(2, "03000000"), person(3, "03000000"), person(6, "none"),
			person(7, "01000000"),
		}, "0100=1/zeitstrom 0300=3/hand", 3, ""},
		// Moved there; and somebody whose badge was given out here has left.
		{[]device.Person{person(2, "01000000"), gone(person(3, ""))}, "0100=2/zeitstrom 0300=3/hand!", 0, ""},
		{nil, "0100=2/zeitstrom 0300=3/hand!", 0, "nobody is listed at Zeitstrom"},
	} {
		m, err := r.Merge(everybody(step.people), device.AnyNumbers, nil, false)
		if step.err == "" && err != nil || step.err != "" && (err == nil || !strings.Contains(err.Error(), step.err)) {
			t.Errorf("step %d: %v", i+1, err)
		}
		if got := owners(r); got != step.want || owners(open(t, path)) != got || len(m.Conflicts) != step.conflicts {
			t.Errorf("step %d: %s, conflicts %v; want %s", i+1, got, m.Conflicts, step.want)
		}
	}
	people := []device.Person{person(2, "01000000"), gone(person(3, ""))}
	m, err := r.Merge(everybody(people), device.AnyNumbers, nil, false)
	if err != nil || len(m.Added)+len(m.Changed)+len(m.Removed)+len(m.Blocked) > 0 {
		t.Errorf("the same again changed something: %+v, %v", m, err)
	}
}

// A Zeitstrom that lists only a few does not empty the badge map.
func TestMergeIsNotFooled(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
	var all []device.Person
	for n := range 20 {
		all = append(all, person(n, fmt.Sprintf("%02X010203", n+0x10)))
	}
	merge := func(people []device.Person, force bool) error {
		_, err := r.Merge(everybody(people), device.AnyNumbers, nil, force)
		return err
	}
	if err := merge(all, false); err != nil || r.Len() != 20 {
		t.Fatalf("%d badges, %v", r.Len(), err)
	}
	if err := merge(all[:9], false); err == nil || r.Len() != 20 {
		t.Errorf("half the list was believed: %d badges left, %v", r.Len(), err)
	}
	if err := merge(all[:12], false); err != nil || r.Len() != 12 {
		t.Errorf("eight people left: %d badges, %v", r.Len(), err)
	}
	if err := merge(all[:1], true); err != nil || r.Len() != 1 {
		t.Errorf("forced: %d badges, %v", r.Len(), err)
	}
	if err := merge([]device.Person{person(0, "")}, false); err == nil || r.Len() != 1 {
		t.Errorf("the last one went: %d badges, %v", r.Len(), err)
	}
	if _, err := r.Remove(uid(t, "10010203")); err == nil {
		t.Error("a badge was removed that would come back")
	}
	if _, err := r.Block(uid(t, "10010203"), true); err != nil {
		t.Error(err)
	}
	if err := merge(all[:1], false); err != nil || owners(r) != "1001=0/zeitstrom!" {
		t.Errorf("a blocked badge after a comparison: %s, %v", owners(r), err)
	}
	decimal := []device.Person{person(0, "2712847316")}
	if err := merge(decimal, true); err == nil || r.Len() != 1 {
		t.Errorf("numbers that nobody can read: %d badges, %v", r.Len(), err)
	}
	if _, err := r.Merge(everybody(decimal), device.DecimalReversed, nil, true); err != nil ||
		badges(r)[0].UID.Hex() != "D4C3B2A1" {
		t.Errorf("read as the settings say: %v, %v", owners(r), err)
	}
}

// directory is a Zeitstrom that may fail.
type directory struct {
	mu     sync.Mutex
	people []device.Person
	err    error
	asked  int
}

func (d *directory) Employees(context.Context) iter.Seq2[device.Person, error] {
	return func(yield func(device.Person, error) bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.asked++
		for _, p := range d.people {
			if !yield(p, nil) {
				return
			}
		}
		if d.err != nil {
			yield(device.Person{}, d.err)
		}
	}
}

func (d *directory) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.people, d.err = nil, err
}

func TestSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := open(t, filepath.Join(dir, "roster.csv"))
		d := &directory{people: []device.Person{person(1, "01000000")}}
		s := &Sync{
			Roster: r, People: NewPeople(filepath.Join(dir, "employees.csv"), d), Every: time.Hour,
			Log:    slog.New(slog.DiscardHandler),
			Tapped: func() func(device.UID) bool { return nil },
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan struct{})
		go func() { defer close(done); s.Run(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if r.Len() != 1 || s.Status().Problem != "" {
			t.Errorf("after a minute: %d badges, %+v", r.Len(), s.Status())
		}
		d.fail(errors.New("no route"))
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		cancel()
		<-done
		if r.Len() != 1 || s.Status().Problem != "no route" || d.asked < 9 || d.asked > 12 {
			t.Errorf("while it fails: %d badges, asked %d times, %+v", r.Len(), d.asked, s.Status())
		}
	})
}

func TestEnrollment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
		e := NewEnrollment(r)
		enroll := func(badge string, want device.OutcomeKind, problem string) {
			t.Helper()
			tap := device.Tap{Time: time.Now(), Several: badge == ""}
			if badge != "" {
				tap.UID = uid(t, badge)
			}
			o, taken := e.Enroll(tap)
			if taken != (want != "") || o.Kind != want {
				t.Errorf("%q: %s, taken: %v; want %q", badge, o.Kind, taken, want)
			}
			if s, _ := e.State(); !strings.Contains(s.Problem, problem) || problem == "" && s.Problem != "" {
				t.Errorf("%q: problem %q, want %q", badge, s.Problem, problem)
			}
		}
		given := 0
		begin := func(who device.Employee, way Way) EnrollState {
			t.Helper()
			s, err := e.Begin(who, way, func(EnrollState) { given++ })
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		one, two := person(1, "").Employee, person(2, "").Employee
		enroll("01000000", "", "") // nobody waits
		begin(one, Another)
		enroll("", device.Several, "several badges")
		enroll("08000000", device.NotEnrolled, "makes up a new number")
		enroll("01000000", device.Enrolled, "")
		enroll("01000000", "", "")
		begin(two, Another)
		enroll("01000000", device.NotEnrolled, "belongs to Person 1")
		enroll("02000000", device.Enrolled, "")
		begin(two, Another)
		enroll("02000000", device.NotEnrolled, "have this badge already")
		enroll("03000000", device.Enrolled, "")
		if got, want := owners(r), "0100=1/hand 0200=2/hand 0300=2/hand"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		begin(two, Renewed) // lost both
		enroll("02000000", device.NotEnrolled, "already: a new one is needed")
		enroll("04000000", device.Enrolled, "")
		if s, _ := e.State(); len(s.Blocked) != 2 {
			t.Errorf("blocked %+v", s.Blocked)
		}
		begin(two, MovedTo)
		if _, err := e.Begin(one, Another, nil); err == nil || !strings.Contains(err.Error(), "Person 2") {
			t.Errorf("two at once: %v", err)
		}
		if _, taken := e.Enroll(device.Tap{UID: uid(t, "01000000"), Time: time.Now().Add(-time.Second)}); taken {
			t.Error("a tap from before was taken")
		}
		enroll("02000000", device.NotEnrolled, "already")
		enroll("01000000", device.NotEnrolled, "hold it there again to move it")
		enroll("01000000", device.Enrolled, "")
		if given != 5 {
			t.Errorf("%d badges given out", given)
		}
		if got, want := owners(r), "0100=2/hand 0200=2/hand! 0300=2/hand! 0400=2/hand"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		s := begin(one, Another)
		time.Sleep(enrollTime)
		enroll("05000000", "", "") // too late
		s = begin(one, Another)
		e.End(s.Number - 1)
		if now, _ := e.State(); !now.Waiting {
			t.Error("ended by the wrong number")
		}
		e.End(s.Number)
		enroll("05000000", "", "")
	})
}

// An answer that lets everybody go at once blocks nobody.
func TestNotEverybodyLeaves(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
	var people []device.Person
	for n := range 10 {
		p := person(n, "")
		if _, err := r.Add(device.Badge{UID: uid(t, fmt.Sprintf("%02X010203", n+0x10)), Employee: p.Employee},
			false); err != nil {
			t.Fatal(err)
		}
		people = append(people, gone(p))
	}
	_, err := r.Merge(everybody(people), device.AnyNumbers, nil, false)
	if err == nil || strings.Contains(owners(r), "!") {
		t.Errorf("%s, %v", owners(r), err)
	}
	if m, err := r.Merge(everybody(people[:4]), device.AnyNumbers, nil, false); err != nil || len(m.Blocked) != 4 {
		t.Errorf("four have left: %+v, %v", m, err)
	}
}
