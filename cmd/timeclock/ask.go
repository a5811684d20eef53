package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"timeclock/deploy/flash"
	"timeclock/deploy/image"
	"timeclock/device/config"

	"github.com/pelletier/go-toml/v2"
)

// dialogue asks a person for what a card is prepared with.
type dialogue struct {
	*cards
	ctx context.Context
	said
}

// asks reports whether a person is to be asked: nothing was said, and there is one.
func (c *cards) asks() bool {
	flags := 0
	c.flags.Visit(func(f *flag.Flag) {
		if f.Name != "config" {
			flags++
		}
	})
	return flags == 0 && onTerminal(c.stdin)
}

// dialogue begins one.
func (c *cards) dialogue(ctx context.Context) *dialogue {
	d := &dialogue{cards: c, ctx: ctx, said: lastSaid()}
	c.sure = d.sure
	return d
}

// question is one that is asked until its answer is good.
type question struct {
	text   string
	like   *string // what Enter means, and where the answer goes
	none   string  // the word for nothing; empty: there must be an answer
	secret bool
	path   bool               // it names a file or a folder
	judge  func(string) error // nil: anything will do
}

func (d *dialogue) ask(q question) error {
	for {
		hint := cmp.Or(*q.like, q.none)
		if hint != "" && !q.secret { // a secret is never taken for said
			hint = " [" + hint + "]"
		} else {
			hint = ""
		}
		text, err := d.typed(d.ctx, fmt.Sprintf("%s%s: ", q.text, hint), q.secret)
		if err != nil {
			return err
		}
		if text == "" && !q.secret {
			text = cmp.Or(*q.like, q.none)
		}
		if q.path {
			text = asPath(text)
		}
		none := q.none != "" && text == q.none
		switch {
		case none:
			text = ""
		case text == "":
			err = errors.New("this must be answered")
		case q.judge != nil:
			err = q.judge(text)
		}
		if err == nil {
			*q.like = text
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) && q.path {
			err = fmt.Errorf("there is no %s", text)
		}
		fmt.Fprintf(d.stdout, "  %v\n", err)
	}
}

// asPath is a path as people give it: dragged into the terminal, in quotes, or from their home.
func asPath(text string) string {
	if n := len(text); n > 1 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
		text = text[1 : n-1]
	} else if runtime.GOOS != "windows" {
		text = strings.ReplaceAll(text, `\ `, " ")
	}
	if rest, found := strings.CutPrefix(text, "~/"); found {
		if home, err := os.UserHomeDir(); err == nil {
			text = filepath.Join(home, rest)
		}
	}
	return text
}

