package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// wishes are assignments in memory, of bookings that Zeitstrom has.
type wishes struct {
	mu     sync.Mutex
	all    []device.Assignment
	broken error
	tries  int
}

func (w *wishes) Assignments(due func(device.Assignment) bool, most int) (out []device.Assignment, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.all {
		if (x.State == device.AssignmentWaits || x.State == device.AssignmentRefused) && due(x) && len(out) < most {
			out = append(out, x)
		}
	}
	return out, nil
}

func (w *wishes) Assigning(id device.PunchID, timespan, before string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tries++
	if w.broken != nil {
		return w.broken
	}
	i := slices.IndexFunc(w.all, func(x device.Assignment) bool { return x.ID == id })
	w.all[i].Timespan, w.all[i].Before = timespan, before
	return nil
}

func (w *wishes) Assigned(id device.PunchID, state device.AssignmentState, why string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.all, func(x device.Assignment) bool { return x.ID == id })
	w.all[i].State, w.all[i].Reason = state, why
	return nil
}

func (w *wishes) get(i int) device.Assignment {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all[i]
}

// listedIDs are the ids of projects, by their codes.
type listedIDs map[string]string

func (p listedIDs) ID(code string) (id string, listed bool) { return p[code], len(p) > 0 }
func (listedIDs) Fresh(context.Context) error               { return nil }

func wish(n int, at time.Time, code string) device.Assignment {
	p := device.Punch{ID: device.PunchID(n), Employee: employee(n), Intent: device.CheckIn, Time: at}
	p.Project = code
	return device.Assignment{Punch: p, State: device.AssignmentWaits}
}

func assigns(t *testing.T, server *zeitstromtest.Server, w *wishes, p listedIDs) {
	api := zeitstrom.New(zeitstrom.Config{
		URL: "http://zeitstrom.test/api/v2/", Secret: "good", Timeout: 15 * time.Second, Transport: server,
	})
	a := NewAssigner(w, p, func() bool { return true }, slog.New(slog.DiscardHandler), api)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; time.Sleep(time.Hour) })
}

// A code that the list of projects does not have is not ours when an admin has given the timespan another one.
func TestAssignerUnknownCodeAndAnAdmin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const id = "1a2b3c4d-5e6f-4890-abcd-000000000001"
		server := &zeitstromtest.Server{Projects: []zeitstromtest.Project{{ID: id, Name: "Roof", Code: "P-1"}}}
		at := time.Now().Truncate(time.Second)
		server.Book(zeitstromtest.Timestamp{Intent: "checkin", Employee: string(employee(1)), Time: at})
		w := &wishes{all: []device.Assignment{wish(1, at, "P-9")}}
		assigns(t, server, w, listedIDs{"P-1": id})
		time.Sleep(time.Minute)
		if x := w.get(0); x.State != device.AssignmentRefused {
			t.Fatalf("%+v", x)
		}
		server.Assign(server.Worked(string(employee(1)))[0].ID, id) // the office puts it right
		time.Sleep(2 * time.Hour)
		if x := w.get(0); x.State != device.AssignmentLeft {
			t.Errorf("the clock says %q, %q; nobody has ever assigned P-9", x.State, x.Reason)
		}
	})
}

// One employee's timespans that are never answered keep nobody else's project waiting: they have ten that wait.
func TestAssignerOneThatIsNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = func(r *http.Request) zeitstromtest.Fault {
			if strings.Contains(r.URL.RawQuery, string(employee(1))) {
				return zeitstromtest.Fault{Delay: time.Minute}
			}
			return zeitstromtest.Fault{}
		}
		at := time.Now().Truncate(time.Second)
		w := &wishes{}
		for n := 1; n <= 10; n++ {
			x := wish(n, at.Add(time.Duration(n)*time.Minute), "P-1")
			x.Employee = employee(1)
			w.all = append(w.all, x)
		}
		server.Book(zeitstromtest.Timestamp{Intent: "checkin", Employee: string(employee(11)), Time: at})
		w.all = append(w.all, wish(11, at, "P-1"))
		assigns(t, server, w, nil)
		time.Sleep(24 * time.Hour)
		if x := w.get(10); x.State != device.AssignmentDone {
			t.Errorf("after a day the other employee's is %q", x.State)
		}
	})
}

// While the disk takes no writes there is a pause, and not a question and a commit for each that waits.
func TestAssignerDiskThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		at := time.Now().Truncate(time.Second)
		w := &wishes{broken: errors.New("no space left on device")}
		for n := 1; n <= 100; n++ {
			server.Book(zeitstromtest.Timestamp{Intent: "checkin", Employee: string(employee(n)), Time: at})
			w.all = append(w.all, wish(n, at, "P-1"))
		}
		assigns(t, server, w, nil)
		time.Sleep(80 * time.Second) // a minute after the first is due
		w.mu.Lock()
		defer w.mu.Unlock()
		if most := 60/5 + 2; w.tries > most {
			t.Errorf("%d commits failed in a minute, with a pause of %v; want %d at most", w.tries, storePause, most)
		}
	})
}

