package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"timeclock/device"
	"timeclock/device/config"
	"timeclock/queue"
)

func queuePath(cfg config.Config) string { return filepath.Join(cfg.StateDir, "queue.db") }

func snapshotPath(cfg config.Config) string { return queuePath(cfg) + ".snapshot" }

// A clock must read badges within a minute, whatever its queue holds. A file that was not
// read whole by then is treated like a damaged one.
const (
	checkTime = 35 * time.Second
	scanTime  = 15 * time.Second
)

// openQueue opens the queue. A file that cannot be read whole is set aside, and an empty
// one takes its place, so that the clock starts; what can be read of the old one and of the
// last snapshot is recovered beside the running clock. The recovery is nil if there is none
// to be made.
func openQueue(ctx context.Context, cfg config.Config, log *slog.Logger) (*queue.Store, *recovery, error) {
	path := queuePath(cfg)
	if err := mayOpen(path); err != nil {
		return nil, nil, err
	}
	r := readRecovery(cfg)
	fresh := "" // the name that a damaged file has got besides its own
	_, missing := os.Stat(path)
	_, noSnapshot := os.Stat(snapshotPath(cfg))
	switch {
	case errors.Is(missing, fs.ErrNotExist) && (noSnapshot == nil || r != nil):
		r = r.begun(cfg, "the queue file was gone", "")
	case errors.Is(missing, fs.ErrNotExist):
		s, err := queue.Open(path, nil)
		return s, nil, err
	default:
		problem := checkQueue(ctx, path)
		if errors.Is(problem, context.Canceled) {
			return nil, nil, problem
		}
		if problem == nil {
			return openWhole(ctx, cfg, r)
		}
		if r != nil && r.has(path) { // an earlier try got no further than this
			break
		}
		aside := fmt.Sprintf("%s.damaged-%s", path, time.Now().UTC().Format("20060102T150405.000000Z"))
		// A link: until there is something in its place, the file keeps its name.
		if err := setAside(path, aside); err != nil {
			return nil, nil, fmt.Errorf("the queue file is damaged and cannot be set aside: %w", err)
		}
		fresh = aside
		log.Error("queue file damaged", "error", problem, "kept_as", aside)
		r = r.begun(cfg, fmt.Sprintf("the queue file was damaged and is kept as %s", filepath.Base(aside)), aside)
	}
	first, last := scanQueue(ctx, r.all())
	if first == 0 { // not even that ended: the numbers go on where nobody has been
		first = device.PunchID(len(r.Files)+1) << 40
	}
	if err := r.save(); err != nil {
		if fresh != "" && r.has(path) {
			os.Remove(fresh) // the file still has its own name
		}
		return nil, nil, fmt.Errorf("%s, and nothing can be put in its place: %w", r.Reason, err)
	}
	s, err := queue.Interim(path, first, func() []device.Undelivered { return last })
	if err != nil {
		return nil, nil, fmt.Errorf("%s, and nothing can be put in its place: %w", r.Reason, err)
	}
	return s, r, nil
}

// openWhole opens a queue that can be read. It may be one that took the place of a damaged file,
// of which a recovery is still under way.
func openWhole(ctx context.Context, cfg config.Config, r *recovery) (*queue.Store, *recovery, error) {
	waits := false
	s, err := queue.Open(queuePath(cfg), func() []device.Undelivered {
		if waits = true; r == nil { // its note is gone
			r = foundRecovery(cfg)
		}
		_, last := scanQueue(ctx, r.all())
		return last
	})
	switch {
	case err != nil:
		return nil, nil, err
	case waits:
		return s, r, nil
	case r != nil: // it was done, or given up, just before the power went
		r.forget()
	}
	return s, nil, nil
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
	return fmt.Errorf("the queue file cannot be opened by the clock's user: sudo chown timeclock: "+
		"%s && sudo chmod 600 %s", path, path)
}

// setAside gives a file another name besides its own; a directory another one.
func setAside(path, aside string) error {
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return os.Rename(path, aside)
	}
	return os.Link(path, aside)
}

// child is this program as a process of its own: a damaged file may make it panic, hang, or
// take more memory than there is, and then the clock goes on.
func child(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Args = append([]string{"timeclock"}, args...)
	return cmd, nil
}

// beChild makes a child one that the system ends first if memory is short, and that takes
// little of it.
func beChild() {
	os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	debug.SetGCPercent(30)
	debug.SetMemoryLimit(48 << 20)
}

// checkQueue reads the whole file in a child process.
func checkQueue(ctx context.Context, path string) error {
	timed, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	cmd, err := child(timed, "check-store", path)
	if err != nil {
		return nil //nolint:nilerr // then it cannot be checked, only opened
	}
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case timed.Err() != nil:
		return errors.New("it was not read to its end in time")
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
var checkStore = command{
	name: "check-store", args: "FILE",
	flags: simple(func(_ context.Context, c *call) error {
		beChild()
		return queue.Verify(c.args[0])
	}),
}

// scanned is what a scan has found.
type scanned struct {
	Next device.PunchID       `json:"next"`
	Last []device.Undelivered `json:"last"`
}

// scanQueue asks a child what must be known of files at once. It knows nothing if that takes
// too long.
func scanQueue(ctx context.Context, files []string) (next device.PunchID, last []device.Undelivered) {
	timed, cancel := context.WithTimeout(ctx, scanTime)
	defer cancel()
	cmd, err := child(timed, append([]string{"scan-store"}, files...)...)
	if err != nil {
		return 0, nil
	}
	out, err := cmd.Output()
	var found scanned
	if err != nil || json.Unmarshal(out, &found) != nil {
		return 0, nil
	}
	return found.Next, found.Last
}

// scanStore is the child's part. It is not for people.
var scanStore = command{
	name: "scan-store", args: "[FILE...]",
	flags: simple(func(_ context.Context, c *call) error {
		beChild()
		next, last, err := queue.Scan(func() {}, c.args...)
		if err != nil {
			return err
		}
		return json.NewEncoder(c.stdout).Encode(scanned{next, last})
	}),
}

// salvageStore is the child that recovers what can be read of files. It says that it goes
// on, an empty line at a time, and in the end what it has found. It is not for people.
var salvageStore = command{
	name: "salvage-store", args: "OUT FILE...",
	flags: simple(func(_ context.Context, c *call) error {
		beChild()
		found, err := queue.Salvage(c.args[0], func() { io.WriteString(c.stdout, "\n") }, c.args[1:]...)
		if err != nil {
			return err
		}
		return json.NewEncoder(c.stdout).Encode(found)
	}),
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
		wait = snapshotEvery
		if s.queue.Stats().Awaiting { // the last snapshot is still needed
			wait = time.Minute
			continue
		}
		if err := s.queue.Snapshot(s.path); err != nil {
			s.log.Error("no snapshot of the queue", "error", err)
		}
		if n, err := s.queue.Prune(s.keep); err != nil {
			s.log.Error("old bookings not forgotten", "error", err)
		} else if n > 0 {
			s.log.Info("old bookings forgotten", "punches", n)
		}
		s.tidy()
	}
}

// tidy deletes files that were set aside when they were damaged, once what is in them would have
// been forgotten.
func (s *housekeeping) tidy() {
	cutoff := s.queue.Cutoff(s.keep)
	aside, _ := filepath.Glob(filepath.Join(filepath.Dir(s.path), "*.damaged-*"))
	for _, path := range aside {
		if info, err := os.Lstat(path); err == nil && info.ModTime().Before(cutoff) {
			s.log.Info("an old damaged file is deleted", "file", path, "error", os.Remove(path))
		}
	}
}
