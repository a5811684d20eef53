package device

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A punch that is turned round leaves nothing of the answer before it.
func TestTurnForgetsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, d := newTerminal(t)
		term.Rules.SecondThoughts, term.Rules.Hours = 4*time.Second, true
		d.functions = map[UID]Function{uid(t, brk): TakeBreak}
		var last Outcome
		term.Screen = screen(func(o Outcome) { d.with(func() { last = o }) })
		tap := live(t, term)
		tap(annas)
		time.Sleep(4 * time.Hour)
		tap(brk)
		tap(annas)
		time.Sleep(32 * time.Minute)
		d.with(func() { d.resting = true })
		tap(annas) // back from the break
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if last.Punch.Intent != CheckOut {
			t.Fatalf("not turned: %+v", last)
		}
		if last.Returned {
			t.Errorf("a check-out that came of a turn says: welcome back, %v", last.Paused)
		}
		d.with(func() { d.resting = false })
		time.Sleep(time.Hour)
		tap(annas) // in
		time.Sleep(time.Hour)
		d.with(func() { d.resting = true })
		tap(annas) // out, turned to in
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if last.Punch.Intent != CheckIn {
			t.Fatalf("not turned: %+v", last)
		}
		if last.Worked.Known {
			t.Errorf("a check-in tells today's hours: %+v", last.Worked)
		}
	})
}

// The end of a break that was forgotten, turned: the note must not speak of the check-in's own second.
func TestTurnOfAMissedBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, d := newTerminal(t)
		term.Rules.SecondThoughts = 4 * time.Second
		d.functions = map[UID]Function{uid(t, brk): TakeBreak}
		var last Outcome
		term.Screen = screen(func(o Outcome) { d.with(func() { last = o }) })
		tap := live(t, term)
		tap(annas)
		time.Sleep(time.Hour)
		tap(brk)
		tap(annas)
		time.Sleep(20 * time.Hour)
		d.with(func() { d.resting = true })
		tap(annas)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if since, open := last.Forgotten(); last.Punch.Intent != CheckOut || open {
			t.Errorf("%s, open since %v: %v", last.Punch.Intent, since, open)
		}
	})
}

// Whoever sees that they used somebody else's break may well hold the badge there once more before.
func TestTakeBackAfterAPlainTap(t *testing.T) {
	c := newChoosing(t)
	c.tap(annas)
	c.tap(bens)
	c.is("his by mistake", c.later(time.Hour).tap(brk, bens), "checkout break")
	c.is("puzzled", c.tap(bens), "repeated checkout break")
	c.is("taken back", c.tap(brk, bens), "checkout taken-back")
}

// What a break's end was without the function goes on with the project before the break.
func TestTakeBackAtTheEndOfABreak(t *testing.T) {
	c := newChoosing(t)
	c.tap(p101, annas)
	c.later(time.Hour).tap(brk, annas)
	c.is("somebody's project", c.later(30*time.Minute).tap(p102, annas), "checkin P-102 back")
	o := c.tap(p102, annas)
	if !o.TakenBack || o.Punch.Project != "P-101" {
		t.Errorf("taken back: %v, on project %q; an ordinary tap would have gone on with P-101", o.TakenBack,
			o.Punch.Project)
	}
}

// A disk that takes nothing is no repetition.
func TestTakeBackNotStored(t *testing.T) {
	c := newChoosing(t)
	c.tap(annas)
	c.tap(bens)
	c.later(time.Hour).tap(brk, bens)
	c.broken = errors.New("no space left on device")
	c.is("not stored", c.tap(brk, bens), "failed next=break")
	c.broken = nil
	c.is("again", c.tap(bens), "checkout taken-back")
}

// busy answers Ben's tap, which waits for Zeitstrom for 200 ms, while other things happen; and returns
// what was booked last.
func busy(t *testing.T, meanwhile func(keys chan<- Press, tap func())) (p Punch) {
	synctest.Test(t, func(t *testing.T) {
		term, d := newTerminal(t)
		keys, taps := make(chan Press, 8), make(chan Tap, 64)
		term.Keys, term.Taps = keys, taps
		d.online = true
		d.latest = func(ctx context.Context) (Intent, time.Time, error) {
			<-ctx.Done()
			return "", time.Time{}, ctx.Err()
		}
		d.stored = []Punch{{ID: 1, Employee: "anna", Intent: CheckIn, Time: time.Now().Add(-4 * time.Hour)}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); term.Run(ctx) }()
		taps <- Tap{UID: uid(t, bens), Time: time.Now()}
		time.Sleep(10 * time.Millisecond)
		meanwhile(keys, func() { taps <- Tap{UID: uid(t, annas), Time: time.Now()} })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		cancel()
		<-done
		p = d.stored[len(d.stored)-1]
	})
	return p
}

