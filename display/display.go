// Package display tells employees what became of their taps: in pictures that are
// readable from a metre away, on panels of 128×64 pixels in black and white, and
// by sound and light.
//
// A panel that is slow, broken or missing never holds up the clock: Show only
// notes the answer, and each panel is served on its own. The package decides
// nothing about taps. What it says stands in languages, one file for each.
package display

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"timeclock/device"

	"periph.io/x/devices/v3/ssd1306/image1bit"
)

var _ device.Screen = (*Display)(nil)

// Facts are what the idle screen tells beside time and date.
type Facts struct {
	ReaderBroken bool
	DiskBroken   bool // the last booking could not be stored
	Offline      bool
	Token        bool // Zeitstrom does not accept the token: the office must act
	BadgesLost   bool // part of the badge map is missing: the office must act
	OldSettings  bool // the settings are bad: it runs on those of the last start
	NoTime       bool // the system clock is not to be trusted
	Enrolls      bool // the next badge is given to somebody
	NewOwner     string
	NewFunction  device.Function // that the badge is to choose instead; empty: it is somebody's
	Checked      bool            // the clock was examined just now
	Faults       int             // that were found then
	Pair         string          // the code with which somebody may become the page's admin; empty: nobody may
	// Fingerprint of the page's certificate: 16 hex digits in groups of four, to be shown beside the code.
	Fingerprint string
	Pending     int // punches that Zeitstrom does not have yet
	// Waits reports whether Zeitstrom does not have a punch yet; nil: nobody knows.
	Waits func(device.PunchID) bool
}

// Light is how bright a panel is.
type Light uint8

// The lights of a panel.
const (
	Bright Light = iota
	Dim
	Dark // off
)

// Panel shows pictures. Draw gets each new picture or light once and may take its
// time.
type Panel interface {
	String() string
	Draw(*image1bit.VerticalLSB, Light) error
}

// Care keeps a panel young and a room dark.
type Care struct {
	AnswerTime time.Duration // how long an answer stays, unless the next one comes before
	DimHours   device.Hours  // in which the idle screen is dim
	OffAfter   time.Duration // the panel is off so long after the last answer; 0: never
}

// Display is the task that keeps the panels up to date.
type Display struct {
	care   Care
	facts  func() Facts
	panels []*mailbox
	log    *slog.Logger
	shown  chan struct{}

	mu     sync.Mutex
	style  Style
	answer device.Outcome
	until  time.Time
	choice device.Choice // what is chosen for the next tap
}

// New makes a display. Facts is asked once a second.
func New(style Style, care Care, facts func() Facts, log *slog.Logger, panels ...Panel) *Display {
	d := &Display{style: style, care: care, facts: facts, log: log, shown: make(chan struct{}, 1), until: time.Now()}
	for _, p := range panels {
		d.panels = append(d.panels, &mailbox{panel: p, next: make(chan frame, 1)})
	}
	return d
}

func (d *Display) String() string { return "display" }

// Show implements device.Screen.
func (d *Display) Show(o device.Outcome) {
	d.mu.Lock()
	now := time.Now()
	switch was := d.answer.Tap; {
	case o.Update && (was.UID != o.Tap.UID || !was.Time.Equal(o.Tap.Time)):
		// Somebody else was answered since.
	case o.Kind == device.Chosen && o.Next.Function != "": // its own picture stays for as long as it counts
		d.answer, d.until, d.choice = o, now, o.Next
	default:
		d.answer, d.until = o, now.Add(d.care.AnswerTime)
		if !o.Update {
			d.choice = o.Next
		}
	}
	d.mu.Unlock()
	select {
	case d.shown <- struct{}{}:
	default:
	}
}

// Speak changes the language.
func (d *Display) Speak(l *Language) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.style.Language = l
}

