package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/clock"
)

func queueList(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	punches, err := client.Punches(c.all)
	if err != nil {
		return err
	}
	if c.json {
		return json.NewEncoder(c.stdout).Encode(punches)
	}
	if len(punches) == 0 && !c.all {
		fmt.Fprintln(c.stdout, "Zeitstrom has every booking.")
	} else if err := printPunches(c.stdout, punches...); err != nil {
		return err
	}
	s, err := client.Status()
	if err != nil {
		return err
	}
	if len(s.Wrong) > 0 {
		fmt.Fprintf(c.stdout, "These have a wrong time, as later ones show, and are to be corrected at Zeitstrom: %s\n", listed(s.Wrong))
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
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, at, p.Intent, p.State, p.Employee, p.Name, reason)
	}
	return w.Flush()
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

func queueShow(ctx context.Context, c *call) error {
	return c.aboutPunch(ctx, (*admin.Client).Punch)
}

func queueRetry(ctx context.Context, c *call) error {
	return c.aboutPunch(ctx, (*admin.Client).Retry)
}

func queueDrop(ctx context.Context, c *call) error {
	if c.reason == "" {
		return fmt.Errorf("%w: -reason is missing: why is this booking never to be sent? It is kept with it", errUsage)
	}
	return c.aboutPunch(ctx, func(client *admin.Client, id device.PunchID) (admin.Punch, error) {
		return client.Drop(id, c.reason)
	})
}

// queueTime takes the time as local time, or in the form of RFC 3339.
func queueTime(ctx context.Context, c *call) error {
	if err := c.want(2, 2); err != nil {
		return err
	}
	cfg, err := loadConfig(c.config)
	if err != nil {
		return err
	}
	at, err := parseTime(c.args[1], cfg.Clock.Zone)
	if err != nil {
		return err
	}
	c.args = c.args[:1]
	return c.aboutPunch(ctx, func(client *admin.Client, id device.PunchID) (admin.Punch, error) {
		return client.SetTime(id, at)
	})
}

// parseTime reads a time of the command line.
func parseTime(s string, zone *time.Location) (time.Time, error) {
	at, err := clock.ParseLocal(s, zone)
	if err != nil {
		err = fmt.Errorf("%w: %w", errUsage, err)
	}
	return at, err
}

func queueOpen(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	days, err := client.OpenDays()
	if err != nil {
		return err
	}
	if c.json {
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
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.CheckIn.Local().Format(time.DateTime), next, d.Employee, d.Name, there)
	}
	return w.Flush()
}

// aboutPunch does something with the punch that the argument names, and shows it.
func (c *call) aboutPunch(ctx context.Context, do func(*admin.Client, device.PunchID) (admin.Punch, error)) error {
	if err := c.want(1, 1); err != nil {
		return err
	}
	id, err := strconv.ParseUint(c.args[0], 10, 64)
	if err != nil {
		return fmt.Errorf("%w: a punch has a number: `timeclock queue list` shows them", errUsage)
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	p, err := do(client, device.PunchID(id))
	if err != nil {
		return err
	}
	if c.json {
		return json.NewEncoder(c.stdout).Encode(p)
	}
	return printPunches(c.stdout, p)
}
