package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/devicetest"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

var kills = flag.Int("kills", 50, "how often TestKills kills the clock; a soak: -kills 2000 -timeout 3h")

// TestKills kills the program at random moments, again and again, while people
// tap and the API fails in every way it knows:
//
//	go test -v -run TestKills ./cmd/timeclock -kills 2000 -timeout 3h
//
// In the end Zeitstrom has every booking that was confirmed at the door, each
// once, and each employee's in order; and those for a project are on it.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes a while")
	}
	t.Parallel()
	h := newKillHarness(t)
	for n := range *kills {
		// Every other life ends at any moment, also before the clock is ready.
		h.life(time.Duration(20+rand.IntN(500))*time.Millisecond, n%2 == 0)
		if n%100 == 99 {
			t.Logf("%d kills, %d confirmed", n+1, len(h.confirmed))
		}
	}
	h.calm.Store(true)
	h.settle()
	h.check()
}

// people is how many employees take turns: each comes back seconds later, so
// that no two of their bookings share a second.
const people = 60

// killFunctions are chosen now and then, another one in each round: the same again would take it back.
var killFunctions = []device.Function{"project=P-1", device.TakeBreak, "project=P-2"}

type killHarness struct {
	t         *testing.T
	api       *api
	calm      atomic.Bool // no more faults
	settings  string
	state     string
	next      int
	confirmed []admin.Answer
}

func newKillHarness(t *testing.T) *killHarness {
	dir := t.TempDir()
	h := &killHarness{t: t, settings: filepath.Join(dir, "timeclock.toml"), state: filepath.Join(dir, "state")}
	h.api = &api{}
	h.api.server.Token = "good"
	h.api.server.Fault = h.fault
	h.api.server.Projects = []zeitstromtest.Project{{ID: "1", Code: "P-1"}, {ID: "2", Code: "P-2"}}
	h.api.handler = &h.api.server
	if err := h.api.up(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.api.down)
	text := fmt.Sprintf("state_dir = %q\nzeitstrom.url = %q\nzeitstrom.token_file = %q\nzeitstrom.timeout = "+
		"\"1s\"\nreader.driver = \"simulated\"\nreader.poll = \"20ms\"\ndisplay.driver = \"none\"\nterminal.lockout "+
		"= \"0s\"\nuplink.settle = \"1s\"\n",
		h.state, h.api.url(), filepath.Join(dir, "token"))
	roster := "uid,employee_id,name\n"
	for n := range people {
		roster += fmt.Sprintf("%s,%s,\n", badgeOf(n).Hex(), employeeOf(n))
	}
	for name, content := range map[string]string{"timeclock.toml": text, "token": "good", "badges.csv": roster} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := exec.Command("timeclock", "badge", "import", "-config", h.settings, filepath.Join(dir, "badges.csv"))
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for n, f := range killFunctions {
		choose := exec.Command("timeclock", "badge", "function", "-config", h.settings, badgeOf(people+n).Hex(), string(f))
		if out, err := choose.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return h
}

func badgeOf(n int) device.UID {
	uid, _ := device.NewUID([]byte{0x40, 0x41, 0x42, byte(n)})
	return uid
}

func employeeOf(n int) device.EmployeeID {
	return device.EmployeeID(fmt.Sprintf("a1b2c3d4-e5f6-7890-abcd-%012d", n))
}

// fault fails a third of the requests.
func (h *killHarness) fault(*http.Request) zeitstromtest.Fault {
	if h.calm.Load() {
		return zeitstromtest.Fault{}
	}
	switch rand.IntN(18) {
	case 0:
		return zeitstromtest.Fault{DropBefore: true}
	case 1:
		return zeitstromtest.Fault{DropAfter: true}
	case 2:
		return zeitstromtest.HTML(502)
	case 3:
		// some land after the time-out
		return zeitstromtest.Fault{Delay: time.Duration(rand.IntN(1300)) * time.Millisecond}
	case 4:
		return zeitstromtest.Fault{Status: 429}
	case 5:
		return zeitstromtest.Fault{Status: 201, Body: `{"intent": "checkin"}`, CutBody: true}
	}
	return zeitstromtest.Fault{}
}

// life starts the clock, taps, and kills it after a while: counted from its start, or from
// the first tap that it has confirmed.
func (h *killHarness) life(lasting time.Duration, tapped bool) {
	cmd, log := h.start()
	ctx, cancel := context.WithDeadline(h.t.Context(), devicetest.Deadline(h.t))
	defer cancel()
	killed, confirmed := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(confirmed) })
	go func() {
		defer close(killed)
		if tapped {
			select {
			case <-confirmed:
			case <-ctx.Done():
			}
		}
		time.Sleep(lasting)
		cmd.Process.Kill()
		cmd.Wait()
	}()
	client := dial(ctx, h.state)
	for {
		select {
		case <-killed:
			if strings.Contains(log.String(), "panic") {
				h.t.Fatalf("the clock crashed by itself:\n%s", log)
			}
			return
		default:
		}
		a, err := h.tap(client)
		switch {
		case err != nil:
			time.Sleep(5 * time.Millisecond) // it is starting, or dead
		case a.Outcome == device.Repeated && a.Function != "": // a break of somebody who is not in
			h.next++
		case a.Outcome == device.CheckedIn || a.Outcome == device.CheckedOut:
			h.confirmed = append(h.confirmed, a)
			h.next++
			first()
		default:
			h.t.Fatalf("a tap was answered %q: %+v", a.Outcome, a)
		}
	}
}