// Run draws until ctx ends.
func (d *Display) Run(ctx context.Context) error {
	var panels sync.WaitGroup
	for _, box := range d.panels {
		panels.Go(func() { box.serve(ctx, d.log) })
	}
	defer panels.Wait()
	last := frame{picture: &image1bit.VerticalLSB{}}
	for {
		now, wait := d.frame(time.Now())
		if now.light != last.light || !bytes.Equal(now.picture.Pix, last.picture.Pix) {
			last = now
			for _, box := range d.panels {
				box.put(now)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.shown:
		case <-time.After(wait):
		}
	}
}

// frame is what a panel is to show, and how brightly.
type frame struct {
	picture *image1bit.VerticalLSB
	light   Light
}

// frame returns what to show now, and for how long.
func (d *Display) frame(now time.Time) (frame, time.Duration) {
	d.mu.Lock()
	style, answer, until, choice := d.style, d.answer, d.until, d.choice
	d.mu.Unlock()
	if left := until.Sub(now); left > 0 {
		if answer.Booked() && !answer.Offline {
			answer.Offline = d.isSavedOnly(answer, d.care.AnswerTime-left)
			left = min(left, lookAgain)
		}
		return frame{style.Answer(answer), Bright}, left
	}
	f, light := d.facts(), Bright
	trouble := f.ReaderBroken || f.DiskBroken || f.Enrolls
	if left := choice.Until.Sub(now); choice.Function != "" && left > 0 && !trouble {
		// The countdown goes on with its own seconds, not with those of the clock.
		return frame{style.Choice(choice, now), Bright}, (left-1)%time.Second + 1
	}
	switch {
	case d.care.OffAfter > 0 && now.Sub(until) >= d.care.OffAfter && !trouble:
		return frame{newPicture().VerticalLSB, Dark}, untilNextSecond(now)
	case d.care.DimHours.Contains(now.In(style.Zone)):
		light = Dim
	}
	return frame{wander(style.Idle(now, f), now), light}, untilNextSecond(now)
}

// While an answer shows, the display looks whether Zeitstrom has the booking: the network may have
// died a moment before.
const (
	lookAgain = 250 * time.Millisecond
	sentSoon  = 1500 * time.Millisecond // so long it may take
)

// isSavedOnly reports whether a booking that shows for so long is saved and not sent.
func (d *Display) isSavedOnly(o device.Outcome, shown time.Duration) bool {
	f := d.facts()
	if f.Waits == nil || !f.Offline && shown < sentSoon {
		return false
	}
	return f.Waits(o.Punch.ID)
}

func untilNextSecond(now time.Time) time.Duration {
	return now.Truncate(time.Second).Add(time.Second).Sub(now)
}

// mailbox holds the newest frame that a panel has not taken yet.
type mailbox struct {
	panel Panel
	next  chan frame

	mu      sync.Mutex
	problem string // why the last frame was not drawn; empty if it was
}

// Problem says why a panel does not work; empty if all do.
func (d *Display) Problem() string {
	for _, box := range d.panels {
		box.mu.Lock()
		problem := box.problem
		box.mu.Unlock()
		if problem != "" {
			return problem
		}
	}
	return ""
}

// put replaces a frame that the panel was too slow for.
func (m *mailbox) put(f frame) {
	for {
		select {
		case m.next <- f:
			return
		default:
		}
		select {
		case <-m.next:
		default:
		}
	}
}

// retryPanel is the pause after a panel failed; then it gets the newest frame.
const retryPanel = 2 * time.Second

// serve draws frames. A failure is logged when it begins and when it ends.
func (m *mailbox) serve(ctx context.Context, log *slog.Logger) {
	broken := false
	for {
		var f frame
		select {
		case <-ctx.Done():
			if !broken { // an old answer must not stay on the wall
				m.panel.Draw(newPicture().VerticalLSB, Dark)
			}
			return
		case f = <-m.next:
		}
		err := m.panel.Draw(f.picture, f.light)
		m.mu.Lock()
		if m.problem = ""; err != nil {
			m.problem = err.Error()
		}
		m.mu.Unlock()
		if (err != nil) != broken {
			broken = err != nil
			if broken {
				log.Error("display does not work, the clock goes on without it", "panel", m.panel.String(), "error",
					err)
			} else {
				log.Info("display works", "panel", m.panel.String())
			}
		}
		if err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryPanel):
		}
		select { // unless there is a newer one
		case m.next <- f:
		default:
		}
	}
}
