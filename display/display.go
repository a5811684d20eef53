// Package display turns answers into pictures that are readable from a metre
// away, and brings them to panels: one of 128×64 pixels in black and white.
//
// A panel that is slow, broken or missing never holds up the clock: Show only
// notes the answer, and each panel is served on its own. The package decides
// nothing about taps.
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
	Pending      int // punches that Zeitstrom does not have yet
}

// Panel shows pictures. Draw gets each new picture once and may take its time.
type Panel interface {
	String() string
	Draw(*image1bit.VerticalLSB) error
}

// Display is the task that keeps the panels up to date.
type Display struct {
	facts      func() Facts
	answerTime time.Duration
	panels     []*mailbox
	log        *slog.Logger
	shown      chan struct{}

	mu     sync.Mutex
	answer device.Outcome
	until  time.Time
}

// New makes a display. Facts is asked once a second; an answer stays for
// answerTime unless the next one comes before.
func New(facts func() Facts, answerTime time.Duration, log *slog.Logger, panels ...Panel) *Display {
	d := &Display{facts: facts, answerTime: answerTime, log: log, shown: make(chan struct{}, 1)}
	for _, p := range panels {
		d.panels = append(d.panels, &mailbox{panel: p, next: make(chan *image1bit.VerticalLSB, 1)})
	}
	return d
}

func (d *Display) String() string { return "display" }

// Show implements device.Screen.
func (d *Display) Show(o device.Outcome) {
	d.mu.Lock()
	d.answer, d.until = o, time.Now().Add(d.answerTime)
	d.mu.Unlock()
	select {
	case d.shown <- struct{}{}:
	default:
	}
}

// Run draws until ctx ends.
func (d *Display) Run(ctx context.Context) error {
	var panels sync.WaitGroup
	for _, box := range d.panels {
		panels.Go(func() { box.serve(ctx, d.log) })
	}
	defer panels.Wait()
	var last []byte
	for {
		now := time.Now()
		picture, wait := d.picture(now)
		if !bytes.Equal(picture.Pix, last) {
			last = picture.Pix
			for _, box := range d.panels {
				box.put(picture)
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

// picture returns what to show now, and for how long.
func (d *Display) picture(now time.Time) (*image1bit.VerticalLSB, time.Duration) {
	d.mu.Lock()
	answer, left := d.answer, d.until.Sub(now)
	d.mu.Unlock()
	if left > 0 {
		return Answer(answer), left
	}
	return Idle(now, d.facts()), now.Truncate(time.Second).Add(time.Second).Sub(now)
}

// mailbox holds the newest picture that a panel has not taken yet.
type mailbox struct {
	panel Panel
	next  chan *image1bit.VerticalLSB
}

// put replaces a picture that the panel was too slow for.
func (m *mailbox) put(picture *image1bit.VerticalLSB) {
	for {
		select {
		case m.next <- picture:
			return
		default:
		}
		select {
		case <-m.next:
		default:
		}
	}
}

// retryPanel is the pause after a panel failed; then it gets the newest picture.
const retryPanel = 2 * time.Second

// serve draws pictures. A failure is logged when it begins and when it ends.
func (m *mailbox) serve(ctx context.Context, log *slog.Logger) {
	broken := false
	for {
		var picture *image1bit.VerticalLSB
		select {
		case <-ctx.Done():
			if !broken { // an old answer must not stay on the wall
				m.panel.Draw(newPicture().VerticalLSB)
			}
			return
		case picture = <-m.next:
		}
		err := m.panel.Draw(picture)
		if (err != nil) != broken {
			broken = err != nil
			if broken {
				log.Error("display does not work, the clock goes on without it", "panel", m.panel.String(), "error", err)
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
		case m.next <- picture:
		default:
		}
	}
}
