package main

import (
	"context"
	"encoding/json"
	"fmt"

	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/control"
)

func runTap(ctx context.Context, c *call) error {
	if err := c.want(1, 1); err != nil {
		return err
	}
	uid, err := device.ParseUID(c.args[0])
	if err != nil {
		return err
	}
	cfg, err := config.Load(c.config)
	if err != nil {
		return err
	}
	a, err := control.Dial(ctx, cfg.StateDir).Tap(uid)
	if err != nil {
		return err
	}
	if c.json {
		err = json.NewEncoder(c.stdout).Encode(a)
	} else {
		_, err = fmt.Fprintln(c.stdout, a.Text)
	}
	if err == nil && a.Outcome != device.CheckedIn && a.Outcome != device.CheckedOut {
		return errSaid
	}
	return err
}
