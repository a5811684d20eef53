package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/devicetest"
	"timeclock/device/doctor"
	"timeclock/device/roster"
	"timeclock/display"
	"timeclock/queue"
	"timeclock/reader"
	"timeclock/reader/keys"
	"timeclock/sync/uplink"
	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// world is a clock of which nothing runs, an admin of it, and a Zeitstrom.
type world struct {
	*testing.T
	admin  *Admin
	rooms  Rooms
	server *zeitstromtest.Server
	file   *file
	page   *page
	client *Client // nil: what is done is done in-process
	by     string
}

var (
	anna = device.Employee{ID: "a1b2c3d4-e5f6-7890-abcd-000000000001", Name: "Anna Müller"}
	ben  = device.Employee{ID: "a1b2c3d4-e5f6-7890-abcd-000000000002", Name: "Ben Weiß"}
	hers = device.Badge{UID: uid("A1B2C3D4"), Employee: anna}
	free = uid("04112233445566")
)

func uid(s string) device.UID {
	u, err := device.ParseUID(s)
	if err != nil {
		panic(err)
	}
	return u
}

// file is the queue's, of which somebody has asked something.
type file struct{ asked string }

func (f *file) Notice() string { return "it was put together anew" }
func (f *file) Stuck() bool    { return true }
func (f *file) Salvage(by string, giveUp bool) error {
	f.asked = fmt.Sprint(by, " ", giveUp)
	return nil
}

type page struct{ did string }

