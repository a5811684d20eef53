package main

import (
	"time"

	"timeclock/device/config"
)

// silence is how much of the time since a badge was read last lay within the hours of a
// day in which badges are expected. No hours at all means all of them.
func silence(hours config.Hours, zone *time.Location, since, now time.Time) time.Duration {
	if hours == (config.Hours{}) {
		return now.Sub(since)
	}
	var total time.Duration
	since, now = since.In(zone), now.In(zone)
	for day := since.AddDate(0, 0, -1); !day.After(now.AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
		from, to := onDay(day, hours.From), onDay(day, hours.To)
		if hours.To <= hours.From { // over midnight
			to = onDay(day.AddDate(0, 0, 1), hours.To)
		}
		if from.Before(since) {
			from = since
		}
		if to.After(now) {
			to = now
		}
		total += max(0, to.Sub(from))
	}
	return total
}

// onDay is a time of day, as the clock on the wall shows it.
func onDay(day time.Time, at time.Duration) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d, 0, int(at/time.Minute), 0, 0, day.Location())
}
