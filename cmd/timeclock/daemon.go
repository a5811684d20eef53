package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device/clock"
	"timeclock/device/config"

	"golang.org/x/sync/errgroup"
)

// daemon is a clock that runs.
type daemon struct {
	*clockwork
	disk *disk
	log  *slog.Logger
}

// newDaemon wires a clock. Nothing runs yet, but the state directory is held
// and the control socket is open.
func newDaemon(ctx context.Context, cfg config.Config, log *slog.Logger, x extras) (*daemon, error) {
	return newDaemonOn(ctx, clock.System{}, cfg, log, x)
}

// newDaemonOn wires it on a computer whose kernel says what time it is.
func newDaemonOn(
	ctx context.Context, k clock.Kernel, cfg config.Config, log *slog.Logger, x extras,
) (d *daemon, err error) {
	d = &daemon{log: log}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if d.disk, err = openDisk(ctx, cfg, log); err != nil {
		return d, err
	}
	if d.clockwork, err = newClock(k, cfg, d.disk, log, x); err != nil {
		return d, err
	}
	server, err := admin.Listen(cfg.StateDir, d.admin, log)
	if err != nil {
		log.Error("no command reaches this clock", "error", err) // it does its work
	} else {
		d.tasks = append(d.tasks, server)
	}
	d.admin.BookOrphans()
	keep := time.Duration(cfg.Journal.KeepDays) * 24 * time.Hour
	d.tasks = append(d.tasks, &housekeeping{d.queue, snapshotPath(cfg), keep, log})
	return d, nil
}

// Run runs every task until ctx ends or one of them fails.
func (d *daemon) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range d.tasks {
		group.Go(func() error {
			if err := t.Run(ctx); err != nil {
				return fmt.Errorf("%s: %w", t, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// Close gives everything back.
func (d *daemon) Close() {
	if d.disk == nil {
		return
	}
	if err := d.disk.Close(); err != nil {
		d.log.Error("not closed", "error", err)
	}
}
