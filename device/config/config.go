// Package config reads the clock's settings from TOML. It is strict: unknown
// keys, wrong types and impossible values are refused, all of them at once,
// each with its line and key, so that a file is mended in one go.
//
// It reads text only and does not look at the machine: whether a device or a
// token file exists is found out by those who use it.
package config

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a Pi may have no zone data

	"timeclock/device"

	"github.com/pelletier/go-toml/v2/unstable"
)

// DefaultPath is where the daemon looks for its settings.
const DefaultPath = "/etc/timeclock/timeclock.toml"

// Reference is the commented file with every key at its default.
//
//go:embed reference.toml
var Reference string

// Config is one clock's settings. The keys and their meaning are explained in
// Reference.
type Config struct {
	StateDir string

	Zeitstrom struct {
		URL       string // ends with a slash
		TokenFile string
		// AdminTokenFile holds a token that may change hours; empty: there is none.
		AdminTokenFile string
		CAFile         string // empty: the system's
		Timeout        time.Duration
		PlainHTTPHost  string
	}
	Reader struct {
		Driver   string // Hardware or Simulated
		SPI      string // /dev/spidevB.C
		ResetPin string // empty: not wired
		IRQPin   string // empty: not wired
		SPIKHz   int
		Gain     int // dB
		Poll     time.Duration
		Several  string // "each" or "one"
	}
	Roster struct {
		Zeitstrom bool
		Every     time.Duration  // 0: only on demand
		Numbers   device.Numbers // empty: found out
	}
	Display struct {
		Driver     string // SSD1306 or NoDisplay
		I2C        string // /dev/i2c-N
		SPI        string // /dev/spidevB.C; empty: the panel is on the I2C bus
		DCPin      string
		ResetPin   string
		AnswerTime time.Duration
		Language   string
		Names      device.Names
		DimHours   device.Hours
		OffAfter   time.Duration // 0: never
	}
	Signal struct { // empty pins are not wired
		BuzzerPin  string
		RedPin     string
		GreenPin   string
		BluePin    string
		ActiveLow  bool
		QuietHours device.Hours
	}
	Terminal struct {
		Lockout        time.Duration
		LongestShift   time.Duration
		Ask            time.Duration // 0: Zeitstrom is not asked
		SecondThoughts time.Duration // 0: the direction cannot be turned round
		Hours          bool
		Hints          string // "de" or empty: none
	}
	Keys   []Key // push-buttons, by their pins
	Uplink struct {
		Settle time.Duration
	}
	Web struct {
		Listen   string // empty: no page
		CertFile string // empty: a certificate of its own
		KeyFile  string
	}
	Monitor struct {
		Listen      string        // empty: nowhere
		SilentAfter time.Duration // without a badge read; 0: never
		Hours       device.Hours  // in which that is counted; none: always
	}
	Update struct {
		Key   string       // minisign's public key; empty: no update is taken
		URL   string       // of a folder with packages, with a final slash; empty: none by itself
		Hours device.Hours // in which they are taken
	}
	Journal struct {
		KeepDays int
	}
	Door struct {
		Name    string // empty: that of the computer
		Company string // empty: nobody has said
	}
	Clock struct {
		Trust string // Auto or Always
		Zone  *time.Location
	}
}

// Key is a push-button that chooses what the next tap means.
type Key struct {
	Pin      string // such as "GPIO5"
	Function device.Function
}

// Values of reader.driver and display.driver.
const (
	Hardware  = "mfrc522"
	Simulated = "simulated"
	SSD1306   = "ssd1306"
	NoDisplay = "none"
)

// Values of clock.trust.
const (
	Auto   = "auto"
	Always = "always"
)

// Default returns the settings of an empty file.
func Default() Config {
	var c Config
	if faults := decode([]byte(Reference), c.fields(map[string]string{})); len(faults) > 0 {
		panic(fmt.Sprint("the built-in reference is at fault: ", faults))
	}
	return c
}

// Check judges a key's value beyond what this package knows.
type Check struct {
	Key   string
	Judge func(string) error
}

// Load reads the file at path.
func Load(path string, checks ...Check) (Config, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("there are no settings at %s: they come with the package; "+
			"-config names others", path)
	}
	if err != nil {
		return Config{}, fmt.Errorf("cannot read the settings: %w", err)
	}
	return Parse(path, text, checks...)
}

// Parse reads settings; name stands in error texts. The error is of type
// Faults if the text is at fault.
func Parse(name string, text []byte, checks ...Check) (Config, error) {
	c := Default()
	c.Clock.Trust = ""
	used := map[string]string{}
	fields := append(c.fields(used), c.keys(text, used)...)
	for _, check := range checks {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == check.Key })
		set := fields[i].set
		fields[i].set = func(v value) error {
			if err := set(v); err != nil {
				return err
			}
			return check.Judge(v.text)
		}
	}
	faults := decode(text, fields)
	if len(faults) > 0 {
		return Config{}, &Faults{File: name, List: faults}
	}
	if c.Clock.Trust == "" {
		c.Clock.Trust = Auto
		if c.Reader.Driver == Simulated { // on a computer that somebody sits at
			c.Clock.Trust = Always
		}
	}
	return c, nil
}

// Settings returns every key with its value, as TOML, one to a line.
func (c Config) Settings() []string {
	fields := c.fields(nil)
	lines := make([]string, len(fields), len(fields)+len(c.Keys))
	for i, f := range fields {
		lines[i] = f.key + " = " + f.show()
	}
	for _, k := range c.Keys {
		lines = append(lines, fmt.Sprintf("keys.%s = %q", k.Pin, k.Function))
	}
	return lines
}

