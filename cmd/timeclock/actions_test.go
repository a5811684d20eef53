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
	"timeclock/device/roster"
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
	all := []string{"/badges/import", "/logout"}
	for _, found := range regexp.MustCompile(`"POST (/[a-z/]+)"`).FindAllSubmatch(handler, -1) {
		all = append(all, string(found[1]))
	}
	slices.Sort(all)
	for _, path := range slices.Compact(all) {
		t.Run(path[1:], func(t *testing.T) {
			a.T, a.visitor.t = t, t
			switch path {
			case "/login", "/pair": // which have led here
			case "/badges/import":
				a.imports()
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
	form.WriteField("do", "import")
	file, err := form.CreateFormFile("file", "list.csv")
	if err != nil {
		a.Fatal(err)
	}
	fmt.Fprintf(file, "uid,employee_id,name\n%s,%s,Ben\n", badgeOf(60).Hex(), employeeOf(1))
	form.Close()
	before := a.count(device.EventBadgesImported)
	status, page := a.read(a.Post(a.address+"/badges/import", form.FormDataContentType(), &body))
	if b, known := a.rooms.Roster.Lookup(badgeOf(60)); status != http.StatusOK || !known || b.Employee.Name != "Ben" {
		a.Errorf("%d %+v: %.200s", status, b, page)
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

// acts are the actions, each with what it needs.
var acts = map[string]func(*acting) does{
	"/badges/add": func(*acting) does {
		form := url.Values{"uid": {badgeOf(50).Hex()}, "employee": {string(employeeOf(1))}, "name": {"Ben"}}
		return does{form, "added", device.EventBadgeAdded, func(a *acting) bool { return a.owner(50) == "Ben" }}
	},
	"/badges/block": func(*acting) does {
		form := url.Values{"uid": {badgeOf(0).Hex()}, "blocked": {"true"}}
		return does{form, "", device.EventBadgeBlocked, func(a *acting) bool { return a.owner(0) == "Anna*" }}
	},
	"/badges/remove": func(*acting) does {
		form := url.Values{"uid": {badgeOf(1).Hex()}}
		return does{form, "", device.EventBadgeRemoved, func(a *acting) bool { return a.owner(1) == "" }}
	},
	"/badges/enroll": func(*acting) does {
		form := url.Values{"employee": {string(employeeOf(1))}, "name": {"Ben"}, "way": {string(roster.Another)}}
		return does{form, "Ben", device.EventBadgeEnrolled, func(a *acting) bool {
			a.rooms.Enrollment.Enroll(device.Tap{UID: badgeOf(51), Time: time.Now()})
			return a.owner(51) == "Ben"
		}}
	},
	"/badges/unenroll": func(a *acting) does {
		who := device.Employee{ID: employeeOf(1), Name: "Ben"}
		if _, err := a.rooms.Enrollment.Begin(who, roster.Another, func(roster.EnrollState) {}); err != nil {
			a.Fatal(err)
		}
		return does{url.Values{}, "", "", func(a *acting) bool {
			s, _ := a.rooms.Enrollment.State()
			return !s.Waiting
		}}
	},
	"/badges/sync": func(a *acting) does {
		a.api.server.SetPeople([]zeitstromtest.Employee{
			{ID: string(employeeOf(3)), FirstName: "Cem", LastName: "Kaya", Token: badgeOf(52).Hex()},
		})
		return does{
			url.Values{},
			"1 added", device.EventBadgesSynced,
			func(a *acting) bool { return a.owner(52) == "Cem Kaya" },
		}
	},
	"/unclaimed/claim": func(a *acting) does {
		tap := device.Tap{UID: badgeOf(53), Time: time.Now().Add(-time.Hour)}
		if _, err := a.queue.Keep(tap, 0, false); err != nil {
			a.Fatal(err)
		}
		form := url.Values{"uid": {badgeOf(53).Hex()}, "employee": {string(employeeOf(4))}, "name": {"Dana"}}
		return does{form, "", device.EventTapsClaimed, func(a *acting) bool {
			last, _, err := a.queue.Last(employeeOf(4))
			return err == nil && last.Time.Equal(tap.Time) && a.owner(53) == "Dana"
		}}
	},
	"/bookings/retry": func(a *acting) does {
		return does{url.Values{"punch": {a.refused()}}, "", device.EventReleased, func(a *acting) bool {
			devicetest.Eventually(a, func() error { return a.api.hasBooking(string(employeeOf(2))) })
			return true
		}}
	},
	"/bookings/drop": func(a *acting) does {
		id := a.refused()
		form := url.Values{"punch": {id}, "reason": {"entered by hand"}}
		return does{form, "", device.EventDropped, func(a *acting) bool {
			punch, _ := a.admin.Punches(a.Context(), "", admin.Which{All: true})
			return slices.ContainsFunc(punch, func(p admin.Punch) bool {
				return p.ID.String() == id && p.State == device.Dropped && p.Reason == "entered by hand"
			})
		}}
	},
	"/bookings/time": func(a *acting) does {
		p, err := a.queue.Append(device.Punch{
			Employee: employeeOf(5), Intent: device.CheckIn, Time: time.Unix(100, 0),
			Stamp: device.Stamp{Boot: device.BootID{1}, Uptime: time.Minute, Uncertain: true},
		}, false)
		if err != nil {
			a.Fatal(err)
		}
		_, started, err := a.rooms.Clock.Bounds(p)
		if err != nil {
			a.Fatal(err)
		}
		at := started.Add(-time.Hour).UTC().Truncate(time.Second)
		form := url.Values{"punch": {p.ID.String()}, "at": {at.Format("2006-01-02T15:04:05")}}
		return does{form, "", device.EventTimeSet, func(a *acting) bool {
			e, err := a.queue.Find(p.ID)
			return err == nil && e.Time.Equal(at) && !e.Stamp.Uncertain
		}}
	},
	"/corrections/token": func(a *acting) does {
		a.span("span-0")
		return does{url.Values{"token": {"good"}}, "", "", func(a *acting) bool {
			status, _ := a.get("/pictures/week.svg?e=" + string(employeeOf(0)))
			return status == http.StatusOK
		}}
	},
	"/corrections/times": func(a *acting) does {
		eight := a.span("span-1")
		form := url.Values{"id": {"span-1"}, "checkin": {"2026-06-01T09:00"}, "checkout": {"2026-06-01T17:00"}}
		return does{form, "", device.EventTimesCorrected, func(a *acting) bool {
			return a.at("span-1").CheckIn.Equal(eight.Add(time.Hour))
		}}
	},
	"/corrections/split": func(a *acting) does {
		eight := a.span("span-2")
		form := url.Values{"id": {"span-2"}, "at": {"2026-06-01T12:00"}}
		return does{form, "", device.EventTimespanSplit, func(a *acting) bool {
			desk, err := a.admin.Desk("test", "good")
			if err != nil {
				a.Fatal(err)
			}
			spans, err := desk.Week(a.Context(), employeeOf(0), eight)
			return err == nil && slices.ContainsFunc(spans, func(s admin.Timespan) bool {
				return s.CheckIn.Equal(eight.Add(4 * time.Hour))
			})
		}}
	},
	"/corrections/comment": func(a *acting) does {
		a.span("span-3")
		form := url.Values{"id": {"span-3"}, "comment": {"late train"}}
		return does{
			form, "", device.EventCommentSet, func(a *acting) bool { return a.at("span-3").Comment == "late train" },
		}
	},
	"/corrections/project": func(a *acting) does {
		a.span("span-4")
		form := url.Values{"id": {"span-4"}, "code": {"P-1"}}
		return does{
			form, "", device.EventProjectAssigned, func(a *acting) bool { return a.at("span-4").ProjectID != "" },
		}
	},
	"/accounts/add": func(*acting) does {
		form := url.Values{"name": {"eva"}, "role": {"viewer"}, "password": {password}}
		return does{form, "eva", device.EventAccountSet, func(a *acting) bool { return a.mayLogIn("eva") }}
	},
	"/accounts/remove": func(a *acting) does {
		add := url.Values{"name": {"old"}, "role": {"viewer"}, "password": {password}, "csrf": {a.csrf}}
		if a.post("/accounts/add", add); !a.mayLogIn("old") {
			a.Fatal("there is nobody to remove")
		}
		form := url.Values{"name": {"old"}}
		return does{form, "", device.EventAccountRemoved, func(a *acting) bool { return !a.mayLogIn("old") }}
	},
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
