package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/deploy/update"
	"timeclock/device/config"
	"timeclock/sync/zeitstrom"
)

// Directories of updates.
const (
	updateDir = "/var/lib/timeclock-update" // root's alone; what is in it is installed
	fetchDir  = "/var/lib/timeclock-fetch"  // the fetcher's; what is in it is judged by root
	shownDir  = "/run/timeclock-update"     // root's; everybody may read what is in it
)

// updateFlags say what is to be done.
type updateFlags struct {
	file                 string
	fetch, stage, resume bool
}

// updateCommand installs a package, or does what the package's units do: fetch a newer one,
// check and stage what was fetched, go on with what was interrupted.
var updateCommand = command{
	name: "update", help: "install a signed package, and go back if it is not healthy",
	flags: func(f *flags) action {
		var u updateFlags
		f.StringVar(&u.file, "file", "", "the `package`; its signature is beside it, with .minisig")
		f.BoolVar(&u.fetch, "fetch", false, "look for a newer one at [update] url and download it, as the timer does")
		f.BoolVar(&u.stage, "stage", false, "check what was downloaded, and have it installed, as the unit does")
		f.BoolVar(&u.resume, "resume", false, "go on with an update that was interrupted, as the unit does")
		return func(ctx context.Context, c *call) error { return c.update(ctx, u) }
	},
}

func (c *call) update(ctx context.Context, way updateFlags) error {
	ways := 0
	for _, asked := range []bool{way.file != "", way.fetch, way.stage, way.resume} {
		if asked {
			ways++
		}
	}
	switch {
	case ways != 1:
		return fmt.Errorf("%w: say which package with -file", errUsage)
	case way.fetch:
		return fetchUpdate(ctx, c)
	case os.Geteuid() != 0:
		return errors.New("only root may install packages: call it with sudo")
	}
	var cfg config.Config
	if !way.resume { // which nothing that somebody has written meanwhile shall keep from it
		var err error
		if cfg, err = c.load(); err != nil {
			return err
		}
	}
	u := &update.Updater{
		Dir: updateDir, Key: cfg.Update.Key, StateDir: cfg.StateDir, Log: newLog(c.stderr), Restart: restartClock,
		Ask: askHealth,
	}
	unlock, err := u.Lock(way.resume)
	if err != nil {
		return err
	}
	defer unlock()
	if way.stage {
		return stageUpdate(ctx, cfg, u)
	}
	if way.file != "" {
		if err := c.stageFile(ctx, u, way.file); err != nil {
			return err
		}
	}
	done, err := u.Resume(ctx)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: timeclock-update.service goes on with it")
	case err != nil:
		return err
	case done != "":
		_, err = fmt.Fprintf(c.stdout, "Done: %s.\n", done)
	}
	return err
}

// askHealth asks the clock that runs on a state directory, whichever version it is.
func askHealth(ctx context.Context, stateDir string) (update.State, error) {
	h, err := admin.DoHealth.On(ctx, admin.Dial(stateDir), admin.None{})
	return update.State(h), err
}

// stageFile stages a package that somebody has brought.
func (c *call) stageFile(ctx context.Context, u *update.Updater, file string) error {
	pkg, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	signature, err := os.ReadFile(file + ".minisig")
	if err != nil {
		return fmt.Errorf("the package's signature: %w: whoever made it signs it with `minisign -Sm %s`", err, file)
	}
	version, err := u.Stage(ctx, pkg, signature, "")
	if err == nil {
		fmt.Fprintf(c.stdout, "Installing version %s; if it is not healthy within %v, version %s returns.\n", version,
			update.Probation, theVersion())
	}
	return err
}

// restartClock has systemd run the version that is installed.
func restartClock(ctx context.Context) error {
	for _, args := range [][]string{{"daemon-reload"}, {"restart", "--no-block", "timeclock.service"}} {
		if out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("systemctl %s: %w: %s", args[0], err, out)
		}
	}
	return nil
}

// downloadTime is what a package may take, over a phone's network.
const downloadTime = 15 * time.Minute

// looksFor reports whether the settings have the clock look for updates now.
func looksFor(cfg config.Config) bool {
	return cfg.Update.URL != "" && cfg.Update.Hours.Contains(time.Now().In(cfg.Clock.Zone))
}

// fetchUpdate downloads a newer package, in the hours in which nobody taps. It needs no
// rights, and its unit gives it none.
func fetchUpdate(ctx context.Context, c *call) error {
	cfg, err := c.load()
	if err != nil || !looksFor(cfg) {
		return err
	}
	source, err := packageSource(cfg)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, downloadTime)
	defer stop()
	u := &update.Updater{}
	arch, err := u.Architecture(ctx)
	if err != nil {
		return err
	}
	return source.Fetch(ctx, fetchDir, arch, func(version string) bool { return u.Newer(ctx, version, theVersion()) })
}

// stageUpdate checks what was fetched, and stages it. The path unit then has it installed,
// by a process without a network.
func stageUpdate(ctx context.Context, cfg config.Config, u *update.Updater) error {
	if _, err := os.Stat(shownDir); err == nil { // the unit makes it
		u.Shown = shownDir
	}
	if err := u.Show(); err != nil || !looksFor(cfg) {
		return err
	}
	switch s, err := admin.DoStatus.On(ctx, admin.Dial(cfg.StateDir), admin.None{}); {
	case err != nil:
		return fmt.Errorf("no update while the clock does not run: %w", err)
	case !s.Clock.Trusted:
		return nil // what time is it, and which day?
	}
	version, err := u.Take(ctx, fetchDir, theVersion(), time.Now())
	if version != "" {
		u.Log.Info("update staged", "version", version)
	}
	return err
}

func packageSource(cfg config.Config) (update.Source, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if file := cfg.Zeitstrom.CAFile; file != "" {
		roots, err := zeitstrom.Roots(file)
		if err != nil {
			return update.Source{}, err
		}
		t.TLSClientConfig.RootCAs = roots
	}
	return update.Source{URL: cfg.Update.URL, Key: cfg.Update.Key, HTTP: &http.Client{Transport: t}}, nil
}
