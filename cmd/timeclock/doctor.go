package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device/clock"
	"timeclock/device/config"
	"timeclock/device/doctor"
)

// doctorCommand examines everything: the running clock does, or this process in its place.
var doctorCommand = command{
	name: "doctor", help: "examine device, network, token and bookings, and say what to do",
	flags: func(f *flags) action {
		asJSON := f.json()
		bench := f.truth("bench", "lead through display, light, sound and a tap, "+
			"and write a report for the delivery note")
		report := f.text("report", "", "with -bench: the report's `name`, without .json and .txt")
		return func(ctx context.Context, c *call) error {
			cfg, err := c.load()
			if err != nil {
				return err
			}
			if *bench {
				return c.bench(ctx, cfg, *report)
			}
			return c.examine(ctx, cfg, *asJSON)
		}
	},
}

func (c *call) examine(ctx context.Context, cfg config.Config, asJSON bool) error {
	clock, stop, err := anyClock(ctx, cfg)
	if err != nil {
		return err
	}
	defer stop()
	x, err := admin.DoExamine.On(ctx, clock, admin.None{})
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(c.stdout).Encode(x)
	} else {
		err = printFindings(c.stdout, x)
	}
	if err == nil && x.Verdict == doctor.Fail {
		return errSaid
	}
	return err
}

// lookTime is what reader and display get to show whether they work.
const lookTime = 3 * time.Second

// anyClock reaches the running clock. If there is none it wires one that books and
// sends nothing, for as long as the command takes.
func anyClock(ctx context.Context, cfg config.Config) (w admin.Route, stop func(), err error) {
	switch runs, err := isRunning(ctx, cfg); {
	case err != nil:
		return nil, nil, err
	case runs:
		return admin.Dial(cfg.StateDir), func() {}, nil
	}
	d, done, err := wire(ctx, &cfg)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { d.rooms.Reader.Run(ctx) })
	parts.Go(func() { d.rooms.Display.Run(ctx) })
	parts.Go(func() { d.rooms.Signal.Run(ctx) })
	for end := time.Now().Add(lookTime); time.Now().Before(end) && !d.rooms.Reader.Health().Healthy; {
		time.Sleep(20 * time.Millisecond)
	}
	return d.admin, func() { cancel(); parts.Wait(); done() }, nil
}

// wire wires a clock that does not run. Where there was none before it leaves nothing,
// least of all files that the clock to come may not read.
func wire(ctx context.Context, cfg *config.Config) (c *clockwork, done func(), err error) {
	remove := func() {}
	if _, err := os.Stat(cfg.StateDir); errors.Is(err, fs.ErrNotExist) {
		dir, err := os.MkdirTemp("", "timeclock-")
		if err != nil {
			return nil, nil, err
		}
		cfg.StateDir, remove = dir, func() { os.RemoveAll(dir) }
	}
	log := slog.New(slog.DiscardHandler)
	d, err := openDisk(ctx, *cfg, log)
	if err == nil {
		c, err = newClock(clock.System{}, *cfg, d, log, extras{})
	}
	if err != nil {
		d.Close()
		remove()
		return nil, nil, err
	}
	return c, func() { d.Close(); remove() }, nil
}

// printFindings shows what was found, the graver the easier to see.
func printFindings(w io.Writer, x admin.Examination) error {
	words := map[doctor.Verdict]string{doctor.OK: "ok", doctor.Warn: "WARN", doctor.Fail: "FAIL"}
	for _, f := range x.Findings {
		fmt.Fprintf(w, "%-5s %-12s %s\n", words[f.Verdict], f.Check, f.Found)
		if f.Do != "" {
			fmt.Fprintf(w, "%-5s %-12s → %s\n", "", "", f.Do)
		}
	}
	_, err := fmt.Fprintf(w, "\n%d faults, %d warnings\n", doctor.Count(x.Findings, doctor.Fail),
		doctor.Count(x.Findings, doctor.Warn))
	return err
}
