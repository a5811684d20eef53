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
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a Pi may have no zone data

	"timeclock/device"
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
	}
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
	Clock struct {
		Trust string // Auto or Always
		Zone  *time.Location
	}
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
	if faults := decode([]byte(Reference), c.fields()); len(faults) > 0 {
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
	fields := c.fields()
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
	fields := c.fields()
	lines := make([]string, len(fields))
	for i, f := range fields {
		lines[i] = f.key + " = " + f.show()
	}
	return lines
}

// fields binds every key to its place and to what it may hold.
func (c *Config) fields() []field {
	z, r, d, s, t := &c.Zeitstrom, &c.Reader, &c.Display, &c.Signal, &c.Terminal
	used := map[string]string{} // pins, and for what
	pin := func(key string, to *string) field {
		return text(key, to, emptyOr(matches(`^[A-Za-z0-9_]+$`, "GPIO25")), func(s string) error { return c.freePin(used, key, s) })
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
		pin("reader.reset_pin", &r.ResetPin),
		pin("reader.irq_pin", &r.IRQPin),
		number("reader.spi_khz", &r.SPIKHz, func(n int) bool { return n >= 100 && n <= 10000 }, "100 to 10000"),
		number("reader.gain", &r.Gain, func(n int) bool { return slices.Contains([]int{18, 23, 33, 38, 43, 48}, n) }, "18, 23, 33, 38, 43 or 48"),
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
		duration("uplink.settle", &c.Uplink.Settle, 0, time.Hour),
		text("web.listen", &c.Web.Listen, emptyOr(listenAddress)),
		text("web.cert_file", &c.Web.CertFile, emptyOr(absolute)),
		text("web.key_file", &c.Web.KeyFile, emptyOr(absolute), c.pair),
		text("monitor.listen", &c.Monitor.Listen, emptyOr(listenAddress)),
		duration("monitor.silent_after", &c.Monitor.SilentAfter, 0, 366*24*time.Hour),
		hours("monitor.hours", &c.Monitor.Hours),
		text("update.key", &c.Update.Key, emptyOr(matches(`^RW[0-9A-Za-z+/]{54}$`, "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"))),
		text("update.url", &c.Update.URL, emptyOr(packageFolder)),
		hours("update.hours", &c.Update.Hours),
		number("journal.keep_days", &c.Journal.KeepDays, func(n int) bool { return n >= 31 && n <= 36500 }, "31 to 36500"),
		text("clock.trust", &c.Clock.Trust, oneOf(Auto, Always)),
		zone("clock.zone", &c.Clock.Zone),
	}
}

func listenAddress(s string) error {
	_, port, err := net.SplitHostPort(s)
	if n, numeric := strconv.Atoi(port); err != nil || numeric != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is no address to listen at: it looks like \":8443\" or \"192.168.1.5:8443\"", s)
	}
	return nil
}

// pair refuses a certificate without its key, and the other way round.
func (c *Config) pair(key string) error {
	if (key == "") != (c.Web.CertFile == "") {
		return errors.New("cert_file and key_file go together")
	}
	return nil
}

// busPins are the lines of the buses on a Pi's header.
var busPins = map[string][]string{
	"/dev/spidev0.": {"GPIO7", "GPIO8", "GPIO9", "GPIO10", "GPIO11"},
	"/dev/i2c-1":    {"GPIO2", "GPIO3"},
}

// freePin refuses a pin that has another use.
func (c *Config) freePin(used map[string]string, key, name string) error {
	if name == "" {
		return nil
	}
	if other, twice := used[name]; twice {
		return fmt.Errorf("%s is %s already", name, other)
	}
	used[name] = key
	var buses []string
	if c.Reader.Driver == Hardware {
		buses = append(buses, c.Reader.SPI)
	}
	if c.Display.Driver == SSD1306 && c.Display.SPI == "" {
		buses = append(buses, c.Display.I2C)
	}
	for _, bus := range buses {
		for prefix, lines := range busPins {
			if strings.HasPrefix(bus, prefix) && slices.Contains(lines, name) {
				return fmt.Errorf("%s is a line of %s", name, bus)
			}
		}
	}
	return nil
}

// panelSPI refuses the SPI device that the reader is on, and a panel without the
// line that it cannot do without.
func (c *Config) panelSPI(s string) error {
	switch {
	case s != "" && c.Display.DCPin == "":
		return errors.New("a panel on the SPI bus needs display.dc_pin, too")
	case s != "" && s == c.Reader.SPI && c.Reader.Driver == Hardware:
		return fmt.Errorf("%s is the reader's: a second device on the same bus has another chip select, such as \"/dev/spidev0.1\"", s)
	}
	return nil
}

// stateDirectory leaves room for the control socket's name: Linux takes socket
// paths of 107 bytes.
func stateDirectory(s string) error {
	if len(s) > 90 {
		return fmt.Errorf("a path of %d characters is too long for a socket in it: use at most 90", len(s))
	}
	return absolute(s)
}

func absolute(s string) error {
	if !strings.HasPrefix(s, "/") {
		return fmt.Errorf("%q must be a whole path that begins with /", s)
	}
	return nil
}

func emptyOr(check func(string) error) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		return check(s)
	}
}

func oneOf[T ~string](values ...T) func(string) error {
	return func(s string) error {
		if slices.Contains(values, T(s)) {
			return nil
		}
		names := make([]string, len(values))
		for i, v := range values {
			names[i] = strconv.Quote(string(v))
		}
		return fmt.Errorf("%q is not possible: use %s", s, strings.Join(names, " or "))
	}
}

// packageFolder takes what packages can be fetched from. They are signed, but who looks
// for them need not be seen.
func packageFolder(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || !strings.HasSuffix(u.Path, "/"):
		return fmt.Errorf("%q must be an address that ends with a slash, such as \"https://example.com/timeclock/\"", s)
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q must begin with https://", s)
}

func matches(pattern, example string) func(string) error {
	re := regexp.MustCompile(pattern)
	return func(s string) error {
		if !re.MatchString(s) {
			return fmt.Errorf("%q is not possible: it looks like %q", s, example)
		}
		return nil
	}
}

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// apiURL lets a token travel in the clear only where nobody can listen, or
// where the company says that it may.
func (c *Config) apiURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("%q is not the address of an API: it looks like \"https://api.zeitstrom.com/api/v2/\"", s)
	}
	host := u.Hostname()
	switch {
	case !strings.HasSuffix(u.Path, "/"):
		return fmt.Errorf("%q must end with a slash", s)
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return fmt.Errorf("%q must begin with https://", s)
	case loopback(host) || host == c.Zeitstrom.PlainHTTPHost:
		return nil
	}
	return fmt.Errorf("http:// would send the token in the clear to %s: use https://, or allow it with plain_http_host = %q", host, host)
}
