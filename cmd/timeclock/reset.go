package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"timeclock/cmd/internal/admin"
	"timeclock/device/config"
	"timeclock/queue"
)

var resetCommand = command{
	name: "reset", help: "factory reset: forget bookings and badges; -export FILE keeps the journal",
	flags: func(f *flags) action {
		export := f.text("export", "", "write the journal to this `file` (JSON Lines) first")
		sure := f.truth("yes", "really")
		return func(ctx context.Context, c *call) error { return c.reset(ctx, *export, *sure) }
	},
}

// reset forgets everything that the clock has stored. It refuses while a
// booking could be lost by that, unless the journal is exported first.
func (c *call) reset(ctx context.Context, export string, sure bool) error {
	if export != "" {
		var err error
		if export, err = filepath.Abs(export); err != nil {
			return err
		}
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	state, err := openState(cfg)
	if errors.Is(err, errHeld) {
		return fmt.Errorf("the clock is running: stop it first, with `systemctl stop timeclock`")
	}
	if err != nil {
		return err
	}
	defer state.Close()
	if err := c.mayReset(ctx, cfg, export); err != nil {
		return err
	}
	if !sure {
		return fmt.Errorf("this forgets all bookings and badges in %s: call it with -yes", cfg.StateDir)
	}
	// whoever had the clock has it no more
	for _, kind := range []string{
		"queue.db*", "roster.csv*", "functions.csv*", "employees.csv*", "accounts*", "logins*", "web-*",
	} {
		files, err := filepath.Glob(filepath.Join(cfg.StateDir, kind))
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := os.RemoveAll(f); err != nil {
				return err
			}
		}
	}
	_, err = fmt.Fprintln(c.stdout, "The clock has forgotten everything, accounts of its page included; "+
		"settings and token are as they were.")
	return err
}

// errRecovering says that nobody knows yet what there is.
var errRecovering = errors.New("a damaged queue file was not recovered to its end, so nobody knows what it holds: " +
	"start the clock, and wait until `timeclock status` says that it is")

func (c *call) mayReset(ctx context.Context, cfg config.Config, export string) error {
	if u, err := admin.ReadUnsent(cfg.StateDir); err == nil {
		return fmt.Errorf("%d bookings of %s wait here, and would be lost: take them over first, with "+
			"`timeclock restore -take-over`", len(u.Punches), u.Device)
	}
	if _, err := os.Stat(queuePath(cfg)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if readRecovery(cfg) != nil {
		return errRecovering
	}
	if err := checkQueue(ctx, queuePath(cfg)); err != nil {
		return fmt.Errorf("the queue file is damaged, so nobody knows what it holds; start the clock once, "+
			"it recovers what can be read: %w", err)
	}
	s, err := queue.Open(queuePath(cfg), nil)
	if err != nil {
		return err
	}
	defer s.Close()
	st := s.Stats()
	if st.Pending+st.Quarantined > 0 && export == "" {
		return fmt.Errorf("%d bookings are pending and %d quarantined, and would be lost: deliver them first, "+
			"or keep them with -export FILE", st.Pending, st.Quarantined)
	}
	if export == "" {
		return nil
	}
	f, err := os.OpenFile(export, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("nothing was reset: %w", err)
	}
	out := json.NewEncoder(f)
	err = s.Journal(func(e queue.JournalEntry) error { return out.Encode(admin.NewJournalLine(e)) })
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("nothing was reset, the export failed: %w", err)
	}
	_, err = fmt.Fprintf(c.stdout, "%s holds the journal.\n", export)
	return err
}

// undelivered prints how many bookings, and taps that may become some, Zeitstrom does
// not have, for the package's scripts: they run when the clock has stopped.
var undeliveredCommand = command{
	name: "undelivered", flags: simple(func(_ context.Context, c *call) error { return c.undelivered() }),
}

func (c *call) undelivered() error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if _, err := os.Stat(cfg.StateDir); errors.Is(err, os.ErrNotExist) {
		_, err = fmt.Fprintln(c.stdout, 0)
		return err
	}
	state, err := openState(cfg) // first: from here on it is not root who reads
	if err != nil {
		return err
	}
	defer state.Close()
	if readRecovery(cfg) != nil {
		return errRecovering
	}
	old, err := admin.ReadUnsent(cfg.StateDir)
	if err != nil && !errors.Is(err, admin.ErrNothingUnsent) {
		return err
	}
	if _, err := os.Stat(queuePath(cfg)); errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(snapshotPath(cfg)); err == nil {
			return fmt.Errorf("%s is gone, what it had is in %s as far as it goes: start the clock once",
				queuePath(cfg), snapshotPath(cfg))
		}
		_, err = fmt.Fprintln(c.stdout, len(old.Punches))
		return err
	}
	s, err := queue.Open(queuePath(cfg), nil)
	if err != nil {
		return err
	}
	defer s.Close()
	st := s.Stats()
	taps, _ := s.Unclaimed()
	_, err = fmt.Fprintln(c.stdout, st.Pending+st.Quarantined+len(taps)+len(old.Punches))
	return err
}
