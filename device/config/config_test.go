package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"timeclock/device"
)

func TestReferenceNamesEveryKey(t *testing.T) {
	var c Config
	faults := decode([]byte(Reference), c.fields(map[string]string{}))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	given, _ := assignments([]byte(Reference), c.fields(map[string]string{}))
	if len(given) != len(c.fields(map[string]string{})) {
		t.Errorf("the reference has %d keys, the code %d", len(given), len(c.fields(map[string]string{})))
	}
	for _, table := range regexp.MustCompile(`(?m)^[a-z_]+ =`).FindAllStringIndex(Reference, -1) {
		before := strings.TrimRight(Reference[:table[0]], "\n")
		if last := before[strings.LastIndexByte(before, '\n')+1:]; !strings.HasPrefix(last, "#") {
			t.Errorf("%q has no comment above it", Reference[table[0]:table[1]])
		}
	}
}

func TestEmptyFileIsTheDefault(t *testing.T) {
	c, err := Parse("x", nil)
	if err != nil || !reflect.DeepEqual(c, Default()) {
		t.Errorf("%+v, %v", c, err)
	}
	if c.Terminal.Lockout != 30*time.Second || c.Uplink.Settle != time.Minute || c.Clock.Trust != "auto" ||
		c.Reader.SPI != "/dev/spidev0.0" {
		t.Errorf("defaults: %+v", c)
	}
}

func TestEveryFormOfTOML(t *testing.T) {
	for _, text := range []string{
		"[reader]\ndriver = \"simulated\"\n",
		"reader.driver = 'simulated'",
		"\xEF\xBB\xBFreader.driver = 'simulated'",
		"reader = { driver = \"simulated\" } # inline",
	} {
		if c, err := Parse("x", []byte(text)); err != nil || c.Reader.Driver != Simulated {
			t.Errorf("%q: %q, %v", text, c.Reader.Driver, err)
		}
	}
}

// What a key does beyond being stored.
func TestDaysAndClocks(t *testing.T) {
	for text, trust := range map[string]string{
		"":                              Auto,
		"clock.trust = \"always\"":      Always,
		"reader.driver = \"simulated\"": Always, // unless told otherwise
		"reader.driver = \"simulated\"\nclock.trust = \"auto\"": Auto,
	} {
		if c, err := Parse("x", []byte(text)); err != nil || c.Clock.Trust != trust {
			t.Errorf("%q: trust %q, %v; want %s", text, c.Clock.Trust, err, trust)
		}
	}
	c, err := Parse("x",
		[]byte("signal.quiet_hours = \"22:00 - 6:30\"\ndisplay.dim_hours = \"\"\nsignal.active_low = "+
			"true\nclock.zone = \"Europe/Berlin\""))
	if err != nil || c.Signal.QuietHours != (device.Hours{From: 22 * time.Hour, To: 6*time.Hour + 30*time.Minute}) ||
		c.Display.DimHours != (device.Hours{}) || !c.Signal.ActiveLow || c.Clock.Zone.String() != "Europe/Berlin" {
		t.Errorf("%+v, %v", c, err)
	}
}

// What is shown of the settings can be read again, and means the same.
func TestSettings(t *testing.T) {
	c, err := Parse("x",
		[]byte("reader.driver = \"simulated\"\nsignal = { quiet_hours = \"22:00-6:30\", "+
			"active_low = true }\nclock.zone = \"Europe/Berlin\"\nweb.listen = \":8443\"\nterminal.lockout = \"90s\""))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("again", []byte(strings.Join(c.Settings(), "\n")))
	if err != nil || strings.Join(again.Settings(), "\n") != strings.Join(c.Settings(), "\n") {
		t.Errorf("%v\n%v, %v", c.Settings(), again.Settings(), err)
	}
	if n := len(c.Settings()); n != len(c.fields(map[string]string{})) {
		t.Errorf("%d settings", n)
	}
}

func TestCheck(t *testing.T) {
	no := Check{"display.language", func(s string) error { return errors.New("nobody speaks " + s) }}
	_, err := Parse("f.toml", []byte("lock = 1\ndisplay.language = \"xx\""), no)
	if err == nil || err.Error() != "f.toml:1: lock: unknown key; known here: state_dir\nf.toml:2: "+
		"display.language: nobody speaks xx" {
		t.Error(err)
	}
}

