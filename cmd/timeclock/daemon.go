package main

import (
	"context"
	"fmt"
	"log/slog"
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

	"golang.org/x/sync/errgroup"
)

// task is a part of the daemon that runs as long as it does.
type task interface {
	Run(context.Context) error
	String() string
}

// daemon is a whole clock, wired.
type daemon struct {
	disk   *disk
	clock  *admin.Clock
	queue  *queue.Store
	chip   *mfrc522test.Chip // of the simulated reader; nil with a real one
	page   *web.Server       // nil: there is none
	server *admin.Server
	tasks  []task
	log    *slog.Logger
}

// extras are what a demo adds to a clock.
type extras struct {
	screens []device.Screen
	panels  []display.Panel
	kernel  clock.Kernel // nil: the one that there is
	tail    func() []string
	// settings says why it does not run on the settings that there are; empty: it does
	settings string
}

// newDaemon wires a clock. Nothing runs yet, but the state directory is held
// and the control socket is open.
func newDaemon(ctx context.Context, cfg config.Config, log *slog.Logger, x extras) (d *daemon, err error) {
	d = &daemon{log: log}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if d.disk, err = openDisk(ctx, cfg, log); err != nil {
		return d, err
	}
	d.queue = d.disk.queue
	badges := roster.Open(rosterPath(cfg))
	if damage := badges.Damage(); damage.Problem != "" {
		log.Error("badge map", "problem", damage.Problem)
	}
	api := newClient(cfg, cfg.Zeitstrom.TokenFile)
	style, err := styleOf(cfg)
	if err != nil {
		return d, err
	}
	rules := rulesOf(cfg)
	up := uplink.New(d.queue, api, uplink.Options{Settle: cfg.Uplink.Settle, Watch: cfg.Terminal.Ask > 0}, log)
	kernel := x.kernel
	if kernel == nil {
		kernel = clock.System{}
	}
	wall := clock.New(kernel, d.queue, cfg.Clock.Trust == config.Always, log)
	taps := make(chan device.Tap, 64) // a shift's start while the disk is slow
	source, chip := readerSource(cfg)
	d.chip = chip
	rd := reader.New(source, readerOptions(cfg), taps, log)
	compare := &roster.Sync{
		Roster: badges, Directory: api, Numbers: cfg.Roster.Numbers, Log: log,
		Tapped: func() func(device.UID) bool { return admin.Tapped(d.queue) },
		Done:   func(m roster.Merged) { d.clock.Synced("", m, nil) },
	}
	if cfg.Roster.Zeitstrom {
		compare.Every = cfg.Roster.Every
	}
	enrol := roster.NewEnrolment(badges)
	d.clock = &admin.Clock{
		Version: theVersion(), Roster: badges, Sync: compare, Enrol: enrol, Queue: d.queue, Reader: rd, Uplink: up, API: api, Clock: wall,
		Style: style, Rules: rules, Settings: cfg.Settings(), Refused: x.settings, Log: x.tail,
		AdminAPI: func(token string) (*zeitstrom.Client, error) { return adminClient(cfg, token) },
		Backlog:  &admin.Backlog{Pending: func() int { return d.queue.Stats().Pending }},
	}
	d.disk.clock, d.clock.Salvage = d.clock, d.disk.salvage
	if d.disk.recovery != nil {
		d.clock.Noticed(d.disk.recovery.notice())
	}
	if x.tail == nil {
		d.clock.Log = func() []string { return nil }
	}
	shown := append(panels(cfg), x.panels...)
	if cfg.Web.Listen != "" {
		if d.page, err = web.New(web.Options{Listen: cfg.Web.Listen, CertFile: cfg.Web.CertFile, KeyFile: cfg.Web.KeyFile, StateDir: cfg.StateDir}, d.clock, log); err != nil {
			return d, err
		}
		d.clock.Page = d.page
		shown = append(shown, d.page)
		d.tasks = append(d.tasks, d.page)
	}

	screens := append(audience{}, x.screens...)
	care := display.Care{AnswerTime: cfg.Display.AnswerTime, DimHours: cfg.Display.DimHours, OffAfter: cfg.Display.OffAfter}
	show := display.New(style, care, d.facts, log, shown...)
	pins, missing := signalPins(cfg)
	if missing != nil {
		log.Error("sound and light are not whole, the clock goes on without", "error", missing)
	}
	signal := display.NewSignal(pins, missing, cfg.Signal.QuietHours, cfg.Clock.Zone, log)
	d.clock.Display, d.clock.Signal = show, signal
	screens = append(screens, show, signal)
	if cfg.Monitor.Listen != "" {
		watch := newMonitor(cfg, d.clock, log)
		screens = append(screens, watch)
		d.tasks = append(d.tasks, watch)
	}
	if chip != nil { // the last: whoever brings a badge gets the answer when all have it
		hand := newHand(chip, rd)
		d.clock.Bring = hand.Bring
		screens = append(screens, hand)
	}
	terminal := &device.Terminal{
		Roster: badges, Queue: d.queue, Clock: wall, Elsewhere: up, Office: enrol, Field: rd, Screen: screens,
		Rules: rules, Log: log, Taps: taps,
	}
	if d.server, err = admin.Listen(cfg.StateDir, d.clock, log); err != nil {
		log.Error("no command reaches this clock", "error", err) // it does its work
		err = nil
	} else {
		d.tasks = append(d.tasks, d.server)
	}
	check := examination{cfg, doctor.Host{}, d.clock}
	d.clock.Examine = check.whole
	d.clock.BookOrphans()
	life := &watchdog{[]part{{"reader", rd.Alive}, {"terminal", terminal.Alive}, {"queue", answers(func() { d.queue.Stats() })}, {"uplink", up.Alive}}, d.clock.Status, log}
	d.clock.Hanging = life.hanging
	d.tasks = append(d.tasks, life, startCheck{check, log}, rd, terminal, show, signal, up, wall, compare, d.clock.Backlog, d.disk,
		&housekeeping{d.queue, snapshotPath(cfg), time.Duration(cfg.Journal.KeepDays) * 24 * time.Hour, log})
	return d, nil
}

