package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"timeclock/deploy/flash"
	"timeclock/deploy/image"
	"timeclock/device/config"
	"timeclock/device/durable"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/term"
)

// said is what a technician has answered, but for secrets: the next card begins with it.
type said struct {
	From     string `toml:"from"` // the image
	Boot     string `toml:"boot"`
	Out      string `toml:"out"` // the folder
	Package  string `toml:"package"`
	Name     string `toml:"name"`
	Language string `toml:"language"`
	Zone     string `toml:"zone"`
	SSID     string `toml:"ssid"`
	Country  string `toml:"country"`
	Page     string `toml:"page"`
	SSHKey   string `toml:"ssh_key"`
}

// saidPath is where it is kept, in the folder that the system has for such; empty: nowhere.
func saidPath() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "timeclock", "card.toml")
}

// lastSaid is that of the last card, or what is likely.
func lastSaid() said {
	a := said{Language: "de", Zone: "Europe/Berlin", Country: "DE", Page: "yes", Name: "door-0"}
	if text, err := os.ReadFile(saidPath()); err == nil {
		toml.Unmarshal(text, &a) // what is not there, or wrong, is asked for all the same
	}
	a.Name = nextName(a.Name)
	return a
}

func (a said) keep() error {
	text, err := toml.Marshal(a)
	path := saidPath()
	if err != nil || path == "" {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(path, text)
}

var endNumber = regexp.MustCompile(`\d+$`)

// nextName is the name that follows: door-2 after door-1.
func nextName(name string) string {
	return endNumber.ReplaceAllStringFunc(name, func(digits string) string {
		n, err := strconv.Atoi(digits)
		if err != nil {
			return digits
		}
		return fmt.Sprintf("%0*d", len(digits), n+1)
	})
}

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

// errNobody says that who was asked has gone.
var errNobody = errors.New("interrupted: nothing was made")

// typed asks for a line; a secret one is not shown. An interrupt ends it.
func (d *dialogue) typed(prompt string, secret bool) (string, error) {
	type line struct {
		text string
		err  error
	}
	in := make(chan line, 1)
	f := d.stdin.(*os.File)
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", err
	}
	go func() {
		if secret {
			text, err := d.hidden(prompt)
			in <- line{text, err}
			return
		}
		fmt.Fprint(d.stdout, prompt)
		text, err := lineFrom(f)
		in <- line{text, err}
	}()
	select {
	case <-d.ctx.Done():
		term.Restore(int(f.Fd()), before)
		fmt.Fprintln(d.stdout)
		return "", errNobody
	case l := <-in:
		if l.err != nil {
			return "", errNobody
		}
		return strings.TrimSpace(l.text), nil
	}
}

// lineFrom reads a line, and nothing behind it.
func lineFrom(f *os.File) (string, error) {
	var text []byte
	for b := make([]byte, 1); ; {
		n, err := f.Read(b)
		if n == 0 && err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(text), nil
		}
		text = append(text, b[0])
	}
}

// question is one that is asked until its answer is good.
type question struct {
	text   string
	like   *string // what Enter means, and where the answer goes
	none   string  // the word for nothing; empty: there must be an answer
	secret bool
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
		text, err := d.typed(fmt.Sprintf("%s%s: ", q.text, hint), q.secret)
		if err != nil {
			return err
		}
		if text == "" && !q.secret {
			text = cmp.Or(*q.like, q.none)
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
		fmt.Fprintf(d.stdout, "  %v\n", err)
	}
}

