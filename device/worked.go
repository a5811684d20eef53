package device

import (
	"context"
	"slices"
	"time"
)

// Worked is how long somebody has worked.
type Worked struct {
	Off   bool          // the company does not want it to be told
	Known bool          // else nothing is known of the day
	Today time.Duration // on the day on which the span began that was closed, or runs
	Rough bool          // as far as this clock knows: Zeitstrom did not say it just now
	Month Month

	day time.Time // that is meant
}

// Month is how long somebody has worked in a month, and was to work.
type Month struct {
	Known          bool
	Worked, Target time.Duration
}

// monthTime is how long Zeitstrom is waited for to tell a month, beside the terminal's loop.
const monthTime = 2 * time.Second

// addPunch puts a punch of this clock into spans that may lack it.
func addPunch(spans []Span, p Punch) []Span {
	at := p.Time.Truncate(time.Second)
	newest := -1
	for i, s := range spans {
		if p.Intent == CheckIn && s.In.Equal(at) || p.Intent == CheckOut && s.Out.Equal(at) {
			return spans
		}
		if s.Out.IsZero() && !s.In.After(at) && (newest < 0 || s.In.After(spans[newest].In)) {
			newest = i
		}
	}
	spans = slices.Clone(spans)
	switch {
	case p.Intent == CheckIn:
		return append(spans, Span{In: at})
	case newest >= 0:
		spans[newest].Out = at
	}
	return spans
}

// sum is how long was worked in the spans that begin on a day, each whole: of those that are open only one
// after which none begins counts, until now.
func sum(spans []Span, day, now time.Time, zone *time.Location) (d time.Duration) {
	var newest time.Time
	for _, s := range spans {
		if s.In.After(newest) {
			newest = s.In
		}
	}
	for _, s := range spans {
		out := s.Out
		if out.IsZero() && s.In.Equal(newest) {
			out = now
		}
		if sameDay(s.In, day, zone) {
			d += max(0, out.Sub(s.In))
		}
	}
	return d
}

func sameDay(a, b time.Time, zone *time.Location) bool {
	y1, m1, d1 := a.In(zone).Date()
	y2, m2, d2 := b.In(zone).Date()
	return y1 == y2 && m1 == m2 && d1 == d2
}

// closed is the span that ends at an instant.
func closed(spans []Span, end time.Time) (s Span, found bool) {
	end = end.Truncate(time.Second)
	for _, s := range spans {
		if s.Out.Equal(end) {
			return s, true
		}
	}
	return s, false
}

// spansOf are an employee's spans: those of the answer that has just decided, or else of the last
// answer, with what was booked here since.
func (t *Terminal) spansOf(e EmployeeID, k knowledge) []Span {
	if k.sure {
		return k.spans
	}
	heard := t.Elsewhere.Heard(e)
	spans := heard.Spans
	for _, p := range t.Queue.Recent(e) {
		lacks := p.State == Pending || !p.Time.Before(heard.Asked.Truncate(time.Second))
		if lacks && !p.Stamp.Uncertain {
			spans = addPunch(spans, p.Punch)
		}
	}
	return spans
}

// untilOut is how long the employee has worked on the day that a check-out ends.
func (t *Terminal) untilOut(spans []Span, p Punch, k knowledge) Worked {
	if p.Stamp.Uncertain {
		return Worked{}
	}
	s, found := closed(spans, p.Time)
	return Worked{Known: found, Today: sum(spans, s.In, p.Time, t.Rules.Zone), Rough: !k.sure}
}

// hours answers a tap that asks for hours: today's at once, and the month's beside the terminal's
// loop.
func (t *Terminal) hours(tap Tap, o *Outcome, last Punch, pending bool) {
	o.Kind, o.Worked.Off = HoursShown, !t.Rules.Hours
	if !t.Rules.Hours || tap.Stamp.Uncertain {
		return
	}
	k := t.know(tap, o.Employee.ID, last, pending)
	spans := t.spansOf(o.Employee.ID, k)
	day := tap.Time
	for _, s := range spans { // whoever is at work counts to the day on which that began
		if s.Out.IsZero() && k.next == CheckOut && s.In.Equal(k.basis.Time) {
			day = s.In
		}
	}
	o.Worked = Worked{
		Known: k.sure || len(spans) > 0, Today: sum(spans, day, tap.Time.Truncate(time.Second), t.Rules.Zone),
		Rough: !k.sure,
	}
	o.Worked.day = day.In(t.Rules.Zone)
	o.Awaits = t.Elsewhere.Sends()
}

// tellMonth shows an answer again, with the month's hours if Zeitstrom tells them in time. It runs beside
// the terminal's loop.
func (t *Terminal) tellMonth(o Outcome) {
	ctx, cancel := context.WithTimeout(context.Background(), monthTime)
	defer cancel()
	month, err := t.Elsewhere.Month(ctx, o.Employee.ID, o.Worked.day)
	if err != nil {
		t.Log.Debug("the month's hours are not known", "employee", o.Employee.ID, "error", err)
	}
	o.Worked.Month, o.Awaits, o.Update = month, false, true
	t.Screen.Show(o)
}
