package device

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseFunction(t *testing.T) {
	for text, want := range map[string]Function{
		"break": TakeBreak, " hours ": ShowHours, "in": ComeIn, "out": GoOut, "project=P-101": "project=P-101",
		"project=Ä1234567": "project=Ä1234567",
	} {
		if f, err := ParseFunction(text); f != want || err != nil {
			t.Errorf("%q: %q, %v", text, f, err)
		}
	}
	for text, want := range map[string]string{
		"": "no function", "lunch": "use break, hours", "Break": "no function", "project": "no function",
		"project=": "has a code", "project=123456789": "at most 8 characters", "project=P 1": "no spaces",
		"project=P\n1": "no spaces", "project=\xff": "no project code",
	} {
		if f, err := ParseFunction(text); f != "" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v; want %q", text, f, err, want)
		}
	}
	if code := Function("project=P-101").Project(); code != "P-101" || TakeBreak.Project() != "" {
		t.Errorf("the project's code is %q", code)
	}
}

// What each function badge of the tests chooses.
var functionBadges = map[string]Function{
	"F0000001": TakeBreak, "F0000002": ShowHours, "F0000003": ComeIn, "F0000004": GoOut,
	"F0000005": "project=P-101", "F0000006": "project=P-102",
}

const (
	brk, hours, in, out, p101, p102 = "F0000001", "F0000002", "F0000003", "F0000004", "F0000005", "F0000006"

	annas, bens = "A1B2C3D4", "01020304"
)

// choosing is a terminal with function badges, and what happens at it.
type choosing struct {
	*testing.T
	*Terminal
	*fakes
	now time.Time
}

func newChoosing(t *testing.T) *choosing {
	term, d := newTerminal(t)
	d.functions = map[UID]Function{}
	for badge, f := range functionBadges {
		d.functions[uid(t, badge)] = f
	}
	d.stamp = func(at time.Time) Stamp { return Stamp{Boot: BootID{1}, Uptime: at.Sub(eightOClock)} }
	return &choosing{t, term, d, eightOClock}
}

var eightOClock = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// tap brings badges to the reader, a second apart, and returns the answer to the last.
func (c *choosing) tap(badges ...string) (o Outcome) {
	c.Helper()
	for _, b := range badges {
		c.now = c.now.Add(time.Second)
		o = c.Answer(Tap{UID: uid(c.T, b), Time: c.now})
	}
	return o
}

// later lets time pass.
func (c *choosing) later(d time.Duration) *choosing {
	c.now = c.now.Add(d)
	return c
}

// is compares an answer with what it should be, in short.
func (c *choosing) is(what string, o Outcome, want string) {
	c.Helper()
	var s []string
	add := func(is bool, text string) {
		if is {
			s = append(s, text)
		}
	}
	add(true, string(o.Kind))
	add(o.Kind == Repeated, string(o.Punch.Intent))
	add(o.Punch.OnBreak(), "break")
	add(o.Booked() && o.Punch.Project != "", o.Punch.Project)
	add(o.Switched, "switched")
	add(o.Returned, "back")
	add(o.Missed, "missed")
	add(o.TakenBack, "taken-back")
	add(o.Next.Function != "", "next="+string(o.Next.Function))
	if got := strings.Join(s, " "); got != want {
		c.Errorf("%s: %s; want %s", what, got, want)
	}
}

