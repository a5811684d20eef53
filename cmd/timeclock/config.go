package main

import (
	"context"
	"fmt"

	"timeclock/device/config"
	"timeclock/sync/zeitstrom"
)

func configDefault(_ context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	_, err := fmt.Fprint(c.stdout, config.Reference)
	return err
}

func configCheck(_ context.Context, c *call) error {
	if err := c.want(0, 1); err != nil {
		return err
	}
	path := c.config
	if len(c.args) == 1 {
		path = c.args[0]
	}
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	if _, err := zeitstrom.New(zeitstrom.Config{CAFile: cfg.Zeitstrom.CAFile}); err != nil {
		fmt.Fprintf(c.stdout, "warning: zeitstrom.%v\n", err)
	}
	if _, err := styleOf(cfg); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if warning := tokenWarning(cfg); warning != "" {
		fmt.Fprintf(c.stdout, "warning: zeitstrom.token_file: %s\n", warning)
	}
	_, err = fmt.Fprintf(c.stdout, "%s is good\n", path)
	return err
}
