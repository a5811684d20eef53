// Package update replaces the installed version of the clock by another one, and goes
// back to the old one if the new one is not healthy. A package is taken only with a
// signature by the key that the settings name, which is checked before anything of the
// package is looked at.
//
// It runs as root and apart from the clock, which cannot install anything. Where it is,
// is on the disk before each step: whenever it is killed, Resume goes on from there. It
// does not decide when to update, and it touches no bookings: a version that writes its
// store in a form that older ones cannot read must not do so before it is confirmed.
package update

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"timeclock/device/durable"
)

// Times of an update.
const (
	// Probation is how long a new version has to become healthy.
	Probation = 2 * time.Minute
	// steady is how long it must stay so, without a break.
	steady = 20 * time.Second
	look   = time.Second
	// patience is what a step by others may take: unpacking on a slow card.
	patience = 3 * time.Minute
)

// step is what is to be done next.
type step string

const (
	install step = "install" // the new package
	watch   step = "watch"   // whether it is healthy
	goBack  step = "return"  // install the old package
)

// plan is an update that is under way.
type plan struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Reader bool   `json:"reader"` // it is to work, as it did before
	Step   step   `json:"step"`
	Tries  int    `json:"tries"`         // of this step
	Reason string `json:"why,omitempty"` // it goes back
	// StateDir is the clock's, so that nothing depends on settings from here on.
	StateDir string `json:"state_dir"`
}

// State is what the running clock says of itself.
type State struct {
	Version string
	Problem string // why it cannot do its work, its reader apart; empty: it can
	Reader  string // why that does not work
}

// Updater updates. Its directory is root's alone.
type Updater struct {
	Dir string
	Key string // minisign's public key, as in the file that `minisign -G` writes: RW...
	// StateDir is the clock's. Resume takes that of the update that is under way.
	StateDir string
	// Shown is the directory in which everybody may read what Take finds; empty: nobody.
	Shown string
	// Ask asks the clock that runs on a state directory.
	Ask func(ctx context.Context, stateDir string) (State, error)
	// Restart has the installed version run, and does not wait until it does.
	Restart func(context.Context) error
	Log     *slog.Logger
}

// Files in Dir.
const (
	newPackage = "new.deb"
	oldPackage = "old.deb"
	planFile   = "plan.json"  // there is an update under way
	failedFile = "failed.txt" // the version that was not healthy
	helperFile = "timeclock"  // the program as it was before: it finishes what it has begun
)

func (u *Updater) path(name string) string { return filepath.Join(u.Dir, name) }

// ErrBusy says that another process updates.
var ErrBusy = errors.New("an update is under way already: `journalctl -u timeclock-update` shows how far it is")

