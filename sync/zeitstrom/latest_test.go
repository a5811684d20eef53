package zeitstrom_test

import (
	"testing"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// What an employee did last, wherever, by what the timespans look like.
func TestLatest(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	type booking struct {
		intent device.Intent
		at     time.Duration
	}
	in, out := device.CheckIn, device.CheckOut
	for name, tc := range map[string]struct {
		booked []booking
		intent device.Intent
		at     time.Duration
	}{
		"nothing": {nil, "", 0},
		"is in":   {[]booking{{in, -4 * time.Hour}}, in, -4 * time.Hour},
		"is out":  {[]booking{{in, -4 * time.Hour}, {out, -time.Hour}}, out, -time.Hour},
		"came back": {
			[]booking{{in, -4 * time.Hour}, {out, -time.Hour}, {in, -time.Minute}}, in, -time.Minute,
		},
		"split where it ends": {
			[]booking{{in, -4 * time.Hour}, {out, -time.Hour}, {in, -time.Hour}}, in, -time.Hour,
		},
		"forgot, and came today": {
			[]booking{{in, -28 * time.Hour}, {in, -4 * time.Hour}, {out, -time.Hour}}, out, -time.Hour,
		},
		"forgot a week ago":  {[]booking{{in, -7 * 24 * time.Hour}}, in, -7 * 24 * time.Hour},
		"the end is planned": {[]booking{{in, -4 * time.Hour}, {out, 5 * time.Hour}}, in, -4 * time.Hour},
		"planned for tomorrow": {[]booking{
			{in, -4 * time.Hour}, {out, -time.Hour}, {in, 20 * time.Hour}, {out, 24 * time.Hour},
		}, out, -time.Hour},
		"a phone whose clock is in front": {
			[]booking{{in, -4 * time.Hour}, {out, 30 * time.Second}}, out, 30 * time.Second,
		},
		"older than a month": {[]booking{{in, -40 * 24 * time.Hour}}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := &zeitstromtest.Server{}
			for _, b := range tc.booked {
				server.Book(zeitstromtest.Timestamp{
					Intent: string(b.intent), Employee: string(punch.Employee), Time: now.Add(b.at),
				})
			}
			server.Book(zeitstromtest.Timestamp{
				Intent: "checkin", Employee: "b1b2c3d4-e5f6-7890-abcd-ef1234567890", Time: now,
			})
			record, err := dial(t, server).Record(t.Context(), punch.Employee, now)
			intent, at := record.Latest()
			if err != nil || intent != tc.intent || tc.intent != "" && !at.Equal(now.Add(tc.at)) {
				t.Errorf("%q at %v, %v; want %q at %v", intent, at, err, tc.intent, now.Add(tc.at))
			}
		})
	}
}
