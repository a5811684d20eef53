package main

import (
	"context"
	"errors"
	"fmt"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/web"
)

var webPair = command{
	name: "web pair", help: "show the code with which somebody can become admin of the page",
	flags: simple(func(ctx context.Context, c *call) error {
		p, err := ask(ctx, c, admin.DoPair, admin.None{})
		if err != nil {
			return err
		}
		return c.printPairing(p)
	}),
}

var webReset = command{
	name: "web reset", help: "take all accounts of the page away, damaged ones too; then the display shows a code",
	flags: simple(func(ctx context.Context, c *call) error {
		cfg, err := c.load()
		if err != nil {
			return err
		}
		p, err := admin.DoResetPage.On(ctx, admin.Dial(cfg.StateDir), admin.None{})
		switch {
		case err == nil:
			return c.printPairing(p)
		case !errors.Is(err, admin.ErrNoDaemon):
			return err
		}
		w, done, err := c.either(ctx)
		if err != nil {
			return err
		}
		defer done()
		if err := web.Reset(cfg.StateDir); err != nil {
			return err
		}
		if _, err := admin.DoNoteReset.On(ctx, w, admin.None{}); err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.stdout, "The page has no accounts any more. When the clock is started its "+
			"display shows a code, for ten minutes.")
		return err
	}),
}

func (c *call) printPairing(p admin.Pairing) error {
	_, err := fmt.Fprintf(c.stdout, "Open https://%s and enter the code %s, within ten minutes.\n"+
		"The browser should show this certificate (SHA-256):\n%s\n", p.Address, p.Code, p.Fingerprint)
	return err
}