// fields binds every key to its place and to what it may hold. Used are the pins that have a use, and which.
func (c *Config) fields(used map[string]string) []field {
	z, r, d, s, t, o := &c.Zeitstrom, &c.Reader, &c.Display, &c.Signal, &c.Terminal, &c.Door
	pin := func(key string, to *string) field {
		return text(key, to, pinName, func(s string) error { return c.freePin(used, key, s) })
	}
	return []field{
		text("state_dir", &c.StateDir, stateDirectory),
		text("zeitstrom.plain_http_host", &z.PlainHTTPHost),
		text("zeitstrom.url", &z.URL, c.apiURL),
		text("zeitstrom.token_file", &z.TokenFile, absolute),
		text("zeitstrom.admin_token_file", &z.AdminTokenFile, emptyOr(absolute)),
		text("zeitstrom.ca_file", &z.CAFile, emptyOr(absolute)),
		duration("zeitstrom.timeout", &z.Timeout, time.Second, 5*time.Minute),
		text("reader.driver", &r.Driver, oneOf(Hardware, Simulated)),
		text("reader.spi", &r.SPI, matches(`^/dev/spidev\d+\.\d+$`, "/dev/spidev0.0")),
		pin("reader.reset_pin", &r.ResetPin), pin("reader.irq_pin", &r.IRQPin),
		number("reader.spi_khz", &r.SPIKHz, between(100, 10000), "100 to 10000"),
		number("reader.gain", &r.Gain, aGain, "18, 23, 33, 38, 43 or 48"),
		duration("reader.poll", &r.Poll, 20*time.Millisecond, time.Second),
		text("reader.several", &r.Several, oneOf("each", "one")),
		truth("roster.zeitstrom", &c.Roster.Zeitstrom),
		duration("roster.every", &c.Roster.Every, 0, 7*24*time.Hour),
		text("roster.numbers", &c.Roster.Numbers, emptyOr(oneOf(device.AllNumbers...))),
		text("display.driver", &d.Driver, oneOf(SSD1306, NoDisplay)),
		text("display.i2c", &d.I2C, matches(`^/dev/i2c-\d+$`, "/dev/i2c-1")),
		pin("display.dc_pin", &d.DCPin),
		text("display.spi", &d.SPI, emptyOr(matches(`^/dev/spidev\d+\.\d+$`, "/dev/spidev0.1")), c.panelSPI),
		pin("display.reset_pin", &d.ResetPin),
		duration("display.answer_time", &d.AnswerTime, 500*time.Millisecond, time.Minute),
		text("display.language", &d.Language, matches(`^[a-z]{2}$`, "de")),
		text("display.names", &d.Names, oneOf(device.AllNames...)),
		hours("display.dim_hours", &d.DimHours),
		duration("display.off_after", &d.OffAfter, 0, 24*time.Hour),
		pin("signal.buzzer_pin", &s.BuzzerPin),
		pin("signal.red_pin", &s.RedPin),
		pin("signal.green_pin", &s.GreenPin),
		pin("signal.blue_pin", &s.BluePin),
		truth("signal.active_low", &s.ActiveLow),
		hours("signal.quiet_hours", &s.QuietHours),
		duration("terminal.lockout", &t.Lockout, 0, time.Hour),
		duration("terminal.longest_shift", &t.LongestShift, time.Hour, 7*24*time.Hour),
		duration("terminal.ask", &t.Ask, 0, 2*time.Second),
		duration("terminal.second_thoughts", &t.SecondThoughts, 0, 30*time.Second),
		truth("terminal.hours", &t.Hours), text("terminal.hints", &t.Hints, emptyOr(oneOf("de"))),
		duration("uplink.settle", &c.Uplink.Settle, 0, time.Hour),
		text("web.listen", &c.Web.Listen, emptyOr(listenAddress)),
		text("web.cert_file", &c.Web.CertFile, emptyOr(absolute)),
		text("web.key_file", &c.Web.KeyFile, emptyOr(absolute), c.pair),
		text("monitor.listen", &c.Monitor.Listen, emptyOr(listenAddress)),
		duration("monitor.silent_after", &c.Monitor.SilentAfter, 0, 366*24*time.Hour),
		hours("monitor.hours", &c.Monitor.Hours),
		text("update.key", &c.Update.Key, emptyOr(minisignKey)),
		text("update.url", &c.Update.URL, emptyOr(packageFolder)),
		hours("update.hours", &c.Update.Hours),
		text("door.name", &o.Name, shortText(40)), text("door.company", &o.Company, shortText(80)),
		number("journal.keep_days", &c.Journal.KeepDays, between(31, 36500), "31 to 36500"),
		text("clock.trust", &c.Clock.Trust, oneOf(Auto, Always)),
		zone("clock.zone", &c.Clock.Zone),
	}
}

// keys binds the keys of the table [keys], which are pins, to what may stand there. They are judged behind
// all other pins.
func (c *Config) keys(text []byte, used map[string]string) (fields []field) {
	given, _ := assignments(text, nil)
	bound := map[string]bool{}
	for _, a := range given {
		name, isKey := strings.CutPrefix(a.key, keysTable)
		if !isKey || bound[name] {
			continue
		}
		bound[name] = true
		fields = append(fields, field{key: a.key, set: func(v value) error {
			if v.kind != unstable.String {
				return fmt.Errorf("must be a function in quotes, such as \"break\", not %s", kindName(v.kind))
			}
			if name == "" || pinName(name) != nil {
				return fmt.Errorf("%q is no pin: a key is named by its pin, such as GPIO5", name)
			}
			f, err := device.ParseFunction(v.text)
			if err == nil {
				err = c.freePin(used, a.key, name)
			}
			if err != nil {
				return err
			}
			c.Keys = append(c.Keys, Key{name, f})
			return nil
		}})
	}
	return fields
}

const keysTable = "keys."
