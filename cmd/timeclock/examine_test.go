package main

import (
	"errors"
	"strings"
	"testing"

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
	d, _ := p.start(t, extras{})
	f := finding(t, d.clock.ExamineNow(t.Context()).Findings, "token")
	if f.Verdict != doctor.Warn || !strings.Contains(f.Found, "may not read timespans, so that ambiguous bookings wait") || f.Do == "" {
		t.Errorf("%+v", f)
	}
}

// After its start the clock examines itself, and the display tells for a minute.
func TestStartCheck(t *testing.T) {
	p := newPlace(t)
	p.cfg.Display.Driver, p.cfg.Display.I2C = "ssd1306", "/dev/i2c-77"
	d, _ := p.start(t, extras{})
	if f := d.facts(); f.Checked {
		t.Errorf("before it has: %+v", f)
	}
	eventually(t, func() error {
		if x := d.clock.Examination(); x.At.IsZero() {
			return errors.New("not examined yet")
		}
		return nil
	})
	x := d.clock.Examination()
	if f := finding(t, x.Findings, "i2c"); f.Verdict != doctor.Fail || !strings.Contains(f.Do, "dtparam=i2c_arm=on") || x.Verdict != doctor.Fail {
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
