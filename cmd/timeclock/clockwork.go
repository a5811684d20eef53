package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/web"
	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/config"
	"timeclock/device/doctor"
	"timeclock/device/roster"
	"timeclock/display"
	"timeclock/queue"
	"timeclock/reader"
	"timeclock/reader/mfrc522/mfrc522test"
	"timeclock/sync/uplink"
	"timeclock/sync/zeitstrom"
)

// task is a part of the daemon that runs as long as it does.
type task interface {
	Run(context.Context) error
	String() string
}

// extras are what a demo adds to a clock.
type extras struct {
	screens []device.Screen
	panels  []display.Panel
	sample  bool            // the page is shown to whoever asks, and served by the demo
	tail    func() []string // the newest lines of the log; nil: nobody keeps them
	// settings says why it does not run on the settings that there are; empty: it does
	settings string
}

// clockwork is a whole clock, wired: nothing of it runs, and nothing but the disk is open.
type clockwork struct {
	rooms admin.Rooms
	admin *admin.Admin
	queue *queue.Store
	chip  *mfrc522test.Chip // of the simulated reader; nil with a real one
	page  *web.Server       // nil: there is none
	tasks []task
}

// newClock wires a clock around a queue.
func newClock(k clock.Kernel, cfg config.Config, d *disk, log *slog.Logger, x extras) (*clockwork, error) {
	c := &clockwork{queue: d.queue}
	style, err := styleOf(cfg)
	if err != nil {
		return nil, err
	}
	r := roomsOf(cfg, d, log)
	r.Style, r.Refused, r.Log = style, x.settings, x.tail
	r.Uplink = uplink.New(d.queue, r.API, uplink.Options{Settle: cfg.Uplink.Settle, Watch: cfg.Terminal.Ask > 0}, log)
	r.Assigner = uplink.NewAssigner(d.queue, r.Projects, r.Uplink.Online, log, assignAPIs(cfg, r.API)...)
	r.Clock = clock.New(k, d.queue, cfg.Clock.Trust == config.Always, log)
	r.Sync = c.compares(cfg, r, log)
	check := examination{cfg, doctor.Host{}, r.Clock, r.API}
	r.Examine = check.whole

	taps := make(chan device.Tap, 64) // a shift's start while the disk is slow
	pressed := make(chan device.Press, 8)
	r.Keys = keysOf(cfg, pressed, log)
	source, chip := readerSource(cfg)
	c.chip = chip
	r.Reader = reader.New(source, readerOptions(cfg), taps, log)

	r.NoDisplay, r.NoSignal = cfg.Display.Driver == config.NoDisplay, !hasSignal(cfg)
	page := wirePage(cfg, &r, x.sample)
	screens := c.shows(cfg, &r, append(page.panels(), x.panels...), log)
	counter := newTapCounter()
	screens = append(append(append(audience{}, x.screens...), screens...), counter)
	if chip != nil { // the last: whoever brings a badge gets the answer when all have it
		hand := newHand(chip, r.Reader)
		r.Bring = hand.Bring
		screens = append(screens, hand)
	}
	terminal := &device.Terminal{
		Roster: r.Roster, Queue: d.queue, Clock: r.Clock, Elsewhere: r.Uplink, Projects: r.Projects,
		Office: r.Bench, Field: r.Reader, Screen: screens, Rules: r.Rules, Log: log, Taps: taps, Keys: pressed,
	}
	life := &watchdog{[]part{
		{"reader", r.Reader.Alive},
		{"terminal", terminal.Alive},
		{"queue", answers(func() { d.queue.Stats() })},
		{"uplink", r.Uplink.Alive},
	}, func() admin.Status { return c.admin.Glance() }, log}
	r.Hanging = life.hanging

	c.rooms, c.admin = r, admin.New(r)
	c.tasks = []task{
		life,
		startCheck{check, c.admin, log},
		r.Reader, r.Keys, terminal, r.Display, r.Signal, r.Uplink, r.Assigner, r.Clock, r.Sync, r.People, c.admin,
		diskTask{d, r.Roster, c.admin},
	}
	if cfg.Monitor.Listen != "" {
		c.tasks = append(c.tasks, newMonitor(cfg, c.admin, counter, log))
	}
	return c, page.open(c, log)
}

