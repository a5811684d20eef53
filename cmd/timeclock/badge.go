package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/roster"
)

func rosterPath(cfg config.Config) string { return filepath.Join(cfg.StateDir, "roster.csv") }

// withBadges does something with the badge map of the running clock, or with the file's if none
// runs.
func (c *call) withBadges(ctx context.Context, do func(admin.Route) error) error {
	w, done, err := c.either(ctx)
	if err != nil {
		return err
	}
	defer done()
	return do(w)
}

var badgeList = command{
	name: "badge list", help: "list the badge map",
	flags: func(f *flags) action {
		asJSON := f.json()
		return func(ctx context.Context, c *call) error {
			return c.withBadges(ctx, func(w admin.Route) error { return c.listBadges(ctx, w, *asJSON) })
		}
	},
}

// weaknesses are what a list says of badge numbers that prove less than others.
var weaknesses = map[device.Weakness]string{
	device.ShortUID: "4 bytes: easily copied", device.RandomUID: "changes at each tap",
}

func (c *call) listBadges(ctx context.Context, w admin.Route, asJSON bool) error {
	badges, err := admin.DoBadges.On(ctx, w, admin.None{})
	if err != nil {
		return err
	}
	if asJSON {
		type row struct {
			UID      string            `json:"uid"`
			Employee device.EmployeeID `json:"employee_id"`
			Name     string            `json:"name"`
			Blocked  bool              `json:"blocked"`
			From     string            `json:"from"`
			Until    string            `json:"until"`
			Origin   device.Origin     `json:"origin"`
		}
		rows := make([]row, len(badges))
		for i, b := range badges {
			rows[i] = row{b.UID.Hex(), b.Employee.ID, b.Employee.Name, b.Blocked, b.From, b.Until, b.Origin}
		}
		return json.NewEncoder(c.stdout).Encode(rows)
	}
	out := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "UID\tEMPLOYEE\tNAME\tFROM\tUNTIL\tGIVEN BY")
	for _, b := range badges {
		name := b.Employee.Name
		if b.Blocked {
			name += " (blocked)"
		}
		if weak := weaknesses[b.UID.Weakness()]; weak != "" {
			name += " (" + weak + ")"
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", b.UID.Hex(), b.Employee.ID, name, b.From, b.Until, b.Origin)
	}
	return out.Flush()
}

var badgeAdd = command{
	name: "badge add", args: "UID EMPLOYEE [NAME]",
	help: "give a badge to an employee; -claim: and book its taps so far",
	flags: func(f *flags) action {
		move := f.truth("move", "even if the badge belongs to somebody else")
		from := f.text("from", "", "the first `day` on which it may be used")
		until := f.text("until", "", "the last `day`")
		claim := f.truth("claim", "turn the taps that the badge has made so far into bookings")
		force := f.truth("force", "with -claim: even if the employee has later bookings")
		dry := f.truth("dry-run", "with -claim: only show the bookings")
		return func(ctx context.Context, c *call) error {
			b, err := c.badge(*from, *until)
			if err != nil {
				return err
			}
			if *claim {
				return c.claim(ctx, admin.Claim{Badge: b, Force: *force, Dry: *dry})
			}
			return c.withBadges(ctx, func(w admin.Route) error {
				action, err := admin.DoAddBadge.On(ctx, w, admin.NewBadge{Badge: b, Move: *move})
				return c.said(err, string(action), b.UID, b.Employee)
			})
		}
	},
}

// badge reads the badge that the arguments name.
func (c *call) badge(from, until string) (b device.Badge, err error) {
	if b.UID, err = device.ParseUID(c.args[0]); err != nil {
		return b, err
	}
	if b.Employee.ID, err = device.ParseEmployeeID(c.args[1]); err != nil {
		return b, err
	}
	if len(c.args) == 3 {
		b.Employee.Name = c.args[2]
	}
	b.From, b.Until = from, until
	return b, nil
}

// said says what became of a badge, unless that failed.
func (c *call) said(err error, what string, uid device.UID, e device.Employee) error {
	if err == nil {
		_, err = fmt.Fprintf(c.stdout, "%s: badge %s of %s %s\n", what, uid.Hex(), e.ID, e.Name)
	}
	return err
}

