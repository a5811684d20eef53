package device

import "time"

// Hours is a part of each day, from one time of day to another, as durations since
// midnight; it may span midnight. The zero Hours is none.
type Hours struct{ From, To time.Duration }

// Contains reports whether a time of day, in its own zone, is within the hours.
func (h Hours) Contains(t time.Time) bool {
	at := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	if h.From <= h.To {
		return h.From <= at && at < h.To
	}
	return at >= h.From || at < h.To
}

// Between returns how much of the time between two instants lies within the hours of a zone's
// days. No hours at all means all of it.
func (h Hours) Between(since, now time.Time, zone *time.Location) time.Duration {
	if h == (Hours{}) {
		return now.Sub(since)
	}
	var total time.Duration
	since, now = since.In(zone), now.In(zone)
	for day := since.AddDate(0, 0, -1); !day.After(now.AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
		from, to := onDay(day, h.From), onDay(day, h.To)
		if h.To <= h.From { // over midnight
			to = onDay(day.AddDate(0, 0, 1), h.To)
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
