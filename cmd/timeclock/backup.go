package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device/config"
	"timeclock/device/doctor"
	"timeclock/device/durable"

	"filippo.io/age"
)

// What is in a backup, beside the files that the settings name (fileParts) and those of the state directory
// (stateParts). It is a tar archive, packed by gzip, and encrypted by age with a passphrase
// (age-encryption.org/v1). The journal is the last: who restores a clock reads over it.
const (
	aboutPart     = "backup.json"
	settingsPart  = "settings.toml"
	unsentPart    = "unsent.json"
	unclaimedPart = "unclaimed.json"
	journalParts  = "journal/" // in pieces
)

// stateParts are files of the state directory: badge map, function badges, the page's accounts and its own
// certificate. The queue is not among them: it would send everything once more.
var stateParts = []string{
	"roster.csv", "functions.csv", "employees.csv", "accounts.json", "web-cert.pem", "web-key.pem",
}

// fileParts are files that settings name, by the keys.
func fileParts(cfg config.Config) map[string]string {
	files := map[string]string{
		"zeitstrom.token_file": cfg.Zeitstrom.TokenFile, "zeitstrom.admin_token_file": cfg.Zeitstrom.AdminTokenFile,
		"zeitstrom.ca_file": cfg.Zeitstrom.CAFile, "web.cert_file": cfg.Web.CertFile, "web.key_file": cfg.Web.KeyFile,
	}
	maps.DeleteFunc(files, func(_, path string) bool { return path == "" })
	return files
}

// backupFormat is what this program writes and reads.
const backupFormat = 1

// backupAbout says what a backup is of.
type backupAbout struct {
	Format  int       `json:"format"`
	List    string    `json:"list"` // of its unsent bookings
	Made    time.Time `json:"made"`
	Device  string    `json:"device"`
	Serial  string    `json:"serial"`
	Version string    `json:"version"`
}

// workFactor is scrypt's, as a power of two: 15 takes 32 MB, of which a Pi Zero has 512.
const workFactor = 15

// maxPart bounds what is read of a part, in bytes; the journal has no bound.
const maxPart = 64 << 20

var backupCommand = command{
	name: "backup", help: "write all that a new device needs in the place of this one into an encrypted file",
	flags: func(f *flags) action {
		out := f.text("out", "", "the `file` that is made")
		secret := f.text("passphrase-file", "", "a `file` with the passphrase; else it is asked for")
		return func(ctx context.Context, c *call) error { return c.backup(ctx, *out, *secret) }
	},
}

func (c *call) backup(ctx context.Context, out, secret string) error {
	if out == "" {
		return fmt.Errorf("%w: -out is missing", errUsage)
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(out); err == nil {
		return fmt.Errorf("%s is there already: name another file", out)
	}
	phrase, err := c.passphrase(ctx, secret, true)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // once it has its name there is none
	made, err := c.writeBackup(ctx, cfg, f, phrase)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("nothing was backed up: %w", err)
	}
	if err := durable.Rename(f.Name(), out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s has settings, tokens, badges, accounts and the journal of %s, and lists %d "+
		"bookings that Zeitstrom does not have. Keep it and its passphrase apart from the device.\n", out, made.Device,
		len(made.Punches))
	return err
}

// writeBackup encrypts everything to w.
func (c *call) writeBackup(ctx context.Context, cfg config.Config, w io.Writer, phrase string) (
	u admin.Unsent, err error,
) {
	to, err := age.NewScryptRecipient(phrase)
	if err != nil {
		return u, err
	}
	to.SetWorkFactor(workFactor)
	sealed, err := age.Encrypt(w, to)
	if err != nil {
		return u, err
	}
	zipped := gzip.NewWriter(sealed)
	b := &backupWriter{tar.NewWriter(zipped), time.Now()}
	about := backupAbout{
		Format: backupFormat, List: rand.Text(), Made: b.at.UTC().Truncate(time.Second), Device: doorOf(cfg).Name,
		Serial: doctor.Host{}.Serial(), Version: theVersion(),
	}
	settings, err := os.ReadFile(c.config)
	if err != nil {
		return u, err
	}
	text, err := json.Marshal(about)
	if err := errors.Join(err, b.part(aboutPart, text), b.part(settingsPart, settings),
		b.files("files", fileParts(cfg))); err != nil {
		return u, err
	}
	u, err = c.writeParts(ctx, about, b)
	return u, errors.Join(err, b.Close(), zipped.Close(), sealed.Close())
}