func (p *page) Pair() (Pairing, error)  { p.did = "pair"; return Pairing{Code: "1234"}, nil }
func (p *page) Reset() (Pairing, error) { p.did = "reset"; return Pairing{Code: "5678"}, nil }
func (p *page) Address() string         { return "https://clock:8443" }
func (p *page) Problem() string         { return "" }
func (p *page) Code() string            { return "1234" }
func (p *page) Fingerprint() string     { return "AB" }

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	store, err := queue.Open(filepath.Join(dir, "queue.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, server: &zeitstromtest.Server{}, file: &file{}, page: &page{}, by: "ada"}
	api := zeitstrom.New(zeitstrom.Config{
		URL: "http://zeitstrom.test/api/v2/", TokenFile: token, Timeout: time.Minute, Transport: w.server,
	})
	english, err := display.NewLanguage("en")
	if err != nil {
		t.Fatal(err)
	}
	r := Rooms{
		Version: "1.2", Roster: roster.Open(filepath.Join(dir, "roster.csv")), Queue: store, Storage: w.file,
		Reader: reader.New(reader.Source{}, reader.Options{}, nil, log), API: api,
		AdminAPI: func(string) (*zeitstrom.Client, error) { return api, nil },
		Clock:    clock.New(clock.System{}, store, true, log), Signal: display.NewSignal(display.Pins{}, nil,
			device.Hours{}, time.UTC, log),
		Style: display.Style{Language: english, Names: device.Initials, Zone: time.UTC},
		Rules: device.Rules{Lockout: time.Minute, LongestShift: 14 * time.Hour, Zone: time.UTC}, Page: w.page,
		Door: Door{"North gate", "Example Ltd"}, Policy: Policy{KeepDays: 730},
		Settings: []string{"state_dir = x"}, Refused: "a mistake", Log: func() []string { return []string{"started"} },
		Hanging: func(context.Context, time.Duration) string { return "uplink" },
		Examine: func(context.Context, Status) []doctor.Finding {
			return []doctor.Finding{{Check: "disk", Verdict: doctor.Fail}}
		},
		Bring: func(_ context.Context, u device.UID) (device.Outcome, error) {
			return device.Outcome{Kind: device.CheckedIn, Employee: anna, Tap: device.Tap{UID: u}}, nil
		},
	}
	r.Enrollment = roster.NewEnrollment(r.Roster)
	r.Bench = NewBench(r.Enrollment)
	r.Uplink = uplink.New(store, api, uplink.Options{}, log)
	r.Projects = roster.OpenProjects(filepath.Join(dir, "projects.json"), api)
	r.Assigner = uplink.NewAssigner(store, r.Projects, r.Uplink.Online, log, api)
	r.Keys = keys.New(nil, nil, nil, log)
	r.People = roster.NewPeople(filepath.Join(dir, "employees.csv"), api)
	r.Sync = &roster.Sync{
		Roster: r.Roster, People: r.People, Numbers: device.Hex, Log: log,
		Tapped: func() func(device.UID) bool { return w.admin.Tapped() },
	}
	r.Display = display.New(r.Style, display.Care{}, func() display.Facts { return display.Facts{} }, log)
	if _, err := r.Roster.Add(hers, false); err != nil {
		t.Fatal(err)
	}
	w.rooms, w.admin = r, New(r)
	return w
}

// use has an ability do something, in-process or through the socket.
func use[In, Out any](w *world, x Ability[In, Out], in In) Out {
	w.Helper()
	out, err := try(w, x, in)
	if err != nil {
		w.Fatalf("%s: %v", x.name, err)
	}
	return out
}

func try[In, Out any](w *world, x Ability[In, Out], in In) (Out, error) {
	if w.client != nil {
		return x.On(w.Context(), w.client, in)
	}
	return x.do(w.admin, w.Context(), w.by, in)
}

// noted fails unless the newest event of the journal is that one, by whoever acts.
func (w *world) noted(kind device.EventKind, parts ...string) {
	w.Helper()
	w.tap(uid("0BADC0DE"), 0) // what is noted by itself is on the disk with the next commit
	var newest JournalLine
	err := w.admin.Journal(w.Context(), func(l JournalLine) error {
		if l.Kind != "" {
			newest = l
		}
		return nil
	})
	if err != nil || newest.Kind != kind || newest.By != w.by {
		w.Errorf("the newest event is %q by %q, want %q by %q; %v", newest.Kind, newest.By, kind, w.by, err)
	}
	for _, part := range parts {
		if !strings.Contains(newest.Reason, part) {
			w.Errorf("the journal has %q of it, want %s", newest.Reason, part)
		}
	}
	for _, secret := range []string{"A1B2C3", "041122", "Anna", "Ben"} {
		if strings.Contains(newest.Reason, secret) {
			w.Errorf("the journal says %s: %s", secret, newest.Reason)
		}
	}
}

func (w *world) append(e device.Employee, i device.Intent, ago time.Duration) device.Punch {
	w.Helper()
	p, err := w.rooms.Queue.Append(device.Punch{Employee: e.ID, Intent: i, Time: time.Now().Add(-ago)}, false)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// refused is a check-in of hers that Zeitstrom has refused.
func (w *world) refused() device.Punch {
	w.Helper()
	p := w.append(anna, device.CheckIn, time.Hour)
	if err := errors.Join(w.rooms.Queue.Attempt(p), w.rooms.Queue.Quarantine(p, "no such employee")); err != nil {
		w.Fatal(err)
	}
	return p
}

// stranded is a check-in of an earlier run of the computer, of which nobody knows the time.
func (w *world) stranded() device.Punch {
	w.Helper()
	p, err := w.rooms.Queue.Append(device.Punch{
		Employee: anna.ID, Intent: device.CheckIn, Time: time.Unix(100, 0),
		Stamp: device.Stamp{Boot: device.BootID{1}, Uptime: time.Minute, Uncertain: true},
	}, false)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func (w *world) tap(u device.UID, ago time.Duration) {
	w.Helper()
	if _, err := w.rooms.Queue.Keep(device.Tap{UID: u, Time: time.Now().Add(-ago)}, 0, false); err != nil {
		w.Fatal(err)
	}
}

func (w *world) state(id device.PunchID) device.State {
	w.Helper()
	e, err := w.rooms.Queue.Find(id)
	if err != nil {
		w.Fatal(err)
	}
	return e.State
}

func (w *world) equal(what string, got, want any) {
	w.Helper()
	if !reflect.DeepEqual(got, want) {
		w.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Everything that an admin can do has its effect, and the journal has who did it: in-process,
// and what the command line has also through the socket.
func TestAbilities(t *testing.T) {
	all := reflect.TypeFor[*Admin]()
	for m := range all.Methods() {
		if abilities[m.Name] == nil && pageAbilities[m.Name] == nil && !slices.Contains(plain, m.Name) {
			t.Errorf("%s has no test", m.Name)
		}
	}
	for name, test := range pageAbilities {
		t.Run(name, func(t *testing.T) { test(newWorld(t)) })
	}
	for name, test := range abilities {
		t.Run(name, func(t *testing.T) { test(newWorld(t)) })
		t.Run(name+"/socket", func(t *testing.T) {
			w := newWorld(t)
			w.by = Console
			dir := t.TempDir()
			s, err := Listen(dir, w.admin, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			defer func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}()
			w.client = Dial(dir)
			test(w)
		})
	}
}

// plain are methods without an effect of their own, which the others use.
var plain = []string{"GivesHints", "Examination", "Examined", "Glance", "Run", "String", "Synced", "Tapped", "Zone"}

// Whoever may only look sees names as the display has them: the page asks for that.
func TestShortNames(t *testing.T) {
	w := newWorld(t)
	w.equal("a viewer's Anna", w.admin.ShortName(anna.Name), "A. M.")
	w.equal("the zone", w.admin.Zone(), time.UTC)
}

// What waits is remembered for a day.
func TestBacklog(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.admin.Run(ctx) }()
	devicetest.Eventually(t, func() error {
		if len(w.admin.Backlog()) < 2 {
			return errors.New("nothing was remembered")
		}
		return nil
	})
	w.append(anna, device.CheckIn, time.Minute)
	samples := w.admin.Backlog()
	w.equal("what waits now", samples[len(samples)-1].Pending, 1)
	w.equal("what waited", samples[0].Pending, 0)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