// roomsOf are the rooms of a clock that need no other room.
func roomsOf(cfg config.Config, d *disk, log *slog.Logger) admin.Rooms {
	r := admin.Rooms{
		Version: theVersion(), Rules: rulesOf(cfg), Door: doorOf(cfg), Policy: policyOf(cfg), Settings: cfg.Settings(),
		Queue: d.queue, Storage: d, Roster: roster.Open(rosterPath(cfg)), API: newClient(cfg, cfg.Zeitstrom.TokenFile),
		AdminAPI: func(token string) (*zeitstrom.Client, error) { return adminClient(cfg, token) },
	}
	if damage := r.Roster.Damage(); damage.Problem != "" {
		log.Error("badge map", "problem", damage.Problem)
	}
	r.People = roster.NewPeople(peoplePath(cfg), r.API)
	r.Projects = roster.OpenProjects(projectsPath(cfg), r.API)
	r.Enrollment = roster.NewEnrollment(r.Roster)
	r.Bench = admin.NewBench(r.Enrollment)
	return r
}

// hasSignal reports whether any of sound and light is wired.
func hasSignal(cfg config.Config) bool {
	s := cfg.Signal
	return s.BuzzerPin+s.RedPin+s.GreenPin+s.BluePin != ""
}

// compares keeps the badge map as Zeitstrom has it, if that is wanted.
func (c *clockwork) compares(cfg config.Config, r admin.Rooms, log *slog.Logger) *roster.Sync {
	s := &roster.Sync{
		Roster: r.Roster, People: r.People, Numbers: cfg.Roster.Numbers, Log: log,
		Tapped: func() func(device.UID) bool { return c.admin.Tapped() },
		Done:   func(m roster.Merged) { c.admin.Synced("", m, nil) },
	}
	if cfg.Roster.Zeitstrom {
		s.Every = cfg.Roster.Every
	}
	return s
}

// shows wires display, sound and light.
func (c *clockwork) shows(cfg config.Config, r *admin.Rooms, more []display.Panel, log *slog.Logger) audience {
	care := display.Care{
		AnswerTime: cfg.Display.AnswerTime, DimHours: cfg.Display.DimHours, OffAfter: cfg.Display.OffAfter,
	}
	facts := func() display.Facts {
		f := facts(c.admin.Glance())
		f.Waits = c.waits
		return f
	}
	r.Display = display.New(r.Style, care, facts, log, append(panels(cfg), more...)...)
	pins, missing := signalPins(cfg)
	if missing != nil {
		log.Error("sound and light are not whole, the clock goes on without", "error", missing)
	}
	r.Signal = display.NewSignal(pins, missing, cfg.Signal.QuietHours, cfg.Clock.Zone, log)
	return audience{r.Display, r.Signal}
}

// waits reports whether Zeitstrom does not have a punch yet.
func (c *clockwork) waits(id device.PunchID) bool {
	e, err := c.queue.Find(id)
	return err == nil && e.State != device.Delivered && e.State != device.Dropped
}

// pageParts are what there is of the page before there is an Admin.
type pageParts struct {
	gate   *web.Gate // nil: there is no page
	mirror *web.Mirror
}

func wirePage(cfg config.Config, r *admin.Rooms, sample bool) pageParts {
	w := cfg.Web
	if w.Listen == "" && !sample {
		return pageParts{}
	}
	p := pageParts{
		web.NewGate(web.Options{Listen: w.Listen, CertFile: w.CertFile, KeyFile: w.KeyFile, StateDir: cfg.StateDir}),
		web.NewMirror(),
	}
	if !sample {
		r.Page = p.gate
	}
	return p
}

