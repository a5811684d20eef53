package display

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"

	"periph.io/x/devices/v3/ssd1306/image1bit"
)

// fakePanel keeps the newest picture; it may hang or fail as real ones do.
type fakePanel struct {
	mu    sync.Mutex
	pix   []byte
	light Light
	draws int
	fail  error
	hang  time.Duration
}

func (p *fakePanel) String() string { return "panel" }

func (p *fakePanel) Draw(img *image1bit.VerticalLSB, light Light) error {
	time.Sleep(p.hang)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draws++
	if p.fail == nil {
		p.pix, p.light = slices.Clone(img.Pix), light
	}
	return p.fail
}

func (p *fakePanel) shows(img *image1bit.VerticalLSB) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Equal(p.pix, img.Pix)
}

// facts may change while a display asks for them.
type facts struct {
	mu  sync.Mutex
	now Facts
}

func (f *facts) get() Facts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *facts) set(now Facts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = now
}

func (p *fakePanel) drawn() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.draws
}

// glows reports how brightly the panel shines.
func (p *fakePanel) glows() Light {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.light
}

// idle is what the idle screen should show now.
func idle(t *testing.T, f Facts) *image1bit.VerticalLSB {
	return wander(english(t).Idle(time.Now(), f), time.Now())
}

func start(t *testing.T, log io.Writer, f *facts, panels ...Panel) *Display {
	return startWith(t, Care{AnswerTime: 3 * time.Second}, log, f, panels...)
}

func startWith(t *testing.T, care Care, log io.Writer, f *facts, panels ...Panel) *Display {
	d := New(english(t), care, f.get, slog.New(slog.NewTextHandler(log, nil)), panels...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return d
}

func tapped(name string) device.Outcome {
	return device.Outcome{
		Kind: device.CheckedIn, Employee: device.Employee{Name: name}, Punch: device.Punch{Time: time.Now()},
	}
}

func TestAnswerShowsAtOnceAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panel, facts := &fakePanel{}, &facts{}
		d := start(t, io.Discard, facts, panel)
		if !panel.shows(idle(t, Facts{})) {
			t.Error("no idle picture at start")
		}
		first, second := tapped("Anna"), tapped("Ben")
		d.Show(first)
		synctest.Wait()
		if !panel.shows(english(t).Answer(first)) {
			t.Error("the answer is not shown at once")
		}
		time.Sleep(2 * time.Second)
		d.Show(second) // while the first still shows
		synctest.Wait()
		if !panel.shows(english(t).Answer(second)) {
			t.Error("the next answer waits for the first")
		}
		time.Sleep(2900 * time.Millisecond)
		synctest.Wait()
		if !panel.shows(english(t).Answer(second)) {
			t.Error("the second answer did not get its whole time")
		}
		facts.set(Facts{Offline: true, Pending: 2})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !panel.shows(idle(t, facts.get())) {
			t.Error("no idle picture after the answer")
		}
		draws := panel.drawn()
		time.Sleep(time.Hour)
		if n := panel.drawn() - draws; n != 60 {
			t.Errorf("%d pictures in an idle hour, want one a minute", n)
		}
	})
}

func TestBrokenPanelsHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		good, dead, stuck := &fakePanel{}, &fakePanel{fail: errors.New("no answer")}, &fakePanel{hang: time.Hour}
		d := start(t, &log, &facts{}, dead, stuck, good)
		for range 100 {
			o := tapped("Anna")
			d.Show(o)
			synctest.Wait()
			if !good.shows(english(t).Answer(o)) {
				t.Fatal("a good panel waits for a broken one")
			}
			time.Sleep(10 * time.Second)
		}
		if p := d.Problem(); p != "no answer" {
			t.Errorf("the problem is %q", p)
		}
		if n := strings.Count(log.String(), "does not work"); n != 1 {
			t.Errorf("a dead panel was logged %d times, want once", n)
		}
		dead.mu.Lock()
		dead.fail = nil
		dead.mu.Unlock()
		time.Sleep(time.Minute)
		if !dead.shows(idle(t, Facts{})) || !strings.Contains(log.String(), "display works") {
			t.Error("a panel that came back shows nothing")
		}
		time.Sleep(2 * time.Hour)
	})
}

// By night the idle screen is dim, and off if the company wants that; an answer, or
// what is out of order, always shines.
func TestLight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panel, facts := &fakePanel{}, &facts{}
		care := Care{
			AnswerTime: 3 * time.Second, DimHours: device.Hours{From: 20 * time.Hour, To: 6 * time.Hour},
			OffAfter: 10 * time.Minute,
		}
		d := startWith(t, care, io.Discard, facts, panel) // a bubble begins at midnight
		expect := func(when string, want Light) {
			t.Helper()
			synctest.Wait()
			if got := panel.glows(); got != want {
				t.Errorf("%s: light %d, want %d", when, got, want)
			}
		}
		expect("by night", Dim)
		d.Show(tapped("Anna"))
		expect("answer by night", Bright)
		time.Sleep(4 * time.Second)
		expect("after it", Dim)
		time.Sleep(10 * time.Minute)
		expect("nobody came", Dark)
		if !panel.shows(newPicture().VerticalLSB) {
			t.Error("a panel that is off still gets pictures")
		}
		facts.set(Facts{ReaderBroken: true})
		time.Sleep(time.Second)
		expect("out of order", Dim)
		facts.set(Facts{})
		time.Sleep(time.Second)
		expect("in order again", Dark)
		time.Sleep(7 * time.Hour)
		d.Show(tapped("Anna"))
		expect("answer by day", Bright)
		time.Sleep(4 * time.Second)
		expect("by day", Bright)
	})
}

