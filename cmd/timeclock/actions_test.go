package main

import (
	"bytes"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/devicetest"
	"timeclock/queue"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// acting is a clock whose admin does everything that the page has.
type acting struct {
	*testing.T
	*daemon
	*visitor
	api  *api
	csrf string
}

// does posts a form and says whether what it is for is done.
type does struct {
	form url.Values
	says string // on the page that follows
	kind device.EventKind
	done func(*acting) bool
}

// Each action of the page has its effect, and the journal has who did it.
func TestEveryPageAction(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.cfg.Clock.Zone = time.UTC
	d, address := startPage(t, p)
	a := &acting{T: t, daemon: d, visitor: visit(t, address), api: p.api}
	a.pair(d.page.Code())
	a.csrf = a.visitor.csrf()
	handler, err := os.ReadFile("../internal/web/handler.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	path := regexp.MustCompile(`"(?:POST )?(/[a-z/]+)": *(?:\{s\.|s\.logout)`)
	for _, found := range path.FindAllSubmatch(handler, -1) {
		all = append(all, string(found[1]))
	}
	slices.Sort(all)
	for _, path := range slices.Compact(all) {
		t.Run(path[1:], func(t *testing.T) {
			a.T, a.visitor.t = t, t
			switch path {
			case "/badges/import":
				a.imports()
			case "/badges/import/confirm": // which that does
			case "/logout":
				t.Cleanup(func() { a.pairAgain() })
				a.post(path, url.Values{"csrf": {a.csrf}})
				if _, body := a.get("/device"); strings.Contains(body, "Serial") ||
					!strings.Contains(body, "password") {
					t.Errorf("the session goes on: %.200s", body)
				}
			default:
				act, known := acts[path]
				if !known {
					t.Fatal("it has no test")
				}
				a.acts(path, act(a))
			}
		})
	}
	if len(all) < len(acts) {
		t.Errorf("of the actions %q only %q are there", slices.Collect(maps.Keys(acts)), all)
	}
}

func (a *acting) pairAgain() {
	a.post("/login", url.Values{"name": {"admin"}, "password": {password}})
	a.csrf = a.visitor.csrf()
}

func (a *acting) acts(path string, x does) {
	a.Helper()
	x.form.Set("csrf", a.csrf)
	before := a.count(x.kind)
	status, body := a.post(path, x.form)
	if status != http.StatusOK || !strings.Contains(body, x.says) {
		a.Fatalf("%d, without %q: %s", status, x.says, regexp.MustCompile(`(?s)<main.*`).FindString(body))
	}
	if !x.done(a) {
		a.Error("it was not done")
	}
	if x.kind == "" {
		return
	}
	a.commit()
	if n := a.count(x.kind); n != before+1 {
		a.Errorf("the journal has %q by the admin %d times, before %d", x.kind, n, before)
	}
}

// count says how often the journal has that the page's admin did something.
func (a *acting) count(kind device.EventKind) (n int) {
	a.Helper()
	err := a.queue.Journal(func(e queue.JournalEntry) error {
		if e.Event != nil && e.Event.Kind == kind && e.Event.By == "admin" {
			n++
		}
		return nil
	})
	if err != nil {
		a.Fatal(err)
	}
	return n
}

func (a *acting) imports() {
	a.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	form.WriteField("csrf", a.csrf)
	file, err := form.CreateFormFile("file", "list.csv")
	if err != nil {
		a.Fatal(err)
	}
	fmt.Fprintf(file, "uid,employee_id,name\n%s,%s,Ben\n", badgeOf(60).Hex(), employeeOf(1))
	form.Close()
	before := a.count(device.EventBadgesImported)
	status, page := a.read(a.Post(a.address+"/badges/import", form.FormDataContentType(), &body))
	if status != http.StatusOK || !strings.Contains(page, "What would become of it: list.csv") ||
		!strings.Contains(page, "Ben") {
		a.Errorf("%d: %.2000s", status, page)
	}
	if _, known := a.rooms.Roster.Lookup(badgeOf(60)); known {
		a.Error("a look has changed something")
	}
	if _, page = a.post("/badges/import/confirm", url.Values{"csrf": {a.csrf}}); !strings.Contains(page, "look again") {
		a.Errorf("without what was looked at: %s", page)
	}
	_, page = a.get("/badges/import")
	plan := regexp.MustCompile(`name="plan" value="([^"]+)"`).FindStringSubmatch(page)
	if plan == nil {
		a.Fatalf("there is no plan: %s", page)
	}
	status, page = a.post("/badges/import/confirm", url.Values{"csrf": {a.csrf}, "plan": plan[1:]})
	if b, known := a.rooms.Roster.Lookup(badgeOf(60)); status != http.StatusOK || !known || b.Employee.Name != "Ben" ||
		!strings.Contains(page, "Imported: 1 added") {
		a.Errorf("%d %+v: %.2000s", status, b, page)
	}
	if a.commit(); a.count(device.EventBadgesImported) != before+1 {
		a.Error("the journal lacks it")
	}
}

// commit has the queue write what was noted.
func (a *acting) commit() {
	a.Helper()
	if _, err := a.queue.Keep(device.Tap{UID: badgeOf(99), Time: time.Now()}, 0, false); err != nil {
		a.Fatal(err)
	}
}

// owner says whose a badge is; with a star if it is blocked.
func (a *acting) owner(n int) string {
	b, _ := a.rooms.Roster.Lookup(badgeOf(n))
	if b.Blocked {
		return b.Employee.Name + "*"
	}
	return b.Employee.Name
}

// refused is a booking that Zeitstrom has refused.
func (a *acting) refused() string {
	a.Helper()
	a.api.server.SetEmployees([]string{string(employeeOf(0))})
	p, err := a.queue.Append(device.Punch{
		Employee: employeeOf(2), Intent: device.CheckIn, Time: time.Now(),
	}, false)
	if err != nil {
		a.Fatal(err)
	}
	devicetest.Eventually(a, func() error {
		if got := a.state(p.ID); got != device.Quarantined {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
	a.api.server.SetEmployees(nil)
	return p.ID.String()
}

func (a *acting) state(id device.PunchID) device.State {
	a.Helper()
	e, err := a.queue.Find(id)
	if err != nil {
		a.Fatal(err)
	}
	return e.State
}

// span is a timespan at Zeitstrom, and a token for the session that may change it.
func (a *acting) span(id string) (eight time.Time) {
	eight = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)
	a.api.server.Put(zeitstromtest.Timespan{
		ID: id, Employee: string(employeeOf(0)), CheckIn: eight, CheckOut: eight.Add(9 * time.Hour),
	})
	a.post("/corrections/token", url.Values{"csrf": {a.csrf}, "token": {"good"}})
	return eight
}

// at reads a timespan as Zeitstrom has it.
func (a *acting) at(id string) admin.Timespan {
	a.Helper()
	desk, err := a.admin.Desk("test", "good")
	if err != nil {
		a.Fatal(err)
	}
	t, err := desk.Timespan(a.Context(), id)
	if err != nil {
		a.Fatal(err)
	}
	return t
}

// works reports whether Zeitstrom has a timespan that begins so and is so long.
func (a *acting) works(checkin string, long time.Duration) bool {
	a.Helper()
	at, err := time.Parse("2006-01-02 15:04", checkin)
	if err != nil {
		a.Fatal(err)
	}
	desk, err := a.admin.Desk("test", "good")
	if err != nil {
		a.Fatal(err)
	}
	spans, err := desk.Week(a.Context(), employeeOf(0), at)
	return err == nil && slices.ContainsFunc(spans, func(s admin.Timespan) bool {
		return s.CheckIn.Equal(at) && s.CheckOut.Sub(s.CheckIn) == long
	})
}

func (a *acting) mayLogIn(name string) bool {
	status, _ := visit(a.T, a.address).post("/login", url.Values{"name": {name}, "password": {password}})
	return status == http.StatusOK
}

// hasBooking fails unless Zeitstrom has a booking of an employee.
func (a *api) hasBooking(employee string) error {
	for _, t := range a.server.Timestamps() {
		if t.Employee == employee {
			return nil
		}
	}
	return fmt.Errorf("Zeitstrom has no booking of %s", employee)
}