// A key that was pressed before a badge came is for that badge, however busy the loop is.
func TestKeyBeforeBadge(t *testing.T) {
	for range 40 {
		p := busy(t, func(keys chan<- Press, tap func()) {
			keys <- Press{TakeBreak, time.Now()}
			time.Sleep(100 * time.Millisecond)
			tap()
		})
		if p.Employee != "anna" || !p.OnBreak() {
			t.Fatalf("the press came after the badge that it was for: %+v", p)
		}
	}
}

// And one that was pressed after a badge came is not for that badge.
func TestBadgeBeforeKey(t *testing.T) {
	for range 40 {
		p := busy(t, func(keys chan<- Press, tap func()) {
			tap()
			time.Sleep(100 * time.Millisecond)
			keys <- Press{TakeBreak, time.Now()} // the next one in the queue at the door
		})
		if p.OnBreak() {
			t.Fatalf("the press counted for a badge that had come before: %+v", p)
		}
	}
}

// What waits here is not in an answer, whenever that was asked for.
func TestHoursOfWhatWaitsHere(t *testing.T) {
	c := newChoosing(t)
	c.Rules.Hours = true
	c.tap(annas)                      // 8:00, delivered
	c.later(4 * time.Hour).tap(annas) // 12:00 out: it waits
	in := c.stored[0].Time.Truncate(time.Second)
	// A roll-call at 12:30 asks Zeitstrom, which does not have the check-out yet.
	c.heard = Known{Intent: CheckIn, At: in, Asked: c.now.Add(30 * time.Minute), Spans: []Span{{In: in}}}
	c.pending = true
	c.is("in", c.later(time.Hour).tap(annas), "checkin")
	o := c.later(4 * time.Hour).tap(annas)
	if o.Kind != CheckedOut || !o.Worked.Known || o.Worked.Today.Round(time.Minute) != 8*time.Hour {
		t.Errorf("%s: %+v; want about 8 h", o.Kind, o.Worked)
	}
}

// The same where the check-in waits: nothing is told at all.
func TestHoursOfACheckInThatWaits(t *testing.T) {
	c := newChoosing(t)
	c.Rules.Hours = true
	c.tap(annas)
	c.heard = Known{Asked: c.now.Add(5 * time.Minute)} // nothing is there yet
	c.pending = true
	o := c.later(4 * time.Hour).tap(annas)
	if o.Kind != CheckedOut || !o.Worked.Known {
		t.Errorf("%s: %+v", o.Kind, o.Worked)
	}
}

// An enrolment in between does not take the countdown off the display while the choice counts.
func TestChoiceDuringEnrolment(t *testing.T) {
	c := newChoosing(t)
	c.tap(brk)
	c.enrolls = true
	o := c.tap("0B0B0B0B")
	c.enrolls = false
	if o.Next.Function != TakeBreak {
		t.Errorf("the choice counts, and the display is told: %q", o.Next.Function)
	}
}

// A switch that is taken back leaves no two check-outs at the same second.
func TestTakeBackAtTheSameSecond(t *testing.T) {
	c := newChoosing(t)
	c.tap(bens)
	c.later(time.Hour).tap(p101, bens)
	o := c.sameSecond(p101, bens)
	n := len(c.stored)
	if o.TakenBack || n != 3 {
		t.Errorf("%d punches, the last two: %+v, %+v", n, c.stored[n-2], c.stored[n-1])
	}
}

// A function badge that is held badly is read several times in a moment: it is chosen, or taken back, once.
func TestFunctionBadgeFlickers(t *testing.T) {
	c := newChoosing(t)
	c.tap(annas)
	flicker := func(want string) {
		t.Helper()
		c.now = c.now.Add(2 * time.Second)
		for range 8 {
			c.is("a badge that flickers", c.Answer(Tap{UID: uid(t, brk), Time: c.now}), want)
			c.now = c.now.Add(150 * time.Millisecond)
		}
	}
	flicker("function next=break")
	flicker("function")
	flicker("function next=break")
	c.is("used", c.later(time.Hour).tap(brk, annas), "checkout break")
	c.now = c.now.Add(-800 * time.Millisecond) // the next one in the queue is quick
	c.is("chosen again", c.tap(brk), "function next=break")
}
