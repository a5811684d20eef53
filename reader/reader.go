// Package reader turns what a reader chip sees into taps: a badge that arrives
// is one tap, however long it stays and however badly the chip hears it. It
// keeps the chip alive: one that stops answering is set up again, with pauses,
// for as long as it takes.
//
// It does not know whose badges they are, and it drives no chip itself.
package reader

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"timeclock/device"
)

// Chip is a reader chip that was set up. One goroutine uses it at a time.
type Chip interface {
	fmt.Stringer
	// Sniff reports whether anything answers at all, at little cost. The field is
	// off before and afterwards.
	Sniff() (bool, error)
	// Newcomers returns the UIDs of badges that came since the last call. The
	// error may come beside UIDs that were read.
	Newcomers() ([][]byte, error)
	// Present reports whether a badge that was a newcomer is still there.
	Present(uid []byte) (bool, error)
	// FieldOff saves power until the next call.
	FieldOff() error
	// Check notices a chip that stopped working. Its errors are fatal.
	Check() error
	// Close gives the bus back.
	Close() error
}

// Source opens the chip and tells its errors apart.
type Source struct {
	Open  func() (Chip, error)
	Fatal func(error) bool // after such an error the chip must be opened again
}

// Options say how to read.
type Options struct {
	// Poll is how often to look; 40 ms is short enough for a badge that is only
	// waved past.
	Poll time.Duration
	// One makes several badges at once count for none.
	One bool
}

// Times of the reader loop.
const (
	// checkEvery is how often the chip itself is looked at.
	checkEvery = 480 * time.Millisecond
	// A badge that does not answer so many times in a row has left: one that
	// is held at a slant misses a poll now and then.
	missesToLeave = 3
	// Pauses between attempts at a chip that does not answer.
	firstPause, longestPause = 250 * time.Millisecond, 2 * time.Second
	// A badge that rests on the reader while the chip is set up again is no new
	// tap; after a longer failure nobody knows.
	shortDip = 2 * time.Second
)

// Health is the state of the reader, for status and display.
type Health struct {
	Healthy  bool
	Chip     string    // its name, once it has answered
	Problem  string    // why it is not healthy, and what to do
	Since    time.Time // when Healthy last changed
	Restarts int       // how often a chip that had worked was set up again
	Reads    int       // badges read
	Errors   int       // badges read badly; they are tried again at the next poll
	Asked    int       // how often a resting badge was asked whether it is still there
	Answered int       // how often it said so: each one that leaves misses three
}

// Reader is the reader loop.
type Reader struct {
	source  Source
	options Options
	taps    chan<- device.Tap
	log     *slog.Logger
	pulse   device.Pulse

	mu      sync.Mutex
	health  Health
	present map[device.UID]int // badges in the field, and their misses
}

// New makes a reader that sends its taps to taps; Run starts it.
func New(source Source, o Options, taps chan<- device.Tap, log *slog.Logger) *Reader {
	return &Reader{source: source, options: o, taps: taps, log: log}
}

func (r *Reader) String() string { return "reader" }

// Alive returns nil as soon as Run comes round; also while the chip does not work,
// but not while the bus or whoever takes the taps hangs.
func (r *Reader) Alive(ctx context.Context) error { return r.pulse.Beat(ctx) }

// Health may be called from any goroutine.
func (r *Reader) Health() Health {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.health
}

// Resting reports whether a badge is in the field, or left it so short a while
// ago that its return would not be a new tap. A reader that does not work knows of
// none.
func (r *Reader) Resting(uid device.UID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, rests := r.present[uid]
	return rests && r.health.Healthy
}