// Lock keeps other processes from updating, waiting for their end if it must.
func (u *Updater) Lock(wait bool) (unlock func() error, err error) {
	if err := os.MkdirAll(u.Dir, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.Open(u.Dir)
	if err != nil {
		return nil, err
	}
	if err := durable.Lock(dir, wait); err != nil {
		dir.Close()
		if errors.Is(err, durable.ErrLocked) {
			err = ErrBusy
		}
		return nil, err
	}
	return dir.Close, nil
}

// Architecture is the device's, in Debian's words.
func (u *Updater) Architecture(ctx context.Context) (string, error) {
	out, err := u.run(ctx, "dpkg", "--print-architecture")
	return strings.TrimSpace(out), err
}

// maxTries is how often a step may be begun: a version that takes the whole device down
// must not do so for ever.
const maxTries = 3

// Resume goes on with the update that is under way, to its end. It returns what became
// of it; both are empty if there is none.
func (u *Updater) Resume(ctx context.Context) (done string, err error) {
	for {
		p, err := u.plan()
		if err != nil || p == nil {
			return "", err
		}
		u.Log.Info("update", "from", p.From, "to", p.To, "step", string(p.Step), "try", p.Tries+1)
		p.Tries++
		if err := u.save(*p); err != nil {
			return "", err
		}
		next := *p
		next.Tries = 0
		switch {
		case p.Step == goBack:
			return "", u.goBack(ctx, *p)
		case p.Tries > maxTries:
			next.Step, next.Reason = goBack, fmt.Sprintf("the step %q did not come to its end %d times", p.Step,
				maxTries)
		case p.Step == install:
			next.Step = watch
			err = u.install(newPackage)
			if err == nil {
				err = u.Restart(ctx)
			}
		default:
			err = u.watch(ctx, *p)
			if err == nil {
				return fmt.Sprintf("version %s runs and is healthy", p.To), u.finish()
			}
		}
		if ctx.Err() != nil { // whatever did not succeed: it goes on another time
			return "", ctx.Err()
		}
		if errors.Is(err, errReplaced) {
			return "", errors.Join(err, u.finish())
		}
		if err != nil {
			next.Step, next.Reason = goBack, err.Error()
		}
		if err := u.save(next); err != nil {
			return "", err
		}
	}
}

// goBack installs the old version, and says why in its error.
func (u *Updater) goBack(ctx context.Context, p plan) error {
	if installed, err := u.installed(ctx); err != nil || installed != p.To && installed != p.From {
		return errors.Join(errReplaced, u.finish())
	}
	if err := u.install(oldPackage); err != nil {
		return fmt.Errorf("%s, and version %s cannot be installed again: %w", p.Reason, p.From, err)
	}
	if err := errors.Join(durable.WriteFile(u.path(failedFile), []byte(p.To)), u.Restart(context.WithoutCancel(ctx)),
		u.finish()); err != nil {
		return err
	}
	back := p
	back.To, back.Reader = p.From, false
	for end := time.Now().Add(Probation / 4); ; time.Sleep(look) {
		switch why := u.sick(ctx, back); {
		case why == "":
			return fmt.Errorf("version %s was taken back, %s runs again: %s", p.To, p.From, p.Reason)
		case ctx.Err() != nil, time.Now().After(end):
			return fmt.Errorf("version %s was taken back, %s is installed but does not run (%s): %s", p.To, p.From, why,
				p.Reason)
		}
	}
}

// install has dpkg install a package. Whoever interrupts us does not interrupt that.
func (u *Updater) install(name string) error {
	for end := time.Now().Add(patience); ; time.Sleep(look) {
		// The scripts of the package leave the start to us: theirs waits until the clock
		// is ready, which one that hangs never is.
		_, err := u.run(context.Background(),
			"env", "TIMECLOCK_UPDATE=yes", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C",
			"dpkg", "--force-confold", "--force-downgrade", "--install", u.path(name))
		// One that was killed may have left a dpkg behind that still works.
		if err == nil || !strings.Contains(err.Error(), "locked by another process") || time.Now().After(end) {
			return err
		}
	}
}

// installed is the version that dpkg knows of.
func (u *Updater) installed(ctx context.Context) (string, error) {
	return u.run(ctx, "dpkg-query", "--showformat=${Version}", "--show", "timeclock")
}

// errReplaced says that somebody has installed something else meanwhile, or nothing.
var errReplaced = errors.New("another version was installed meanwhile, or the clock was removed: this update is over")

// watch waits until the new version has been healthy for a while.
func (u *Updater) watch(ctx context.Context, p plan) error {
	var since time.Time // it is healthy
	for end := time.Now().Add(Probation); ; {
		installed, err := u.installed(ctx)
		if ctx.Err() == nil && (err != nil || installed != p.To) {
			return errReplaced
		}
		why := u.sick(ctx, p)
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case why == "" && since.IsZero():
			since = now
		case why == "" && now.Sub(since) >= steady:
			return nil
		case why != "" && now.After(end):
			return fmt.Errorf("it was not healthy within %v: %s", Probation, why)
		case why != "":
			since = time.Time{}
		}
		select {
		case <-ctx.Done():
		case <-time.After(look):
		}
	}
}

// sick says why the clock that runs is not the healthy new one; empty if it is.
func (u *Updater) sick(ctx context.Context, p plan) string {
	ctx, stop := context.WithTimeout(ctx, steady/2)
	defer stop()
	s, err := u.Ask(ctx, p.StateDir)
	switch {
	case err != nil:
		return err.Error()
	case s.Version != p.To:
		return fmt.Sprintf("version %s runs", s.Version)
	case s.Problem != "":
		return s.Problem
	case p.Reader:
		return s.Reader
	}
	return ""
}

// finish ends an update.
func (u *Updater) finish() error {
	return errors.Join(os.Remove(u.path(planFile)), durable.SyncDir(u.Dir))
}

// Failed returns the version that was last taken back; empty if none was.
func (u *Updater) Failed() string {
	text, err := os.ReadFile(u.path(failedFile))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// plan returns the update that is under way; nil if there is none.
func (u *Updater) plan() (*plan, error) {
	text, err := os.ReadFile(u.path(planFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	p := &plan{}
	if err == nil {
		err = json.Unmarshal(text, p)
	}
	return p, err
}

func (u *Updater) save(p plan) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return durable.WriteFile(u.path(planFile), text)
}

// run runs a program and returns what it printed, which is in the error if it fails.
func (u *Updater) run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	cmd := exec.CommandContext(ctx, name, args...)
	standApart(cmd)
	cmd.WaitDelay = time.Second // what it has started may hold on to its output
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", name, err, strings.Join(strings.Fields(problems.String()), " "))
	}
	return string(out), err
}