// tap is that of whoever comes next. Now and then they choose a function before.
func (h *killHarness) tap(client running) (a admin.Answer, err error) {
	if h.next%5 == 0 {
		f := h.next / people % len(killFunctions)
		if a, err = client.Tap(badgeOf(people + f)); err != nil || a.Outcome != device.Chosen {
			return a, err
		}
	}
	return client.Tap(badgeOf(h.next % people))
}

func (h *killHarness) start() (*exec.Cmd, *output) {
	log := &output{}
	cmd := exec.Command("timeclock", "run", "-config", h.settings)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	return cmd, log
}

// settle lets a last life deliver everything.
func (h *killHarness) settle() {
	cmd, log := h.start()
	defer cmd.Wait()
	defer cmd.Process.Kill()
	client := dial(h.t.Context(), h.state)
	err := devicetest.Until(devicetest.Deadline(h.t), func() error {
		s, err := client.Status()
		if err == nil && s.Pending+s.Projects.Waiting > 0 {
			err = fmt.Errorf("not all delivered: %+v", s)
		}
		return err
	})
	if err != nil {
		h.t.Fatalf("%v\n%s", err, log)
	}
}

func (h *killHarness) check() {
	arrived := map[string]int{}
	last := map[string]time.Time{}
	intent := map[string]string{}
	for _, ts := range h.api.server.Timestamps() {
		arrived[ts.Employee+ts.Intent+ts.Time.UTC().Format(time.RFC3339)]++
		if ts.Time.Before(last[ts.Employee]) {
			h.t.Errorf("out of order: %+v after %v", ts, last[ts.Employee])
		}
		if ts.Intent == intent[ts.Employee] {
			h.t.Errorf("two times %s in a row for %s", ts.Intent, ts.Employee)
		}
		last[ts.Employee], intent[ts.Employee] = ts.Time, ts.Intent
	}
	lost, doubled := 0, 0
	for _, a := range h.confirmed {
		if arrived[string(a.Employee)+string(a.Outcome)+a.Time.Format(time.RFC3339)] == 0 {
			lost++
		}
	}
	for _, n := range arrived {
		if n > 1 {
			doubled++
		}
	}
	h.t.Logf("%d kills, %d confirmed, %d arrived in %d requests and %d questions: %d lost, %d doubled",
		*kills, len(h.confirmed), len(h.api.server.Timestamps()), h.api.server.Requests(), h.api.server.Questions(),
		lost, doubled)
	h.checkProjects()
	if lost+doubled > 0 || len(h.confirmed) < *kills/5 {
		h.t.Error("that is not nothing lost and nothing doubled, or too few taps to tell")
	}
}

// checkProjects compares what the timespans are for with what was confirmed.
func (h *killHarness) checkProjects() {
	wanted, right := 0, 0
	for _, a := range h.confirmed {
		if a.Outcome != device.CheckedIn {
			continue
		}
		id := strings.TrimPrefix(a.Project, "P-")
		if id != "" {
			wanted++
		}
		for _, span := range h.api.server.Worked(string(a.Employee)) {
			if !span.CheckIn.Equal(a.Time) || span.CheckOut.Equal(span.CheckIn) {
				continue
			}
			if span.Project != id {
				h.t.Errorf("%+v is for %q", a, span.Project)
			} else if id != "" {
				right++
			}
		}
	}
	h.t.Logf("%d bookings for a project, %d of them are on it", wanted, right)
	if right != wanted || wanted < *kills/20 {
		h.t.Error("not all projects were assigned, or too few to tell")
	}
}
