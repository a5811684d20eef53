package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"timeclock/device/config"
	"timeclock/device/control"
)

// journalEnds is how many entries of the journal's head and tail go into a bundle.
const journalEnds = 200

// runSupport writes what somebody needs who helps from afar.
func runSupport(ctx context.Context, c *call) error {
	if err := c.want(0, 1); err != nil {
		return err
	}
	cfg, err := loadConfig(c.config)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "timeclock"
	}
	path := fmt.Sprintf("timeclock-support-%s-%s.tar.gz", host, time.Now().UTC().Format("20060102T150405Z"))
	if len(c.args) == 1 {
		path = c.args[0]
	}
	// Before root becomes the clock's user, who may not write here.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	content, err := gather(ctx, cfg)
	if err == nil {
		_, err = f.Write(content)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	_, err = fmt.Fprintf(c.stdout, "%s\nhas state, examination, settings, logs and parts of the journal; names, badge numbers and tokens are masked. Employees' ids are in it.\n", path)
	return err
}

// gather returns the bundle.
func gather(ctx context.Context, cfg config.Config) ([]byte, error) {
	clock, stop, err := anyClock(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer stop()
	mask, err := newMask(cfg, clock)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	for _, part := range []struct {
		name string
		text func() (string, error)
	}{
		{"version.txt", func() (string, error) { return theVersion(), nil }},
		{"status.json", func() (string, error) { return asJSON(clock.Status()) }},
		{"doctor.json", func() (string, error) { return asJSON(clock.Examine()) }},
		{"settings.toml", func() (string, error) { return strings.Join(cfg.Settings(), "\n"), nil }},
		{"journal.jsonl", func() (string, error) { return journalOf(clock) }},
		{"log.txt", func() (string, error) { return logOf(ctx, clock) }},
		{"os-release", func() (string, error) { return content("/etc/os-release") }},
		{"config.txt", func() (string, error) { return content("/boot/firmware/config.txt") }},
	} {
		text, err := part.text()
		if err != nil { // the rest may help all the same
			text += "\nnot to be had: " + err.Error()
		}
		text = mask.Replace(text)
		if err := files.WriteHeader(&tar.Header{Name: part.name, Mode: 0o600, Size: int64(len(text)), ModTime: time.Now()}); err != nil {
			return nil, err
		}
		if _, err := files.Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	err = errors.Join(files.Close(), zipped.Close())
	return out.Bytes(), err
}

// newMask takes out of a text whose names and badges it has. Where it could miss one,
// nothing is written.
func newMask(cfg config.Config, clock *control.Client) (*strings.Replacer, error) {
	secrets := map[string]string{}
	badges, err := clock.List()
	if err != nil {
		return nil, err
	}
	for i, b := range badges {
		secrets[b.UID.Hex()] = fmt.Sprintf("BADGE-%d", i+1)
		secrets[b.Employee.Name] = fmt.Sprintf("NAME-%d", i+1)
	}
	unclaimed, _, err := clock.Unclaimed()
	if err != nil {
		return nil, err
	}
	for i, u := range unclaimed {
		secrets[u.UID] = fmt.Sprintf("UNCLAIMED-%d", i+1)
	}
	for _, file := range []string{cfg.Zeitstrom.TokenFile, cfg.Zeitstrom.AdminTokenFile} {
		token, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		secrets[strings.TrimSpace(string(token))] = "TOKEN"
	}
	delete(secrets, "")
	var pairs []string
	for _, secret := range slices.SortedFunc(maps.Keys(secrets), func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) }) {
		pairs = append(pairs, secret, secrets[secret], strings.ToLower(secret), secrets[secret])
	}
	return strings.NewReplacer(pairs...), nil
}

func asJSON[T any](x T, err error) (string, error) {
	text, failed := json.MarshalIndent(x, "", "  ")
	return string(text), errors.Join(err, failed)
}

func content(path string) (string, error) {
	text, err := os.ReadFile(path)
	return string(text), err
}

// journalOf is the journal's head and tail; an entry to a line.
func journalOf(clock *control.Client) (string, error) {
	var head, tail []string
	n := 0
	err := clock.Journal(func(l control.JournalLine) error {
		line, err := json.Marshal(l)
		if n++; n <= journalEnds {
			head = append(head, string(line))
		} else if tail = append(tail, string(line)); len(tail) > journalEnds {
			tail = tail[1:]
		}
		return err
	})
	return strings.Join(append(head, tail...), "\n"), err
}

// logOf is what the system has kept of the clock's log, or the clock itself.
func logOf(ctx context.Context, clock *control.Client) (string, error) {
	kept, err := exec.CommandContext(ctx, "journalctl", "--unit=timeclock", "--lines=2000", "--no-pager", "--output=short-iso-precise").Output()
	if err == nil && bytes.Count(kept, []byte("\n")) > 1 {
		return string(kept), nil
	}
	lines, err := clock.Log()
	return strings.Join(lines, "\n"), err
}
