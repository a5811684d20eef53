package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
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
	zone *time.Location
}

// errNoAdmin refuses a change by a clock's own token.
var errNoAdmin = errors.New("this changes somebody's hours, for which a clock has no token: name the file of an admin's with -token FILE, or in [zeitstrom] admin_token_file")

// desk checks the number of arguments and reaches the API: with an admin's token
// where there is one, without it only to look.
func (c *call) desk(ctx context.Context, changes bool, least, most int) (*desk, error) {
	if err := c.want(least, most); err != nil {
		return nil, err
	}
	cfg, err := loadConfig(c.config)
	if err != nil {
		return nil, err
	}
	token := cmp.Or(c.token, cfg.Zeitstrom.AdminTokenFile)
	if token == "" {
		if changes {
			return nil, errNoAdmin
		}
		token = cfg.Zeitstrom.TokenFile
	}
	api := newClient(cfg, token)
	return &desk{c, admin.Dial(ctx, cfg.StateDir).Desk(api), cfg.Clock.Zone}, nil
}

func newClient(cfg config.Config, token string) *zeitstrom.Client {
	return zeitstrom.New(zeitstrom.Config{URL: cfg.Zeitstrom.URL, TokenFile: token, CAFile: cfg.Zeitstrom.CAFile, Timeout: cfg.Zeitstrom.Timeout})
}

// employee finds somebody by id, by name, or by one of their badges.
func (d *desk) employee(ctx context.Context, who string) (e device.EmployeeID, err error) {
	if id, err := device.ParseEmployeeID(who); err == nil {
		return id, nil
	}
	err = d.withBadges(ctx, func(badges admin.Badges) error {
		all, err := badges.List()
		if err != nil {
			return err
		}
		uid, noUID := device.ParseUID(who)
		found := map[device.EmployeeID]bool{}
		for _, b := range all {
			if noUID == nil && b.UID == uid || strings.EqualFold(b.Employee.Name, who) {
				found[b.Employee.ID], e = true, b.Employee.ID
			}
		}
		switch len(found) {
		case 0:
			return fmt.Errorf("nobody in the badge map has the name or the badge %q: give the employee's id", who)
		case 1:
			return nil
		}
		return fmt.Errorf("%d employees are called %q: give the employee's id", len(found), who)
	})
	return e, err
}

// names are those of the badge map, if it can be read.
func (d *desk) names(ctx context.Context) map[device.EmployeeID]string {
	names := map[device.EmployeeID]string{}
	d.withBadges(ctx, func(badges admin.Badges) error {
		all, err := badges.List()
		for _, b := range all {
			names[b.Employee.ID] = b.Employee.Name
		}
		return err
	})
	return names
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
	if s == "" {
		if needed {
			return time.Time{}, fmt.Errorf("%w: %s is missing", errUsage, name)
		}
		return time.Time{}, nil
	}
	return parseTime(s, d.zone)
}

// midnight is the beginning of a day.
func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

// findWorkday finds an employee's workday: by a timespan of that day, or by the number
// of one of their badges.
func (d *desk) findWorkday(ctx context.Context, e device.EmployeeID, day time.Time) (string, error) {
	var found []string
	for t, err := range d.nearby(ctx, e, day) {
		if err != nil {
			return "", err
		}
		if t.Workday != "" && t.CheckIn.In(d.zone).Format(time.DateOnly) == day.Format(time.DateOnly) && !slices.Contains(found, t.Workday) {
			found = append(found, t.Workday)
		}
	}
	switch len(found) {
	case 0:
	case 1:
		return found[0], nil
	default:
		return "", fmt.Errorf("%s has %d workdays on %s: say which with -workday", e, len(found), day.Format(time.DateOnly))
	}
	var uids []device.UID
	d.withBadges(ctx, func(badges admin.Badges) error {
		all, err := badges.List()
		for _, b := range all {
			if b.Employee.ID == e {
				uids = append(uids, b.UID)
			}
		}
		return err
	})
	for _, uid := range uids {
		days, err := d.API.Workdays(ctx, day, day, uid.Hex())
		if err != nil {
			return "", err
		}
		if len(days) == 1 && days[0].CheckIn.In(d.zone).Format(time.DateOnly) == day.Format(time.DateOnly) {
			return days[0].ID, nil
		}
	}
	return "", fmt.Errorf("no workday of %s is known on %s: say which with -workday (it stands in the address of the day at Zeitstrom)", e, day.Format(time.DateOnly))
}

// done says what a correction has come to, and shows what is there now: what was
// made cannot be unmade by a failure to show it.
func (d *desk) done(done admin.Done, err error, show func() error) error {
	if err != nil {
		return err
	}
	if done.Pending > 0 {
		fmt.Fprintf(d.stderr, "Mind: this clock has %d bookings of this employee that Zeitstrom does not have (timeclock queue list).\n", done.Pending)
	}
	if err := show(); err != nil {
		fmt.Fprintf(d.stderr, "Done, but it cannot be shown: %v\n", err)
	}
	return nil
}

// nearby lists an employee's timespans around an instant. In which zone days are cut
// at Zeitstrom is not known, so it is a day more on both sides.
func (d *desk) nearby(ctx context.Context, e device.EmployeeID, at time.Time) iter.Seq2[zeitstrom.Timespan, error] {
	return d.API.Timespans(ctx, zeitstrom.Filter{From: at.AddDate(0, 0, -1), To: at.AddDate(0, 0, 1), Employees: []device.EmployeeID{e}, Verbosity: "detail"})
}
