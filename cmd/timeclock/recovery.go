package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"timeclock/device/config"
	"timeclock/device/durable"
	"timeclock/queue"
)

// recovery is the salvage of damaged queue files beside the running clock. It is noted in a
// file, so that it goes on after a power cut.
type recovery struct {
	Reason string   `json:"why"`
	Files  []string `json:"files"`  // the damaged ones, the newest first
	Failed int      `json:"failed"` // how often it failed by itself; a power cut is none
	Last   string   `json:"last"`   // why it failed last

	cfg  config.Config
	kick chan struct{} // a person wants it to be tried again
}

// Bounds of a recovery.
const (
	mostFailures = 2           // then it waits for a person
	noProgress   = time.Minute // after which it has failed
	retryAfter   = time.Minute // by itself
	enoughFree   = 200_000_000 // bytes: a damaged file is kept where there is that much
)

// out is where a salvage puts what it has found.
func (r *recovery) out() string { return queuePath(r.cfg) + ".recovered" }

func recoveryPath(cfg config.Config) string { return queuePath(cfg) + ".salvaging" }

// readRecovery reads what was begun; nil if nothing was. A note that cannot be read, or that
// names files that are not there, is as good as one that names all damaged files.
func readRecovery(cfg config.Config) *recovery {
	r := &recovery{cfg: cfg, kick: make(chan struct{}, 1)}
	content, err := os.ReadFile(recoveryPath(cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	bad := err != nil || json.Unmarshal(content, r) != nil
	for _, file := range r.Files {
		if _, err := os.Lstat(file); err != nil {
			bad = true
		}
	}
	if bad {
		return foundRecovery(cfg)
	}
	return r
}

// foundRecovery is one of all damaged files that there are.
func foundRecovery(cfg config.Config) *recovery {
	r := &recovery{Reason: "the queue file was damaged", cfg: cfg, kick: make(chan struct{}, 1)}
	r.Files, _ = filepath.Glob(queuePath(cfg) + ".damaged-*")
	slices.Reverse(r.Files) // their names are times
	return r
}

// has reports whether a file is one of the damaged ones, under its own name still.
func (r *recovery) has(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(r.Files, func(file string) bool {
		other, err := os.Stat(file)
		return err == nil && os.SameFile(info, other)
	})
}

// begun is a recovery of one more damaged file.
func (r *recovery) begun(cfg config.Config, why, aside string) *recovery {
	next := &recovery{Reason: why, cfg: cfg, kick: make(chan struct{}, 1)}
	if aside != "" {
		next.Files = []string{aside}
	}
	if r != nil {
		next.Files = append(next.Files, r.Files...)
	}
	return next
}

func (r *recovery) save() error {
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return durable.WriteFile(recoveryPath(r.cfg), content)
}

// all are the files that there is something to be read in, that which counts most first.
func (r *recovery) all() []string { return append(append([]string{}, r.Files...), snapshotPath(r.cfg)) }

// notice says how far it is.
func (r *recovery) notice() string {
	switch {
	case r.Failed >= mostFailures:
		return fmt.Sprintf("%s, and could not be recovered: %s. Bookings are saved, and not sent before it is tried "+
			"again, or given up: `timeclock queue salvage`, or with -give-up", r.Reason, r.Last)
	default:
		return fmt.Sprintf("%s; what can be read of it is being recovered, and bookings are saved, "+
			"and not sent before that", r.Reason)
	}
}

// run recovers, and lets what it has found join the queue.
func (r *recovery) run(
	ctx context.Context, q *queue.Store, say func(notice string, stuck bool), joined func(), log *slog.Logger,
) error {
	for {
		say(r.notice(), r.Failed >= mostFailures)
		if r.Failed < mostFailures {
			found, err := r.salvage(ctx)
			if err == nil {
				err = r.join(ctx, q, log)
			}
			if !q.Stats().Awaiting && err != nil { // a person has given it up meanwhile
				return r.ended(say, joined)
			}
			if err == nil {
				r.forget()
				joined()
				say(fmt.Sprintf("%s; %d bookings were recovered at %s, %d of them not known to be at Zeitstrom, "+
					"which is asked about them%s",
					r.Reason, found.Punches, time.Now().Format(time.DateTime), found.Open, inQuarantine(found)), false)
				log.Warn("queue rebuilt", "bookings", found.Punches, "open", found.Open,
					"quarantined", found.Quarantined)
				return nil
			}
			if ctx.Err() != nil {
				return nil
			}
			r.Failed, r.Last = r.Failed+1, err.Error()
			log.Error("queue not recovered", "error", err, "tries", r.Failed)
			if err := r.save(); err != nil {
				log.Error("recovery not noted", "error", err)
			}
			say(r.notice(), r.Failed >= mostFailures)
		}
		wait := retryAfter
		if r.Failed >= mostFailures {
			wait = 365 * 24 * time.Hour
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.kick:
			if !q.Stats().Awaiting {
				return r.ended(say, joined)
			}
			r.Failed = 0
		case <-time.After(wait):
		}
	}
}

// ended says that a person has given it up.
func (r *recovery) ended(say func(notice string, stuck bool), joined func()) error {
	os.Remove(r.out())
	joined()
	say(fmt.Sprintf("%s; it was given up, and is kept", r.Reason), false)
	return nil
}

// joinTime is how long a disk may take until it lets what was recovered join.
const joinTime = 10 * time.Minute

// join lets what was recovered join the queue, as soon as the disk lets it.
func (r *recovery) join(ctx context.Context, q *queue.Store, log *slog.Logger) (err error) {
	said := ""
	for end := time.Now().Add(joinTime); time.Now().Before(end); {
		if err = q.Join(r.out()); err == nil || !q.Stats().Awaiting {
			return err
		}
		if err.Error() != said {
			said = err.Error()
			log.Error("recovered bookings not joined, trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookForDisk):
		}
	}
	return err
}

// inQuarantine says how many of them nobody can judge.
func inQuarantine(found queue.Salvaged) string {
	if found.Quarantined == 0 {
		return ""
	}
	return fmt.Sprintf("; %d are in quarantine, for it is not known whether they count", found.Quarantined)
}

// salvage recovers once, in a child.
func (r *recovery) salvage(ctx context.Context) (found queue.Salvaged, err error) {
	out := r.out()
	if err := os.RemoveAll(out); err != nil {
		return found, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cmd, err := child(ctx, append([]string{"salvage-store", out}, r.all()...)...)
	if err != nil {
		return found, err
	}
	said, err := cmd.StdoutPipe()
	if err != nil {
		return found, err
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		return found, err
	}
	stuck := time.AfterFunc(noProgress, func() { stop(errors.New("it made no progress for a minute")) })
	defer stuck.Stop()
	result := ""
	for lines := bufio.NewScanner(said); lines.Scan(); {
		stuck.Reset(noProgress)
		result = lines.Text()
	}
	if err := cmd.Wait(); err != nil {
		text := complaints.String()
		return found, fmt.Errorf("%w %s", errors.Join(context.Cause(ctx), err), text[:min(len(text), 200)])
	}
	if err := json.Unmarshal([]byte(result), &found); err != nil {
		return found, fmt.Errorf("it said %q: %w", result, err)
	}
	return found, nil
}

// forget ends a recovery that has succeeded. The damaged files are kept, unless they are
// in the way.
func (r *recovery) forget() {
	os.Remove(recoveryPath(r.cfg))
	if disk, err := durable.RoomIn(r.cfg.StateDir); err != nil || disk.Free >= enoughFree {
		return
	}
	for _, f := range r.Files {
		os.RemoveAll(f)
	}
}

// giveUp lets the bookings be sent without what could not be recovered, which is kept: the
// snapshot too, in which there may be some of it.
func (r *recovery) giveUp(q *queue.Store, by string) error {
	kept := fmt.Sprintf("%s.damaged-%s", queuePath(r.cfg), time.Now().UTC().Format("20060102T150405.000000Z"))
	if err := os.Rename(snapshotPath(r.cfg), kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := q.GoOn(by); err != nil {
		return err
	}
	os.Remove(recoveryPath(r.cfg)) // without an interim queue it says nothing
	return nil
}