// card asks for all that a card is prepared with, and where it comes from and goes to: first.
func (d *dialogue) card(first ...question) (r ready, err error) {
	fmt.Fprintln(d.stdout, "Enter takes what stands in [brackets], Ctrl-C ends it.")
	for _, q := range first {
		if err := d.ask(q); err != nil {
			return r, err
		}
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
	return r, d.keep()
}

func (d *dialogue) askPackage(r *ready) (err error) {
	if r.device.Packages, err = packages(""); err != nil || len(r.device.Packages) > 0 {
		return err
	}
	return d.ask(question{
		text: "Folder with the packages of the time clock", like: &d.Package,
		judge: func(path string) (err error) { r.device.Packages, err = packages(path); return err },
	})
}

func (d *dialogue) askName(r *ready) error {
	err := d.ask(question{text: "Name of the device in the network", like: &d.Name, judge: flash.Named})
	r.device.Name, r.card["name"] = d.Name, d.Name
	return err
}

// askSettings asks for those that differ from company to company, unless a file has them.
func (d *dialogue) askSettings(r *ready) (err error) {
	if d.config != config.DefaultPath {
		return r.readSettings(d.config)
	}
	for _, q := range []question{
		{text: "Language of the display", like: &d.Language, judge: knownLanguage.Judge},
		{text: "Time zone", like: &d.Zone, judge: isZone},
		{text: "Shall there be an admin's page on the device, yes or no", like: &d.Page, judge: isYesOrNo},
	} {
		if err := d.ask(q); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# As answered for %s. `timeclock config default` prints every setting with its explanation.\n",
		d.Name)
	fmt.Fprintf(&text, "clock.zone = %q\ndisplay.language = %q\n", d.Zone, d.Language)
	if isYes(d.Page) {
		fmt.Fprintln(&text, `web.listen = ":8443"`)
	}
	r.card["config"] = "by these answers"
	r.device.Config, r.device.Zone = text.Bytes(), d.Zone
	r.cfg, err = config.Parse("the answers", text.Bytes(), knownLanguage)
	return err
}

func isZone(name string) error {
	if _, err := time.LoadLocation(name); err != nil || name == "" || name == "Local" {
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
			if len(strings.Fields(text)) != 1 {
				return errors.New("a token has no spaces")
			}
			r.device.Token = []byte(text)
			return d.tryToken(d.ctx, *r)
		},
	})
}

func (d *dialogue) askWifi(r *ready) error {
	if err := d.ask(question{text: "Wi-Fi network; by cable it takes none", like: &d.SSID, none: "none"}); err != nil ||
		d.SSID == "" {
		return err
	}
	w := &flash.Wifi{SSID: d.SSID, Country: cmp.Or(d.Country, "DE")}
	for _, q := range []question{
		{
			text: "Its password (it does not show); \"none\" for an open network", like: &w.Password, none: "none",
			secret: true,
		},
		{text: "Country of the device, for its radio", like: &w.Country},
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
		text: "File of a public SSH key; without one nobody can log in", like: &d.SSHKey, none: "none",
		judge: func(path string) (err error) { r.device.SSHKey, err = readKey(path); return err },
	})
}

// sure shows what will be done, and asks whether it is to be.
func (d *dialogue) sure(r ready, system flash.System, to string, changes []flash.Change) error {
	fmt.Fprintf(d.stdout, "\n%s", r.summary(system, to, changes))
	d.warn([]ready{r})
	yes := "yes"
	if err := d.ask(question{text: "Shall it be done, yes or no", like: &yes, judge: isYesOrNo}); err != nil {
		return err
	}
	if !isYes(yes) {
		return errNobody
	}
	return nil
}

// likelyImage is the newest image of Raspberry Pi OS Lite that lies where downloads do.
func likelyImage() string {
	var newest string
	var at time.Time
	home, _ := os.UserHomeDir()
	for _, dir := range []string{".", filepath.Join(home, "Downloads"), home} {
		for _, pattern := range []string{"*raspios*lite*.img.xz", "*raspios*lite*.img"} {
			found, _ := filepath.Glob(filepath.Join(dir, pattern))
			for _, path := range found {
				if info, err := os.Stat(path); err == nil && info.ModTime().After(at) {
					newest, at = path, info.ModTime()
				}
			}
		}
	}
	return newest
}

// likelyBoot is where a system shows a card's boot partition.
func likelyBoot() string {
	patterns := []string{"/media/*/bootfs", "/run/media/*/bootfs", "/Volumes/bootfs"}
	for letter := 'D'; letter <= 'Z'; letter++ {
		patterns = append(patterns, string(letter)+`:\`)
	}
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern)
		for _, dir := range found {
			if _, err := os.Stat(filepath.Join(dir, "cmdline.txt")); err == nil {
				return dir
			}
		}
	}
	return ""
}

// isImage judges the answer that names one.
func isImage(path string) error {
	s, err := image.OpenSource(path)
	if err == nil {
		s.Close()
	}
	return err
}
