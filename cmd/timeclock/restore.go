package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"timeclock/cmd/internal/admin"
	"timeclock/device/config"
	"timeclock/device/durable"
	"timeclock/queue"

	"filippo.io/age"
)

var restoreCommand = command{
	name: "restore", args: "[FILE]",
	help: "make a new device that of a backup; then, once the old card is gone, -take-over what it had not sent",
	flags: func(f *flags) action {
		secret := f.text("passphrase-file", "", "a `file` with the passphrase; else it is asked for")
		journal := f.text("journal", "", "only write the journal that is in it to this `file` (JSON Lines)")
		over := f.truth("take-over", "take over what the old device had not sent: its card must be gone for good")
		sure := f.truth("yes", "with -take-over: it is gone, do not ask")
		return func(ctx context.Context, c *call) error {
			switch {
			case *over && len(c.args) == 0:
				return c.takeOver(ctx, *sure)
			case *over || len(c.args) == 0:
				return fmt.Errorf("%w: it takes a FILE, or -take-over", errUsage)
			}
			phrase, err := c.passphrase(ctx, *secret, false)
			if err != nil {
				return err
			}
			if *journal != "" {
				return c.extractJournal(c.args[0], *journal, phrase)
			}
			return c.restore(ctx, c.args[0], phrase)
		}
	},
}

// openBackup calls f for each part of a backup. When it returns nil all of the file was read, and nobody has
// changed it.
func openBackup(path, phrase string, f func(name string, content io.Reader) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	id, err := age.NewScryptIdentity(phrase)
	if err != nil {
		return errors.New("the passphrase is empty")
	}
	id.SetMaxWorkFactor(workFactor)
	err = readBackup(file, id, f)
	var wrong *age.NoIdentityMatchError
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("%s: the passphrase is another one", path)
	case err != nil:
		return fmt.Errorf("%s is no whole backup: %w", path, err)
	}
	return nil
}

func readBackup(file io.Reader, id age.Identity, f func(name string, content io.Reader) error) error {
	plain, err := age.Decrypt(file, id)
	if err != nil {
		return err
	}
	unzipped, err := gzip.NewReader(plain)
	if err != nil {
		return err
	}
	for parts := tar.NewReader(unzipped); ; {
		h, err := parts.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, io.MultiReader(unzipped, plain)) // their sums are at their ends
			return err
		}
		if err == nil {
			err = f(h.Name, parts)
		}
		if err != nil {
			return err
		}
	}
}

// readPart reads a part that is no piece of the journal.
func readPart(name string, content io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(content, maxPart+1))
	if err == nil && len(text) > maxPart {
		err = fmt.Errorf("%s has more than %d MB", name, maxPart>>20)
	}
	return text, err
}

// restore makes this device the one that a backup is of.
func (c *call) restore(ctx context.Context, path, phrase string) error {
	parts := map[string][]byte{}
	err := openBackup(path, phrase, func(name string, content io.Reader) error {
		if strings.HasPrefix(name, journalParts) {
			return nil
		}
		var err error
		parts[name], err = readPart(name, content)
		return err
	})
	if err != nil {
		return err
	}
	var about backupAbout
	if err := json.Unmarshal(parts[aboutPart], &about); err != nil {
		return fmt.Errorf("%s is no backup of a clock: %w", path, err)
	}
	if about.Format > backupFormat {
		return fmt.Errorf("%s is by a newer version (%s): update this device first", path, about.Version)
	}
	cfg, err := config.Parse(settingsPart, parts[settingsPart], knownLanguage)
	if err != nil {
		return fmt.Errorf("the settings in %s: %w", path, err)
	}
	var u admin.Unsent
	if err := json.Unmarshal(parts[unsentPart], &u); err != nil {
		return fmt.Errorf("the bookings in %s: %w", path, err)
	}
	if stopClock(ctx) {
		defer func() {
			if err := exec.Command("systemctl", "start", "timeclock.service").Run(); err != nil {
				fmt.Fprintln(c.stderr, "start the clock: sudo systemctl start timeclock")
			}
		}()
	}
	// The clock that is here may have another state directory.
	if here, err := loadConfig(c.config); err == nil && here.StateDir != cfg.StateDir {
		if err := asClock(ctx, here.StateDir, nil); err != nil {
			return err
		}
	}
	if err := restoreFiles(ctx, c.config, cfg, parts); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "This device is %s now, as it was on %s.\n", about.Device,
		about.Made.Local().Format("2006-01-02 15:04"))
	if len(u.Punches) > 0 {
		fmt.Fprintf(c.stdout, "%s had %d bookings that Zeitstrom did not have. Once its card is gone for good, and "+
			"will send nothing any more, take them over: sudo timeclock restore -take-over\n", about.Device,
			len(u.Punches))
	}
	return nil
}

// stopClock stops a clock that systemd knows, and reports whether there is one.
func stopClock(ctx context.Context) bool {
	if exec.CommandContext(ctx, "systemctl", "cat", "timeclock.service").Run() != nil {
		return false
	}
	return exec.CommandContext(ctx, "systemctl", "stop", "timeclock.service").Run() == nil
}

