package device

import (
	"slices"
	"strings"
	"time"
)

// Hints are what the German law on working hours (Arbeitszeitgesetz) says of somebody's day: a set. They
// are hints, and nothing is refused for them.
type Hints uint8

// The hints, with their sections.
const (
	Break30   Hints = 1 << iota // § 4: more than 6 hours of work, and less than 30 minutes of breaks
	Break45                     // § 4: more than 9 hours of work, and less than 45 minutes of breaks
	SixAtOnce                   // § 4: more than 6 hours without a break
	TenHours                    // § 3: more than 10 hours of work
	ShortRest                   // § 5: less than 11 hours since the last day's work
)

// hintNames are how hints are stored, and what scripts read.
var hintNames = [...]string{"break-30", "break-45", "six-at-once", "ten-hours", "short-rest"}

// Names are the names of the hints.
func (h Hints) Names() (names []string) {
	for i, name := range hintNames {
		if h&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String is the names with commas between them.
func (h Hints) String() string { return strings.Join(h.Names(), ",") }

// ParseHints reads what String has written; names that it does not know are left out.
func ParseHints(s string) (h Hints) {
	for name := range strings.SplitSeq(s, ",") {
		if i := slices.Index(hintNames[:], name); i >= 0 {
			h |= 1 << i
		}
	}
	return h
}

// What the Arbeitszeitgesetz says (gesetze-im-internet.de/arbzg).
const (
	longDay    = 10 * time.Hour   // § 3
	leastPause = 15 * time.Minute // § 4: shorter parts are none
	atOnce     = 6 * time.Hour    // § 4
	rest       = 11 * time.Hour   // § 5
	// oneShift is how long a gap is at least that may be the rest between two days. A shorter one is
	// a break of the same day's work, also after midnight: a night shift is one.
	oneShift = 4 * time.Hour
)

// breaks are what § 4 wants: for more work than this, so much break.
var breaks = []struct {
	work, pause time.Duration
	hint        Hints
}{{9 * time.Hour, 45 * time.Minute, Break45}, {6 * time.Hour, 30 * time.Minute, Break30}}

// HintsOut are those of a day's work that ends at an instant, or is interrupted by a break then.
func HintsOut(spans []Span, end time.Time, zone *time.Location, interrupted bool) (h Hints) {
	day := shift(spans, end, zone)
	var work, paused, stretch, longest time.Duration
	for i, s := range day {
		if i > 0 {
			if gap := s.In.Sub(day[i-1].Out); gap >= leastPause {
				paused += gap
				stretch = 0
			}
		}
		work += s.Out.Sub(s.In)
		stretch += s.Out.Sub(s.In)
		longest = max(longest, stretch)
	}
	for _, b := range breaks {
		if work > b.work && paused < b.pause && !interrupted {
			h |= b.hint
			break
		}
	}
	if h == 0 && longest > atOnce {
		h |= SixAtOnce
	}
	if work > longDay {
		h |= TenHours
	}
	return h
}

// HintsIn are those of somebody who begins to work at an instant.
func HintsIn(spans []Span, start time.Time, zone *time.Location) Hints {
	var last Span
	for _, s := range spans {
		if s.Out.After(last.Out) && !s.Out.After(start) {
			last = s
		}
	}
	gap := start.Sub(last.Out)
	if !last.Out.IsZero() && gap >= oneShift && gap < rest && !sameDay(last.In, start, zone) {
		return ShortRest
	}
	return 0
}

// shift are the closed spans of one day's work, in order: the one that ends at an instant, and those
// before it that began on the same day or that only a short gap keeps apart.
func shift(spans []Span, end time.Time, zone *time.Location) (day []Span) {
	end = end.Truncate(time.Second)
	spans = slices.SortedFunc(slices.Values(spans), func(a, b Span) int { return a.In.Compare(b.In) })
	for _, s := range slices.Backward(spans) {
		switch {
		case s.Out.IsZero(), s.Out.After(end), !s.Out.After(s.In):
		case len(day) == 0:
			if s.Out.Equal(end) {
				day = append(day, s)
			}
		case sameDay(s.In, day[0].In, zone), day[len(day)-1].In.Sub(s.Out) < oneShift:
			day = append(day, s)
		default:
			slices.Reverse(day)
			return day
		}
	}
	slices.Reverse(day)
	return day
}

// hint adds to a punch what the law says of it, if Zeitstrom has just told of that day and the day before.
func (t *Terminal) hint(tap Tap, p *Punch, k knowledge, switched bool) {
	if !t.Rules.Hints || !k.sure || tap.Stamp.Uncertain {
		return
	}
	at := tap.Time.Truncate(time.Second)
	out := *p
	out.Time = at
	switch {
	case switched:
	case p.Intent == CheckOut:
		p.Hints = HintsOut(addPunch(k.spans, out), at, t.Rules.Zone, p.OnBreak())
	case k.next == CheckIn:
		p.Hints = HintsIn(k.spans, at, t.Rules.Zone)
	}
}
