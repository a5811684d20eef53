package device

import (
	"context"
	"errors"
	"time"
)

// Span is a time that somebody worked.
type Span struct {
	In, Out time.Time // Out zero: still at work
	Project string    // id of the project at Zeitstrom; empty: none
}

// Known is what Zeitstrom said of an employee.
type Known struct {
	Intent Intent // what they did last; empty: nothing is known of the days before
	At     time.Time
	Asked  time.Time // by this clock
	// Spans are those that began in the days before, as many as a day's hours and its rest take, in
	// order.
	Spans []Span
}

// knowledge is what decides a tap.
type knowledge struct {
	basis   Basis
	next    Intent // what an ordinary tap books
	spans   []Span // of the answer that decides
	sure    bool   // Zeitstrom has said it for this tap
	project string // code of the project that the employee is on, or was before the break
	rests   bool   // a break has begun here, and nothing came after it
	paused  time.Duration
	missed  bool // that break is older than the longest shift: its end was forgotten
}

// know finds out what is known of an employee. Zeitstrom's knowledge is newer than this clock's if
// it has everything that this clock has; then it is asked, and whoever waits at the door waits for a
// moment only.
func (t *Terminal) know(tap Tap, e EmployeeID, last Punch, pending bool) knowledge {
	k := t.newest(tap, e, last, pending)
	if last.ID == 0 || last.Intent != k.basis.Intent || !k.basis.Time.Equal(last.Time.Truncate(time.Second)) {
		k.project = t.projectOf(k)
		return k // somebody booked elsewhere since
	}
	k.project = last.Project
	if k.project == "" {
		k.project = t.projectOf(k)
	}
	if last.OnBreak() {
		age, certain := tap.Since(last)
		k.missed = certain && age > t.Rules.LongestShift
		if k.rests = !k.missed; k.rests && certain {
			k.paused = max(0, age)
		}
	}
	return k
}

// projectOf is the code of the project that an employee is on, as Zeitstrom has it.
func (t *Terminal) projectOf(k knowledge) string {
	for _, s := range k.spans {
		if s.Out.IsZero() && s.Project != "" && k.next == CheckOut && s.In.Equal(k.basis.Time) {
			return t.Projects.Code(s.Project)
		}
	}
	return ""
}

// newest is the newest knowledge that there is of what an employee did last.
func (t *Terminal) newest(tap Tap, e EmployeeID, last Punch, pending bool) (k knowledge) {
	there := func(known Known) knowledge {
		k.basis.Source, k.basis.Intent, k.basis.Time = Zeitstrom, known.Intent, known.At
		k.next = Next(known.Intent, tap.Time.Sub(known.At), true, t.Rules.LongestShift)
		k.spans = known.Spans
		return k
	}
	mayAsk := !pending && !tap.Stamp.Uncertain
	if t.Rules.Ask > 0 && mayAsk {
		ctx, cancel := context.WithTimeout(context.Background(), t.Rules.Ask)
		defer cancel()
		known, err := t.Elsewhere.Latest(ctx, e, last, tap.Time)
		if err == nil {
			k.sure = true
			return there(known)
		}
		if k.basis.Silent = !errors.Is(err, ErrNotAsked); k.basis.Silent {
			t.Log.Debug("Zeitstrom did not say in time what the employee did last", "employee", e, "error", err)
		}
	}
	if known, counts := t.Elsewhere.Remembered(e, last); mayAsk && counts {
		return there(known)
	}
	if last.ID != 0 {
		k.basis.Source, k.basis.Intent, k.basis.Time = ThisClock, last.Intent, last.Time.Truncate(time.Second)
	}
	age, certain := tap.Since(last)
	k.next = Next(k.basis.Intent, age, certain, t.Rules.LongestShift)
	return k
}
