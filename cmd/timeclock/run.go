package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"runtime"
)

var runCommand = command{name: "run", help: "run the clock: the daemon at the door", flags: simple(runDaemon)}

func runDaemon(ctx context.Context, c *call) error {
	cfg, problem, err := startConfig(c.config)
	if err != nil {
		return err
	}
	if os.Getenv("GOMAXPROCS") == "" {
		// One processor is plenty, and idling costs half: with a second one, Go's
		// monitor thread stays awake for as long as the reader waits for its bus.
		runtime.GOMAXPROCS(1)
	}
	tail := &logTail{}
	log := newLog(io.MultiWriter(c.stderr, tail))
	d, err := newDaemon(ctx, cfg, log, extras{tail: tail.Lines, settings: problem})
	if err != nil {
		return err
	}
	defer d.Close()
	if problem == "" {
		accept(c.config, cfg)
	} else {
		log.Error("settings", "problem", problem)
	}
	if warning := tokenWarning(cfg); warning != "" {
		log.Warn("token file", "problem", warning)
	}
	if warning := speedWarning(cfg); warning != "" {
		log.Warn("bus speed", "problem", warning)
	}
	s := d.admin.Glance()
	log.Info("timeclock runs", "version", s.Version, "badges", s.Badges, "pending", s.Pending, "reader",
		cfg.Reader.Driver)
	defer log.Info("timeclock stopped")
	return d.Run(ctx)
}

// newLog logs for journald, which adds the time itself, or with it for people.
func newLog(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{}
	if os.Getenv("JOURNAL_STREAM") != "" {
		opts.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
