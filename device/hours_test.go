package device_test

import (
	"testing"
	"time"

	"timeclock/device"
)

// The time counts within the hours only, over nights, weekends and the
// change to summer time.
func TestHoursBetween(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, hour, minute int) time.Time { return time.Date(2027, 3, day, hour, minute, 0, 0, berlin) }
	day := device.Hours{From: 6 * time.Hour, To: 20 * time.Hour}
	night := device.Hours{From: 22 * time.Hour, To: 5*time.Hour + 30*time.Minute}
	for name, c := range map[string]struct {
		hours      device.Hours
		since, now time.Time
		want       time.Duration
	}{
		"always":                 {device.Hours{}, at(1, 19, 0), at(2, 7, 0), 12 * time.Hour},
		"over a night":           {day, at(1, 19, 0), at(2, 7, 0), 2 * time.Hour},
		"within the night":       {day, at(1, 21, 0), at(2, 5, 0), 0},
		"three days":             {day, at(1, 6, 0), at(4, 6, 0), 3 * 14 * time.Hour},
		"a night shift":          {night, at(1, 23, 0), at(2, 23, 0), 7*time.Hour + 30*time.Minute},
		"a night shift, begun":   {night, at(2, 1, 0), at(2, 2, 0), time.Hour},
		"the short night":        {night, at(27, 22, 0), at(28, 12, 0), 6*time.Hour + 30*time.Minute},
		"the clock was set back": {day, at(2, 7, 0), at(1, 7, 0), 0},
	} {
		if got := c.hours.Between(c.since, c.now, berlin); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestHours(t *testing.T) {
	night := device.Hours{From: 22 * time.Hour, To: 6*time.Hour + 30*time.Minute}
	day := device.Hours{From: 6 * time.Hour, To: 22 * time.Hour}
	for clock, want := range map[string][2]bool{
		"21:59": {false, true}, "22:00": {true, false}, "00:00": {true, false}, "06:29": {true, true},
		"06:30": {false, true}, "12:00": {false, true},
	} {
		at, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{night.Contains(at), day.Contains(at)}; got != want || (device.Hours{}).Contains(at) {
			t.Errorf("%s: %v, want %v", clock, got, want)
		}
	}
}
