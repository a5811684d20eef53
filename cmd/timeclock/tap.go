package main

import (
	"context"
	"encoding/json"
	"fmt"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
)

var tapCommand = command{
	name: "tap", args: "UID", help: "bring a badge to the simulated reader of the running clock",
	flags: func(f *flags) action {
		asJSON := f.json()
		return func(ctx context.Context, c *call) error { return c.tap(ctx, *asJSON) }
	},
}

func (c *call) tap(ctx context.Context, asJSON bool) error {
	uid, err := device.ParseUID(c.args[0])
	if err != nil {
		return err
	}
	a, err := ask(ctx, c, admin.DoTap, admin.WholeUID{UID: uid})
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(c.stdout).Encode(a)
	} else {
		_, err = fmt.Fprintln(c.stdout, a.Text)
	}
	if err != nil {
		return err
	}
	switch a.Outcome {
	case device.CheckedIn, device.CheckedOut, device.Chosen, device.HoursShown:
		return nil
	}
	return errSaid
}