// card asks for all that a card is prepared with; first, where its system is.
func (d *dialogue) card(first question) (r ready, err error) {
	fmt.Fprintln(d.stdout, "Enter takes what stands in [brackets], Ctrl-C ends it.")
	if err := d.ask(first); err != nil {
		return r, err
	}
	r.card = card{"config": d.config}
	r.device.User = *d.user
	for _, part := range []func(*ready) error{
		d.askPackage, d.askName, d.askSettings, d.askToken, d.askWifi, d.askKey,
	} {
		if err := part(&r); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (d *dialogue) askPackage(r *ready) (err error) {
	if r.device.Packages, err = packages(""); err != nil || len(r.device.Packages) > 0 {
		return err
	}
	return d.ask(question{
		text: "Folder with the packages of the time clock", like: &d.Package, path: true,
		judge: func(path string) (err error) { r.device.Packages, err = packages(path); return err },
	})
}

func (d *dialogue) askName(r *ready) error {
	err := d.ask(question{text: "Name of the device in the network", like: &d.Name, judge: flash.Named})
	r.device.Name, r.card["name"] = d.Name, d.Name
	return err
}

// askSettings asks for those that differ from company to company, and that a file of settings does not have.
func (d *dialogue) askSettings(r *ready) (err error) {
	has := map[string]any{}
	own := d.config != config.DefaultPath
	if own {
		if err := r.readSettings(d.config); err != nil {
			return err
		}
		if err := toml.Unmarshal(r.device.Config, &has); err != nil {
			return err
		}
	}
	var answered bytes.Buffer
	for _, q := range []struct {
		table, key string
		question
	}{
		{"display", "language", question{
			text: "Language of the display", like: &d.Language, judge: knownLanguage.Judge,
		}},
		{"clock", "zone", question{text: "Time zone", like: &d.Zone, judge: isZone}},
		{"web", "listen", question{
			text: "Shall there be an admin's page on the device, yes or no", like: &d.Page, judge: isYesOrNo,
		}},
	} {
		if table, there := has[q.table].(map[string]any); there && table[q.key] != nil {
			continue
		}
		if err := d.ask(q.question); err != nil {
			return err
		}
		value := *q.like
		if q.key == "listen" {
			d.Page = map[bool]string{true: "yes", false: "no"}[isYes(d.Page)]
			value = map[string]string{"yes": ":8443"}[d.Page]
		}
		fmt.Fprintf(&answered, "%s.%s = %q\n", q.table, q.key, value)
	}
	return d.settle(r, own, answered.Bytes())
}

// settle puts what was answered before the settings of a file: dotted keys stand before the tables.
func (d *dialogue) settle(r *ready, own bool, answered []byte) (err error) {
	r.card["config"] = "by these answers"
	text := append([]byte("# As answered for "+d.Name+". `timeclock config default` explains every setting.\n"),
		answered...)
	if own {
		r.card["config"] = d.config
		text = append(answered, r.device.Config...)
	}
	r.device.Config = text
	if r.cfg, err = config.Parse(r.card["config"], text, knownLanguage); err != nil {
		return err
	}
	if zone := r.cfg.Clock.Zone.String(); zone != "Local" {
		r.device.Zone = zone
	}
	return nil
}

func isZone(name string) error {
	// A Mac takes europe/berlin, too; the Pi does not.
	if _, err := time.LoadLocation(name); err != nil || name == "" || name == "Local" ||
		name == strings.ToLower(name) {
		return fmt.Errorf("%q is no time zone: it looks like Europe/Berlin", name)
	}
	return nil
}

func isYes(text string) bool {
	return slices.Contains([]string{"y", "yes", "j", "ja"}, strings.ToLower(text))
}

func isYesOrNo(text string) error {
	if isYes(text) || slices.Contains([]string{"n", "no", "nein"}, strings.ToLower(text)) {
		return nil
	}
	return errors.New("yes or no?")
}

func (d *dialogue) askToken(r *ready) error {
	var token string
	r.card["token"] = "this answer"
	return d.ask(question{
		text: "Token of the company, from Zeitstrom (it does not show)", like: &token, secret: true,
		judge: func(text string) error {
			text = strings.TrimSpace(text)
			if !isToken(text) {
				return errors.New("a token has letters, digits and the like, and no spaces")
			}
			r.device.Token = []byte(text)
			fmt.Fprintf(d.stdout, "  %d characters\n", utf8.RuneCountInString(text))
			return d.tryToken(d.ctx, *r)
		},
	})
}

func (d *dialogue) askWifi(r *ready) error {
	noToken := func(text string) error {
		if text == string(r.device.Token) {
			return errors.New("this is the token: the name of the network is wanted")
		}
		return nil
	}
	if err := d.ask(question{
		text: "Wi-Fi network, or none (by cable)", like: &d.SSID, none: "none", judge: noToken,
	}); err != nil || d.SSID == "" {
		return err
	}
	w := &flash.Wifi{SSID: d.SSID, Country: cmp.Or(d.Country, "DE")}
	for _, q := range []question{
		{
			text: "Its password (it does not show); \"none\" for an open network", like: &w.Password, none: "none",
			secret: true,
		},
		{text: "Country in which the device is, two letters", like: &w.Country},
	} {
		q.judge = func(text string) error {
			trial := *w
			if q.secret {
				trial.Password = text
			} else {
				trial.Country = strings.ToUpper(text)
			}
			return trial.Check()
		}
		if err := d.ask(q); err != nil {
			return err
		}
	}
	w.Country = strings.ToUpper(w.Country)
	d.Country, r.device.Wifi = w.Country, w
	return nil
}

func (d *dialogue) askKey(r *ready) error {
	return d.ask(question{
		text: "File of a public SSH key; without one nobody can log in", like: &d.SSHKey, none: "none", path: true,
		judge: func(path string) (err error) { r.device.SSHKey, err = readKey(path); return err },
	})
}

// sure shows what will be done, and asks whether it is to be.
func (d *dialogue) sure(r ready, system flash.System, to string, changes []flash.Change) error {
	fmt.Fprintf(d.stdout, "\n%s", r.summary(system, to, changes))
	d.warn([]ready{r})
	yes := "yes"
	if r.cfg.Web.Listen == "" && r.device.SSHKey == "" {
		fmt.Fprintln(d.stderr, "warning: without the page and without an SSH key nobody can ever look after this clock")
		yes = "no"
	}
	if err := d.ask(question{text: "Shall it be done, yes or no", like: &yes, judge: isYesOrNo}); err != nil {
		return err
	}
	if !isYes(yes) {
		return errors.New("nothing was made")
	}
	return nil
}

// isImage judges the answer that names one.
func isImage(path string) error {
	s, err := image.OpenSource(path)
	if err == nil {
		s.Close()
	}
	return err
}
