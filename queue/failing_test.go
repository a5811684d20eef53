package queue

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"timeclock/device"
)

// decisions are all ways of changing a queue, on one that prepare made.
var decisions = []decision{
	{name: "append", change: func(s *Store) error {
		return appended(s, punch(1, device.CheckOut, eight.Add(9*time.Hour)))
	}},
	{name: "append that moves the tail", change: func(s *Store) error {
		for s.inTail < tailSize {
			if err := appended(s, punch(7, device.CheckIn, eight)); err != nil {
				return err
			}
		}
		fmt.Println(beginMark) // the ones before are not meant
		return appended(s, punch(1, device.CheckOut, eight.Add(9*time.Hour)))
	}},
	{name: "append with a repaired time", change: func(s *Store) error {
		p := punch(1, device.CheckOut, eight.Add(9*time.Hour))
		p.Raw = eight.Add(8 * time.Hour)
		return appended(s, p)
	}},
	{name: "attempt", change: func(s *Store) error { return s.Attempt(find(s, 1)) }},
	{name: "quarantine", change: func(s *Store) error { return s.Quarantine(find(s, 1), "no") }},
	{name: "retry", change: func(s *Store) error { return s.Retry("", 2) }},
	{name: "drop", change: func(s *Store) error { return s.Drop("", 2, "because") }},
	{name: "reopen", change: func(s *Store) error { return s.MarkAmbiguous(find(s, 4)) }},
	{name: "turn", change: func(s *Store) error {
		s.Wait(employee(1), true)
		_, err := s.Turn(find(s, 1))
		s.Wait(employee(1), false)
		return err
	}},
	{name: "keep", change: func(s *Store) error {
		uid, err := device.ParseUID("04A1B2C3D4E5F6")
		if err == nil {
			_, err = s.Keep(device.Tap{UID: uid, Time: eight}, 0, false)
		}
		return err
	}},
	{name: "claim", change: func(s *Store) error {
		_, err := s.Claim(device.Claim{Badge: s.unclaimed[0].UID, Employee: employee(8), Rules: rules})
		return err
	}},
	{name: "time", change: func(s *Store) error {
		fix := device.Fix{Punches: []device.Punch{find(s, 5).WithTime(eight.Add(time.Hour))}, Kind: device.EventTimeSet}
		_, err := s.SetTimes(fix)
		return err
	}},
	{name: "prune", change: func(s *Store) error {
		_, err := s.Prune(0)
		return err
	}},
}

// decision is a change, and what is there before it.
type decision struct {
	name          string
	first, change func(*Store) error
}

// chosenDecisions are those about what employees choose.
var chosenDecisions = func() []decision {
	p101 := device.Detail{Function: "project=P-101", Project: "P-101"}
	comes := func(s *Store) error {
		p := punch(6, device.CheckIn, eight)
		p.Detail = p101
		return appended(s, p)
	}
	assigning := func(s *Store) error {
		return errors.Join(comes(s), s.Deliver(find(s, 6)), s.save(nil), s.Assigning(6, "span-1", "other"))
	}
	nothing := func(*Store) error { return nil }
	return []decision{
		{"the first function", nothing, comes},
		{"switch", comes, func(s *Store) error {
			out, in := punch(6, device.CheckOut, eight.Add(time.Hour)), punch(6, device.CheckIn, eight.Add(time.Hour))
			in.Detail = p101
			_, err := s.Switch(out, in, true)
			return err
		}},
		{"the first switch", nothing, func(s *Store) error {
			out, in := punch(1, device.CheckOut, eight.Add(time.Hour)), punch(1, device.CheckIn, eight.Add(time.Hour))
			in.Detail = p101
			_, err := s.Switch(out, in, true)
			return err
		}},
		{"take back", comes, func(s *Store) error {
			_, err := s.TakeBack(find(s, 6), device.Detail{})
			return err
		}},
		{
			"assigning", func(s *Store) error { return errors.Join(comes(s), s.Deliver(find(s, 6)), s.save(nil)) },
			func(s *Store) error { return s.Assigning(6, "span-1", "other") },
		},
		{"assigned", assigning, func(s *Store) error { return s.Assigned(6, device.AssignmentDone, "span-1") }},
		{"project refused", assigning, func(s *Store) error { return s.Assigned(6, device.AssignmentRefused, "no") }},
		{"drop with a project", func(s *Store) error {
			return errors.Join(comes(s), s.Quarantine(find(s, 6), "no"))
		}, func(s *Store) error { return s.Drop("", 6, "because") }},
		{"prune with projects", assigning, func(s *Store) error {
			_, err := s.Prune(0)
			return err
		}},
	}
}()

