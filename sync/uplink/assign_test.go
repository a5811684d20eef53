package uplink

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/device/roster"
	"timeclock/queue"
	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// Projects of the tests.
var (
	north = zeitstromtest.Project{ID: "1a2b3c4d-5e6f-7890-abcd-ef1234567890", Name: "Fit-out north", Code: "P-101"}
	south = zeitstromtest.Project{ID: "2b3c4d5e-6f7a-8901-bcde-f12345678901", Name: "South", Code: "P-102"}
)

// assigning is a queue on disk, an uplink and an assigner before a simulated API, in a bubble of time.
type assigning struct {
	*testing.T
	*queue.Store
	*Assigner
	server  *zeitstromtest.Server
	up      *Uplink
	dir     string
	stop    func()
	admin   bool // there is an admin's token, too
	refuses atomic.Pointer[zeitstromtest.Fault]
	failing atomic.Int32 // so many requests to assign fail so
	asked   atomic.Int32 // requests to assign
}

func newAssigning(t *testing.T, how func(*assigning)) *assigning {
	a := &assigning{T: t, server: &zeitstromtest.Server{Projects: []zeitstromtest.Project{north, south}}, dir: t.TempDir()}
	a.server.Fault = func(r *http.Request) zeitstromtest.Fault {
		if !strings.HasSuffix(r.URL.Path, "/assign-project/") {
			return zeitstromtest.Fault{}
		}
		a.asked.Add(1)
		if a.failing.Add(-1) >= 0 {
			return *a.refuses.Load()
		}
		return zeitstromtest.Fault{}
	}
	for name, token := range map[string]string{"token": "good", "admin": "better"} {
		a.write(name, token)
	}
	if how != nil {
		how(a)
	}
	a.start()
	t.Cleanup(func() {
		a.stop()
		time.Sleep(time.Hour) // what the server still does
	})
	return a
}

func (a *assigning) write(name, content string) {
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(content), 0o600); err != nil {
		a.Fatal(err)
	}
}

// fail lets so many requests to assign go wrong.
func (a *assigning) fail(n int, f zeitstromtest.Fault) {
	a.refuses.Store(&f)
	a.failing.Store(int32(n))
}

func (a *assigning) client(token string) *zeitstrom.Client {
	return zeitstrom.New(zeitstrom.Config{
		URL: "http://zeitstrom.test/api/v2/", TokenFile: filepath.Join(a.dir, token), Timeout: 15 * time.Second,
		Transport: a.server,
	})
}

func (a *assigning) start() {
	var err error
	if a.Store, err = queue.Open(filepath.Join(a.dir, "queue.db"), nil); err != nil {
		a.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	own := a.client("token")
	a.up = New(a.Store, own, Options{Settle: settle}, log)
	projects := roster.OpenProjects(filepath.Join(a.dir, "projects.json"), own)
	apis := []AssignAPI{own}
	if a.admin {
		apis = append(apis, a.client("admin"))
	}
	a.Assigner = NewAssigner(a.Store, projects, a.up.Online, log, apis...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{}, 2)
	for _, run := range []func(context.Context) error{a.up.Run, a.Assigner.Run} {
		go func() {
			run(ctx)
			done <- struct{}{}
		}()
	}
	store := a.Store
	a.stop = func() {
		cancel()
		<-done
		<-done
		store.Close()
	}
	synctest.Wait()
}

// comes lets employee n come in on a project.
func (a *assigning) comes(n int, code string) device.Punch {
	a.Helper()
	p, err := a.Append(device.Punch{
		Employee: employee(n), Intent: device.CheckIn, Time: time.Now(),
		Detail: device.Detail{Function: device.Function("project=" + code), Project: code},
	}, true)
	if err != nil {
		a.Fatal(err)
	}
	return p
}

// project is that of the timespan that a punch began.
func (a *assigning) project(p device.Punch) string {
	for _, w := range a.server.Worked(string(p.Employee)) {
		if w.CheckIn.Equal(p.Time.Truncate(time.Second)) {
			return w.Project
		}
	}
	return "no timespan"
}

// span is the id of the timespan that a punch began.
func (a *assigning) span(p device.Punch) string {
	a.Helper()
	for _, w := range a.server.Worked(string(p.Employee)) {
		if w.CheckIn.Equal(p.Time.Truncate(time.Second)) {
			return w.ID
		}
	}
	a.Fatal("there is no timespan")
	return ""
}

func (a *assigning) state(p device.Punch) device.AssignmentState {
	a.Helper()
	e, err := a.Find(p.ID)
	if err != nil {
		a.Fatal(err)
	}
	return e.ProjectState
}

// delivers sees that nobody's booking waits, whatever goes wrong with projects.
func (a *assigning) delivers(n int) {
	a.Helper()
	p, err := a.Append(device.Punch{Employee: employee(n), Intent: device.CheckIn, Time: time.Now()}, true)
	if err != nil {
		a.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	synctest.Wait()
	e, err := a.Find(p.ID)
	if s := a.up.Status(); err != nil || e.State != device.Delivered || !s.Online || s.Problem != "" || len(s.Stuck) > 0 {
		a.Errorf("a booking beside it is %s, %v; the uplink: %+v", e.State, err, s)
	}
	if st := a.Stats(); st.Pending > 0 {
		a.Errorf("projects count as pending: %+v", st)
	}
}

func TestProjectIsAssigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAssigning(t, nil)
		p := a.comes(1, "P-101")
		time.Sleep(device.TakeBackTime - time.Second)
		synctest.Wait()
		if a.asked.Load() > 0 {
			t.Error("it was assigned while it could be taken back")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if a.project(p) != north.ID || a.state(p) != device.AssignmentDone || a.asked.Load() != 1 {
			t.Errorf("%q, %s, asked %d times", a.project(p), a.state(p), a.asked.Load())
		}
		time.Sleep(24 * time.Hour)
		if a.asked.Load() != 1 {
			t.Errorf("asked %d times", a.asked.Load())
		}
	})
}