// Every fault of a file is told at once; the texts are what people read.
func TestFaults(t *testing.T) {
	for _, tc := range []struct{ file, want string }{
		{`stat_dir = "/x"
[reader]
driver = "pn532"
spi = "/dev/spi0"
speed = 3
[terminal]
lockout = 30
[zeitstrom]
url = "http://192.168.1.5/api/"
timeout = "10 seconds"
[wifi]
name = "x"
`, `f.toml:1: stat_dir: unknown key; known here: state_dir
f.toml:3: reader.driver: "pn532" is not possible: use "mfrc522" or "simulated"
f.toml:4: reader.spi: "/dev/spi0" is not possible: it looks like "/dev/spidev0.0"
f.toml:5: reader.speed: unknown key; known here: driver, spi, reset_pin, irq_pin, spi_khz, gain, poll, several
f.toml:7: terminal.lockout: must be a duration in quotes, such as "30s" or "5m", not a number
f.toml:9: zeitstrom.url: http:// would send the token in the clear to 192.168.1.5: use https://, or allow it with plain_http_host = "192.168.1.5"
f.toml:10: zeitstrom.timeout: must be a duration in quotes, such as "30s" or "5m", not "10 seconds"
f.toml:11: wifi: there is no such table: ` + "`timeclock config default` shows all there are" + `
f.toml:12: wifi.name: unknown key; ` + "`timeclock config default` shows all there are"},
		{
			"state_dir = true\n\nstate_dir = \"/x\"\n",
			"f.toml:1: state_dir: must be text in quotes, not true or false\nf.toml:3: state_dir: " +
				"stands in line 1 already",
		},
		{
			"state_dir = \"x\"\nclock = 3\n[uplink]\nsettle = \"-1s\"",
			"f.toml:1: state_dir: \"x\" must be a whole path that begins with /\nf.toml:2: clock: unknown key; " +
				"known here: state_dir\nf.toml:4: uplink.settle: -1s is not possible: use 0s to 1h0m0s",
		},
		{"a = 1\nb = \nc", "f.toml:1: a: unknown key; known here: state_dir\nf.toml:2: this is not TOML: "},
		{"[[reader]]\ndriver = []", "f.toml:1: reader: there is no such table: `timeclock config default` shows all " +
			"there are\nf.toml:2: reader.driver: must be text in quotes, not a list"},
		{
			`zeitstrom.url = "https://api.zeitstrom.com/api/v2"`,
			`f.toml:1: zeitstrom.url: "https://api.zeitstrom.com/api/v2" must end with a slash`,
		},
		{
			"[reader]\ngain = 40\nspi_khz = \"4MHz\"\npoll = \"1ms\"\nseveral = \"none\"",
			"f.toml:2: reader.gain: 40 is not possible: use 18, 23, 33, 38, 43 or 48\nf.toml:3: reader.spi_khz: " +
				"must be a whole number without quotes, not \"4MHz\"\nf.toml:4: reader.poll: 1ms is not possible: " +
				"use 20ms to 1s\nf.toml:5: reader.several: \"none\" is not possible: use \"each\" or \"one\"",
		},
		{
			"[display]\nspi = \"/dev/spidev0.1\"\ndim_hours = \"late\"\nlanguage = \"german\"\nnames = \"nick\"",
			"f.toml:2: display.spi: a panel on the SPI bus needs display.dc_pin, too\nf.toml:3: display.dim_hours: " +
				"must be two times of day in quotes, such as \"22:00-06:00\", not \"late\"\nf.toml:4: " +
				"display.language: \"german\" is not possible: it looks like \"de\"\nf.toml:5: display.names: " +
				"\"nick\" is not possible: use \"full\" or \"first\" or \"initials\" or \"none\"",
		},
		{
			"[display]\nspi = \"/dev/spidev0.0\"\ndc_pin = \"GPIO5\"",
			"f.toml:2: display.spi: /dev/spidev0.0 is the reader's: a second device on the same bus has another " +
				"chip select, such as \"/dev/spidev0.1\"",
		},
		{
			"[signal]\nactive_low = \"yes\"\nquiet_hours = \"22:00-22:00\"\n[clock]\nzone = \"Berlin\"",
			"f.toml:2: signal.active_low: must be true or false without quotes, not \"yes\"\nf.toml:3: " +
				"signal.quiet_hours: must be two times of day in quotes, such as \"22:00-06:00\", " +
				"not \"22:00-22:00\"\nf.toml:5: clock.zone: there is no time zone \"Berlin\": " +
				"it looks like \"Europe/Berlin\"",
		},
		{
			"[signal]\nred_pin = \"GPIO17\"\ngreen_pin = \"GPIO17\"\nbuzzer_pin = \"GPIO10\"\nblue_pin = \"GPIO2\"",
			"f.toml:3: signal.green_pin: GPIO17 is signal.red_pin already\nf.toml:4: signal.buzzer_pin: " +
				"GPIO10 is a line of /dev/spidev0.0\nf.toml:5: signal.blue_pin: GPIO2 is a line of /dev/i2c-1",
		},
		{"[clock]\n[reader]\n[clock]\n", "f.toml:3: clock: the table begins in line 1 already: put its keys there"},
		{
			"state_dir = \"/" + strings.Repeat("x", 90) + "\"",
			"f.toml:1: state_dir: a path of 91 characters is too long for a socket in it: use at most 90",
		},
		{`zeitstrom.url = "ftp://x/"`, `f.toml:1: zeitstrom.url: "ftp://x/" must begin with https://`},
		{`zeitstrom.url = "api.zeitstrom.com/"`, `f.toml:1: zeitstrom.url: "api.zeitstrom.com/" is not the address ` +
			`of an API: it looks like "https://api.zeitstrom.com/api/v2/"`},
	} {
		_, err := Parse("f.toml", []byte(tc.file))
		var faults *Faults
		if !errors.As(err, &faults) || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("got\n%v\nwant\n%s", err, tc.want)
		}
	}
}

