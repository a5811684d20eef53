package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"timeclock/device/config"
	"timeclock/queue"
)

func queuePath(cfg config.Config) string { return filepath.Join(cfg.StateDir, "queue.db") }

func snapshotPath(cfg config.Config) string { return queuePath(cfg) + ".snapshot" }

// checkTime is how long a child may take to read the whole queue file; a damaged
// one can make it hang.
const checkTime = time.Minute

// openQueue opens the queue. A file that cannot be read whole is set aside, and
// what can be read of it and of the last snapshot takes its place: a clock that
// does not start is worse than one that asks Zeitstrom what it has. The notice
// says what happened, if anything did.
func openQueue(ctx context.Context, cfg config.Config, log *slog.Logger) (s *queue.Store, notice string, err error) {
	path, snapshot := queuePath(cfg), snapshotPath(cfg)
	if err := mayOpen(path); err != nil {
		return nil, "", err
	}
	_, missing := os.Stat(path)
	_, noSnapshot := os.Stat(snapshot)
	switch {
	case errors.Is(missing, fs.ErrNotExist) && noSnapshot == nil:
		if notice, err = salvage(cfg, "the queue file was gone", ""); err != nil {
			return nil, "", err
		}
	case missing == nil:
		problem := checkQueue(ctx, path)
		if problem == nil {
			break
		}
		if errors.Is(problem, context.Canceled) {
			return nil, "", problem
		}
		aside := fmt.Sprintf("%s.damaged-%s", path, time.Now().UTC().Format("20060102T150405.000000Z"))
		// A link: until there is something in its place, the file keeps its name.
		if err := setAside(path, aside); err != nil {
			return nil, "", fmt.Errorf("the queue file is damaged and cannot be set aside: %w", err)
		}
		log.Error("queue file damaged", "error", problem, "kept_as", aside)
		if notice, err = salvage(cfg, "the queue file was damaged and is kept as "+filepath.Base(aside), aside); err != nil {
			return nil, "", err
		}
	}
	if notice != "" {
		log.Warn("queue rebuilt", "notice", notice)
	}
	s, err = queue.Open(path)
	return s, notice, err
}

// mayOpen gives the queue file back the mode that it needs, if somebody took it.
func mayOpen(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrPermission) {
		return nil //nolint:nilerr // what else is wrong with it shows later
	}
	if os.Chmod(path, 0o600) == nil {
		return nil
	}
	return fmt.Errorf("the queue file cannot be opened by the clock's user: sudo chown timeclock: %s && sudo chmod 600 %[1]s", path)
}

// setAside gives a file another name besides its own; a directory another one.
func setAside(path, aside string) error {
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return os.Rename(path, aside)
	}
	return os.Link(path, aside)
}

func salvage(cfg config.Config, why, aside string) (notice string, err error) {
	found, err := queue.Salvage(queuePath(cfg), aside, snapshotPath(cfg))
	if err != nil {
		return "", fmt.Errorf("%s, and nothing can be put in its place: %w", why, err)
	}
	return fmt.Sprintf("%s; %d bookings were recovered at %s, %d of them not known to be at Zeitstrom, which is asked about them",
		why, found.Punches, time.Now().Format(time.DateTime), found.Open), nil
}

// checkQueue reads the whole file in a child process, which may die of it.
func checkQueue(ctx context.Context, path string) error {
	self, err := os.Executable()
	if err != nil {
		return nil //nolint:nilerr // then it cannot be checked, only opened
	}
	timed, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	cmd := exec.CommandContext(timed, self)
	cmd.Args = []string{"timeclock", "check-store", path}
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case timed.Err() != nil:
		return errors.New("reading it does not end")
	case err == nil:
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return nil // it was not started, or the system killed it: that says nothing about the file
	}
	return fmt.Errorf("%w: %s", err, out[:min(len(out), 200)])
}

// checkStore is the child's part. It is not for people.
func checkStore(_ context.Context, c *call) error {
	if err := c.want(1, 1); err != nil {
		return err
	}
	return queue.Verify(c.args[0])
}

// housekeeping keeps a copy of the queue for the day on which the file is damaged,
// and forgets what is too old.
type housekeeping struct {
	queue *queue.Store
	path  string // of the snapshot
	keep  time.Duration
	log   *slog.Logger
}

const snapshotEvery = 6 * time.Hour

func (s *housekeeping) String() string { return "housekeeping" }

// Run works now and then. What fails is logged; the clock goes on.
func (s *housekeeping) Run(ctx context.Context) error {
	wait := time.Minute // not in the bustle of a start
	if info, err := os.Stat(s.path); err == nil {
		wait = max(wait, time.Until(info.ModTime().Add(snapshotEvery)))
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(wait, snapshotEvery)):
		}
		if err := s.queue.Snapshot(s.path); err != nil {
			s.log.Error("no snapshot of the queue", "error", err)
		}
		if n, err := s.queue.Prune(s.keep); err != nil {
			s.log.Error("old bookings not forgotten", "error", err)
		} else if n > 0 {
			s.log.Info("old bookings forgotten", "punches", n)
		}
		wait = snapshotEvery
	}
}
