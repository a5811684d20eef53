package device

import (
	"context"
	"testing"
	"time"
)

// The sections of the Arbeitszeitgesetz.
func TestHints(t *testing.T) {
	zone := berlin(t)
	for name, tc := range map[string]struct {
		spans string
		want  Hints
	}{
		"§ 4: six hours need none":                  {"2026-11-23 08:00-14:00", 0},
		"§ 4: more need half an hour":               {"2026-11-23 08:00-14:01", Break30},
		"§ 4: half an hour is enough":               {"2026-11-23 08:00-12:00, 12:30-16:30", 0},
		"§ 4: 29 minutes are not":                   {"2026-11-23 08:00-12:00, 12:29-16:30", Break30},
		"§ 4: two parts of 15 minutes":              {"2026-11-23 08:00-11:00, 11:15-14:00, 14:15-16:30", 0},
		"§ 4: a part of 14 minutes is none":         {"2026-11-23 08:00-11:00, 11:14-14:00, 14:15-16:30", Break30},
		"§ 4: parts below 15 minutes do not add up": {"2026-11-23 08:00-10:00, 10:10-12:00, 12:10-14:00, 14:10-15:00", Break30},
		"§ 4: nine hours":                           {"2026-11-23 08:00-12:00, 12:30-17:30", 0},
		"§ 4: more than nine need 45":               {"2026-11-23 08:00-12:00, 12:30-17:31", Break45},
		"§ 4: 45 minutes":                           {"2026-11-23 08:00-12:00, 12:45-17:50", 0},
		"§ 4: never six hours in one go":            {"2026-11-23 08:00-14:30, 15:15-16:00", SixAtOnce},
		"§ 4: a gap below 15 minutes does not help": {"2026-11-23 08:00-12:00, 12:10-14:30, 15:15-16:00", SixAtOnce},
		"§ 3: ten hours":                            {"2026-11-23 06:00-12:00, 12:45-16:45", 0},
		"§ 3: more":                                 {"2026-11-23 06:00-12:00, 12:45-16:46", TenHours},
		"§ 3 and § 4":                               {"2026-11-23 06:00-16:30", TenHours | Break45},
		"a night shift":                             {"2026-11-22 22:00-02:00, 2026-11-23 02:45-06:30", 0},
		"a night shift without a break":             {"2026-11-22 22:00-06:00", Break30},
		"the short night, 5 hours":                  {"2026-03-28 23:00-05:00", 0},
		"the long night, 7 hours":                   {"2026-10-24 23:00-05:00", Break30},
		"yesterday does not count":                  {"2026-11-22 08:00-14:00, 2026-11-23 08:00-14:00", 0},
		"a split day does":                          {"2026-11-23 08:00-13:00, 18:00-23:30", TenHours},
		"a forgotten check-out is no work":          {"2026-11-23 05:00-, 08:00-13:00", 0},
	} {
		spans := spansAt(t, zone, tc.spans)
		if got := HintsOut(spans, spans[len(spans)-1].Out, zone, false); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
	for name, tc := range map[string]struct {
		spans, start string
		want         Hints
	}{
		"§ 5: eleven hours":               {"2026-11-22 08:00-21:00", "2026-11-23 08:00", 0},
		"§ 5: less":                       {"2026-11-22 08:00-21:01", "2026-11-23 08:00", ShortRest},
		"§ 5: after a night":              {"2026-11-22 22:00-06:00", "2026-11-23 14:00", ShortRest},
		"a break after midnight":          {"2026-11-22 22:00-02:00", "2026-11-23 02:45", 0},
		"a second shift on the same day":  {"2026-11-23 06:00-10:00", "2026-11-23 16:00", 0},
		"the short night":                 {"2026-03-28 08:00-20:30", "2026-03-29 08:00", ShortRest},
		"the long night":                  {"2026-10-24 08:00-21:30", "2026-10-25 08:00", 0},
		"nothing is known of before":      {"2026-11-20 08:00-12:00", "2026-11-23 08:00", 0},
		"somebody is still at work":       {"2026-11-22 08:00-", "2026-11-23 08:00", 0},
		"what lies ahead was planned":     {"2026-11-22 08:00-12:00, 2026-11-23 10:00-12:00", "2026-11-23 08:00", 0},
		"an end of yesterday, and a span": {"2026-11-22 08:00-12:00, 13:00-22:00", "2026-11-23 07:00", ShortRest},
	} {
		start, err := time.ParseInLocation("2006-01-02 15:04", tc.start, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := HintsIn(spansAt(t, zone, tc.spans), start, zone); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestHintNames(t *testing.T) {
	for h := range Hints(1 << len(hintNames)) {
		if got := ParseHints(h.String()); got != h {
			t.Errorf("%v is read as %v", h, got)
		}
	}
	if h := ParseHints("ten-hours,of tomorrow"); h != TenHours {
		t.Errorf("with one that is not known: %v", h)
	}
}

// Hints are given only if they are wanted, and if Zeitstrom has just told of the day.
func TestHintsAtTheDoor(t *testing.T) {
	c := newChoosing(t)
	start := c.now
	c.latest = func(context.Context) (Intent, time.Time, error) { return CheckIn, start, nil }
	c.spans = []Span{{In: start}}
	c.online = true
	if o := c.later(8 * time.Hour).tap(annas); o.Punch.Hints != 0 {
		t.Errorf("not wanted: %v", o.Punch.Hints)
	}
	c.Rules.Hints = true
	if o := c.later(time.Minute).tap(annas); o.Punch.Hints != Break30 || c.stored[1].Hints != Break30 {
		t.Errorf("at check-out: %v", o.Punch.Hints)
	}
	c.latest = func(context.Context) (Intent, time.Time, error) { return CheckOut, c.now.Add(-8 * time.Hour), nil }
	c.later(15 * time.Hour)
	c.spans = []Span{{In: start, Out: c.now.Add(-8 * time.Hour)}}
	if o := c.tap(annas); o.Kind != CheckedIn || o.Punch.Hints != ShortRest {
		t.Errorf("at check-in: %s, %v", o.Kind, o.Punch.Hints)
	}
	c.online = false
	if o := c.later(11 * time.Hour).tap(annas); o.Punch.Hints != 0 {
		t.Errorf("offline: %v", o.Punch.Hints)
	}
}