func appended(s *Store, p device.Punch) error {
	_, err := s.Append(p, false)
	return err
}

// recent are the newest punches, at most n.
func recent(s *Store, n int) (out []device.Entry, err error) {
	err = s.Backward(func(e device.Entry) bool {
		out = append(out, e)
		return len(out) < n
	})
	return out, err
}

// stateOf says where a punch stands.
func stateOf(s *Store, p device.Punch) device.State { return must1(s.Find(p.ID)).State }

func must1[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

func find(s *Store, id device.PunchID) device.Punch {
	e, err := s.Find(id)
	if err != nil {
		panic(err)
	}
	return e.Punch
}

// prepare makes a queue with a punch in each state, and a tap of an unknown badge.
func prepare(path string) *Store {
	s, err := Open(path, nil)
	if err != nil {
		panic(err)
	}
	s.flush = time.AfterFunc(time.Hour, func() {}) // nothing is stored but when it is said
	var made []device.Punch
	for n := 1; n <= 5; n++ {
		p := punch(n, device.CheckIn, eight)
		p.Stamp = device.Stamp{Boot: bootA, Uptime: time.Hour, Uncertain: n == 5}
		if p, err = s.Append(p, false); err != nil {
			panic(err)
		}
		made = append(made, p)
	}
	uid, err := device.ParseUID("A1B2C3D4")
	_, kept := s.Keep(device.Tap{UID: uid, Time: eight}, 0, false)
	s.Attempt(made[2])
	s.MarkAmbiguous(made[2])
	if err := errors.Join(err, kept, s.Quarantine(made[1], "no"), s.Deliver(made[3]), s.save(nil)); err != nil {
		panic(err)
	}
	return s
}

// whole is all that a queue knows.
func whole(s *Store) string {
	entries, err := recent(s, 1000)
	taps, lost := s.Unclaimed()
	stats := s.Stats()
	stats.Problem, stats.OldestPending = "", stats.OldestPending.UTC()
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintln(&b, e.ID, e.Employee, e.Intent, e.Time.UTC(), e.Raw.IsZero(), e.Stamp.Uncertain, e.State, e.Reason)
		if a := assignment(s, e.Punch); e.Detail != (device.Detail{}) {
			fmt.Fprintln(&b, "chosen", e.Detail, a.State, a.Timespan, a.Before, a.Reason)
		}
	}
	for _, h := range s.Heads() {
		fmt.Fprintln(&b, "head", h.ID, h.Intent, h.Ambiguous)
	}
	fmt.Fprintf(&b, "%v %d %+v\n", taps, lost, stats)
	return b.String()
}

const (
	failingEnv = "QUEUE_TEST_FAILING" // a directory and the name of a decision
	beginMark  = "the change begins"
	endMark    = "the change ends"
)

