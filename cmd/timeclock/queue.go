package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/clock"
)

var queueList = command{
	name: "queue list", help: "list what Zeitstrom does not have yet; -all: the newest of all",
	flags: func(f *flags) action {
		asJSON, all := f.json(), f.truth("all", "also what was delivered, newest first")
		projects := f.truth("projects", "those whose projects Zeitstrom does not have yet")
		return func(ctx context.Context, c *call) error {
			return c.list(ctx, admin.Which{All: *all, Projects: *projects}, *asJSON)
		}
	},
}

func (c *call) list(ctx context.Context, which admin.Which, asJSON bool) error {
	punches, err := ask(ctx, c, admin.DoPunches, which)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(c.stdout).Encode(punches)
	}
	if len(punches) == 0 && which.Projects {
		_, err := fmt.Fprintln(c.stdout, "Zeitstrom has the project of every booking that it has.")
		return err
	} else if len(punches) == 0 && !which.All {
		fmt.Fprintln(c.stdout, "Zeitstrom has every booking.")
	} else if err := printPunches(c.stdout, punches...); err != nil {
		return err
	}
	s, err := ask(ctx, c, admin.DoStatus, admin.None{})
	if err != nil {
		return err
	}
	if len(s.Wrong) > 0 {
		fmt.Fprintf(c.stdout, "These have a wrong time, as later ones show, and are to be corrected at Zeitstrom: %s\n",
			listed(s.Wrong))
	}
	for _, skew := range s.Uplink.Skews {
		fmt.Fprintln(c.stdout, skewText(skew))
	}
	return nil
}

func printPunches(to io.Writer, punches ...admin.Punch) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PUNCH\tTIME\tINTENT\tSTATE\tEMPLOYEE\tNAME\tREASON")
	for _, p := range punches {
		at, reason := p.Time.Local().Format(time.DateTime), p.Reason
		if p.Uncertain {
			at, reason = "?", reason+bounds(p)
		}
		if detail := detailText(p); detail != "" {
			reason = strings.TrimPrefix(reason+"; "+detail, "; ")
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, at, p.Intent, p.State, p.Employee, p.Name, reason)
	}
	return w.Flush()
}

// detailText says what was chosen for a punch; empty if nothing was.
func detailText(p admin.Punch) string {
	var parts []string
	switch {
	case p.Break:
		parts = append(parts, "break")
	case p.Function != "" && p.Function.Project() == "":
		parts = append(parts, "chosen: "+string(p.Function))
	}
	switch {
	case p.Project == "" || p.Break:
	case p.ProjectState == "":
		parts = append(parts, "project "+p.Project)
	default:
		parts = append(parts, fmt.Sprintf("project %s (%s)", p.Project, p.ProjectState))
	}
	if p.ProjectReason != "" {
		parts = append(parts, p.ProjectReason)
	}
	if len(p.Hints) > 0 {
		parts = append(parts, "hints: "+strings.Join(p.Hints, ", "))
	}
	return strings.Join(parts, "; ")
}

var queueHints = command{
	name: "queue hints", help: "list the bookings of two months with hints on breaks and rest ([terminal] hints)",
	flags: func(f *flags) action {
		asJSON := f.json()
		return func(ctx context.Context, c *call) error {
			punches, err := ask(ctx, c, admin.DoHints, admin.None{})
			switch {
			case err != nil:
				return err
			case *asJSON:
				return json.NewEncoder(c.stdout).Encode(punches)
			case len(punches) == 0:
				_, err := fmt.Fprintln(c.stdout, "There are no hints.")
				return err
			}
			return printPunches(c.stdout, punches...)
		}
	},
}

// bounds says what is known of a time that is not certain.
func bounds(p admin.Punch) string {
	s := ""
	if p.NotBefore != nil {
		s += ", not before " + p.NotBefore.Local().Format(time.DateTime)
	}
	if p.NotAfter != nil {
		s += ", not after " + p.NotAfter.Local().Format(time.DateTime) + ": `timeclock queue time` sets it"
	}
	return s
}

var queueShow = command{
	name: "queue show", args: "PUNCH", help: "show one booking and what became of it",
	flags: onPunch(func(ctx context.Context, w admin.Route, id device.PunchID) (admin.Punch, error) {
		return admin.DoPunch.On(ctx, w, id)
	}),
}

var queueRetry = command{
	name: "queue retry", args: "PUNCH", help: "send a quarantined, held or ambiguous booking again",
	flags: onPunch(func(ctx context.Context, w admin.Route, id device.PunchID) (admin.Punch, error) {
		return admin.DoRetry.On(ctx, w, id)
	}),
}

