package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"timeclock/device/config"
	"timeclock/device/control"
)

func queueList(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	cfg, err := config.Load(c.config)
	if err != nil {
		return err
	}
	punches, err := control.Dial(ctx, cfg.StateDir).Punches(c.all)
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
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PUNCH\tTIME\tINTENT\tSTATE\tEMPLOYEE\tNAME\tREASON")
	for _, p := range punches {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Time.Local().Format(time.DateTime), p.Intent, p.State, p.Employee, p.Name, p.Reason)
	}
	return w.Flush()
}