// troubles are what can go wrong with a request to assign a project, and what becomes of it in the end.
var troubles = map[string]struct {
	fault zeitstromtest.Fault
	state device.AssignmentState // after an hour and a half of it; empty: it has none then
}{
	"no network":           {zeitstromtest.Fault{NoConnection: true}, device.AssignmentWaits},
	"closed before":        {zeitstromtest.Fault{DropBefore: true}, device.AssignmentWaits},
	"done, and closed":     {zeitstromtest.Fault{DropAfter: true}, device.AssignmentDone},
	"too late":             {zeitstromtest.Fault{Delay: 20 * time.Second}, device.AssignmentDone},
	"429":                  {zeitstromtest.Fault{Status: 429}, device.AssignmentWaits},
	"429 with an hour":     {zeitstromtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "3600"}}, device.AssignmentWaits},
	"500":                  {zeitstromtest.HTML(500), device.AssignmentWaits},
	"a portal":             {zeitstromtest.HTML(200), device.AssignmentWaits},
	"404 of a proxy":       {zeitstromtest.HTML(404), device.AssignmentWaits},
	"404":                  {zeitstromtest.JSON(404, `{"detail": "Not found."}`), device.AssignmentRefused},
	"401":                  {zeitstromtest.JSON(401, `{"detail": "Invalid token."}`), device.AssignmentWaits},
	"403":                  {zeitstromtest.JSON(403, `{"detail": "No."}`), device.AssignmentWaits},
	"400":                  {zeitstromtest.JSON(400, `{"project_code": ["Unknown."]}`), device.AssignmentRefused},
	"422":                  {zeitstromtest.JSON(422, `{"non_field_errors": ["No."]}`), device.AssignmentRefused},
	"a success that is no": {zeitstromtest.JSON(200, `{"id": 1`), device.AssignmentWaits},
}

// Whatever goes wrong with projects, bookings go on, and each project is assigned in the end.
func TestProjectTrouble(t *testing.T) {
	for name, tc := range troubles {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAssigning(t, nil)
				a.fail(1<<30, tc.fault)
				p := a.comes(1, "P-101")
				q := a.comes(2, "P-102")
				time.Sleep(time.Minute)
				for n := range 3 {
					a.delivers(10 + n)
					time.Sleep(30 * time.Minute)
				}
				if got := a.state(p); got != tc.state {
					t.Errorf("while it lasts it is %s, want %s", got, tc.state)
				}
				a.fail(0, zeitstromtest.Fault{})
				time.Sleep(3 * time.Hour)
				synctest.Wait()
				if a.project(p) != north.ID || a.project(q) != south.ID || a.state(p) != device.AssignmentDone ||
					a.state(q) != device.AssignmentDone || a.Stats().Assigning != 0 {
					t.Errorf("in the end %q, %q, %+v", a.project(p), a.project(q), a.Stats())
				}
				if s := a.Assigner.Status(); s != (AssignStatus{}) {
					t.Errorf("in the end %+v", s)
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

// A refusal stands with the booking, in the server's words, and is tried again when there is such a project.
func TestUnknownProject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAssigning(t, nil)
		p := a.comes(1, "P-999")
		time.Sleep(time.Minute)
		synctest.Wait()
		x, err := a.Find(p.ID)
		if err != nil || x.ProjectState != device.AssignmentRefused ||
			!strings.Contains(x.ProjectReason, `"P-999" does not exist`) {
			t.Errorf("%+v, %v", x, err)
		}
		a.server.SetProjects([]zeitstromtest.Project{north, {ID: south.ID, Code: "P-999"}})
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if a.project(p) != south.ID || a.state(p) != device.AssignmentDone {
			t.Errorf("%q, %s", a.project(p), a.state(p))
		}
	})
}