// changeAndTell makes one change, which may fail, and goes on.
func changeAndTell(dir, name string) {
	runtime.LockOSThread() // strace counts each thread's system calls
	path := filepath.Join(dir, "queue.db")
	s := prepare(path)
	var err error
	for _, d := range chosenDecisions {
		if d.name == name {
			err = d.first(s)
		}
	}
	if err != nil {
		panic(err)
	}
	before := whole(s)
	for _, d := range slices.Concat(decisions, chosenDecisions) {
		if d.name == name {
			fmt.Println(beginMark)
			err = d.change(s)
			fmt.Println(endMark)
		}
	}
	cut := filepath.Join(dir, "cut.db")
	if err := copyFile(path, cut); err != nil { // the program is killed here
		panic(err)
	}
	if err == nil {
		os.Exit(0)
	}
	if after := whole(s); name != "append that moves the tail" && after != before {
		panic(fmt.Sprintf("a change that failed (%v) is seen:\n%s\nbefore it:\n%s", err, after, before))
	}
	before = whole(s)
	s.mu.Lock()
	s.unsaved = true
	err = s.save(nil) // the next commit succeeds
	s.mu.Unlock()
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		panic(err)
	}
	compare(path, before)
	if s, err = Open(cut, nil); err != nil {
		panic(fmt.Sprintf("killed after the failure: %v", err))
	}
	if _, err := s.VerifyJournal(); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// compare opens a queue that was closed and compares it with what it knew then.
func compare(path, want string) {
	if err := Verify(path); err != nil {
		panic(err)
	}
	s, err := Open(path, nil)
	if err != nil {
		panic(err)
	}
	if _, err := s.VerifyJournal(); err != nil {
		panic(err)
	}
	if got := whole(s); got != want {
		panic(fmt.Sprintf("the file has\n%s\nwant\n%s", got, want))
	}
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// TestFailingWrites fails each write and each sync of each change, the real ones of the
// kernel. Nothing of a change that failed may be seen then, nor after the next commit and
// a restart; only if the program is killed first may it count, as a whole.
func TestFailingWrites(t *testing.T) {
	if where, name, child := strings.Cut(os.Getenv(failingEnv), "\n"); child {
		changeAndTell(where, name)
	}
	if testing.Short() {
		t.Skip("SKIPPED: it takes a while")
	}
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no strace: install it")
		}
		t.Skip("SKIPPED: there is no strace on this computer, so no write has failed")
	}
	for _, d := range slices.Concat(decisions, chosenDecisions) {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			for _, call := range []string{"fdatasync", "pwrite64"} {
				before, within := countCalls(t, d.name, call)
				if within == 0 || call == "fdatasync" && within > 2 {
					t.Errorf("%d calls of %s", within, call)
				}
				for n := range within {
					change(t, d.name, "-e", fmt.Sprintf("inject=%s:error=EIO:when=%d", call, before+n+1))
				}
			}
		})
	}
}

// change makes a change in a process of its own, under strace.
func change(t *testing.T, name string, options ...string) (trace []byte) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "trace")
	args := append([]string{"-f", "-o", file, "-e", "trace=pwrite64,write,fdatasync"}, options...)
	cmd := exec.Command("strace", append(args, os.Args[0], "-test.run=^TestFailingWrites$")...)
	cmd.Env = append(os.Environ(), failingEnv+"="+dir+"\n"+name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %v: %s", options, err, out)
	}
	f, err := os.Open(file)
	if err == nil {
		trace, err = io.ReadAll(f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// countCalls counts the calls of a thread before a change and within it.
func countCalls(t *testing.T, name, call string) (before, within int) {
	t.Helper()
	trace := string(change(t, name))
	begin := regexp.MustCompile(`(?m)^(\d+) +write\(1, "`+beginMark).FindAllStringSubmatchIndex(trace, -1)
	end := strings.Index(trace, `"`+endMark)
	if len(begin) == 0 || end < 0 {
		t.Fatalf("no marks in the trace: %s", trace)
	}
	last := begin[len(begin)-1]
	calls := regexp.MustCompile(`(?m)^` + trace[last[2]:last[3]] + ` +` + call + `\(`)
	return len(calls.FindAllString(trace[:last[0]], -1)), len(calls.FindAllString(trace[last[0]:end], -1))
}
