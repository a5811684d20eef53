package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/config"
	"timeclock/device/devicetest"
	"timeclock/reader/mfrc522/mfrc522test"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// wrongClock is a kernel whose wall clock is off until a time server is reached.
type wrongClock struct {
	mu     sync.Mutex
	off    time.Duration
	synced bool
	boot   byte
	start  time.Time
}

func (k *wrongClock) set(off time.Duration, synced bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.off, k.synced = off, synced
}

func (k *wrongClock) Wall() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Add(k.off)
}

func (k *wrongClock) Offset() time.Duration { return 0 }

func (k *wrongClock) Synchronised() (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.synced, nil
}

func (k *wrongClock) Uptime() time.Duration { return time.Since(k.start) }
func (k *wrongClock) BootID() device.BootID { return device.BootID{k.boot} }
func (k *wrongClock) ClockChip() (clock.Chip, error) {
	return clock.Chip{}, errors.New("no clock chip")
}

// place is where a clock lives: its settings, state directory and Zeitstrom.
type place struct {
	cfg config.Config
	api *api
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	a, err := newAPI()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.down)
	cfg, err := config.Parse("test",
		fmt.Appendf(nil, "state_dir = %q\nzeitstrom = { url = %q, token_file = %q }\nreader.driver = "+
			"\"simulated\"\ndisplay.driver = \"none\"\nterminal.lockout = \"0s\"\n",
			filepath.Join(dir, "state"), a.url(), filepath.Join(dir, "token")))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.Zeitstrom.TokenFile, []byte("good"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &place{cfg, a}
}

// start runs a whole clock, with the badges of three employees.
func (p *place) start(t *testing.T) (d *daemon, stop func()) {
	t.Helper()
	return p.startOn(t, clock.System{}, extras{})
}

// startOn runs it on a computer whose kernel says what time it is.
func (p *place) startOn(t *testing.T, k clock.Kernel, x extras) (d *daemon, stop func()) {
	t.Helper()
	d, err := newDaemonOn(t.Context(), k, p.cfg, slog.New(slog.DiscardHandler), x)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if _, err := d.rooms.Roster.Add(device.Badge{
			UID: badgeOf(n), Employee: device.Employee{ID: employeeOf(n), Name: "Anna"},
		}, false); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		d.Close()
	})
	t.Cleanup(stop)
	return d, stop
}

