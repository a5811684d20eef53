package display

import (
	"fmt"
	"time"

	"timeclock/device"
)

// Style is how a company wants its clock to speak.
type Style struct {
	Language *Language
	Names    device.Names
	Zone     *time.Location // of the times that are shown
}

// text is what an answer says: one big word, a name, and what else there is.
type text struct {
	big, name, more string
	notes           []string // in the picture, below the rest
	sentence        string   // instead of the notes, where there is room
}

// clock shows a time of day, or that it is not known.
func (s Style) clock(p device.Punch) string {
	if p.Stamp.Uncertain {
		return "--:--"
	}
	return p.Time.In(s.Zone).Format("15:04")
}

func (s Style) words(o device.Outcome) text {
	l := s.Language
	at, name := s.clock(o.Punch), s.Names.Shorten(o.Employee.Name)
	switch o.Kind {
	case device.CheckedIn:
		return s.booked(o, text{big: l.Booked.CheckIn, name: name, more: at}, l.Booked.TurnOut)
	case device.CheckedOut:
		return s.booked(o, text{big: l.Booked.CheckOut, name: name, more: at}, l.Booked.TurnIn)
	case device.Repeated:
		more := l.Other.RepeatedIn
		if o.Punch.Intent == device.CheckOut {
			more = l.Other.RepeatedOut
		}
		return text{big: l.Other.Repeated, name: name, more: fmt.Sprintf(more, at)}
	case device.Unknown:
		w := text{big: l.Other.Unknown, more: l.Other.Office}
		if o.Claim > 0 {
			w.notes = []string{fmt.Sprintf(l.Other.Claim, o.Claim)}
		}
		return w
	case device.Blocked:
		return text{big: l.Other.Blocked, more: l.Other.Office}
	case device.Enrolled:
		return text{big: l.Enroll.Done, name: name}
	case device.NotEnrolled:
		return text{big: l.Enroll.Refused, name: name, more: l.Enroll.Reason}
	case device.Several:
		return text{big: l.Other.Several, more: l.Other.SeveralAdvice}
	}
	return text{big: l.Other.Failed, more: l.Other.FailedAdvice}
}

// booked adds what is special about a booking.
func (s Style) booked(o device.Outcome, w text, turn string) text {
	l := s.Language
	since, open := o.Punch.Forgotten()
	switch {
	case open:
		day := l.day(since.In(s.Zone), o.Punch.Time.In(s.Zone))
		w.notes = []string{fmt.Sprintf(l.Booked.Open, day), l.Booked.OpenAdvice}
		w.sentence = fmt.Sprintf(l.Sentence.Open, day)
	case o.Punch.Stamp.Uncertain:
		w.notes, w.sentence = []string{l.Booked.Unsure}, l.Sentence.Unsure
	case o.Offline:
		w.notes, w.sentence = []string{l.Booked.Saved}, l.Sentence.Saved
	}
	if o.Turns > 0 {
		w.notes = []string{fmt.Sprintf(turn, o.Turns)}
	}
	return w
}

// Line is the answer to a tap in one line of text.
func (s Style) Line(o device.Outcome) string {
	w := s.words(o)
	line := w.big
	if w.name != "" {
		line += ", " + w.name
	}
	if w.more == "" {
		return line
	}
	line += ": "
	if o.Kind == device.Unknown && len(w.notes) > 0 {
		line += w.notes[0] + ", "
	}
	line += w.more
	if w.sentence != "" {
		line += " (" + w.sentence + ")"
	}
	return line
}
