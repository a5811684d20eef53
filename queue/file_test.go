package queue

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"timeclock/device"
)

// Whoever removes the file, or the whole directory, under a running clock loses
// nothing: it is there again with the next punch.
func TestRemovedFileComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "queue.db")
	s := open(t, path)
	for n := range 30 {
		if n%10 == 5 {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
		p, err := s.Append(punch(n%4, device.CheckIn, time.Now()), false)
		if err == nil && n%2 == 0 {
			err = s.Deliver(p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = open(t, path)
	if n, err := s.VerifyJournal(); err != nil || n != 30 || s.Stats().Pending != 15 {
		t.Errorf("journal of %d, %v; %+v", n, err, s.Stats())
	}
}

// A queue that was closed is not a file that was removed: nothing is made anew.
func TestClosedStaysClosed(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	s.Close()
	if _, err := s.Append(punch(0, device.CheckIn, time.Now()), false); err == nil {
		t.Error("a punch was stored in a closed queue")
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("it left %v behind, %v", left, err)
	}
}
