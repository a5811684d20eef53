package roster

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
)

// Function badges are kept in a file of their own, and belong to nobody.
func TestFunctionBadges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roster.csv")
	r := open(t, path)
	hers, f := uid(t, "04112233445566"), uid(t, "F0000001")
	if _, err := r.Add(device.Badge{UID: hers, Employee: device.Employee{ID: anna, Name: "Anna"}}, false); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err := errors.Join(err, r.SetFunction(f, device.TakeBreak)); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the badge map has changed: %v\n%s", err, after)
	}
	var refusal *device.Refusal
	err = r.SetFunction(hers, device.TakeBreak)
	if !errors.As(err, &refusal) || refusal.Remedy != device.RemoveFirst || !strings.Contains(err.Error(), "Anna") {
		t.Errorf("somebody's badge: %v", err)
	}
	if err := r.SetFunction(uid(t, "08112233"), device.TakeBreak); err == nil {
		t.Error("a badge that makes up its number was taken")
	}
	b := device.Badge{UID: f, Employee: device.Employee{ID: ben, Name: "Ben"}}
	_, added := r.Add(b, true)
	_, renewed := r.Renew(b)
	for what, err := range map[string]error{"added": added, "renewed": renewed, "put back": r.PutBack(b)} {
		if !errors.As(err, &refusal) || refusal.Remedy != device.NoFunctionFirst {
			t.Errorf("%s: %v", what, err)
		}
	}
	list := "uid,employee_id,name\nF0000001," + ben + ",Ben\n01020304," + ben + ",Ben\n"
	if report, err := r.Import(strings.NewReader(list), Options{}); err == nil || report.Refused != 1 ||
		report.Lines[0].Action != Refused || r.Len() != 1 {
		t.Errorf("imported: %s%v", describe(report), err)
	}
	if _, err := r.Import(strings.NewReader("uid,employee_id\n01020304,"+ben+"\n"), Options{Replace: true}); err != nil {
		t.Error(err)
	}
	people := func(yield func(device.Person, error) bool) {
		yield(device.Person{Employee: device.Employee{ID: ben, Name: "Ben"}, Badge: "F0000001"}, nil)
	}
	m, err := r.Merge(people, device.Hex, nil, true)
	if err != nil || len(m.Conflicts) != 1 || !strings.Contains(m.Conflicts[0].Reason, "function badge") {
		t.Errorf("compared: %+v, %v", m, err)
	}
	for range 2 { // also after a restart
		if got, is := r.Function(f); got != device.TakeBreak || !is || len(r.Functions()) != 1 {
			t.Errorf("%q, %v, %v", got, is, r.Functions())
		}
		if b, known := r.Lookup(f); known {
			t.Errorf("it belongs to %+v", b)
		}
		r = open(t, path)
	}
	if err := r.SetFunction(f, ""); err != nil || len(r.Functions()) > 0 || r.SetFunction(f, "") == nil {
		t.Errorf("taken back: %v, %v", err, r.Functions())
	}
	if _, err := r.Add(b, false); err != nil {
		t.Errorf("an ordinary badge again: %v", err)
	}
}

// A damaged file costs only the lines that are damaged, and the clock says so.
func TestDamagedFunctions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roster.csv")
	r := open(t, path)
	for i, f := range []device.Function{device.TakeBreak, device.ShowHours, "project=P-101"} {
		if err := r.SetFunction(uid(t, fmt.Sprintf("F000000%d", i)), f); err != nil {
			t.Fatal(err)
		}
	}
	file := functionsPath(path)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, tc := range map[string]struct {
		content string
		left    int
	}{
		"one line":    {strings.Replace(string(good), "F0000001", "F0000009", 1), 2},
		"cut off":     {string(good[:len(good)-5]), 2},
		"not a list":  {"\x00\x01", 0},
		"another one": {strings.Replace(string(good), "P-101", "P-102", 1), 2},
	} {
		if err := os.WriteFile(file, []byte(tc.content), 0o600); err != nil {
			t.Fatal(err)
		}
		r := Open(path)
		if d := r.Damage(); len(r.Functions()) != tc.left || !strings.Contains(d.Problem, "function badges") || d.Lost {
			t.Errorf("%s: %v, %+v", what, r.Functions(), d)
		}
	}
	// What could not be read for a while is not written over.
	r = Open(path)
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.SetFunction(uid(t, "F0000007"), device.GoOut); err != nil || len(r.Functions()) != 4 {
		t.Errorf("%v, %v", err, r.Functions())
	}
	if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := r.SetFunction(uid(t, "F0000008"), device.GoOut); err == nil || len(r.Functions()) != 4 {
		t.Errorf("a file that cannot be read was replaced: %v, %v", err, r.Functions())
	}
	if err := errors.Join(os.Remove(file), os.WriteFile(file, good, 0o600)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the numbers: %v, %v", info.Mode(), err)
	}
}