// claim shows which bookings a badge's taps become, and makes them.
func (c *call) claim(ctx context.Context, wish admin.Claim) error {
	plan, err := ask(ctx, c, admin.DoClaim, wish)
	if err != nil {
		return err
	}
	if !wish.Dry {
		if err := c.said(nil, "added", wish.Badge.UID, wish.Badge.Employee); err != nil {
			return err
		}
	}
	if len(plan) == 0 {
		_, err := fmt.Fprintln(c.stdout, "It has no unclaimed taps.")
		return err
	}
	return printPunches(c.stdout, plan...)
}

var badgeUnclaimed = command{
	name: "badge unclaimed", help: "list the badges that were tapped and belong to nobody",
	flags: func(f *flags) action {
		asJSON := f.json()
		return func(ctx context.Context, c *call) error { return c.listUnclaimed(ctx, *asJSON) }
	},
}

func (c *call) listUnclaimed(ctx context.Context, asJSON bool) error {
	all, err := ask(ctx, c, admin.DoUnclaimed, admin.None{})
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(c.stdout).Encode(all.Badges)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NO.\tUID\tTAPS\tNEWEST\tOLDEST")
	for _, b := range all.Badges {
		newest, oldest := b.Taps[0].Local().Format(time.DateTime), b.Taps[len(b.Taps)-1].Local().Format(time.DateTime)
		if b.Uncertain {
			newest, oldest = "?", "?"
		}
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\n", b.Claim, b.UID.Hex(), len(b.Taps), newest, oldest)
	}
	if err := w.Flush(); err != nil || all.Lost == 0 {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%d older taps had to go.\n", all.Lost)
	return err
}

var badgeRemove = command{
	name: "badge remove", args: "UID", help: "take a badge out of the map",
	flags: simple(func(ctx context.Context, c *call) error {
		return c.onBadge(ctx, "removed", func(w admin.Route, uid device.UID) (device.Employee, error) {
			return admin.DoRemoveBadge.On(ctx, w, admin.WholeUID{UID: uid})
		})
	}),
}

var badgeBlock = command{
	name: "badge block", args: "UID", help: "let a badge book nothing any more: it is lost, say",
	flags: simple(func(ctx context.Context, c *call) error {
		return c.onBadge(ctx, "blocked", func(w admin.Route, uid device.UID) (device.Employee, error) {
			return admin.DoBlockBadge.On(ctx, w, admin.Block{Badge: admin.WholeUID{UID: uid}, Blocked: true})
		})
	}),
}

var badgeUnblock = command{
	name: "badge unblock", args: "UID", help: "let it book again",
	flags: simple(func(ctx context.Context, c *call) error {
		return c.onBadge(ctx, "may be used again", func(w admin.Route, uid device.UID) (device.Employee, error) {
			return admin.DoBlockBadge.On(ctx, w, admin.Block{Badge: admin.WholeUID{UID: uid}})
		})
	}),
}

// onBadge does something with the badge that the argument names, and says whose it is.
func (c *call) onBadge(
	ctx context.Context, what string, do func(admin.Route, device.UID) (device.Employee, error),
) error {
	uid, err := device.ParseUID(c.args[0])
	if err != nil {
		return err
	}
	return c.withBadges(ctx, func(w admin.Route) error {
		owner, err := do(w, uid)
		return c.said(err, what, uid, owner)
	})
}

var badgeExplain = command{
	name: "badge explain", args: "NUMBER", help: "show what a badge number can mean",
	flags: simple(func(_ context.Context, c *call) error {
		readings := device.Explain(c.args[0])
		if len(readings) == 0 {
			return fmt.Errorf("%q is no badge number in any way that is known: those have 8, "+
				"14 or 20 hex digits, or are decimal", c.args[0])
		}
		w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "WRITTEN AS\tUID\t")
		for _, r := range readings {
			problem := ""
			if r.Problem != nil {
				problem = r.Problem.Error()
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.Numbers, r.UID.Hex(), problem)
		}
		return w.Flush()
	}),
}

var badgeExport = command{
	name: "badge export", help: "write the badge map as CSV",
	flags: simple(func(ctx context.Context, c *call) error {
		return c.withBadges(ctx, func(w admin.Route) error {
			all, err := admin.DoBadges.On(ctx, w, admin.None{})
			if err != nil {
				return err
			}
			for i, b := range all {
				all[i].Employee.Name = harmless(b.Employee.Name)[0]
			}
			return roster.Export(c.stdout, all)
		})
	}),
}
