package main

import (
	"context"
	"fmt"
)

// webPair lets the display show a code with which somebody can set an admin's
// password.
func webPair(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	p, err := client.Pair()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "Open https://%s and enter the code %s, within ten minutes.\nThe browser should show this certificate (SHA-256):\n%s\n", p.Address, p.Code, p.Fingerprint)
	return err
}
