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

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/web"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/roster"
)

// journalEnds is how many entries of the journal's head and tail go into a bundle.
const journalEnds = 200

var supportCommand = command{
	name: "support", args: "[FILE]",
	help:  "write a file for whoever helps: state, examination, settings, logs; names and badge numbers masked",
	flags: simple(func(ctx context.Context, c *call) error { return c.support(ctx) }),
}

// support writes what somebody needs who helps from afar.
func (c *call) support(ctx context.Context) error {
	cfg, err := c.load()
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
	_, err = fmt.Fprintf(c.stdout, "%s\nhas state, examination, settings, logs and parts of the journal; names, "+
		"badge numbers and tokens are masked. Employees' ids are in it.\n", path)
	return err
}

// gather returns the bundle. What cannot be had is said in it: the worse a clock is, the
// more the rest may help.
func gather(ctx context.Context, cfg config.Config) ([]byte, error) {
	log := systemLog(ctx) // before root becomes the clock's user, who may not read it
	mask, err := newMask(cfg)
	if err != nil {
		return nil, err
	}
	clock, stop, none := anyClock(ctx, cfg)
	if none == nil {
		defer stop()
	}
	ask := func(text func() (string, error)) func() (string, error) {
		if none != nil {
			return func() (string, error) { return "", none }
		}
		return text
	}
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	files := tar.NewWriter(zipped)
	for _, part := range []struct {
		name string
		text func() (string, error)
	}{
		{"version.txt", func() (string, error) { return theVersion(), nil }},
		{"status.json", ask(func() (string, error) { return asJSON(admin.DoStatus.On(ctx, clock, admin.None{})) })},
		{"doctor.json", ask(func() (string, error) { return asJSON(admin.DoExamine.On(ctx, clock, admin.None{})) })},
		{"settings.toml", func() (string, error) { return strings.Join(cfg.Settings(), "\n"), nil }},
		{"journal.jsonl", ask(func() (string, error) { return journalOf(ctx, clock) })},
		{"log.txt", func() (string, error) {
			if log != "" || none != nil {
				return log, none
			}
			lines, err := admin.DoLog.On(ctx, clock, admin.None{})
			return strings.Join(lines, "\n"), err
		}},
		{"os-release", func() (string, error) { return content("/etc/os-release") }},
		{"config.txt", func() (string, error) { return content("/boot/firmware/config.txt") }},
	} {
		text, err := part.text()
		if err != nil {
			text += "\nnot to be had: " + err.Error()
		}
		text = mask.Replace(text)
		if err := files.WriteHeader(&tar.Header{
			Name: part.name, Mode: 0o600, Size: int64(len(text)), ModTime: time.Now(),
		}); err != nil {
			return nil, err
		}
		if _, err := files.Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	err = errors.Join(files.Close(), zipped.Close())
	return out.Bytes(), err
}

// newMask takes names, badges and tokens out of a text: of the badge map, of the page's
// accounts, of the token files. Where it could miss one, nothing is written.
func newMask(cfg config.Config) (*strings.Replacer, error) {
	secrets := map[string]string{}
	hide := func(secret, as string, n int) {
		if len(secret) < 3 { // what is shorter is in everything
			return
		}
		text, err := json.Marshal(secret)
		if err != nil {
			return
		}
		for _, form := range []string{secret, strings.Trim(string(text), `"`)} {
			secrets[form] = fmt.Sprintf("%s-%d", as, n)
		}
	}
	hideName := func(e device.Employee, n int) {
		hide(e.Name, "NAME", n)
		for _, part := range strings.Fields(e.Name) {
			if len(part) > 3 { // a shorter one is in many words
				hide(part, "NAME", n)
			}
		}
	}
	n := 0
	for _, b := range roster.Open(rosterPath(cfg)).List() {
		n++
		hide(b.UID.Hex(), "BADGE", n)
		hide(strings.ToLower(b.UID.Hex()), "BADGE", n)
		hideName(b.Employee, n)
	}
	for p, err := range roster.NewPeople(peoplePath(cfg), nil).All() {
		if err != nil {
			return nil, err
		}
		n++
		hide(p.Badge, "BADGE", n)
		hideName(p.Employee, n)
	}
	accounts := web.AccountNames(cfg.StateDir)
	for i, name := range accounts {
		hide(name, "ACCOUNT", i+1)
	}
	for i, file := range []string{cfg.Zeitstrom.TokenFile, cfg.Zeitstrom.AdminTokenFile} {
		token, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && file != "" {
			return nil, err
		}
		hide(strings.TrimSpace(string(token)), "TOKEN", i+1)
	}
	var pairs []string
	for _, secret := range slices.SortedFunc(maps.Keys(secrets),
		func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) }) {
		pairs = append(pairs, secret, secrets[secret])
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

// journalOf is the journal's head and tail; an entry to a line. What people have written
// there, and who, is nobody's business.
func journalOf(ctx context.Context, clock admin.Route) (string, error) {
	var head, tail []string
	n := 0
	err := clock.Journal(ctx, func(l admin.JournalLine) error {
		if l.By != "" {
			l.By, l.Reason = "somebody", ""
		}
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

// systemLog is what the system has kept of the clock's log; empty if it has not, or may
// not be asked.
func systemLog(ctx context.Context) string {
	kept, err := exec.CommandContext(ctx, "journalctl", "--unit=timeclock", "--unit=timeclock-update",
		"--unit=timeclock-fetch", "--lines=2000", "--no-pager", "--output=short-iso-precise").Output()
	if err != nil || bytes.Count(kept, []byte("\n")) < 2 {
		return ""
	}
	return string(kept)
}
