package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/config"
	"timeclock/device/devicetest"
	"timeclock/device/doctor"
)

// finding returns what a check has found.
func finding(t *testing.T, findings []doctor.Finding, check string) doctor.Finding {
	t.Helper()
	for _, f := range findings {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("nobody looked at %s: %+v", check, findings)
	return doctor.Finding{}
}

// A token that may not read is told with what does not work then.
func TestTokenRights(t *testing.T) {
	p := newPlace(t)
	p.api.server.WriteOnly = true
	d, _ := p.start(t)
	f := finding(t, d.examine(t).Findings, "token")
	if f.Verdict != doctor.Warn ||
		!strings.Contains(f.Found, "may not read timespans, so that ambiguous bookings wait") || f.Do == "" {
		t.Errorf("%+v", f)
	}
}

// A key that cannot be listened to, and projects that nobody may assign, are told with what to do.
func TestKeysAndProjects(t *testing.T) {
	p := newPlace(t)
	p.cfg.Keys = []config.Key{{Pin: "GPIO999", Function: device.TakeBreak}}
	d, _ := p.start(t)
	devicetest.Eventually(t, func() error {
		for _, f := range d.examine(t).Findings {
			if f.Check == "keys" && f.Verdict == doctor.Fail && strings.Contains(f.Do, "[keys]") {
				return nil
			}
		}
		return errors.New("nothing is said of a key that this computer does not have")
	})
	for want, s := range map[doctor.Finding]admin.ProjectStatus{
		{Verdict: doctor.OK, Found: "2 are still to be assigned to timespans"}:          {Waiting: 2},
		{Verdict: doctor.Warn, Found: "the token may not: HTTP 403", Do: "admin_token"}: {Waiting: 2, Off: "HTTP 403"},
		{Verdict: doctor.Warn, Found: "refuses 1 of the 2", Do: "-projects"}:            {Waiting: 2, Refused: 1},
	} {
		if f := projects(s); f.Verdict != want.Verdict || !strings.Contains(f.Found, want.Found) ||
			!strings.Contains(f.Do, want.Do) {
			t.Errorf("%+v: %+v", s, f)
		}
	}
}

// After its start the clock examines itself, and the display tells for a minute.
func TestStartCheck(t *testing.T) {
	p := newPlace(t)
	p.cfg.Display.Driver, p.cfg.Display.I2C = "ssd1306", "/dev/i2c-77"
	d, _ := p.start(t)
	if f := d.facts(); f.Checked {
		t.Errorf("before it has: %+v", f)
	}
	devicetest.Eventually(t, func() error {
		if x := d.admin.Examination(); x.At.IsZero() {
			return errors.New("not examined yet")
		}
		return nil
	})
	x := d.admin.Examination()
	if f := finding(t, x.Findings, "i2c"); f.Verdict != doctor.Fail || !strings.Contains(f.Do, "dtparam=i2c_arm=on") ||
		x.Verdict != doctor.Fail {
		t.Errorf("%+v", x)
	}
	if f := finding(t, x.Findings, "token"); f.Verdict != doctor.OK {
		t.Errorf("%+v", f)
	}
	if f := d.facts(); !f.Checked || f.Faults != 1 {
		t.Errorf("the display is to tell %+v", f)
	}
	if n := p.api.server.Questions(); n != 0 {
		t.Errorf("a start asked Zeitstrom %d times", n)
	}
}

// A bus on which the reader must go register by register is told where people look; and when
// a badge was read last.
func TestReaderNote(t *testing.T) {
	p := newPlace(t)
	d, _ := p.start(t)
	settings := filepath.Join(t.TempDir(), "timeclock.toml")
	if err := os.WriteFile(settings,
		fmt.Appendf(nil, "state_dir = %q\nreader.driver = \"simulated\"\n", p.cfg.StateDir), 0o600); err != nil {
		t.Fatal(err)
	}
	devicetest.Eventually(t, func() error {
		if s := d.status(t); !s.Reader.Healthy || s.Reader.Note != "" || s.Reader.LastRead != nil {
			return fmt.Errorf("at the start: %+v", s.Reader)
		}
		return nil
	})
	if text := asked(t, "status", "-config", settings); !strings.Contains(text, "has read no badge since the start") {
		t.Errorf("status: %s", text)
	}
	d.chip.EndChipSelectsEarly(true)
	p.tap(t, d, 0)
	devicetest.Eventually(t, func() error {
		if s := d.status(t); !s.Reader.Healthy || !strings.Contains(s.Reader.Note, "register by register") ||
			s.Reader.LastRead == nil {
			return fmt.Errorf("on that bus: %+v", s.Reader)
		}
		return nil
	})
	text := asked(t, "status", "-config", settings)
	if !strings.Contains(text, "NOTICE: the SPI bus ends chip-selects early") ||
		!strings.Contains(text, "read the last badge at ") {
		t.Errorf("status: %s", text)
	}
	text = asked(t, "doctor", "reader", "-config", settings, "-for", "10ms")
	if !strings.Contains(text, "NOTICE  the SPI bus ends chip-selects early") {
		t.Errorf("doctor reader: %s", text)
	}
}

// asked returns what the program says as a process of its own, which settings of its own
// do not disturb. The test binary is that program, too (testscript.Main).
func asked(t *testing.T, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"timeclock"}, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// What goes on without power is judged by what it is.
func TestClockChipFinding(t *testing.T) {
	const setting = "put dtoverlay=i2c-rtc,ds3231 into /boot/firmware/config.txt"
	for name, c := range map[string]struct {
		chip      clock.Chip
		err       error
		verdict   doctor.Verdict
		found, do string
	}{
		"none": {
			err: errors.New("there is no clock chip (RTC)"), verdict: doctor.Warn,
			found: "there is no clock chip", do: setting,
		},
		"wired": {chip: clock.Chip{Name: "rtc-ds1307 1-0068"}, verdict: doctor.OK, found: "rtc-ds1307 1-0068"},
		"a Pi 5's, unknown": {
			chip: clock.Chip{Name: "rpi-rtc", OnBoard: true}, verdict: doctor.OK,
			found: "is unknown until the Pi has been without power",
		},
		"a Pi 5's, with": {
			chip:    clock.Chip{Name: "rpi-rtc", OnBoard: true, Battery: clock.BatteryHolds},
			verdict: doctor.OK, found: "its battery holds",
		},
		"a Pi 5's, without it": {
			chip:    clock.Chip{Name: "rpi-rtc", OnBoard: true, Battery: clock.BatteryGone},
			verdict: doctor.Warn, found: "it has no battery", do: "J5",
		},
	} {
		f := clockChip(c.chip, c.err, setting)
		if f.Verdict != c.verdict || !strings.Contains(f.Found, c.found) || !strings.Contains(f.Do, c.do) ||
			(f.Verdict == doctor.OK) != (f.Do == "") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
