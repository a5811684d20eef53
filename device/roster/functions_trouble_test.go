package roster

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"timeclock/device"
)

type oneProject struct{}

func (oneProject) Projects(context.Context) iter.Seq2[device.Project, error] {
	return func(yield func(device.Project, error) bool) {
		yield(device.Project{ID: "id", Code: "P-1", Name: "Roof"}, nil)
	}
}

// A tap that wants a project's name does not wait for the disk.
func TestProjectsWhileTheDiskIsSlow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projects.json")
	if err := syscall.Mkfifo(path+".new", 0o600); err != nil { // a write takes as long as nobody reads there
		t.Fatal(err)
	}
	p := OpenProjects(path, oneProject{})
	go p.Fresh(t.Context())
	time.Sleep(200 * time.Millisecond)
	named := make(chan string, 1)
	go func() { named <- p.Name("P-1") }()
	select {
	case <-named:
	case <-time.After(2 * time.Second):
		t.Error("the terminal waits for the disk")
	}
	f, err := os.OpenFile(path+".new", os.O_RDONLY, 0)
	if err == nil {
		defer f.Close()
	}
	time.Sleep(100 * time.Millisecond)
}

// A file that could not be read once is not written over.
func TestFunctionsThatCouldNotBeRead(t *testing.T) {
	dir := t.TempDir()
	r := Open(filepath.Join(dir, "badges.csv"))
	a, _ := device.ParseUID("F0000001")
	b, _ := device.ParseUID("F0000002")
	if err := r.SetFunction(a, device.TakeBreak); err != nil {
		t.Fatal(err)
	}
	path := functionsPath(r.path)
	good, _ := os.ReadFile(path)
	// As a failing read is, for once: here the name is taken.
	os.Rename(path, path+".good")
	os.Mkdir(path, 0o700)
	r = Open(r.path)
	os.Remove(path)
	os.WriteFile(path, good, 0o600)
	t.Logf("problem: %q", r.Damage().Problem)
	if err := r.SetFunction(b, device.GoOut); err != nil {
		t.Fatal(err)
	}
	r = Open(r.path)
	if _, is := r.Function(a); !is {
		t.Error("the function badge that was there is gone for good")
	}
}

// One badge is never both.
func TestFunctionAndSomebodys(t *testing.T) {
	both := 0
	for range 300 {
		r := Open(filepath.Join(t.TempDir(), "badges.csv"))
		uid, _ := device.ParseUID("F0000001")
		var wg sync.WaitGroup
		wg.Go(func() { r.SetFunction(uid, device.TakeBreak) })
		wg.Go(func() {
			r.Add(device.Badge{UID: uid, Employee: device.Employee{ID: "a1b2c3d4-e5f6-7890-abcd-000000000001", Name: "A B"}}, false)
		})
		wg.Wait()
		_, f := r.Function(uid)
		_, s := r.Lookup(uid)
		if f && s {
			both++
		}
	}
	if both > 0 {
		t.Errorf("%d of 300 times it is a function badge and somebody's", both)
	}
}