// restoreFiles writes everything. Whatever is in the state directory is the clock's user's: a process that has
// become that user looks whether there are bookings, and writes there. Then come the files of root; the settings
// are the last, so that what is cut off can be done again.
func restoreFiles(ctx context.Context, settings string, cfg config.Config, parts map[string][]byte) error {
	state := map[string][]byte{}
	for _, name := range stateParts {
		state[name] = parts["state/"+name] // nil: that clock had none, and this one has none either
	}
	state[admin.UnsentFile] = parts[unsentPart]
	files := fileParts(cfg)
	for key, path := range files {
		text, there := parts["files/"+key]
		inside, err := filepath.Rel(cfg.StateDir, path)
		own := err == nil && filepath.IsLocal(inside)
		if own && there {
			state[inside] = text
		}
		if own || !there {
			delete(files, key)
		}
	}
	if err := asClock(ctx, cfg.StateDir, state); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(files)) {
		if err := restoreFile(files[key], parts["files/"+key], key, cfg.StateDir); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if old, err := os.ReadFile(settings); err == nil {
		if err := replaceFile(settings+".before-restore", old, 0o644, ""); err != nil {
			return err
		}
	}
	return replaceFile(settings, parts[settingsPart], 0o644, "")
}

// restoreFile writes a file that the settings name: one with a secret is the clock's alone, others are for all.
func restoreFile(path string, text []byte, key, stateDir string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if key == "zeitstrom.ca_file" || key == "web.cert_file" {
		return replaceFile(path, text, 0o644, "")
	}
	return replaceFile(path, text, 0o600, stateDir)
}

// replaceFile replaces a file as a whole, by way of a name that nobody can have put a link at. If a directory is
// named the file belongs to who owns that.
func replaceFile(path string, text []byte, mode os.FileMode, ownedAs string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".restore-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // once it has its name there is none
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode))
	if ownedAs != "" {
		err = errors.Join(err, giveToOwner(f.Name(), ownedAs))
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return durable.Rename(f.Name(), path)
}

// asClock has a process that becomes the clock's user look whether a state directory is one of a clock without
// bookings, and write files there; those without content go.
func asClock(ctx context.Context, dir string, files map[string][]byte) error {
	cmd, err := child(ctx, restoreState.name, dir)
	if err != nil {
		return err
	}
	in, err := json.Marshal(files)
	if err != nil {
		return err
	}
	cmd.Stdin = bytes.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.New(strings.TrimPrefix(strings.TrimSpace(string(out)), "timeclock "+restoreState.name+": "))
	}
	return nil
}

// restoreState is the part of it that becomes the clock's user. It is not for people.
var restoreState = command{
	name: "restore-state", args: "DIR",
	flags: simple(func(_ context.Context, c *call) error {
		var files map[string][]byte
		if err := json.NewDecoder(c.stdin).Decode(&files); err != nil {
			return err
		}
		var cfg config.Config
		cfg.StateDir = c.args[0]
		state, err := openState(cfg)
		if errors.Is(err, errHeld) {
			return errors.New("the clock is running: stop it first, with `systemctl stop timeclock`")
		}
		if err != nil {
			return err
		}
		defer state.Close()
		var u admin.Unsent
		if text := files[admin.UnsentFile]; text != nil {
			if err := json.Unmarshal(text, &u); err != nil {
				return err
			}
		}
		if err := isFresh(cfg, u.List); err != nil {
			return err
		}
		if len(u.Punches) == 0 && files != nil {
			files[admin.UnsentFile] = nil
		}
		return writeState(cfg.StateDir, files)
	}),
}

// writeState writes files below a state directory, and removes those that have no content.
func writeState(dir string, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o750)
		if files[name] != nil {
			err = errors.Join(err, durable.WriteFile(path, files[name]))
		} else if gone := os.Remove(path); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isFresh says why a clock is not one without bookings, for a backup with this list of those that were not sent.
func isFresh(cfg config.Config, list string) error {
	if u, err := admin.ReadUnsent(cfg.StateDir); err == nil && u.List != list { // else it was cut off
		return errors.New("this clock was restored already, and has not taken over what the old device had not " +
			"sent: `timeclock restore -take-over` does that")
	}
	if readRecovery(cfg) != nil {
		return errRecovering
	}
	if _, err := os.Stat(queuePath(cfg)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	q, err := queue.Open(queuePath(cfg), nil)
	if err != nil {
		return err
	}
	defer q.Close()
	st := q.Stats() // unclaimed taps are no bookings
	if n := st.Pending + st.Delivered + st.Quarantined + st.Dropped; n > 0 {
		return fmt.Errorf("this clock has %d bookings of its own: a backup makes a clock only of one without. "+
			"Deliver them, then `timeclock reset`", n)
	}
	return nil
}

// extractJournal writes the journal that is in a backup. It never becomes a queue again.
func (c *call) extractJournal(path, out, phrase string) error {
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = openBackup(path, phrase, func(name string, content io.Reader) error {
		if !strings.HasPrefix(name, journalParts) {
			return nil
		}
		_, err := io.Copy(f, content)
		return err
	})
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(out))
	}
	_, err = fmt.Fprintf(c.stdout, "%s has the journal.\n", out)
	return err
}

// takeOver takes over what the old device had not sent, once somebody says that it never will.
func (c *call) takeOver(ctx context.Context, sure bool) error {
	if !sure && !c.yes(ctx, "Is the old device's card gone for good? If it is ever switched on again, it sends the "+
		"same bookings once more.") {
		return errors.New("nothing was taken over")
	}
	clock, done, err := c.either(ctx)
	if err != nil {
		return err
	}
	defer done()
	u, err := admin.DoTakeOver.On(ctx, clock, admin.None{})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%d bookings of %s were taken over. Zeitstrom is asked about each before it is sent.\n",
		u.Punches-len(u.Untimed), u.Device)
	for _, p := range u.Untimed {
		fmt.Fprintf(c.stdout, "NOT taken over, its time is not certain: %s %s %s, the old clock showed %s. Add it at "+
			"Zeitstrom.\n", p.Intent, p.Employee, p.Name, p.Time.Local().Format("2006-01-02 15:04"))
	}
	return nil
}
