package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/config"
	"timeclock/queue"
)

// advised adds to an error what can be done on the command line.
func advised(err error) error {
	var refused *device.Refusal
	if errors.As(err, &refused) {
		return fmt.Errorf("%w: %s", err, remedies[refused.Remedy])
	}
	return err
}

// running is the running clock that the settings name; whether there is one shows with the first
// question.
func (c *call) running() (*admin.Client, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	return admin.Dial(cfg.StateDir), nil
}

// ask uses an ability on the running clock.
func ask[In, Out any](ctx context.Context, c *call, x admin.Ability[In, Out], in In) (out Out, err error) {
	clock, err := c.running()
	if err != nil {
		return out, err
	}
	return x.On(ctx, clock, in)
}

// isRunning reports whether a clock runs on a state directory.
func isRunning(ctx context.Context, cfg config.Config) (bool, error) {
	_, err := admin.DoStatus.On(ctx, admin.Dial(cfg.StateDir), admin.None{})
	if errors.Is(err, admin.ErrNoDaemon) {
		return false, nil
	}
	return err == nil, err
}

// either is the running clock, or one in this process if none runs: with the same badge map and
// the same journal. Done must be called in the end.
func (c *call) either(ctx context.Context) (w admin.Route, done func(), err error) {
	cfg, err := c.load()
	if err != nil {
		return nil, nil, err
	}
	switch runs, err := isRunning(ctx, cfg); {
	case err != nil:
		return nil, nil, err
	case runs:
		return admin.Dial(cfg.StateDir), func() {}, nil
	}
	log := slog.New(slog.DiscardHandler)
	d, err := openQuietly(ctx, cfg, log)
	if errors.Is(err, errHeld) {
		return nil, nil, fmt.Errorf("%w, but does not answer: is it just starting? Try again in a moment", errHeld)
	}
	if err != nil {
		return nil, nil, err
	}
	work, err := newClock(clock.System{}, cfg, d, log, extras{})
	if err != nil {
		return nil, nil, errors.Join(err, d.Close())
	}
	if damage := work.rooms.Roster.Damage(); damage.Problem != "" {
		fmt.Fprintln(c.stderr, "NOTICE: "+damage.Problem)
	}
	return work.admin, func() {
		if err := errors.Join(d.queue.Close(), d.state.Close()); err != nil {
			fmt.Fprintf(c.stderr, "NOTICE: it is done, and could not be noted in the journal: %v\n", err)
		}
	}, nil
}

// openQuietly takes the state directory, and opens the queue if it is there and whole: it makes
// none, and recovers none.
func openQuietly(ctx context.Context, cfg config.Config, log *slog.Logger) (*disk, error) {
	state, err := openState(cfg)
	if err != nil {
		return nil, err
	}
	d := &disk{cfg: cfg, log: log, state: state}
	d.queue, err = wholeQueue(ctx, cfg)
	switch {
	case ctx.Err() != nil:
		return nil, errors.Join(ctx.Err(), d.Close())
	case err != nil:
		d.queue = queue.Absent(err)
	}
	return d, nil
}

func wholeQueue(ctx context.Context, cfg config.Config) (*queue.Store, error) {
	path := queuePath(cfg)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("there is no journal yet: the clock makes one when it is started")
	}
	if readRecovery(cfg) != nil {
		return nil, errRecovering
	}
	if err := checkQueue(ctx, path); err != nil {
		return nil, fmt.Errorf("the queue file is damaged, and is recovered when the clock is started: %w", err)
	}
	return queue.Open(path, nil)
}
