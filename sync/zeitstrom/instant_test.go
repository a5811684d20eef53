package zeitstrom

import (
	"encoding/json"
	"testing"
	"time"
)

func TestInstants(t *testing.T) {
	want := time.Date(2024, 6, 20, 8, 0, 5, 0, time.UTC)
	for _, s := range []string{
		"2024-06-20T08:00:05Z", "2024-06-20t08:00:05z", "2024-06-20 08:00:05Z", "2024-06-20T08:00:05.000Z",
		"2024-06-20T10:00:05+02:00", "2024-06-20T10:00:05+0200", "2024-06-20T10:00:05+02", "2024-06-20 10:00:05 +02:00",
		"20240620T080005Z", "2024-06-20T04:30:05−03:30", "2024-06-20T08:00:05,0Z",
	} {
		var i instant
		if err := json.Unmarshal([]byte(`"`+s+`"`), &i); err != nil || i.vague || !i.Equal(want) {
			t.Errorf("%s: %v, %v", s, i, err)
		}
	}
	for _, s := range []string{"2024-06-20T08:00:05", "2024-06-20 08:00"} {
		if i, err := parseInstant(s); err != nil || !i.vague || !i.when().IsZero() {
			t.Errorf("%s: %v, %v", s, i, err)
		}
	}
	for _, s := range []string{
		"", "yesterday", "2024-06-20", "2024-13-20T08:00:05Z", "2024-06-20T25:00:05Z",
		"1718870405", "2024-06-20T08:00:05Z+02:00",
	} {
		if i, err := parseInstant(s); err == nil {
			t.Errorf("%q is %v", s, i)
		}
	}
}

// FuzzInstant reads anything: what it takes for a time is one.
func FuzzInstant(f *testing.F) {
	f.Add("2024-06-20T08:00:05.25+02:00")
	f.Fuzz(func(t *testing.T, s string) {
		if i, err := parseInstant(s); err == nil && (i.Year() < 0 || i.Year() > 9999) {
			t.Errorf("%q is %v", s, i)
		}
	})
}
