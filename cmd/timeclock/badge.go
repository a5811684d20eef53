package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/sheet"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/roster"
)

func rosterPath(cfg config.Config) string { return filepath.Join(cfg.StateDir, "roster.csv") }

// projectsPath is where the projects are kept that Zeitstrom has listed.
func projectsPath(cfg config.Config) string { return filepath.Join(cfg.StateDir, "projects.json") }

// peoplePath is where the employees are kept that Zeitstrom has listed.
func peoplePath(cfg config.Config) string { return filepath.Join(cfg.StateDir, "employees.csv") }

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
			Number   string            `json:"personnel_number,omitempty"`
		}
		rows := make([]row, len(badges))
		for i, b := range badges {
			e := b.Employee
			rows[i] = row{b.UID.Hex(), e.ID, e.Name, b.Blocked, b.From, b.Until, b.Origin, e.Number}
		}
		return json.NewEncoder(c.stdout).Encode(rows)
	}
	numbered := slices.ContainsFunc(badges, func(b device.Badge) bool { return b.Employee.Number != "" })
	out := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	line := func(number string, fields ...string) {
		if numbered { // a company without personnel numbers needs no column for them
			fields = append(fields, number)
		}
		fmt.Fprintln(out, strings.Join(fields, "\t"))
	}
	line("NUMBER", "UID", "EMPLOYEE", "NAME", "FROM", "UNTIL", "GIVEN BY")
	for _, b := range badges {
		name := b.Employee.Name
		if b.Blocked {
			name += " (blocked)"
		}
		if weak := weaknesses[b.UID.Weakness()]; weak != "" {
			name += " (" + weak + ")"
		}
		line(b.Employee.Number, b.UID.Hex(), string(b.Employee.ID), name, b.From, b.Until, string(b.Origin))
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
			uid, err := device.ParseUID(c.args[0])
			if err != nil {
				return err
			}
			b := device.Badge{UID: uid, From: *from, Until: *until}
			if *claim {
				clock, err := c.running()
				if err == nil {
					b.Employee, err = c.employee(ctx, clock)
				}
				if err != nil {
					return err
				}
				return c.claim(ctx, admin.Claim{Badge: b, Force: *force, Dry: *dry})
			}
			return c.withBadges(ctx, func(w admin.Route) (err error) {
				if b.Employee, err = c.employee(ctx, w); err != nil {
					return err
				}
				action, err := admin.DoAddBadge.On(ctx, w, admin.NewBadge{Badge: b, Move: *move})
				return c.said(err, string(action), b.UID, b.Employee)
			})
		}
	},
}

// employee finds the employee whom the second argument names; a third is what they are called.
func (c *call) employee(ctx context.Context, w admin.Route) (device.Employee, error) {
	e, err := admin.DoEmployee.On(ctx, w, c.args[1])
	if err == nil && len(c.args) == 3 {
		e.Name, e.LastName = c.args[2], ""
	}
	return e, err
}

// badgePeople looks employees up, as every command that takes one does.
var badgePeople = command{
	name: "badge people", args: "[WORDS...]", help: "find employees by parts of names, personnel number or external id",
	flags: func(f *flags) action {
		asJSON := f.json()
		return func(ctx context.Context, c *call) error {
			return c.withBadges(ctx, func(w admin.Route) error { return c.findPeople(ctx, w, *asJSON) })
		}
	},
}

func (c *call) findPeople(ctx context.Context, w admin.Route, asJSON bool) error {
	const most = 100
	found, err := admin.DoFindPeople.On(ctx, w, admin.Lookup{Words: strings.Join(c.args, " "), Most: most})
	if err != nil {
		return err
	}
	if found.Problem != "" {
		fmt.Fprintf(c.stderr, "NOTICE: Zeitstrom could not be asked for the employees: %s\n", found.Problem)
	}
	if asJSON {
		type row struct {
			Employee device.EmployeeID `json:"employee_id"`
			Name     string            `json:"name"`
			Number   string            `json:"personnel_number"`
			External string            `json:"external_id"`
			Badges   int               `json:"badges"`
		}
		rows := make([]row, len(found.People))
		for i, p := range found.People {
			rows[i] = row{p.ID, p.Name, p.Number, p.External, p.Badges}
		}
		return json.NewEncoder(c.stdout).Encode(rows)
	}
	out := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "NAME\tNUMBER\tEXTERNAL ID\tBADGES\tEMPLOYEE")
	for _, p := range found.People {
		fmt.Fprintf(out, "%s\t%s\t%s\t%d\t%s\n", p.Listed(), p.Number, p.External, p.Badges, p.ID)
	}
	if err := out.Flush(); err != nil || found.More == 0 {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "and %d more\n", found.More)
	return err
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
			b, err := admin.DoRemoveBadge.On(ctx, w, admin.WholeUID{UID: uid})
			return b.Employee, err
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
			for i := range all {
				e := &all[i].Employee
				safe := sheet.Harmless(e.Name, e.LastName, e.Number)
				e.Name, e.LastName, e.Number = safe[0], safe[1], safe[2]
			}
			return roster.Export(c.stdout, all)
		})
	}),
}
