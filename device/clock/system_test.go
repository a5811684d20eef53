package clock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"timeclock/device"
)

// The kernel that the tests run on says something sensible.
func TestSystem(t *testing.T) {
	var s System
	if strings.Contains(s.Wall().String(), "m=") {
		t.Error("wall times would be compared by the monotonic clock, which no step of the wall clock moves")
	}
	if a, b := s.Uptime(), s.Uptime(); a <= 0 || b < a {
		t.Errorf("uptime %v, then %v", a, b)
	}
	if s.BootID() == (device.BootID{}) {
		t.Errorf("boot id %x", s.BootID())
	}
	if _, err := s.Synchronised(); err != nil {
		t.Errorf("adjtimex: %v", err)
	}
}

// The clock chip is chosen by its name: a Pi 5 has one of its own, mostly without a
// battery, and may have a better one under any number.
func TestChooseClockChip(t *testing.T) {
	const own, wired = "rpi-rtc soc:rpi_rtc\n", "rtc-ds1307 1-0068\n"
	for name, c := range map[string]struct {
		chips   []string // name and since_epoch in turn
		want    string
		onBoard bool
		seconds int64
		err     string
	}{
		"none":         {err: errNoChip.Error()},
		"one":          {chips: []string{wired, "1790000000\n"}, want: "rtc-ds1307 1-0068", seconds: 1790000000},
		"a Pi 5's own": {chips: []string{own, "5\n"}, want: "rpi-rtc soc:rpi_rtc", onBoard: true, seconds: 5},
		"wired to a Pi 5": {
			chips: []string{own, "5\n", wired, "1790000000\n"}, want: "rtc-ds1307 1-0068", seconds: 1790000000,
		},
		"its battery empty": {
			chips: []string{own, "7\n", wired, ""}, want: "rpi-rtc soc:rpi_rtc", onBoard: true, seconds: 7,
		},
		"garbled":           {chips: []string{wired, "soon"}, err: "cannot be read"},
		"no battery at all": {chips: []string{wired, ""}, err: "has lost its time"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i := 0; i < len(c.chips); i += 2 {
				chip := filepath.Join(dir, fmt.Sprint("rtc", i/2))
				if err := errors.Join(os.Mkdir(chip, 0o755),
					os.WriteFile(filepath.Join(chip, "name"), []byte(c.chips[i]), 0o600)); err != nil {
					t.Fatal(err)
				}
				if c.chips[i+1] == "" { // the kernel refuses to read it
					continue
				}
				if err := os.WriteFile(filepath.Join(chip, "since_epoch"), []byte(c.chips[i+1]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := clockChip(dir)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			if err != nil || got.Name != c.want || got.OnBoard != c.onBoard || got.Time.Unix() != c.seconds {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestPoweredOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rsts")
	if poweredOn(path) {
		t.Error("no Pi")
	}
	for raw, want := range map[string]bool{
		"\x00\x00\x10\x00": true, "\x00\x00\x00\x20": false, "\x00\x10\x00\x00": false, "": false,
	} {
		if err := os.WriteFile(path, []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		if poweredOn(path) != want {
			t.Errorf("% X: %v", raw, !want)
		}
	}
}
