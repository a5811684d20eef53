package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"timeclock/device/config"
	"timeclock/display"
	"timeclock/sync/zeitstrom"
)

var configDefault = command{
	name: "config default", help: "print the commented reference of all settings",
	flags: simple(func(_ context.Context, c *call) error {
		_, err := fmt.Fprint(c.stdout, config.Reference)
		return err
	}),
}

// knownLanguage judges the settings beyond what their package knows.
var knownLanguage = config.Check{Key: "display.language", Judge: func(name string) error {
	_, err := display.NewLanguage(name)
	return err
}}

// loadConfig reads the settings. Whatever this program shows then as local time is
// in the zone that they name.
func loadConfig(path string) (config.Config, error) {
	cfg, err := config.Load(path, knownLanguage)
	if err == nil {
		time.Local = cfg.Clock.Zone
	}
	return cfg, err
}

var configShow = command{
	name: "config show", help: "print the settings as they are, defaults included",
	flags: simple(func(_ context.Context, c *call) error {
		cfg, err := c.load()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.stdout, strings.Join(cfg.Settings(), "\n"))
		return err
	}),
}

var configCheck = command{
	name: "config check", args: "[FILE]", help: "judge a settings file",
	flags: simple(func(_ context.Context, c *call) error {
		path := c.config
		if len(c.args) == 1 {
			path = c.args[0]
		}
		cfg, err := loadConfig(path)
		if err != nil {
			return err
		}
		if file := cfg.Zeitstrom.CAFile; file != "" {
			if _, err := zeitstrom.Roots(file); err != nil {
				fmt.Fprintf(c.stdout, "warning: zeitstrom.%v\n", err)
			}
		}
		if warning := tokenWarning(cfg); warning != "" {
			fmt.Fprintf(c.stdout, "warning: zeitstrom.token_file: %s\n", warning)
		}
		if warning := speedWarning(cfg); warning != "" {
			fmt.Fprintf(c.stdout, "warning: %s\n", warning)
		}
		_, err = fmt.Fprintf(c.stdout, "%s is good\n", path)
		return err
	}),
}