func (p *place) tap(t *testing.T, d *daemon, n int) device.Outcome {
	t.Helper()
	o, err := d.rooms.Bring(t.Context(), badgeOf(n))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A Pi that wakes in 1970 books at once, shows no time, sends nothing; when the
// time is known Zeitstrom gets the true one. What a reboot has made unknowable
// waits for a person, and holds up nobody else.
func TestWakesWithAWrongClock(t *testing.T) {
	p := newPlace(t)
	p.cfg.Clock.Trust = config.Auto
	kernel := &wrongClock{boot: 1, start: time.Now(), off: -56 * 365 * 24 * time.Hour}
	d, stop := p.startOn(t, kernel, extras{})
	devicetest.Eventually(t, func() error {
		if !d.facts().NoTime || d.facts().ReaderBroken || !d.rooms.Uplink.Online() {
			return fmt.Errorf("%+v", d.facts())
		}
		return nil
	})
	tapped := time.Now()
	o := p.tap(t, d, 0)
	made := time.Now()
	if a := admin.NewAnswer(o, d.rooms.Style); o.Kind != device.CheckedIn || !a.Uncertain ||
		a.Text != "Welcome, Anna: --:-- (the time follows as soon as it is certain)" {
		t.Errorf("answered %+v", a)
	}
	if s := d.status(t); s.Pending != 1 || s.Held != 1 || s.Uncertain != 1 || s.Clock.Trusted ||
		s.OldestPending != nil {
		t.Errorf("status %+v", s)
	}
	if heads := d.queue.Heads(); len(heads) > 0 {
		t.Errorf("%+v would be sent with a wrong time", heads)
	}
	kernel.set(0, true)
	devicetest.Eventually(t, func() error { return p.api.has([]string{"checkin:00"}) })
	if at := p.api.server.Timestamps()[0].Time; at.Before(tapped.Add(-time.Second)) || at.After(made) {
		t.Errorf("Zeitstrom got %v, the tap was between %v and %v", at, tapped, made)
	}
	if n := p.api.server.Requests(); n != 1 {
		t.Errorf("%d requests for one booking: it was sent with a wrong time", n)
	}
	if d.facts().NoTime {
		t.Error("the display still shows no time")
	}

	// The power fails before the time is known.
	stop()
	kernel = &wrongClock{boot: 2, start: time.Now(), off: -time.Hour}
	d, stop = p.startOn(t, kernel, extras{})
	lost := p.tap(t, d, 0).Punch
	stop()
	kernel = &wrongClock{boot: 3, start: time.Now(), synced: true}
	d, _ = p.startOn(t, kernel, extras{})
	client := dial(t.Context(), p.cfg.StateDir)
	p.tap(t, d, 1)
	p.tap(t, d, 0)
	devicetest.Eventually(t, func() error { return p.api.has([]string{"checkin:00", "checkin:01"}) })
	held, err := client.Punch(lost.ID)
	if err != nil || held.State != device.Held || !held.Uncertain || held.NotBefore == nil || held.NotAfter == nil ||
		held.Raw != nil {
		t.Fatalf("%+v, %v", held, err)
	}
	for _, at := range []time.Time{held.NotBefore.Add(-time.Minute), held.NotAfter.Add(time.Minute)} {
		if _, err := client.SetTime(lost.ID, at); err == nil || !strings.HasPrefix(err.Error(), "it was not ") {
			t.Errorf("%v was taken: %v", at, err)
		}
	}
	if set, err := client.SetTime(lost.ID, *held.NotAfter); err != nil || set.State != device.Pending ||
		set.Raw == nil {
		t.Errorf("%+v, %v", set, err)
	}
	devicetest.Eventually(t,
		func() error { return p.api.has([]string{"checkin:00", "checkout:00", "checkin:00", "checkin:01"}) })
}

// With second thoughts the badge that stays books the other direction; nothing is
// sent before it has left, and then only that.
func TestSecondThoughtsReachZeitstrom(t *testing.T) {
	p := newPlace(t)
	p.cfg.Terminal.SecondThoughts = time.Second
	d, _ := p.start(t)
	devicetest.Eventually(t, func() error {
		if !d.rooms.Reader.Health().Healthy {
			return errors.New("the reader is not ready")
		}
		return nil
	})
	card := &mfrc522test.Card{UID: badgeOf(0).Bytes()}
	d.chip.Place(card)
	devicetest.Eventually(t, func() error {
		if last, _, err := d.queue.Last(employeeOf(0)); err != nil || last.Intent != device.CheckOut {
			return fmt.Errorf("last is %+v, %v", last, err)
		}
		return nil
	})
	if heads := d.queue.Heads(); len(heads) > 0 {
		t.Errorf("%+v would be sent while the badge is there", heads)
	}
	d.chip.Remove(card)
	devicetest.Eventually(t, func() error { return p.api.has([]string{"checkout:00"}) })
	// Zeitstrom has it before this clock has written down that it does.
	devicetest.Eventually(t, func() error {
		if s := d.status(t); s.Dropped != 1 || s.Pending != 0 {
			return fmt.Errorf("%d dropped, %d pending", s.Dropped, s.Pending)
		}
		return nil
	})
	if n := p.api.server.Requests(); n != 1 {
		t.Errorf("%d requests for one booking: one was sent while the badge was there", n)
	}
}

// The token that is refused is told to employees in their words, and to
// technicians in theirs.
func TestRefusedTokenIsTold(t *testing.T) {
	p := newPlace(t)
	p.api.server.Fault = func(*http.Request) zeitstromtest.Fault {
		return zeitstromtest.JSON(401, `{"detail": "Invalid token."}`)
	}
	d, _ := p.start(t)
	devicetest.Eventually(t, func() error {
		if f, s := d.facts(), d.status(t); !f.Token || !f.Offline ||
			!strings.Contains(s.Uplink.Problem, "put a valid one into the token file") {
			return fmt.Errorf("%+v, %+v", f, s.Uplink)
		}
		return nil
	})
}

func TestParseTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"2026-11-22 08:00":          "2026-11-22T07:00:00Z",
		"2026-07-22T08:00":          "2026-07-22T06:00:00Z",
		"2026-07-22 08:00:30":       "2026-07-22T06:00:30Z",
		"2026-11-22T08:00:00Z":      "2026-11-22T08:00:00Z",
		"2026-11-22T08:00:00+02:00": "2026-11-22T06:00:00Z",
		"2028-02-29 00:30":          "2028-02-28T23:30:00Z",
		"2026-11-22T08:00+02:00":    "2026-11-22T06:00:00Z",
		"2026-03-29 02:30":          "", // does not exist
		"2026-10-25 02:30":          "", // comes twice
		"8:00":                      "",
		"2027-02-29 08:00":          "",
	} {
		got, err := parseTime(in, berlin)
		if want == "" && !errors.Is(err, errUsage) || want != "" &&
			(err != nil || got.UTC().Format(time.RFC3339) != want) {
			t.Errorf("%q is %v, %v; want %q", in, got, err, want)
		}
	}
}
