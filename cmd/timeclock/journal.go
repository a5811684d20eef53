package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/sheet"
)

var queueVerify = command{
	name: "queue verify", help: "check that nobody has changed the journal",
	flags: simple(func(ctx context.Context, c *call) error {
		n, err := ask(ctx, c, admin.DoVerifyJournal, admin.None{})
		if err != nil {
			return err
		}
		s, err := ask(ctx, c, admin.DoStatus, admin.None{})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "The journal is whole: %d entries, hash %s\n", n, s.Journal)
		return err
	}),
}

var queueExport = command{
	name: "queue export", help: "write the whole journal, for a labour inspection; -format csv or jsonl",
	flags: func(f *flags) action {
		format := f.text("format", "csv", "csv or jsonl")
		return func(ctx context.Context, c *call) error {
			clock, err := c.running()
			if err != nil {
				return err
			}
			switch *format {
			case "jsonl":
				out := json.NewEncoder(c.stdout)
				return clock.Journal(ctx, func(l admin.JournalLine) error { return out.Encode(l) })
			case "csv":
				return c.exportCSV(ctx, clock)
			}
			return fmt.Errorf("%w: -format %q: use csv or jsonl", errUsage, *format)
		}
	},
}

// columns are those of an exported journal.
var columns = []string{
	"punch_id", "employee_id", "intent", "time", "state", "exception", "why", "hash", "raw_time", "uncertain",
	"known_from", "known_intent", "known_time", "zeitstrom_silent", "by", "break", "project", "function", "hints",
}

func (c *call) exportCSV(ctx context.Context, clock admin.Route) error {
	out := csv.NewWriter(c.stdout)
	out.Write(columns)
	err := clock.Journal(ctx, func(l admin.JournalLine) error {
		return out.Write(sheet.Harmless(
			l.Punch.String(), string(l.Employee), string(l.Intent), l.Time.UTC().Format(time.RFC3339),
			string(l.State), string(l.Kind), l.Reason, l.Hash, instant(l.Raw), truth(l.Uncertain),
			string(l.Source), string(l.Basis.Intent), instant(l.Basis.Time), truth(l.Silent), l.By,
			truth(l.Break), l.Project, string(l.Function), strings.Join(l.Hints, " "),
		))
	})
	out.Flush()
	return errors.Join(err, out.Error())
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
