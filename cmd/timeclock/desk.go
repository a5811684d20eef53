package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/sync/zeitstrom"
)

// desk is what the timespan commands work with.
type desk struct {
	*call
	*admin.Desk
	json bool
	zone *time.Location
}

// errNoAdmin refuses a change by a clock's own token.
var errNoAdmin = errors.New("this changes somebody's hours, for which a clock has no token: " +
	"name the file of an admin's with -token FILE, or in [zeitstrom] admin_token_file")

// onDesk is what a command does at a desk.
type onDesk func(context.Context, *desk) error

// What is done at a desk.
const (
	looks   = false
	changes = true // which takes an admin's token
)

// atDesk are the flags that every timespan command has, beside its own.
func atDesk(changes bool, declare func(*flags) onDesk) func(*flags) action {
	return func(f *flags) action {
		asJSON, token, why := f.json(), f.text("token", "", "the `file` of an admin's API token"), new(string)
		if changes {
			why = f.text("reason", "", "`why`, for this clock's journal")
		}
		do := declare(f)
		return func(ctx context.Context, c *call) error {
			d, err := c.desk(*token, changes)
			if err != nil {
				return err
			}
			d.json, d.Desk = *asJSON, d.Because(strings.TrimSpace(*why))
			return do(ctx, d)
		}
	}
}

// desk reaches the API: with an admin's token where there is one, without it only to look. The
// clock is told of what is changed.
func (c *call) desk(token string, changes bool) (*desk, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	if token = cmp.Or(token, cfg.Zeitstrom.AdminTokenFile); token == "" {
		if changes {
			return nil, errNoAdmin
		}
		token = cfg.Zeitstrom.TokenFile
	}
	tell := func(ctx context.Context, x admin.Correction) (pending int, err error) {
		err = c.withBadges(ctx, func(w admin.Route) error {
			pending, err = admin.DoCorrected.On(ctx, w, x)
			return err
		})
		if err != nil {
			fmt.Fprintf(c.stderr, "NOTICE: the clock could not be told of it: %v\n", err)
		}
		return pending, err
	}
	// It is read now: root goes on as the clock's user, who may not read an admin's file.
	secret, err := newClient(cfg, token).Token()
	if err != nil {
		return nil, err
	}
	api := clientBy(cfg, "", secret)
	return &desk{call: c, Desk: admin.NewDesk(api, cfg.Clock.Zone, tell), zone: cfg.Clock.Zone}, nil
}

// newClient reaches the API by the token of a file.
func newClient(cfg config.Config, file string) *zeitstrom.Client { return clientBy(cfg, file, "") }

// clientBy reaches the API by a token, or else by that of a file.
func clientBy(cfg config.Config, file, token string) *zeitstrom.Client {
	z := cfg.Zeitstrom
	return zeitstrom.New(zeitstrom.Config{
		URL: z.URL, TokenFile: file, Secret: token, CAFile: z.CAFile, Timeout: z.Timeout,
	})
}

// employee finds somebody by id, by name, or by one of their badges.
func (d *desk) employee(ctx context.Context, who string) (e device.EmployeeID, err error) {
	if id, err := device.ParseEmployeeID(who); err == nil {
		return id, nil
	}
	err = d.withBadges(ctx, func(w admin.Route) error {
		found, err := admin.DoEmployee.On(ctx, w, who)
		e = found.ID
		return err
	})
	return e, err
}

// badges are those of the badge map, if it can be read.
func (d *desk) badges(ctx context.Context) (all []device.Badge) {
	d.withBadges(ctx, func(w admin.Route) (err error) {
		all, err = admin.DoBadges.On(ctx, w, admin.None{})
		return err
	})
	return all
}

// day reads a date.
func (d *desk) day(s string, otherwise time.Time) (time.Time, error) {
	if s == "" {
		return otherwise, nil
	}
	for _, layout := range []string{time.DateOnly, "2.1.2006"} {
		if t, err := time.ParseInLocation(layout, s, d.zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: %q is no date: it looks like 2026-11-22", errUsage, s)
}

// instant reads a time of a flag; zero if it was not given and need not be.
func (d *desk) instant(name, s string, needed bool) (time.Time, error) {
	switch {
	case s != "":
		return parseTime(s, d.zone)
	case needed:
		return time.Time{}, fmt.Errorf("%w: %s is missing", errUsage, name)
	}
	return time.Time{}, nil
}

// done says what a correction has come to, and shows what is there now: what was
// made cannot be unmade by a failure to show it.
func (d *desk) done(done admin.Done, err error, show func() error) error {
	if err != nil {
		return err
	}
	if done.Pending > 0 {
		fmt.Fprintf(d.stderr, "Mind: this clock has %d bookings of this employee that Zeitstrom does not have "+
			"(timeclock queue list).\n", done.Pending)
	}
	if err := show(); err != nil {
		fmt.Fprintf(d.stderr, "Done, but it cannot be shown: %v\n", err)
	}
	return nil
}