// Somebody else's decision stays: before the first try it is what there was, after it theirs counts.
func TestProjectOfAnAdmin(t *testing.T) {
	for name, tc := range map[string]struct {
		before, later string
		list          bool // the token may list projects
		want          string
		state         device.AssignmentState
	}{
		"none before":            {"", "", true, north.ID, device.AssignmentDone},
		"another before":         {south.ID, "", true, north.ID, device.AssignmentDone},
		"ours before":            {north.ID, "", true, north.ID, device.AssignmentDone},
		"another later":          {"", south.ID, true, south.ID, device.AssignmentLeft},
		"ours later":             {"", north.ID, true, north.ID, device.AssignmentDone},
		"another later, no list": {"", south.ID, false, south.ID, device.AssignmentDone},
		"another before, no list": {
			south.ID, "", false, fmt.Sprintf("1a2b3c4d-5e6f-4890-abcd-%012x", "P-101")[:36], device.AssignmentDone,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAssigning(t, func(a *assigning) {
					if a.server.MayNotPlan = !tc.list; !tc.list {
						a.server.Projects = nil
					}
				})
				a.fail(1, zeitstromtest.HTML(500))
				p := a.comes(1, "P-101")
				time.Sleep(time.Second)
				synctest.Wait()
				if tc.before != "" {
					a.server.Assign(a.span(p), tc.before)
				}
				time.Sleep(device.TakeBackTime + assignEvery)
				synctest.Wait()
				if tc.later != "" {
					a.server.Assign(a.span(p), tc.later)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if a.project(p) != tc.want || a.state(p) != tc.state {
					t.Errorf("it has %q and is %s; want %q, %s", a.project(p), a.state(p), tc.want, tc.state)
				}
			})
		})
	}
}

// A timespan that was corrected is found by its history; one that was deleted is given up after a while.
func TestProjectOfAChangedTimespan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAssigning(t, nil)
		p, q, r := a.comes(1, "P-101"), a.comes(2, "P-101"), a.comes(3, "P-101")
		a.fail(3, zeitstromtest.HTML(500))
		time.Sleep(time.Second)
		synctest.Wait()
		a.server.Correct(string(p.Employee), -5*time.Minute)
		a.server.Delete(string(q.Employee), q.Time)
		time.Sleep(device.TakeBackTime + assignEvery)
		a.server.Delete(string(r.Employee), r.Time) // after the first try
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		worked := a.server.Worked(string(p.Employee))
		if len(worked) != 1 || worked[0].Project != north.ID || a.state(p) != device.AssignmentDone {
			t.Errorf("corrected: %+v, %s", worked, a.state(p))
		}
		if a.state(q) != device.AssignmentLeft || a.state(r) != device.AssignmentLeft {
			t.Errorf("deleted: %s, %s", a.state(q), a.state(r))
		}
	})
}

// The clock's own token assigns, else the company's; without either nothing does until a token changes, or
// an hour has passed.
func TestProjectTokens(t *testing.T) {
	forbidden := zeitstromtest.JSON(403, `{"detail": "You do not have permission."}`)
	synctest.Test(t, func(t *testing.T) {
		a := newAssigning(t, func(a *assigning) { a.admin = true })
		a.fail(1, forbidden)
		p := a.comes(1, "P-101")
		time.Sleep(time.Minute)
		synctest.Wait()
		if a.state(p) != device.AssignmentDone || a.Assigner.Status().Off != "" {
			t.Errorf("by the company's token: %s, %+v", a.state(p), a.Assigner.Status())
		}
		a.fail(2, forbidden) // from now on neither may; the company's is in use
		q := a.comes(2, "P-101")
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		if off := a.Assigner.Status().Off; a.state(q) != device.AssignmentWaits || !strings.Contains(off, "403") {
			t.Errorf("by none: %s, %q", a.state(q), off)
		}
		if n := a.asked.Load(); n != 3 {
			t.Errorf("asked %d times", n)
		}
		a.delivers(3)
		a.write("admin", "another")
		time.Sleep(2 * assignEvery)
		synctest.Wait()
		if n := a.asked.Load(); n != 5 || a.state(q) != device.AssignmentDone || a.Assigner.Status().Off != "" {
			t.Errorf("with a new token: asked %d times, %s, %+v", n, a.state(q), a.Assigner.Status())
		}
	})
}
