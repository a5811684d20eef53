package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/config"
	"timeclock/device/control"
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
	state *stateDir
	clock *control.Clock
	queue *queue.Store
	chip  *mfrc522test.Chip // of the simulated reader; nil with a real one
	tasks []task
	log   *slog.Logger
}

// extras are what a demo adds to a clock.
type extras struct {
	screens []device.Screen
	panels  []display.Panel
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
	if d.state, err = openState(cfg); err != nil {
		return d, err
	}
	var notice string
	if d.queue, notice, err = openQueue(ctx, cfg, log); err != nil {
		return d, err
	}
	badges, err := roster.Open(rosterPath(cfg))
	if err != nil {
		return d, err
	}
	api, err := zeitstrom.New(zeitstrom.Config{
		URL:       cfg.Zeitstrom.URL,
		TokenFile: cfg.Zeitstrom.TokenFile,
		CAFile:    cfg.Zeitstrom.CAFile,
		Timeout:   cfg.Zeitstrom.Timeout,
	})
	if err != nil {
		return d, err
	}
	up := uplink.New(d.queue, api, cfg.Uplink.Settle, log)
	taps := make(chan device.Tap, 64) // a shift's start while the disk is slow
	source, chip := readerSource(cfg)
	d.chip = chip
	rd := reader.New(source, readerOptions(cfg), taps, log)
	d.clock = &control.Clock{Version: theVersion(), Roster: badges, Queue: d.queue, Reader: rd, Uplink: up, Trust: trust(cfg), Lockout: cfg.Terminal.Lockout, Notice: notice}

	screens := append(audience{}, x.screens...)
	if chip != nil {
		hand := newHand(chip, rd)
		d.clock.Bring = hand.Bring
		screens = append(screens, hand)
	}
	show := display.New(d.facts, cfg.Display.AnswerTime, log, append(panels(cfg), x.panels...)...)
	screens = append(screens, show)
	terminal := &device.Terminal{Roster: badges, Queue: d.queue, Screen: screens, Lockout: cfg.Terminal.Lockout, Log: log, Taps: taps}
	server, err := control.Listen(filepath.Join(cfg.StateDir, control.SocketName), d.clock, log)
	if err != nil {
		return d, err
	}
	d.tasks = []task{rd, terminal, show, up, server, &housekeeping{d.queue, snapshotPath(cfg), time.Duration(cfg.Journal.KeepDays) * 24 * time.Hour, log}}
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
	if d.queue != nil {
		if err := d.queue.Close(); err != nil {
			d.log.Error("queue not closed", "error", err)
		}
	}
	if d.state != nil {
		d.state.Close()
	}
}

// facts is what the idle screen tells.
func (d *daemon) facts() display.Facts {
	h, u, q := d.clock.Reader.Health(), d.clock.Uplink.Status(), d.queue.Stats()
	return display.Facts{
		ReaderBroken: h.Problem != "",
		Offline:      !u.Online && u.Problem != "",
		Pending:      q.Pending,
		DiskBroken:   q.Problem != "",
	}
}

// trust says when the system clock is believed. With a simulated reader it is
// the clock of a computer that somebody sits at.
func trust(cfg config.Config) func() clock.Trust {
	if cfg.Clock.Trust == "always" || cfg.Reader.Driver == config.Simulated {
		return func() clock.Trust { return clock.Always }
	}
	return clock.Kernel
}

// audience shows each answer to several.
type audience []device.Screen

func (a audience) Show(o device.Outcome) {
	for _, s := range a {
		s.Show(o)
	}
}
