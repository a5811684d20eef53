package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"timeclock/device"
	"timeclock/device/control"
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
		_, err := fmt.Fprintln(c.stdout, "Zeitstrom has every booking.")
		return err
	}
	return printPunches(c.stdout, punches...)
}

func printPunches(to io.Writer, punches ...control.Punch) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PUNCH\tTIME\tINTENT\tSTATE\tEMPLOYEE\tNAME\tREASON")
	for _, p := range punches {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Time.Local().Format(time.DateTime), p.Intent, p.State, p.Employee, p.Name, p.Reason)
	}
	return w.Flush()
}

func queueShow(ctx context.Context, c *call) error {
	return c.aboutPunch(ctx, (*control.Client).Punch)
}

func queueRetry(ctx context.Context, c *call) error {
	return c.aboutPunch(ctx, (*control.Client).Retry)
}

func queueDrop(ctx context.Context, c *call) error {
	if c.reason == "" {
		return fmt.Errorf("%w: -reason is missing: why is this booking never to be sent? It is kept with it", errUsage)
	}
	return c.aboutPunch(ctx, func(client *control.Client, id device.PunchID) (control.Punch, error) {
		return client.Drop(id, c.reason)
	})
}

// aboutPunch does something with the punch that the argument names, and shows it.
func (c *call) aboutPunch(ctx context.Context, do func(*control.Client, device.PunchID) (control.Punch, error)) error {
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