func TestFunctions(t *testing.T) {
	for name, steps := range map[string]func(*choosing){
		"break": func(c *choosing) {
			c.is("in", c.tap(annas), "checkin")
			c.is("chosen", c.later(4*time.Hour).tap(brk), "function next=break")
			c.is("break", c.tap(annas), "checkout break")
			o := c.later(32 * time.Minute).tap(annas)
			c.is("end", o, "checkin back")
			if o.Paused.Truncate(time.Minute) != 32*time.Minute {
				c.Errorf("the break took %v", o.Paused)
			}
			c.is("out", c.later(time.Hour).tap(annas), "checkout")
		},
		"a break goes on with the project before it": func(c *choosing) {
			c.is("in", c.tap(p101, annas), "checkin P-101")
			c.is("break", c.later(time.Hour).tap(brk, annas), "checkout break P-101")
			c.is("end", c.later(time.Hour).tap(annas), "checkin P-101 back")
			c.is("another break", c.later(time.Hour).tap(brk, annas), "checkout break P-101")
			c.is("end on another project", c.later(time.Hour).tap(p102, annas), "checkin P-102 back")
		},
		"a break that never ended": func(c *choosing) {
			c.tap(annas)
			c.later(time.Hour).tap(brk, annas)
			o := c.later(20 * time.Hour).tap(annas)
			c.is("the next morning", o, "checkin missed")
			if since, open := o.Forgotten(); !open || !since.Equal(c.stored[1].Time.Truncate(time.Second)) {
				c.Errorf("open since %v: %v", since, open)
			}
		},
		"projects": func(c *choosing) {
			c.is("in", c.tap(p101, annas), "checkin P-101")
			c.is("the same again", c.later(time.Minute).tap(p101, annas), "repeated checkin")
			o := c.later(time.Minute).tap(p102, annas)
			c.is("another one", o, "checkin P-102 switched")
			a, b := c.stored[1], c.stored[2]
			if a.Intent != CheckOut || a.Project != "" || !a.Time.Equal(b.Time) || o.Project != "project P-102" ||
				b.Basis.Intent != CheckOut || b.Basis.Source != ThisClock {
				c.Errorf("switched by %+v and %+v", a, b)
			}
			if _, open := b.Forgotten(); open {
				c.Error("a switch leaves nothing open")
			}
			c.is("out", c.later(time.Minute).tap(annas), "checkout")
		},
		"force": func(c *choosing) {
			c.is("out without knowing", c.tap(out, annas), "checkout")
			c.is("out again", c.later(time.Minute).tap(out, annas), "repeated checkout")
			c.is("break while out", c.later(time.Minute).tap(brk, annas), "repeated checkout")
			c.is("in", c.later(time.Minute).tap(in, annas), "checkin")
			c.is("in again", c.later(time.Minute).tap(in, annas), "repeated checkin")
			c.is("out after a long shift", c.later(15*time.Hour).tap(out, annas), "checkout")
			c.later(time.Hour).tap(annas)
			c.is("break after a forgotten check-out", c.later(20*time.Hour).tap(brk, annas), "repeated checkin")
		},
		"used once, and for ten seconds": func(c *choosing) {
			c.tap(annas)
			c.is("hers", c.later(time.Hour).tap(brk, annas), "checkout break")
			c.is("his", c.tap(bens), "checkin")
			c.later(time.Hour).tap(brk)
			c.is("too late", c.later(9*time.Second).tap(bens), "checkout")
		},
		"taken back before it is used": func(c *choosing) {
			c.tap(annas)
			c.is("again", c.later(time.Hour).tap(brk, brk), "function")
			c.is("an ordinary tap", c.tap(annas), "checkout")
		},
		"the last one counts": func(c *choosing) {
			c.is("two", c.tap(p101, p102, annas), "checkin P-102")
		},
		"kept for whom it was meant": func(c *choosing) {
			c.is("unknown", c.tap(p101, "99999999"), "unknown next=project=P-101")
			c.is("blocked", c.tap("0A0B0C0D"), "blocked next=project=P-101")
			c.is("hers", c.tap(annas), "checkin P-101")
		},
		"kept when nothing was stored": func(c *choosing) {
			c.broken = errors.New("no space left on device")
			c.is("not stored", c.tap(p101, annas), "failed next=project=P-101")
			c.broken = nil
			c.is("again", c.tap(annas), "checkin P-101")
		},
		"a mistake is mended at once": func(c *choosing) {
			c.is("wrong", c.tap(p101, annas), "checkin P-101")
			c.is("a plain tap repeats", c.tap(annas), "repeated checkin")
			c.is("right", c.tap(p102, annas), "checkin P-102 switched")
			c.is("at the same second", c.sameSecond(p101, annas), "repeated checkin")
		},
		"somebody else used a break": func(c *choosing) {
			c.tap(annas)
			c.tap(bens)
			c.is("his by mistake", c.later(time.Hour).tap(brk, bens), "checkout break")
			c.is("taken back", c.tap(brk, bens), "checkout taken-back")
			c.is("hers", c.tap(brk, annas), "checkout break")
			if len(c.stored) != 4 || c.stored[2].OnBreak() {
				c.Errorf("%+v", c.stored)
			}
			c.is("the next day it is no break", c.later(2*time.Hour).tap(bens), "checkin")
		},
		"she uses it before he takes his back": func(c *choosing) {
			c.tap(annas)
			c.tap(bens)
			c.later(time.Hour).tap(brk, bens)
			c.is("hers", c.tap(brk, annas), "checkout break")
			c.is("his taken back", c.tap(brk, bens), "checkout taken-back")
		},
		"somebody else used a project": func(c *choosing) {
			c.is("his by mistake", c.tap(p101, bens), "checkin P-101")
			c.is("taken back", c.tap(p101, bens), "checkin taken-back")
			c.is("out", c.later(time.Hour).tap(bens), "checkout")
		},
		"a switch by mistake": func(c *choosing) {
			c.tap(bens)
			c.is("he wanted to go", c.later(time.Hour).tap(p101, bens), "checkin P-101 switched")
			c.is("taken back", c.tap(p101, bens), "checkout taken-back")
			if n := len(c.stored); n != 4 || c.stored[2].Project != "" || c.stored[3].Intent != CheckOut {
				c.Errorf("%+v", c.stored)
			}
		},
		"too late to take back": func(c *choosing) {
			c.is("project", c.tap(p101, bens), "checkin P-101")
			c.is("after ten seconds", c.later(10*time.Second).tap(p101, bens), "repeated checkin")
		},
		"no function badge is anybody's": func(c *choosing) {
			c.badges[uid(c.T, brk)] = Badge{UID: uid(c.T, brk), Employee: Employee{ID: "ben"}}
			c.is("the person counts", c.tap(brk), "checkin")
		},
		"without a certain time": func(c *choosing) {
			c.fakes.stamp = func(at time.Time) Stamp {
				return Stamp{Boot: BootID{1}, Uptime: at.Sub(eightOClock), Uncertain: true}
			}
			c.is("in", c.tap(p101, annas), "checkin P-101")
			c.is("break", c.later(time.Hour).tap(brk, annas), "checkout break P-101")
			c.is("back", c.later(time.Hour).tap(annas), "checkin P-101 back")
			o := c.tap(hours, annas)
			c.is("hours", o, "hours")
			if o.Worked.Known || o.Awaits {
				c.Errorf("hours of an uncertain day: %+v", o.Worked)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { steps(newChoosing(t)) })
	}
}

// sameSecond taps within the second of the last tap.
func (c *choosing) sameSecond(f, badge string) Outcome {
	c.now = c.now.Add(time.Millisecond)
	c.Answer(Tap{UID: uid(c.T, f), Time: c.now})
	c.now = c.now.Add(time.Millisecond)
	return c.Answer(Tap{UID: uid(c.T, badge), Time: c.now})
}

// What Zeitstrom says counts for functions, too.
func TestFunctionsFollowZeitstrom(t *testing.T) {
	c := newChoosing(t)
	c.online = true
	said := Known{}
	c.latest = func(context.Context) (Intent, time.Time, error) { return said.Intent, said.At, nil }
	c.tap(annas)
	said = Known{Intent: CheckOut, At: c.now.Add(time.Hour).Truncate(time.Second)}
	c.is("out by the app", c.later(2*time.Hour).tap(brk, annas), "repeated checkout")
	said = Known{Intent: CheckIn, At: c.now.Truncate(time.Second)}
	c.spans = []Span{{In: said.At, Project: "id of P-101"}}
	c.is("in by the app, on that project", c.later(time.Hour).tap(p101, annas), "repeated checkin")
	c.is("in by the app, on another one", c.later(time.Hour).tap(p102, annas), "checkin P-102 switched")
	said = Known{Intent: CheckIn, At: c.now.Truncate(time.Second)}
	c.spans = []Span{{In: said.At, Project: "id of P-101"}} // Zeitstrom does not have the new one yet
	c.is("the choice at this door counts", c.later(time.Hour).tap(p102, annas), "repeated checkin")
	c.is("break", c.later(time.Hour).tap(brk, annas), "checkout break P-102")
	said = Known{Intent: CheckIn, At: c.now.Add(time.Minute).Truncate(time.Second)}
	c.spans = []Span{{In: said.At}}
	c.is("the app has ended the break", c.later(time.Hour).tap(annas), "checkout")
}

// A tap with a function has no second thoughts; the tap that ends a break has.
func TestFunctionsHaveNoSecondThoughts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, d := newTerminal(t)
		d.functions = map[UID]Function{uid(t, p101): "project=P-101"}
		term.Rules.SecondThoughts = 4 * time.Second
		tap := live(t, term)
		d.resting = true
		tap(p101)
		tap(annas)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := d.happened(); got != "function stored checkin" || d.waits("anna") {
			t.Errorf("with a function: %s", got)
		}
		time.Sleep(time.Hour)
		tap(annas)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := d.happened(); !strings.Contains(got, "checkout(1) stored checkin") {
			t.Errorf("without one: %s", got)
		}
	})
}

