package main

import (
	"context"
	"errors"
	"fmt"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/web"
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
	return c.printPairing(p)
}

// webReset takes all accounts of the page away, so that somebody who stands at the clock can
// become admin.
func webReset(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	cfg, err := loadConfig(c.config)
	if err != nil {
		return err
	}
	p, err := admin.Dial(ctx, cfg.StateDir).ResetPage()
	switch {
	case err == nil:
		return c.printPairing(p)
	case !errors.Is(err, admin.ErrNoDaemon):
		return err
	}
	state, err := openState(cfg)
	if err != nil {
		return err
	}
	defer state.Close()
	if err := web.Reset(cfg.StateDir); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.stdout, "The page has no accounts any more. When the clock is started its display shows a code, for ten minutes.")
	return err
}

func (c *call) printPairing(p admin.Pairing) error {
	_, err := fmt.Fprintf(c.stdout, "Open https://%s and enter the code %s, within ten minutes.\n"+
		"The browser should show this certificate (SHA-256):\n%s\n", p.Address, p.Code, p.Fingerprint)
	return err
}
