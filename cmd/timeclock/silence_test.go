package main

import (
	"testing"
	"time"

	"timeclock/device/config"
)

// The time without a badge counts within the hours only, over nights, weekends and the
// change to summer time.
func TestSilence(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, hour, minute int) time.Time { return time.Date(2027, 3, day, hour, minute, 0, 0, berlin) }
	day := config.Hours{From: 6 * time.Hour, To: 20 * time.Hour}
	night := config.Hours{From: 22 * time.Hour, To: 5*time.Hour + 30*time.Minute}
	for name, c := range map[string]struct {
		hours      config.Hours
		since, now time.Time
		want       time.Duration
	}{
		"always":                 {config.Hours{}, at(1, 19, 0), at(2, 7, 0), 12 * time.Hour},
		"over a night":           {day, at(1, 19, 0), at(2, 7, 0), 2 * time.Hour},
		"within the night":       {day, at(1, 21, 0), at(2, 5, 0), 0},
		"three days":             {day, at(1, 6, 0), at(4, 6, 0), 3 * 14 * time.Hour},
		"a night shift":          {night, at(1, 23, 0), at(2, 23, 0), 7*time.Hour + 30*time.Minute},
		"a night shift, begun":   {night, at(2, 1, 0), at(2, 2, 0), time.Hour},
		"the short night":        {night, at(27, 22, 0), at(28, 12, 0), 6*time.Hour + 30*time.Minute},
		"the clock was set back": {day, at(2, 7, 0), at(1, 7, 0), 0},
	} {
		if got := silence(c.hours, berlin, c.since, c.now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