func FuzzFunctions(f *testing.F) {
	f.Add([]byte("uid,function,checksum\nF0000001,break,00000000\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		file := filepath.Join(t.TempDir(), "functions.csv")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		functions, _, _ := readFunctions(file)
		for u, f := range functions {
			if again, err := device.ParseFunction(string(f)); err != nil || again != f || u.IsZero() {
				t.Errorf("%q was read, %v", f, err)
			}
		}
	})
}

// An enrollment makes a function badge of the next badge, if it is nobody's.
func TestEnrollFunction(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
	hers := uid(t, "04112233445566")
	if _, err := r.Add(device.Badge{UID: hers, Employee: device.Employee{ID: anna}}, false); err != nil {
		t.Fatal(err)
	}
	e := NewEnrollment(r)
	var done EnrollState
	if _, err := e.BeginFunction(device.TakeBreak, func(s EnrollState) { done = s }); err != nil {
		t.Fatal(err)
	}
	_, others := e.Begin(device.Employee{ID: ben}, Another, nil)
	_, another := e.BeginFunction(device.ShowHours, nil)
	if others == nil || another == nil {
		t.Errorf("two at once: %v, %v", others, another)
	}
	if o, taken := e.Enroll(device.Tap{UID: hers, Time: time.Now()}); !taken || o.Kind != device.NotEnrolled {
		t.Errorf("her badge: %+v, %v", o, taken)
	}
	o, taken := e.Enroll(device.Tap{UID: uid(t, "F0000001"), Time: time.Now()})
	if f, _ := r.Function(uid(t, "F0000001")); !taken || o.Kind != device.Enrolled || f != device.TakeBreak ||
		o.Function != device.TakeBreak || done.Badge.UID != uid(t, "F0000001") || done.Waiting {
		t.Errorf("%+v, %q, %+v", o, f, done)
	}
}

// listing is a directory of projects that may fail.
type listing struct {
	projects []device.Project
	err      error
	asked    int
}

func (l *listing) Projects(context.Context) iter.Seq2[device.Project, error] {
	l.asked++
	return func(yield func(device.Project, error) bool) {
		for _, p := range l.projects {
			if !yield(p, nil) {
				return
			}
		}
		if l.err != nil {
			yield(device.Project{}, l.err)
		}
	}
}

func TestProjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "projects.json")
		north := device.Project{ID: "ID-1", Code: "P-101", Name: "Fit-out north"}
		there := &listing{err: errors.New("403")}
		p := OpenProjects(path, there)
		if err := p.Fresh(t.Context()); err == nil || p.Check("P-101") != nil || p.Name("P-101") != "P-101" {
			t.Errorf("while they cannot be listed nothing is checked: %v", err)
		}
		if p.Fresh(t.Context()); there.asked != 1 {
			t.Errorf("asked %d times within a minute", there.asked)
		}
		time.Sleep(2 * time.Minute)
		*there = listing{projects: []device.Project{
			{ID: "ID-2", Code: "P-100", Name: "Old hall", Archived: true}, {ID: "ID-3", Name: "Without a code"}, north,
		}}
		if err := p.Fresh(t.Context()); err != nil {
			t.Error(err)
		}
		for range 2 { // also after a restart
			id, listed := p.ID("P-101")
			none, _ := p.ID("")
			if p.Name("P-101") != "Fit-out north" || id != "ID-1" || !listed || p.Code("id-1") != "P-101" ||
				none != "" || p.Code("ID-9") != "" {
				t.Errorf("%q, %q, %q", p.Name("P-101"), id, p.Code("id-1"))
			}
			if got := p.List(); !reflect.DeepEqual(got, []device.Project{north}) {
				t.Errorf("to be chosen: %+v", got)
			}
			for code, want := range map[string]string{"P-101": "", "P-100": "archived", "P-9": "there are P-101", "p-101": "there are P-101"} {
				if err := p.Check(code); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v", code, err)
				}
			}
			p = OpenProjects(path, there)
		}
		time.Sleep(2 * time.Hour)
		there.err = errors.New("500") // half a list is none
		if err := p.Fresh(t.Context()); err == nil || p.Name("P-101") != "Fit-out north" {
			t.Errorf("%v, %q", err, p.Name("P-101"))
		}
		there.err, there.projects = nil, make([]device.Project, mostProjects+1)
		time.Sleep(2 * time.Minute)
		if err := p.Fresh(t.Context()); !errors.Is(err, errManyProjects) {
			t.Errorf("too many: %v", err)
		}
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if p := OpenProjects(path, there); len(p.List()) > 0 || p.Check("P-9") != nil {
			t.Error("a damaged copy counts")
		}
	})
}
