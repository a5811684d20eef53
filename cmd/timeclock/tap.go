package main

import (
	"context"
	"encoding/json"
	"fmt"

	"timeclock/device"
)

func runTap(ctx context.Context, c *call) error {
	if err := c.want(1, 1); err != nil {
		return err
	}
	uid, err := device.ParseUID(c.args[0])
	if err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	a, err := client.Tap(uid)
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
