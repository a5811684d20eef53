package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device/config"
	"timeclock/queue"
)

func queueVerify(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	n, err := client.VerifyJournal()
	if err != nil {
		return err
	}
	s, err := client.Status()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "The journal is whole: %d entries, hash %s\n", n, s.Journal)
	return err
}

func queueExport(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	switch c.format {
	case "jsonl":
		out := json.NewEncoder(c.stdout)
		return client.Journal(func(l admin.JournalLine) error { return out.Encode(l) })
	case "csv":
		out := csv.NewWriter(c.stdout)
		out.Write([]string{"punch_id", "employee_id", "intent", "time", "state", "exception", "why", "hash", "raw_time", "uncertain", "known_from", "known_intent", "known_time", "zeitstrom_silent", "by"})
		err := client.Journal(func(l admin.JournalLine) error {
			return out.Write(harmless(
				l.Punch.String(), string(l.Employee), string(l.Intent), l.Time.UTC().Format(time.RFC3339),
				string(l.State), string(l.What), l.Why, l.Hash,
				instant(l.Raw), truth(l.Uncertain), string(l.Source), string(l.Basis.Intent), instant(l.Basis.Time), truth(l.Silent), l.By,
			))
		})
		out.Flush()
		return errors.Join(err, out.Error())
	}
	return fmt.Errorf("%w: -format %q: use csv or jsonl", errUsage, c.format)
}

func instant(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func truth(yes bool) string {
	if yes {
		return "yes"
	}
	return ""
}

// harmless keeps a spreadsheet from taking foreign words for a formula, in any column.
func harmless(fields ...string) []string {
	for i, f := range fields {
		if f != "" && strings.ContainsRune("=+-@\t\r", rune(f[0])) { // OWASP, "CSV Injection"
			fields[i] = "'" + f
		}
	}
	return fields
}

// runReset forgets everything that the clock has stored. It refuses while a
// booking could be lost by that, unless the journal is exported first.
func runReset(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	export := c.export
	if export != "" {
		var err error
		if export, err = filepath.Abs(export); err != nil {
			return err
		}
	}
	cfg, err := loadConfig(c.config)
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
	if !c.yes {
		return fmt.Errorf("this forgets all bookings and badges in %s: call it with -yes", cfg.StateDir)
	}
	for _, kind := range []string{"queue.db*", "roster.csv*", "accounts*", "logins*", "web-*"} { // whoever had the clock has it no more
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
	_, err = fmt.Fprintln(c.stdout, "The clock has forgotten everything, accounts of its page included; settings and token are as they were.")
	return err
}

// errRecovering says that nobody knows yet what there is.
var errRecovering = errors.New("a damaged queue file was not recovered to its end, so nobody knows what it holds: " +
	"start the clock, and wait until `timeclock status` says that it is")

func (c *call) mayReset(ctx context.Context, cfg config.Config, export string) error {
	if _, err := os.Stat(queuePath(cfg)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if readRecovery(cfg) != nil {
		return errRecovering
	}
	if err := checkQueue(ctx, queuePath(cfg)); err != nil {
		return fmt.Errorf("the queue file is damaged, so nobody knows what it holds; start the clock once, it recovers what can be read: %w", err)
	}
	s, err := queue.Open(queuePath(cfg), nil)
	if err != nil {
		return err
	}
	defer s.Close()
	st := s.Stats()
	if st.Pending+st.Quarantined > 0 && export == "" {
		return fmt.Errorf("%d bookings are pending and %d quarantined, and would be lost: deliver them first, or keep them with -export FILE", st.Pending, st.Quarantined)
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
func undelivered(_ context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	cfg, err := loadConfig(c.config)
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
	if _, err := os.Stat(queuePath(cfg)); errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(snapshotPath(cfg)); err == nil {
			return fmt.Errorf("%s is gone, what it had is in %s as far as it goes: start the clock once", queuePath(cfg), snapshotPath(cfg))
		}
		_, err = fmt.Fprintln(c.stdout, 0)
		return err
	}
	s, err := queue.Open(queuePath(cfg), nil)
	if err != nil {
		return err
	}
	defer s.Close()
	st := s.Stats()
	taps, _ := s.Unclaimed()
	_, err = fmt.Fprintln(c.stdout, st.Pending+st.Quarantined+len(taps))
	return err
}
