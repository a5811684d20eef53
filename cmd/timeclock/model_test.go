package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/roster"
	"timeclock/queue"
	"timeclock/sync/uplink"
	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"

	"pgregory.net/rapid"
)

// TestWholeClockModel puts terminal, roster, queue, uplink and API together and
// lets them live through random taps, bookings by the app, faults, roster changes,
// nights, restarts and crashes. Whatever happened, each direction follows the
// newest knowledge that there was, and in the end Zeitstrom has what the door
// confirmed: each booking once, each employee's in order.
func TestWholeClockModel(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		inBubble(t, func() {
			t := rt
			w := newWorld(t, filepath.Join(dir, fmt.Sprint(n)))
			defer w.stop()
			t.Repeat(map[string]func(*rapid.T){
				"tap": func(t *rapid.T) { w.tap(t, rapid.IntRange(0, 4).Draw(t, "employee"), "") },
				"function": func(t *rapid.T) {
					w.tap(t, rapid.IntRange(0, 4).Draw(t, "employee"), rapid.SampledFrom(modelFunctions).Draw(t, "function"))
				},
				"admin": func(t *rapid.T) { w.assign(rapid.IntRange(0, 4).Draw(t, "employee")) },
				"wait": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 200).Draw(t, "seconds")) * time.Second)
				},
				"night": func(*rapid.T) { time.Sleep(15 * time.Hour) },
				"app": func(t *rapid.T) {
					time.Sleep(time.Second)
					w.book(rapid.IntRange(0, 4).Draw(t, "employee"),
						rapid.SampledFrom([]device.Intent{device.CheckIn, device.CheckOut}).Draw(t, "intent"))
					time.Sleep(time.Second)
				},
				"fault": func(t *rapid.T) {
					w.server.plan(rapid.SampledFrom(badDays).Draw(t, "fault"))
				},
				"trouble": func(t *rapid.T) {
					w.server.trouble(employeeOf(rapid.IntRange(0, 4).Draw(t, "employee")),
						rapid.SampledFrom(ownTroubles).Draw(t, "fault"))
				},
				"another clock": func(t *rapid.T) {
					time.Sleep(time.Second)
					w.bookAt(rapid.IntRange(0, 4).Draw(t, "employee"), device.CheckIn,
						time.Duration(rapid.IntRange(-60, 300).Draw(t, "ahead"))*time.Second)
					time.Sleep(time.Second)
				},
				"delete":     func(t *rapid.T) { w.delete(t, rapid.IntRange(0, 4).Draw(t, "employee")) },
				"bad sector": func(t *rapid.T) { w.damage(t) },
				"badge":      func(t *rapid.T) { w.change(t, rapid.IntRange(0, 4).Draw(t, "employee")) },
				"restart": func(t *rapid.T) {
					w.stop()
					w.start(t)
				},
				"crash": func(t *rapid.T) { w.crash(t) },
			})
			w.server.plan()
			w.server.trouble("", zeitstromtest.Fault{})
			time.Sleep(12 * time.Hour)
			synctest.Wait()
			w.check(t)
		})
	})
}

// badDays are faults that a booking must survive without a person.
var badDays = []zeitstromtest.Fault{
	{NoConnection: true},
	{DropBefore: true},
	{DropAfter: true},
	{Delay: 20 * time.Second},
	{Status: 429},
	{Status: 201, Body: `{"intent": 1}`, CutBody: true},
	zeitstromtest.HTML(500), zeitstromtest.HTML(200), zeitstromtest.HTML(404),
	zeitstromtest.JSON(401, `{"detail": "Invalid token."}`),
}

// ownTroubles are those that one employee's bookings may have for a while, without harm
// to themselves in the end.
var ownTroubles = []zeitstromtest.Fault{
	{},
	{DropBefore: true},
	{DropAfter: true},
	{Silent: 204},
	zeitstromtest.HTML(500), zeitstromtest.HTML(404), zeitstromtest.HTML(200), zeitstromtest.JSON(200, "false"),
	zeitstromtest.JSON(403, `{"detail": "Not your unit."}`),
}

// world is a clock, its API, and what was confirmed at its door.
type world struct {
	dir       string
	server    *fickle
	roster    *roster.Roster
	queue     *queue.Store
	terminal  *device.Terminal
	uplink    *uplink.Uplink
	cancel    context.CancelFunc
	done      chan struct{}
	lives     int
	confirmed map[device.EmployeeID][]device.Punch
	projects  *roster.Projects
	wanted    map[device.PunchID]device.Punch      // check-ins on a project
	foreign   map[string]bool                      // timespans to which an admin gave a project, and whether ours had come before
	deleted   map[device.EmployeeID]time.Time      // when a booking of theirs was deleted
	failed    map[device.EmployeeID]time.Time      // when a question about them may have failed that booked nothing
	others    map[device.EmployeeID][]device.Basis // what other clocks and the app have booked
}

