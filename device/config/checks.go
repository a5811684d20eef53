package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func between(least, most int) func(int) bool {
	return func(n int) bool { return n >= least && n <= most }
}

func aGain(n int) bool { return slices.Contains([]int{18, 23, 33, 38, 43, 48}, n) }

var pinName = emptyOr(matches(`^[A-Za-z0-9_]+$`, "GPIO25"))

var minisignKey = matches(`^RW[0-9A-Za-z+/]{54}$`, "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3")

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
	line := name // the same line has several names
	if n, known := PinNumber(name); known {
		line = fmt.Sprintf("GPIO%d", n)
	}
	if other, twice := used[line]; twice {
		return fmt.Errorf("%s is %s already", name, other)
	}
	used[line] = key
	var buses []string
	if c.Reader.Driver == Hardware {
		buses = append(buses, c.Reader.SPI)
	}
	if c.Display.Driver == SSD1306 && c.Display.SPI == "" {
		buses = append(buses, c.Display.I2C)
	}
	for _, bus := range buses {
		for prefix, lines := range busPins {
			if strings.HasPrefix(bus, prefix) && slices.Contains(lines, line) {
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
		return fmt.Errorf("%s is the reader's: a second device on the same bus has another chip select, "+
			"such as \"/dev/spidev0.1\"", s)
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

// shortText takes what people call something: a line of so many characters at most.
func shortText(most int) func(string) error {
	return func(s string) error {
		if utf8.RuneCountInString(s) > most || strings.ContainsFunc(s, unicode.IsControl) {
			return fmt.Errorf("%q is not possible: use one line of %d characters at most", s, most)
		}
		return nil
	}
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
	return fmt.Errorf("http:// would send the token in the clear to %s: use https://, "+
		"or allow it with plain_http_host = %q", host, host)
}