func (p pageParts) panels() []display.Panel {
	if p.gate == nil {
		return nil
	}
	return []display.Panel{p.mirror}
}

// open makes the page.
func (p pageParts) open(c *clockwork, log *slog.Logger) (err error) {
	if p.gate == nil {
		return nil
	}
	if c.page, err = web.New(p.gate, p.mirror, c.admin, log); c.rooms.Page != nil {
		c.tasks = append(c.tasks, c.page)
	}
	return err
}

// showCheck is how long the idle screen tells what an examination has found.
const showCheck = time.Minute

// facts is what the idle screen tells of a clock.
func facts(s admin.Status) display.Facts {
	x := s.Examination
	return display.Facts{
		Pair: s.Page.Code, Fingerprint: s.Page.Fingerprint,
		Checked: x.IsNews() && time.Since(x.At) < showCheck, Faults: doctor.Count(x.Findings, doctor.Fail),
		Enrolls: s.Enrollment.Waiting, NewOwner: s.Enrollment.For.Name, NewFunction: s.Enrollment.Function,
		ReaderBroken: s.Reader.Problem != "",
		Offline:      s.Uplink.Problem != "",
		Token:        s.Uplink.Token,
		BadgesLost:   s.Roster.Lost,
		OldSettings:  s.Settings.Problem != "",
		NoTime:       !s.Clock.Trusted,
		Pending:      s.Pending,
		DiskBroken:   s.Storage.Problem != "",
	}
}

// styleOf is how the clock speaks.
func styleOf(cfg config.Config) (display.Style, error) {
	language, err := display.NewLanguage(cfg.Display.Language)
	if err != nil {
		return display.Style{}, fmt.Errorf("display.language: %w", err)
	}
	return display.Style{Language: language, Names: cfg.Display.Names, Zone: cfg.Clock.Zone}, nil
}

// doorOf is what the clock is called.
func doorOf(cfg config.Config) admin.Door {
	name := cfg.Door.Name
	if name == "" {
		name, _ = os.Hostname() // without one it has no name
	}
	return admin.Door{Name: name, Company: cfg.Door.Company}
}

// policyOf is how the clock is set up to deal with what it knows of people.
func policyOf(cfg config.Config) admin.Policy {
	return admin.Policy{
		Server: cfg.Zeitstrom.URL, StateDir: cfg.StateDir, KeepDays: cfg.Journal.KeepDays, Names: cfg.Display.Names,
		FollowsZeitstrom: cfg.Roster.Zeitstrom, Corrects: cfg.Zeitstrom.AdminTokenFile != "",
		Monitor: cfg.Monitor.Listen,
	}
}

// adminClient reaches the API by a token that somebody has brought, or by the
// company's.
func adminClient(cfg config.Config, token string) (*zeitstrom.Client, error) {
	z := cfg.Zeitstrom
	if token == "" && z.AdminTokenFile == "" {
		return nil, admin.ErrNoAdminToken
	}
	return clientBy(cfg, z.AdminTokenFile, token), nil
}

// rulesOf is what the company wants of its clock.
func rulesOf(cfg config.Config) device.Rules {
	t := cfg.Terminal
	return device.Rules{
		Zone: cfg.Clock.Zone, Lockout: t.Lockout, LongestShift: t.LongestShift, Ask: t.Ask,
		SecondThoughts: t.SecondThoughts, Hours: t.Hours && cfg.Display.Names != device.NoName, Hints: t.Hints != "",
	}
}

// assignAPIs reach the API by the tokens that may assign projects: the clock's own, then the company's for
// changes, if there is one.
func assignAPIs(cfg config.Config, own *zeitstrom.Client) []uplink.AssignAPI {
	apis := []uplink.AssignAPI{own}
	if file := cfg.Zeitstrom.AdminTokenFile; file != "" {
		apis = append(apis, newClient(cfg, file))
	}
	return apis
}

// audience shows each answer to several.
type audience []device.Screen

func (a audience) Show(o device.Outcome) {
	for _, s := range a {
		s.Show(o)
	}
}