// there is what Zeitstrom has of an employee: it is asked beside all faults.
func (w *world) there(t *rapid.T, e device.EmployeeID) (device.Intent, time.Time) {
	sound := zeitstrom.New(zeitstrom.Config{
		URL: "http://zeitstrom.test" + zeitstromtest.Base, Secret: "x", Transport: w.server.Sound(),
	})
	record, err := sound.Record(context.Background(), e, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return record.Latest()
}

// book is a booking by the app.
func (w *world) book(n int, intent device.Intent) { w.bookAt(n, intent, 0) }

// bookAt is a booking by a clock that is ahead. It is never at a whole minute: beside nothing else it could be
// a rounded one of this clock's, and that is for a person to tell.
func (w *world) bookAt(n int, intent device.Intent, ahead time.Duration) {
	at := time.Now().Add(ahead).Truncate(time.Second)
	if at.Second() == 0 {
		at = at.Add(time.Second)
	}
	for _, p := range w.confirmed[employeeOf(n)] {
		if p.Time.Truncate(time.Second).Equal(at) { // nobody could tell the two from each other
			return
		}
	}
	w.others[employeeOf(n)] = append(w.others[employeeOf(n)], device.Basis{
		Source: device.Zeitstrom, Intent: intent, Time: at,
	})
	w.server.Book(zeitstromtest.Timestamp{Intent: string(intent), Employee: string(employeeOf(n)), Time: at})
}

// delete deletes what an employee did last, which Zeitstrom has for sure, and nothing is under way.
func (w *world) delete(t *rapid.T, n int) {
	e := employeeOf(n)
	time.Sleep(3 * time.Second)
	synctest.Wait()
	_, pending, err := w.queue.Last(e)
	if err != nil {
		t.Fatal(err)
	}
	if _, at := w.there(t, e); !pending && !at.IsZero() && w.server.plain() {
		w.server.Delete(string(e), at)
		w.deleted[e] = time.Now()
	}
}

// damage stops the clock, spoils a page of its queue, and starts it as it recovers.
func (w *world) damage(t *rapid.T) {
	snapshot := w.path() + ".snapshot"
	w.cancel()
	<-w.done
	err := errors.Join(w.queue.Snapshot(snapshot), w.queue.Close())
	content, readErr := os.ReadFile(w.path())
	if err := errors.Join(err, readErr); err != nil {
		t.Fatal(err)
	}
	page := rapid.IntRange(0, len(content)/4096-1).Draw(t, "page")
	clear(content[page*4096:][:4096])
	bad := w.path() + ".damaged"
	w.lives++
	if err := os.WriteFile(bad, content, 0o600); err != nil {
		t.Fatal(err)
	}
	next, last, err := queue.Scan(func() {}, bad, snapshot)
	if err != nil {
		t.Fatal(err)
	}
	interim, err := queue.Interim(w.path(), next, func() []device.Undelivered { return last })
	if err == nil {
		_, err = queue.Salvage(w.path()+".recovered", func() {}, bad, snapshot)
	}
	if err == nil {
		err = errors.Join(interim.Join(w.path()+".recovered"), interim.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.start(t)
}

// known is what a direction must be based on. If Zeitstrom is not asked, an answer from
// before may count.
func (w *world) known(t *rapid.T, id device.EmployeeID) []device.Basis {
	_, pending, err := w.queue.Last(id)
	if err != nil {
		t.Fatal(err)
	}
	intent, at := w.there(t, id)
	there := device.Basis{Source: device.Zeitstrom, Intent: intent, Time: at}
	// Just after a booking was deleted the answer may be taken for one that lags; and after a question that failed,
	// and that no booking followed, they are not asked about for a while.
	certain := time.Since(w.deleted[id]) > 6*time.Minute && time.Since(w.failed[id]) > 6*time.Minute
	if w.uplink.Status().Asks && !pending && w.server.well() && certain {
		return []device.Basis{there}
	}
	made := w.confirmed[id]
	if len(made) == 0 {
		return []device.Basis{{}, there}
	}
	last := made[len(made)-1]
	own := device.Basis{Source: device.ThisClock, Intent: last.Intent, Time: last.Time.Truncate(time.Second)}
	if pending {
		return []device.Basis{own}
	}
	remembered := own
	remembered.Source = device.Zeitstrom
	may := []device.Basis{own, remembered, there}
	for _, b := range w.others[id] { // a look after the clock's own booking may have seen any of them
		if !b.Time.Before(own.Time) {
			may = append(may, b)
		}
	}
	return may
}

func newWorld(t *rapid.T, dir string) *world {
	w := &world{
		dir:       dir,
		server:    &fickle{},
		confirmed: map[device.EmployeeID][]device.Punch{},
		wanted:    map[device.PunchID]device.Punch{},
		foreign:   map[string]bool{},
		deleted:   map[device.EmployeeID]time.Time{},
		failed:    map[device.EmployeeID]time.Time{},
		others:    map[device.EmployeeID][]device.Basis{},
	}
	w.server.Fault = w.server.fault
	w.server.Projects = modelProjects
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("good"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.roster = roster.Open(filepath.Join(dir, "roster.csv"))
	for n, f := range modelFunctions {
		if err := w.roster.SetFunction(badgeOf(90+n), f); err != nil {
			t.Fatal(err)
		}
	}
	w.start(t)
	return w
}

func (w *world) path() string { return filepath.Join(w.dir, fmt.Sprintf("queue-%d.db", w.lives)) }

func (w *world) start(t *rapid.T) {
	var err error
	if w.queue, err = queue.Open(w.path(), nil); err != nil {
		t.Fatal(err)
	}
	api := zeitstrom.New(zeitstrom.Config{
		URL:       "http://zeitstrom.test" + zeitstromtest.Base,
		TokenFile: filepath.Join(w.dir, "token"), Timeout: 15 * time.Second, Transport: &w.server.Server,
	})
	log := slog.New(slog.DiscardHandler)
	w.uplink = uplink.New(w.queue, api, uplink.Options{Settle: time.Minute, Watch: true}, log)
	up := w.uplink
	w.projects = roster.OpenProjects(filepath.Join(w.dir, "projects.json"), api)
	assigner := uplink.NewAssigner(w.queue, w.projects, up.Online, log, api)
	w.terminal = &device.Terminal{
		Roster: w.roster, Queue: w.queue, Clock: clock.New(bubble{}, w.queue, true, log), Elsewhere: up,
		Projects: w.projects,
		Office:   roster.NewEnrollment(w.roster), Screen: audience{},
		Rules: device.Rules{
			Zone: time.UTC, Lockout: 30 * time.Second, LongestShift: shift, Ask: 200 * time.Millisecond, Hours: true,
			Hints: true,
		}, Log: log,
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done = cancel, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		var both sync.WaitGroup
		both.Go(func() { up.Run(ctx) })
		both.Go(func() { assigner.Run(ctx) })
		both.Wait()
	}(w.done)
}

func (w *world) stop() {
	w.cancel()
	<-w.done
	w.queue.Close()
}

// crash goes on with the file as it is now, as after kill -9: what only memory
// knew is gone.
func (w *world) crash(t *rapid.T) {
	w.cancel() // nothing more is sent
	<-w.done
	content, err := os.ReadFile(w.path())
	if err != nil {
		t.Fatal(err)
	}
	w.queue.Close()
	w.lives++
	if err := os.WriteFile(w.path(), content, 0o600); err != nil {
		t.Fatal(err)
	}
	w.start(t)
}

const shift = 14 * time.Hour

// change gives a badge to its employee, or takes it away.
func (w *world) change(t *rapid.T, n int) {
	var err error
	if _, known := w.roster.Lookup(badgeOf(n)); known {
		_, err = w.roster.Remove(badgeOf(n))
	} else {
		_, err = w.roster.Add(device.Badge{UID: badgeOf(n), Employee: device.Employee{ID: employeeOf(n)}}, false)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) check(t *rapid.T) {
	if s := w.uplink.Status(); !s.Online || !s.Asks || s.Problem != "" {
		t.Fatalf("in the end %+v", s)
	}
	if st := w.queue.Stats(); st.Pending+st.Quarantined > 0 {
		t.Fatalf("in the end %+v", st)
	}
	if _, err := w.queue.VerifyJournal(); err != nil {
		t.Fatal(err)
	}
	arrived := map[device.EmployeeID][]zeitstromtest.Timestamp{}
	for _, ts := range w.server.Timestamps() {
		arrived[device.EmployeeID(ts.Employee)] = append(arrived[device.EmployeeID(ts.Employee)], ts)
	}
	w.checkProjects(t)
	for n := range 5 {
		id := employeeOf(n)
		if len(arrived[id]) != len(w.confirmed[id]) {
			t.Fatalf("employee %d: %d confirmed, %d arrived: %v", n, len(w.confirmed[id]), len(arrived[id]),
				arrived[id])
		}
		for i, p := range w.confirmed[id] {
			if ts := arrived[id][i]; ts.Intent != string(p.Intent) || !ts.Time.Equal(p.Time.Truncate(time.Second)) {
				t.Fatalf("employee %d: booking %d is %+v at Zeitstrom, %+v here", n, i+1, ts, p)
			}
		}
	}
}