var queueDrop = command{
	name: "queue drop", args: "PUNCH", help: "decide that such a booking is never sent; -reason TEXT says why",
	flags: func(f *flags) action {
		asJSON, reason := f.json(), f.text("reason", "", "`why`, kept with the booking")
		return func(ctx context.Context, c *call) error {
			if *reason == "" {
				return fmt.Errorf("%w: -reason is missing: why is this booking never to be sent? It is kept "+
					"with it", errUsage)
			}
			return c.decide(*asJSON, func(w admin.Route, id device.PunchID) (admin.Punch, error) {
				return admin.DoDrop.On(ctx, w, admin.Drop{Punch: id, Reason: *reason})
			})
		}
	},
}

// queueTime takes the time as local time, or in the form of RFC 3339.
var queueTime = command{
	name: "queue time", args: "PUNCH TIME", help: "give a booking its time that the clock could not know",
	flags: func(f *flags) action {
		asJSON := f.json()
		return func(ctx context.Context, c *call) error {
			cfg, err := c.load()
			if err != nil {
				return err
			}
			at, err := parseTime(c.args[1], cfg.Clock.Zone)
			if err != nil {
				return err
			}
			return c.decide(*asJSON, func(w admin.Route, id device.PunchID) (admin.Punch, error) {
				return admin.DoSetTime.On(ctx, w, admin.TimeOf{Punch: id, Time: at})
			})
		}
	},
}

// parseTime reads a time of the command line.
func parseTime(s string, zone *time.Location) (time.Time, error) {
	at, err := clock.ParseLocal(s, zone)
	if err != nil {
		err = fmt.Errorf("%w: %w", errUsage, err)
	}
	return at, err
}

// onPunch are the flags of a command about one punch, and what it does.
func onPunch(do func(context.Context, admin.Route, device.PunchID) (admin.Punch, error)) func(*flags) action {
	return func(f *flags) action {
		asJSON := f.json()
		return func(ctx context.Context, c *call) error {
			return c.decide(*asJSON,
				func(w admin.Route, id device.PunchID) (admin.Punch, error) { return do(ctx, w, id) })
		}
	}
}

// decide does something with the punch that the first argument names, and shows it.
func (c *call) decide(asJSON bool, do func(admin.Route, device.PunchID) (admin.Punch, error)) error {
	id, err := strconv.ParseUint(c.args[0], 10, 64)
	if err != nil {
		return fmt.Errorf("%w: a punch has a number: `timeclock queue list` shows them", errUsage)
	}
	clock, err := c.running()
	if err != nil {
		return err
	}
	p, err := do(clock, device.PunchID(id))
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(c.stdout).Encode(p)
	}
	return printPunches(c.stdout, p)
}

var queueOpen = command{
	name: "queue open", help: "list the days on which somebody did not check out",
	flags: func(f *flags) action {
		asJSON := f.json()
		return func(ctx context.Context, c *call) error { return c.openDays(ctx, *asJSON) }
	},
}

func (c *call) openDays(ctx context.Context, asJSON bool) error {
	days, err := ask(ctx, c, admin.DoOpenDays, admin.None{})
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(c.stdout).Encode(days)
	}
	if len(days) == 0 {
		_, err := fmt.Fprintln(c.stdout, "No day is open.")
		return err
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHECKED IN\tCAME AGAIN\tEMPLOYEE\tNAME\tAT ZEITSTROM")
	for _, d := range days {
		next, there := "not yet", "not asked"
		if d.Next != nil {
			next = d.Next.Local().Format(time.DateTime)
		}
		if d.Confirmed {
			there = "open: correct it there"
		}
		began := d.CheckIn.Local().Format(time.DateTime)
		if d.Break {
			began += " (break)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", began, next, d.Employee, d.Name, there)
	}
	return w.Flush()
}

var queueSalvage = command{
	name: "queue salvage",
	help: "recover a damaged queue file that could not be recovered by itself; -give-up sends without it",
	flags: func(f *flags) action {
		giveUp := f.truth("give-up", "leave the damaged file as it is, and send what was booked since")
		return func(ctx context.Context, c *call) error {
			if _, err := ask(ctx, c, admin.DoSalvage, *giveUp); err != nil {
				return err
			}
			text := "It is tried again: `timeclock status` says how far it is."
			if *giveUp {
				text = "It is given up; the damaged file is kept, and bookings are sent again."
			}
			_, err := fmt.Fprintln(c.stdout, text)
			return err
		}
	},
}