func TestPlainHTTP(t *testing.T) {
	for _, text := range []string{
		`zeitstrom.url = "http://127.0.0.1:8080/api/v2/"`,
		`zeitstrom.url = "http://[::1]:8080/"`,
		`zeitstrom.url = "http://localhost/api/v2/"`,
		"zeitstrom.url = \"http://zeit.example/\"\nzeitstrom.plain_http_host = \"zeit.example\"",
	} {
		if _, err := Parse("x", []byte(text)); err != nil {
			t.Error(err)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "timeclock.toml")
	if _, err := Load(path); err == nil {
		t.Error("a file that is not there was read")
	}
	if err := os.WriteFile(path, []byte("state_dir = 3"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+":1: state_dir:") {
		t.Errorf("Load: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Reference))
	f.Add([]byte("a.b.c = {d = [1, 2], e = \"x\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := Parse("f", text)
		var faults *Faults
		if err != nil && !errors.As(err, &faults) {
			t.Errorf("%v is not a list of faults", err)
		}
	})
}

// A key is a pin with its function; what cannot be one is refused with its line.
func TestKeys(t *testing.T) {
	const wired = "[signal]\nbuzzer_pin = \"GPIO17\"\n[keys]\n"
	c, err := Parse("x", []byte(wired+"GPIO5 = \"break\"\n\"6\" = \"project=P-101\"\n"))
	want := []Key{{"GPIO5", device.TakeBreak}, {"6", "project=P-101"}}
	if err != nil || !reflect.DeepEqual(c.Keys, want) {
		t.Errorf("%+v, %v", c.Keys, err)
	}
	if shown := strings.Join(c.Settings(), "\n"); !strings.Contains(shown, `keys.GPIO5 = "break"`) {
		t.Errorf("the settings do not show the keys:\n%s", shown)
	}
	for text, want := range map[string]string{
		"GPIO17 = \"in\"":                 "x:4: keys.GPIO17: GPIO17 is signal.buzzer_pin already",
		"\"17\" = \"in\"":                 "x:4: keys.17: 17 is signal.buzzer_pin already",
		"GPIO9 = \"in\"":                  "x:4: keys.GPIO9: GPIO9 is a line of /dev/spidev0.0",
		"GPIO5 = \"lunch\"":               "x:4: keys.GPIO5: \"lunch\" is no function: use break, hours, in, out or project=CODE",
		"GPIO5 = \"project=\"":            "x:4: keys.GPIO5: a project has a code, such as project=P-101",
		"GPIO5 = \"project=P-1010101\"":   "at most 8 characters",
		"GPIO5 = true":                    "x:4: keys.GPIO5: must be a function in quotes",
		"\"a b\" = \"in\"":                "x:4: keys.a b: \"a b\" is no pin",
		"GPIO5.x = \"in\"":                "is no pin",
		"GPIO5 = \"in\"\nGPIO5 = \"out\"": "x:5: keys.GPIO5: stands in line 4 already",
	} {
		if _, err := Parse("x", []byte(wired+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
}