// writeParts writes what the clock's user has. A process that becomes that user gathers it: this one stays who
// it is, so that it can give the file its name.
func (c *call) writeParts(ctx context.Context, about backupAbout, b *backupWriter) (u admin.Unsent, err error) {
	cmd, err := child(ctx, backupParts.name, "-config", c.config, about.List, about.Device,
		about.Made.Format(time.RFC3339))
	if err != nil {
		return u, err
	}
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return u, err
	}
	for parts := tar.NewReader(out); ; {
		var h *tar.Header
		if h, err = parts.Next(); err != nil {
			break
		}
		var content []byte
		if content, err = readPart(h.Name, parts); err == nil && h.Name == unsentPart {
			err = json.Unmarshal(content, &u)
		}
		if err = errors.Join(err, b.part(h.Name, content)); err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	io.Copy(io.Discard, out)
	if ended := cmd.Wait(); ended != nil {
		said := strings.TrimSpace(problem.String())
		return u, errors.New(strings.TrimPrefix(said, "timeclock "+backupParts.name+": "))
	}
	return u, err
}

// backupParts is the part of it that becomes the clock's user. It is not for people.
var backupParts = command{
	name: "backup-parts", args: "LIST DEVICE MADE",
	flags: simple(func(ctx context.Context, c *call) error {
		cfg, err := c.load()
		if err != nil {
			return err
		}
		u := admin.Unsent{List: c.args[0], Device: c.args[1]}
		if u.Made, err = time.Parse(time.RFC3339, c.args[2]); err != nil {
			return err
		}
		clock, done, err := c.either(ctx)
		if err != nil {
			return err
		}
		defer done()
		b := &backupWriter{tar.NewWriter(c.stdout), time.Now()}
		state := map[string]string{}
		for _, name := range stateParts {
			state[name] = filepath.Join(cfg.StateDir, name)
		}
		if u.Punches, err = admin.DoUnsent.On(ctx, clock, admin.None{}); err != nil {
			return err
		}
		unsent, err := json.MarshalIndent(u, "", " ")
		if err != nil {
			return err
		}
		unclaimed, err := admin.DoUnclaimed.On(ctx, clock, admin.None{})
		if err != nil {
			return err
		}
		taps, err := json.MarshalIndent(unclaimed, "", " ")
		return errors.Join(err, b.files("state", state), b.part(unsentPart, unsent), b.part(unclaimedPart, taps),
			b.journal(ctx, clock), b.Close())
	}),
}

// backupWriter writes parts.
type backupWriter struct {
	*tar.Writer
	at time.Time
}

func (b *backupWriter) part(name string, content []byte) error {
	h := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: b.at}
	if err := b.WriteHeader(h); err != nil {
		return err
	}
	_, err := b.Write(content)
	return err
}

// files writes those that are there, under the names of a map.
func (b *backupWriter) files(folder string, paths map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		content, err := durable.ReadRegular(paths[name], maxPart)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = b.part(folder+"/"+name, content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// journalChunk is how much of the journal is one part, in bytes: its whole length is not known before.
const journalChunk = 1 << 20

// journal writes the journal, an entry to a line.
func (b *backupWriter) journal(ctx context.Context, clock admin.Route) error {
	var text bytes.Buffer
	n := 0
	flush := func() error {
		n++
		err := b.part(fmt.Sprintf("%s%06d.jsonl", journalParts, n), text.Bytes())
		text.Reset()
		return err
	}
	err := clock.Journal(ctx, func(l admin.JournalLine) error {
		err := json.NewEncoder(&text).Encode(l)
		if err == nil && text.Len() >= journalChunk {
			err = flush()
		}
		return err
	})
	if err == nil && text.Len() > 0 {
		err = flush()
	}
	return err
}