// Run runs every task until ctx ends or one of them fails.
func (d *daemon) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range d.tasks {
		group.Go(func() error {
			if err := t.Run(ctx); err != nil {
				return fmt.Errorf("%s: %w", t, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// Close gives everything back.
func (d *daemon) Close() {
	if d.disk == nil {
		return
	}
	if err := d.disk.Close(); err != nil {
		d.log.Error("not closed", "error", err)
	}
}

// showCheck is how long the idle screen tells what an examination has found.
const showCheck = time.Minute

// facts is what the idle screen tells.
func (d *daemon) facts() display.Facts {
	h, u, q := d.clock.Reader.Health(), d.clock.Uplink.Status(), d.queue.Stats()
	enrol, _ := d.clock.Enrol.State()
	code, fingerprint := "", ""
	if d.page != nil {
		code, fingerprint = d.page.Code(), d.page.Fingerprint()
	}
	x := d.clock.Examination()
	return display.Facts{
		Pair: code, Fingerprint: fingerprint,
		Checked: !x.At.IsZero() && time.Since(x.At) < showCheck, Faults: doctor.Count(x.Findings, doctor.Fail),
		Enrols: enrol.Waiting, NewOwner: enrol.For.Name,
		ReaderBroken: h.Problem != "",
		Offline:      u.Problem != "",
		Token:        u.Token,
		BadgesLost:   !d.clock.Roster.Whole(),
		OldSettings:  d.clock.Refused != "",
		NoTime:       !d.clock.Clock.Trust().Trusted,
		Pending:      q.Pending,
		DiskBroken:   q.Problem != "",
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

// adminClient reaches the API by a token that somebody has brought, or by the
// company's.
func adminClient(cfg config.Config, token string) (*zeitstrom.Client, error) {
	z := cfg.Zeitstrom
	if token == "" && z.AdminTokenFile == "" {
		return nil, admin.ErrNoAdminToken
	}
	return zeitstrom.New(zeitstrom.Config{URL: z.URL, TokenFile: z.AdminTokenFile, Secret: token, CAFile: z.CAFile, Timeout: z.Timeout}), nil
}

// rulesOf is what the company wants of its clock.
func rulesOf(cfg config.Config) device.Rules {
	t := cfg.Terminal
	return device.Rules{Zone: cfg.Clock.Zone, Lockout: t.Lockout, LongestShift: t.LongestShift, Ask: t.Ask, SecondThoughts: t.SecondThoughts}
}

// audience shows each answer to several.
type audience []device.Screen

func (a audience) Show(o device.Outcome) {
	for _, s := range a {
		s.Show(o)
	}
}