// Run reads until ctx ends. It returns nil: a chip that fails is not the end of
// the clock.
func (r *Reader) Run(ctx context.Context) error {
	pause := firstPause
	var died time.Time
	for ctx.Err() == nil {
		chip, err := r.source.Open()
		if err == nil {
			r.works(chip)
			if time.Since(died) > shortDip {
				r.forget()
			}
			opened := time.Now()
			err = r.poll(ctx, chip)
			chip.Close()
			if died = time.Now(); died.Sub(opened) > longestPause {
				pause = firstPause
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		r.fails(err)
		r.rest(ctx, pause)
		pause = min(2*pause, longestPause)
	}
	return nil
}

// rest waits before the next attempt.
func (r *Reader) rest(ctx context.Context, pause time.Duration) {
	over := time.After(pause)
	for {
		select {
		case <-ctx.Done():
			return
		case <-over:
			return
		case <-r.pulse.C():
		}
	}
}

// poll reads badges until the chip fails or ctx ends.
func (r *Reader) poll(ctx context.Context, chip Chip) error {
	tick := time.NewTicker(r.options.Poll)
	defer tick.Stop()
	checked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return chip.FieldOff()
		case <-r.pulse.C():
			continue
		case <-tick.C:
		}
		err := r.look(ctx, chip)
		if err != nil {
			if r.source.Fatal(err) {
				return err
			}
			r.note(func(h *Health) { h.Errors++ })
			r.log.Debug("badge read badly", "error", err)
		}
		if err != nil || time.Since(checked) >= checkEvery { // bad reads may be the chip's fault
			checked = time.Now()
			if err := chip.Check(); err != nil {
				return err
			}
		}
	}
}

// look is one poll. While nobody is there it only sniffs; while a badge rests
// the field stays on, so that the badge stays asleep and newcomers are seen.
func (r *Reader) look(ctx context.Context, chip Chip) error {
	now := time.Now()
	if len(r.present) == 0 {
		if someone, err := chip.Sniff(); err != nil || !someone {
			return err
		}
	}
	uids, err := chip.Newcomers()
	r.arrived(ctx, uids, now)
	if err != nil && r.source.Fatal(err) {
		return err
	}
	if left := r.departures(chip); left != nil {
		return left
	}
	if len(r.present) == 0 {
		if off := chip.FieldOff(); off != nil {
			return off
		}
	}
	return err
}

// arrived sends a tap for each badge that was not there before.
func (r *Reader) arrived(ctx context.Context, uids [][]byte, at time.Time) {
	var taps []device.Tap
	for _, b := range uids {
		uid, err := device.NewUID(b)
		if err != nil {
			r.log.Error("the chip gave an impossible UID", "error", err)
			continue
		}
		if _, rests := r.present[uid]; !rests { // else it had lost its power for a moment
			taps = append(taps, device.Tap{UID: uid, Time: at})
		}
		r.misses(uid, 0)
	}
	r.note(func(h *Health) { h.Reads += len(taps) })
	if r.options.One && len(taps) > 0 && len(r.present) > 1 {
		taps = []device.Tap{{Several: true, Time: at}}
	}
	for _, tap := range taps {
		select {
		case r.taps <- tap:
		case <-ctx.Done():
		}
	}
}

// departures forgets the badges that left.
func (r *Reader) departures(chip Chip) error {
	for uid, misses := range r.present { // only this goroutine changes it
		there, err := chip.Present(uid.Bytes())
		if err != nil {
			return err
		}
		r.note(func(h *Health) {
			h.Asked++
			if there {
				h.Answered++
			}
		})
		if misses++; there {
			misses = 0
		}
		r.misses(uid, misses)
	}
	return nil
}

// forget forgets all badges.
func (r *Reader) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.present = map[device.UID]int{}
}

// misses notes how often in a row a badge was not there.
func (r *Reader) misses(uid device.UID, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n < missesToLeave {
		r.present[uid] = n
	} else {
		delete(r.present, uid)
	}
}

func (r *Reader) works(chip Chip) {
	r.note(func(h *Health) {
		if h.Chip != "" {
			h.Restarts++
		}
		h.Healthy, h.Chip, h.Problem, h.Since = true, chip.String(), "", time.Now()
	})
	r.log.Info("reader ready", "chip", chip.String())
}

// fails notes why there is no reader. It is logged when it is new, not at each
// attempt.
func (r *Reader) fails(err error) {
	r.note(func(h *Health) {
		if h.Healthy || h.Since.IsZero() {
			h.Since = time.Now()
		}
		if h.Problem != err.Error() {
			r.log.Error("reader does not work, trying again", "error", err)
		}
		h.Healthy, h.Problem = false, err.Error()
	})
}

func (r *Reader) note(f func(*Health)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.health)
}