// A key chooses as a function badge does, and the month's hours come beside the loop.
func TestKeysAndHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, d := newTerminal(t)
		keys := make(chan Press)
		press := func() { keys <- Press{ShowHours, time.Now()}; synctest.Wait() }
		term.Keys, term.Rules.Hours = keys, true
		d.online = true
		d.latest = func(context.Context) (Intent, time.Time, error) { return CheckIn, time.Now().Add(-time.Hour), nil }
		d.spans = []Span{{In: time.Now().Add(-time.Hour)}}
		d.month = func(ctx context.Context) (Month, error) {
			select {
			case <-time.After(1500 * time.Millisecond):
				return Month{Known: true, Worked: 90 * time.Hour, Target: 160 * time.Hour}, nil
			case <-ctx.Done():
				return Month{}, ctx.Err()
			}
		}
		var shown []Outcome
		term.Screen = screen(func(o Outcome) { d.with(func() { shown = append(shown, o) }) })
		tap := live(t, term)
		press()
		tap(annas)
		began := time.Now()
		tap(bens)
		if time.Since(began) != 0 {
			t.Errorf("the next badge waited %v", time.Since(began))
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		var kinds []string
		for _, o := range shown {
			kinds = append(kinds, string(o.Kind))
		}
		if want := []string{"function", "hours", "checkout", "hours"}; !slices.Equal(kinds, want) {
			t.Fatalf("shown: %v", kinds)
		}
		first, last := shown[1], shown[3]
		if !first.Awaits || first.Worked.Today != time.Hour || first.Worked.Rough || first.Worked.Month.Known {
			t.Errorf("at once: %+v", first.Worked)
		}
		if last.Awaits || !last.Update || last.Worked.Month.Worked != 90*time.Hour || last.Employee.ID != "anna" {
			t.Errorf("beside the loop: %+v", last)
		}
		d.month = func(ctx context.Context) (Month, error) {
			<-ctx.Done()
			return Month{}, ctx.Err()
		}
		press()
		tap(annas)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if last := shown[len(shown)-1]; last.Awaits || last.Worked.Month.Known || len(d.stored) != 1 {
			t.Errorf("without an answer: %+v, %d punches", last, len(d.stored))
		}
		if len(d.stored) != 1 { // Ben's
			t.Errorf("hours booked something: %+v", d.stored)
		}
	})
}

type screen func(Outcome)

func (s screen) Show(o Outcome) { s(o) }

func FuzzParseFunction(f *testing.F) {
	for _, s := range []string{"break", "project=P-101", "project=", " in ", "project=\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g, err := ParseFunction(s)
		if err != nil {
			return
		}
		if again, err := ParseFunction(string(g)); err != nil || again != g || len([]rune(g.Project())) > MaxProjectCode {
			t.Errorf("%q is %q, and that %q, %v", s, g, again, err)
		}
	})
}
