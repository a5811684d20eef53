package clock

import (
	"fmt"
	"time"
)

// layouts are how people write a local time.
var layouts = []string{"2006-01-02 15:04", time.DateTime, "2006-01-02T15:04", "2006-01-02T15:04:05"}

// ParseLocal reads a time as people write it: in a zone, or in the form of ISO 8601
// with an offset. A time of day that a night in spring leaves out, or that comes
// twice in autumn, is refused.
func ParseLocal(s string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, nil
		}
	}
	for _, layout := range layouts {
		at, err := time.ParseInLocation(layout, s, zone)
		if err != nil {
			continue
		}
		if at.Format(layout) != s {
			return time.Time{}, fmt.Errorf("%s does not exist in %s: the clocks are put forward then", s, zone)
		}
		for _, other := range []time.Time{at.Add(-time.Hour), at.Add(time.Hour)} {
			if other.In(zone).Format(layout) == s {
				return time.Time{}, fmt.Errorf("%s comes twice in %s: say which, such as %s", s, zone,
					at.Format(time.RFC3339))
			}
		}
		return at, nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: it looks like \"2026-11-22 08:00\" (local time) or "+
		"2026-11-22T07:00:00Z", s)
}
