package display

import (
	"cmp"
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
	case device.CheckedIn, device.CheckedOut:
		if o.TakenBack {
			return text{big: l.Booked.TakenBack, name: name, more: s.done(o.Punch)}
		}
		return s.booked(o, name)
	case device.Repeated:
		if o.Stands {
			return text{big: s.stands(o.Punch), name: name, more: fmt.Sprintf(l.Booked.Since, at)}
		}
		return text{big: l.Other.Repeated, name: name, more: s.done(o.Punch)}
	case device.Chosen:
		if o.Next.Function == "" {
			return text{big: l.Booked.TakenBack}
		}
		return text{big: s.function(o.Next.Function, o.Next.Project), more: l.Function.Chosen}
	case device.HoursShown:
		return s.hours(o, name)
	case device.Unknown:
		w := text{big: l.Other.Unknown, more: l.Other.Office}
		if o.Claim > 0 {
			w.notes = []string{fmt.Sprintf(l.Other.Claim, o.Claim)}
		}
		return w
	case device.Blocked:
		return text{big: l.Other.Blocked, more: l.Other.Office}
	case device.Enrolled:
		return text{big: l.Enroll.Done, name: cmp.Or(name, s.function(o.Function, o.Function.Project()))}
	case device.NotEnrolled:
		return text{big: l.Enroll.Refused, name: name, more: l.Enroll.Reason}
	case device.Tried:
		return text{big: l.Other.Tried, more: l.Other.NotBooked}
	case device.Several:
		return text{big: l.Other.Several, more: l.Other.SeveralAdvice}
	}
	return text{big: l.Other.Failed, more: l.Other.FailedAdvice}
}

// done says what was booked.
func (s Style) done(p device.Punch) string {
	if p.Intent == device.CheckOut {
		return fmt.Sprintf(s.Language.Other.RepeatedOut, s.clock(p))
	}
	return fmt.Sprintf(s.Language.Other.RepeatedIn, s.clock(p))
}

// stands says where somebody is.
func (s Style) stands(p device.Punch) string {
	switch {
	case p.OnBreak():
		return s.Language.Booked.Break
	case p.Intent == device.CheckOut:
		return s.Language.Other.StandsOut
	}
	return s.Language.Other.StandsIn
}

// function is what people call a function.
func (s Style) function(f device.Function, project string) string {
	l := s.Language.Function
	name, known := map[device.Function]string{
		"": "", device.TakeBreak: l.Break, device.ShowHours: l.Hours, device.ComeIn: l.In, device.GoOut: l.Out,
	}[f]
	if !known {
		return fmt.Sprintf("%s %s", l.Project, project)
	}
	return name
}

// booked is the answer to a tap that became a punch: what is special about it comes first, and there is
// room for two notes.
func (s Style) booked(o device.Outcome, name string) text {
	l := s.Language
	w := text{big: l.Booked.CheckIn, name: name, more: s.clock(o.Punch)}
	turn := l.Booked.TurnOut
	switch {
	case o.Punch.OnBreak():
		w.big, w.more = l.Booked.Break, fmt.Sprintf(l.Booked.Since, w.more)
	case o.Punch.Intent == device.CheckOut:
		w.big, turn = l.Booked.CheckOut, l.Booked.TurnIn
	case o.Switched:
		w.big = l.Booked.Switched
	case o.Returned:
		w.big = l.Booked.Back
	}
	since, open := o.Forgotten()
	switch {
	case open:
		day := l.day(since.In(s.Zone), o.Punch.Time.In(s.Zone))
		w.note(fmt.Sprintf(l.Booked.Open, day), fmt.Sprintf(l.Sentence.Open, day))
		w.note(l.Booked.OpenAdvice, "")
	case o.Punch.Stamp.Uncertain:
		w.note(l.Booked.Unsure, l.Sentence.Unsure)
	case o.Offline:
		w.note(l.Booked.Saved, l.Sentence.Saved)
	}
	for i, h := range s.Hints(o.Punch.Hints) {
		if i > 0 { // the picture has room for one
			h.Short = ""
		}
		w.note(h.Short, h.Long)
	}
	if o.Returned && o.Paused > 0 {
		w.note(fmt.Sprintf(l.Booked.Paused, span(o.Paused)), fmt.Sprintf(l.Booked.Paused, span(o.Paused)))
	}
	if o.Project != "" && o.Punch.Intent == device.CheckIn {
		_, short := fit(o.Project, noteSize)
		w.note(short, o.Project)
	}
	if today := s.today(o.Worked); today != "" {
		w.note(today, today)
	}
	if o.Turns > 0 {
		w.notes = []string{fmt.Sprintf(turn, o.Turns)}
	}
	return w
}

// note adds a note to the picture, and what a line of text says instead.
func (w *text) note(short, sentence string) {
	const most = 2
	if short != "" && len(w.notes) < most {
		w.notes = append(w.notes, short)
	}
	if w.sentence != "" && sentence != "" {
		w.sentence += "; "
	}
	w.sentence += sentence
}

// Hints are the texts of what the law says of a booking.
func (s Style) Hints(h device.Hints) (texts []Hint) {
	l := s.Language.Hints
	for _, x := range []struct {
		is   device.Hints
		text Hint
	}{
		{device.TenHours, l.TenHours},
		{device.Break45, l.Break45},
		{device.Break30, l.Break30},
		{device.SixAtOnce, l.SixAtOnce},
		{device.ShortRest, l.ShortRest},
	} {
		if h&x.is != 0 {
			texts = append(texts, x.text)
		}
	}
	return texts
}

// today says how long somebody has worked; empty if it is not known.
func (s Style) today(w device.Worked) string {
	switch {
	case !w.Known:
		return ""
	case w.Rough:
		return fmt.Sprintf(s.Language.Booked.TodayRough, hoursAndMinutes(w.Today))
	}
	return fmt.Sprintf(s.Language.Booked.Today, hoursAndMinutes(w.Today))
}

// hours is the answer to a tap that asks for hours.
func (s Style) hours(o device.Outcome, name string) text {
	l, today := s.Language, s.today(o.Worked)
	switch m := o.Worked.Month; {
	case o.Worked.Off:
		return text{big: l.Function.Hours, name: name, more: l.Hours.Hidden}
	case m.Known:
		more := fmt.Sprintf(l.Hours.Month, hoursAndMinutes(m.Worked), hoursAndMinutes(m.Target))
		return text{big: cmp.Or(today, l.Function.Hours), name: name, more: more}
	case today == "":
		return text{big: l.Function.Hours, name: name, more: l.Hours.Unknown}
	}
	return text{big: today, name: name}
}

func hoursAndMinutes(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d/time.Hour), int(d%time.Hour/time.Minute))
}

// span is how long something took: minutes, or hours and minutes.
func span(d time.Duration) string {
	if d < time.Hour {
		return fmt.Sprintf("%d min", int(d/time.Minute))
	}
	return hoursAndMinutes(d) + " h"
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