// What was learned of a day with many corrections is kept while others fail.
func TestAssignerQuestionGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		at := time.Now().Truncate(time.Second)
		for n := range 6 { // an admin has corrected the day
			server.Book(zeitstromtest.Timestamp{Intent: "checkin", Employee: string(employee(1)), Time: at.Add(time.Duration(2*n) * time.Second)})
			server.Book(zeitstromtest.Timestamp{Intent: "checkout", Employee: string(employee(1)), Time: at.Add(time.Duration(2*n+1) * time.Second)})
		}
		server.Correct(string(employee(1)), time.Hour)
		var mu sync.Mutex
		asked, n := map[string]int{}, 0
		server.Fault = func(r *http.Request) zeitstromtest.Fault {
			if !strings.HasSuffix(r.URL.Path, "/history/") {
				return zeitstromtest.Fault{}
			}
			mu.Lock()
			defer mu.Unlock()
			n++
			if n%3 == 0 { // every third fails
				return zeitstromtest.HTML(502)
			}
			asked[r.URL.Path]++
			return zeitstromtest.Fault{}
		}
		w := &wishes{all: []device.Assignment{wish(1, at, "P-1")}}
		assigns(t, server, w, nil)
		time.Sleep(24 * time.Hour)
		most := 0
		for _, times := range asked {
			most = max(most, times)
		}
		t.Logf("state %q, one history was answered %d times", w.get(0).State, most)
		if w.get(0).State != device.AssignmentDone || most > 2 {
			t.Errorf("state %q, one history was answered %d times", w.get(0).State, most)
		}
	})
}

// Very many that are refused do not keep a new one waiting.
func TestAssignerManyRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{Projects: []zeitstromtest.Project{{ID: "1a2b3c4d-5e6f-4890-abcd-000000000001", Code: "P-1"}}}
		server.Fault = late(800 * time.Millisecond)
		at := time.Now().Truncate(time.Second)
		w := &wishes{}
		const n = 2500 // 10 people, 1 a day, a year; at 200 ms it takes 10 000
		for i := 1; i <= n; i++ {
			server.Put(zeitstromtest.Timespan{Employee: string(employee(i)), CheckIn: at})
			w.all = append(w.all, wish(i, at, "P-9"))
		}
		assigns(t, server, w, nil)
		time.Sleep(2 * time.Hour)
		server.Put(zeitstromtest.Timespan{Employee: string(employee(n + 1)), CheckIn: at})
		w.mu.Lock()
		w.all = append(w.all, wish(n+1, at, "P-1"))
		w.mu.Unlock()
		began := time.Now()
		for range 16 {
			time.Sleep(15 * time.Minute)
			if w.get(n).State == device.AssignmentDone {
				break
			}
		}
		t.Logf("the new one is %q after %v; %d requests", w.get(n).State, time.Since(began), server.Questions())
		if took := time.Since(began); took > 15*time.Minute {
			t.Errorf("a new one took %v, %q", took, w.get(n).State)
		}
	})
}

// A crash between any two steps loses nothing and does nothing twice.
func TestProjectCrash(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 21 * time.Second, 23 * time.Second, 25 * time.Second, 40 * time.Second} {
		for name, fault := range map[string]zeitstromtest.Fault{
			"": {}, "lost": {DropAfter: true}, "late": {Delay: 5 * time.Second},
		} {
			t.Run(fmt.Sprint(after, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := newAssigning(t, nil)
					a.fail(1, fault)
					p := a.comes(1, "P-101")
					time.Sleep(after)
					content, err := os.ReadFile(filepath.Join(a.dir, "queue.db"))
					a.stop()
					time.Sleep(time.Minute)
					err = errors.Join(err, os.WriteFile(filepath.Join(a.dir, "queue.db"), content, 0o600))
					if err != nil {
						t.Fatal(err)
					}
					a.start()
					time.Sleep(time.Hour)
					synctest.Wait()
					if a.project(p) != north.ID || a.state(p) != device.AssignmentDone || len(a.server.Timestamps()) != 1 {
						t.Errorf("%q, %s, %v", a.project(p), a.state(p), a.server.Timestamps())
					}
					for id, n := range a.server.Assigned() {
						if n != 1 {
							t.Errorf("timespan %s was given its project %d times", id, n)
						}
					}
				})
			})
		}
	}
}
