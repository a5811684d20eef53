package device

import (
	"context"
	"strings"
	"testing"
	"time"
)

// berlin is a zone that puts its clocks forward and back.
func berlin(t testing.TB) *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// spansAt reads spans: "2026-11-23 08:00-12:00, 12:30-", each with its day or on that of the one before, an end
// that is not after its beginning on the next day.
func spansAt(t testing.TB, zone *time.Location, text string) (spans []Span) {
	day := ""
	at := func(clock string) time.Time {
		if clock == "" {
			return time.Time{}
		}
		when, err := time.ParseInLocation("2006-01-02 15:04", day+" "+clock, zone)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for part := range strings.SplitSeq(text, ", ") {
		if before, after, found := strings.Cut(part, " "); found {
			day, part = before, after
		}
		from, to, _ := strings.Cut(part, "-")
		s := Span{In: at(from), Out: at(to)}
		if !s.Out.IsZero() && !s.Out.After(s.In) {
			was := day
			day = s.In.AddDate(0, 0, 1).Format(time.DateOnly)
			s.Out = at(to)
			day = was
		}
		spans = append(spans, s)
	}
	return spans
}

// A day's hours are those of the spans that begin on the day on which the one began that was closed.
func TestToday(t *testing.T) {
	zone := berlin(t)
	for name, tc := range map[string]struct {
		spans string
		want  time.Duration
	}{
		"one":                     {"2026-11-23 08:00-16:12", 8*time.Hour + 12*time.Minute},
		"with a break":            {"2026-11-23 08:00-12:00, 12:30-16:42", 8*time.Hour + 12*time.Minute},
		"yesterday is another":    {"2026-11-22 08:00-16:00, 2026-11-23 09:00-10:00", time.Hour},
		"a night counts to where": {"2026-11-22 22:00-06:00", 8 * time.Hour},
		"it began":                {"2026-11-22 14:00-15:00, 22:00-06:00", 9 * time.Hour},
		"not to where it ended":   {"2026-11-22 22:00-06:00, 2026-11-23 14:00-15:00", time.Hour},
		"the short night":         {"2026-03-28 22:00-06:00", 7 * time.Hour},
		"the long night":          {"2026-10-24 22:00-06:00", 9 * time.Hour},
		"a forgotten check-out":   {"2026-11-23 06:00-, 08:00-09:00", time.Hour},
	} {
		spans := spansAt(t, zone, tc.spans)
		end := spans[len(spans)-1].Out
		s, found := closed(spans, end)
		if got := sum(spans, s.In, end, zone); !found || got != tc.want {
			t.Errorf("%s: %v, %v; want %v", name, got, found, tc.want)
		}
	}
	running := spansAt(t, zone, "2026-11-23 08:00-12:00, 13:00-")
	if got := sum(running, running[1].In, running[1].In.Add(30*time.Minute), zone); got != 270*time.Minute {
		t.Errorf("while at work: %v", got)
	}
}

// At a check-out the employee is told, from the answer that decides or from what is known here.
func TestHoursAtCheckOut(t *testing.T) {
	c := newChoosing(t)
	c.Rules.Hours = true
	start := c.now
	said := Known{}
	c.latest = func(context.Context) (Intent, time.Time, error) { return said.Intent, said.At, nil }
	worked := func(what string, o Outcome, want time.Duration, rough bool) {
		t.Helper()
		if w := o.Worked; !w.Known || w.Today.Truncate(time.Minute) != want || w.Rough != rough {
			t.Errorf("%s: %+v, want %v", what, w, want)
		}
	}
	c.tap(annas)
	worked("this clock alone", c.later(4*time.Hour).tap(annas), 4*time.Hour, true)
	c.online = true
	said = Known{Intent: CheckOut, At: start.Add(4 * time.Hour)}
	c.spans = []Span{{In: start, Out: start.Add(4 * time.Hour)}}
	c.is("in", c.later(time.Hour).tap(annas), "checkin")
	in := c.now
	said, c.spans = Known{Intent: CheckIn, At: in.Truncate(time.Second)}, append(c.spans, Span{In: in.Truncate(time.Second)})
	worked("Zeitstrom", c.later(3*time.Hour).tap(annas), 7*time.Hour, false)
	// It was corrected there: half an hour less. This clock hears it, and is offline then.
	c.heard = Known{Asked: c.now.Add(time.Minute), Spans: []Span{
		{In: start.Add(30 * time.Minute), Out: start.Add(4 * time.Hour)}, {In: in, Out: c.now},
	}}
	c.online = false
	c.is("in again", c.later(2*time.Minute).tap(annas), "checkin")
	worked("offline", c.later(2*time.Hour).tap(annas), 8*time.Hour+30*time.Minute, true)
	c.Rules.Hours = false
	c.later(time.Hour).tap(annas)
	if o := c.later(time.Hour).tap(annas); o.Worked.Known {
		t.Errorf("it is told though nobody wants it: %+v", o.Worked)
	}
}