// No pixel of the idle screen is lit day and night.
func TestIdleWanders(t *testing.T) {
	const minutes = 24 * 60
	var lit [Width * Height]int
	for m := range minutes {
		now := sunday.Add(time.Duration(m) * time.Minute)
		still := english(t).Idle(now, Facts{})
		p := wander(still, now)
		if count(p) != count(still) {
			t.Fatalf("at %v something is lost at the edge", now)
		}
		for i := range lit {
			lit[i] += bit(p, i%Width, i/Width)
		}
	}
	if most := 100 * slices.Max(lit[:]) / minutes; most > 70 {
		t.Errorf("a pixel is lit for %d %% of a day", most)
	}
	if empty := newPicture().VerticalLSB; count(wander(empty, sunday)) != 0 {
		t.Error("nothing became something")
	}
}

func count(p *image1bit.VerticalLSB) (n int) {
	for i := range Width * Height {
		n += bit(p, i%Width, i/Width)
	}
	return n
}

// The nights on which Berlin changes its clocks, a leap day, the turn of a year.
func TestLocalTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	style := Style{language(t, "de"), device.FullName, berlin}
	for utc, want := range map[string]string{
		"2026-03-29T00:59:59Z": "01:59", // the hour from 2 to 3 does not exist
		"2026-03-29T01:00:00Z": "03:00",
		"2026-10-25T00:30:00Z": "02:30", // the hour from 2 to 3 comes twice
		"2026-10-25T01:30:00Z": "02:30",
		"2028-02-28T23:30:00Z": "00:30", // of the leap day
		"2026-12-31T23:00:00Z": "00:00",
	} {
		at, err := time.Parse(time.RFC3339, utc)
		if err != nil {
			t.Fatal(err)
		}
		o := device.Outcome{
			Kind: device.CheckedIn, Employee: device.Employee{Name: "Anna"}, Punch: device.Punch{Time: at},
		}
		if got := style.Line(o); got != "Kommen, Anna: "+want {
			t.Errorf("%s is %q, want %s", utc, got, want)
		}
	}
	for utc, want := range map[string]string{
		"2028-02-28T23:30:00Z": "Di 29. Feb 2028",
		"2026-12-31T23:00:00Z": "Fr 1. Jan 2027",
	} {
		at, _ := time.Parse(time.RFC3339, utc)
		if got := style.Language.date(at.In(berlin), style.Language.Date.Long); got != want {
			t.Errorf("%s is %q, want %q", utc, got, want)
		}
	}
	// Yesterday is a day of the calendar, also when it had 23 hours.
	monday := time.Date(2026, 3, 30, 0, 10, 0, 0, berlin)
	for hours, want := range map[int]string{1: "Gestern", 23: "Gestern", 24: "28. März"} {
		if got := style.Language.day(monday.Add(-time.Duration(hours)*time.Hour), monday); got != want {
			t.Errorf("%d hours before is %q, want %q", hours, got, want)
		}
	}
}

// The network dies just before a tap: the display says within the answer's time that the booking is
// saved, and not sent.
func TestFirstTapOffline(t *testing.T) {
	for name, tc := range map[string]struct {
		offline bool          // it shows at once
		sent    time.Duration // when Zeitstrom has it; 0: not at all
		saved   time.Duration // when the display says that it is only saved; 0: not at all
	}{
		"refused at once": {true, 0, 0},
		"no answer":       {false, 0, sentSoon},
		"slow":            {false, time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				style := english(t)
				begun := time.Now()
				facts := func() Facts {
					return Facts{Offline: tc.offline, Waits: func(id device.PunchID) bool {
						return id == 7 && (tc.sent == 0 || time.Since(begun) < tc.sent)
					}}
				}
				d := New(style, Care{AnswerTime: 3 * time.Second}, facts, slog.New(slog.DiscardHandler))
				o := device.Outcome{
					Kind: device.CheckedIn, Employee: device.Employee{Name: "Anna"},
					Punch: device.Punch{ID: 7, Intent: device.CheckIn, Time: begun},
				}
				d.Show(o)
				saved := o
				saved.Offline = true
				for at := time.Duration(0); at < 3*time.Second; at += 100 * time.Millisecond {
					got, _ := d.frame(time.Now())
					want := style.Answer(o)
					if tc.offline || tc.saved > 0 && at >= tc.saved {
						want = style.Answer(saved)
					}
					if !bytes.Equal(got.picture.Pix, want.Pix) {
						t.Errorf("after %v:\n%s", at, halfBlocks(got.picture))
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		})
	}
}
