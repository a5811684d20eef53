package zeitstrom

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// instant is a time as the API may write it. The documents say ISO 8601 and show
// "2024-06-20T10:00:00Z"; what else that standard allows is read too, and a space for
// the T, as RFC 3339 (section 5.6) has it.
type instant struct {
	time.Time
	// vague: it has no zone, so nobody knows which instant it is.
	vague bool
}

// iso8601 is a date and a time of day, extended or basic, with a zone or without.
var iso8601 = regexp.MustCompile(`^(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?` +
	` ?([Zz]|[+\-−]\d\d(?::?\d\d)?)?$`)

// parseInstant reads a time.
func parseInstant(s string) (instant, error) {
	m := iso8601.FindStringSubmatch(s)
	if m == nil {
		return instant{}, fmt.Errorf("%q is no time in ISO 8601", Sanitize(s))
	}
	second, fraction, zone := m[6], m[7], strings.ToUpper(strings.ReplaceAll(m[8], "−", "-"))
	if second == "" {
		second = "00"
	}
	if fraction != "" {
		second += "." + fraction[:min(9, len(fraction))]
	}
	if digits := strings.ReplaceAll(zone, ":", ""); len(digits) == 3 {
		zone = digits + ":00"
	} else if len(digits) == 5 {
		zone = digits[:3] + ":" + digits[3:]
	}
	vague := zone == ""
	if vague {
		zone = "Z"
	}
	t, err := time.Parse(time.RFC3339, fmt.Sprintf("%s-%s-%sT%s:%s:%s%s", m[1], m[2], m[3], m[4], m[5], second, zone))
	if err != nil {
		return instant{}, fmt.Errorf("%q is no time: %w", s, err)
	}
	return instant{t, vague}, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (i *instant) UnmarshalJSON(raw []byte) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	var err error
	*i, err = parseInstant(s)
	return err
}

// when is the time of an answer; the zero time if there is none, or nobody knows
// which instant it is.
func (i *instant) when() time.Time {
	if i == nil || i.vague {
		return time.Time{}
	}
	return i.Time
}

func (i *instant) isVague() bool { return i != nil && i.vague }

// sameInstant compares instants as the API keeps them: to the second.
func sameInstant(a, b time.Time) bool {
	return a.Truncate(time.Second).Equal(b.Truncate(time.Second))
}
