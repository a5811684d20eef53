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
	// off before and afterwards. It notices what Check notices.
	Sniff() (bool, error)
	// Newcomers calls found with the UID of each badge that came since the last call, as
	// soon as it is read. The error may come beside UIDs that were read.
	Newcomers(found func(uid []byte)) error
	// Present reports whether a badge that was a newcomer is still there.
	Present(uid []byte) (bool, error)
	// FieldOff saves power until the next call.
	FieldOff() error
	// Check notices a chip that stopped working. Its errors are fatal.
	Check() error
	// Note tells what is odd about a chip that reads badges all the same.
	Note() string
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
	// Poll is how often to look; 36 ms is short enough for a badge that is only
	// waved past, and takes 83 transfers a second.
	Poll time.Duration
	// One makes several badges at once count for none.
	One bool
}

// Times of the reader loop.
const (
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
	Note     string    // what is odd about it, though it works; mostly empty
	Since    time.Time // when Healthy last changed
	Restarts int       // how often a chip that had worked was set up again
	Reads    int       // badges read
	LastRead time.Time // when the newest was read; zero: none since the start
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
	present map[device.UID]stay // badges in the field
}

// stay is that of a badge in the field.
type stay struct {
	misses int // answers in a row that did not come
	asked  int // the Health.Asked at which it was asked last
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
		// Bad reads may be the chip's fault; and while the field stays on nobody sniffs.
		if err != nil || len(r.present) > 0 {
			if err := chip.Check(); err != nil {
				return err
			}
		}
		r.remark(chip.Note())
	}
}

// remark notes what is odd about the chip. It is logged when it is new.
func (r *Reader) remark(note string) {
	r.note(func(h *Health) {
		if note != "" && note != h.Note {
			r.log.Warn("reader works, but", "note", note)
		}
		h.Note = note
	})
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
	var taps []device.Tap
	err := chip.Newcomers(func(uid []byte) {
		tap, isNew := r.arrived(uid, now)
		switch {
		case !isNew:
		case r.options.One:
			taps = append(taps, tap) // whether it is the only one shows at the end
		default:
			r.send(ctx, tap)
		}
	})
	if len(taps) > 0 && len(r.present) > 1 {
		taps = []device.Tap{{Several: true, Time: now}}
	}
	for _, tap := range taps {
		r.send(ctx, tap)
	}
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

// arrived notes a badge that was read, and makes a tap of one that was not there before.
func (r *Reader) arrived(b []byte, at time.Time) (tap device.Tap, isNew bool) {
	uid, err := device.NewUID(b)
	if err != nil {
		r.log.Error("the chip gave an impossible UID", "error", err)
		return tap, false
	}
	r.note(func(h *Health) {
		_, rests := r.present[uid] // then it had lost its power for a moment
		r.present[uid] = stay{asked: h.Asked}
		if isNew = !rests; isNew {
			h.Reads++
			h.LastRead = at
		}
	})
	return device.Tap{UID: uid, Time: at}, isNew
}

func (r *Reader) send(ctx context.Context, tap device.Tap) {
	select {
	case r.taps <- tap:
	case <-ctx.Done():
	}
}

// departures asks badges whether they are still there: those that did not answer last time,
// so that they are soon known to have left, and of the others the one that was not asked for
// the longest time. A newcomer does not wait until all have been asked.
func (r *Reader) departures(chip Chip) error {
	var asked []device.UID
	var next device.UID
	for uid, b := range r.present { // only this goroutine changes it
		switch {
		case b.misses > 0:
			asked = append(asked, uid)
		case next.IsZero() || b.asked < r.present[next].asked:
			next = uid
		}
	}
	if !next.IsZero() {
		asked = append(asked, next)
	}
	for _, uid := range asked {
		there, err := chip.Present(uid.Bytes())
		if err != nil {
			return err
		}
		r.answered(uid, there)
	}
	return nil
}

// answered notes whether a badge that was asked is there. One that misses too many answers
// has left.
func (r *Reader) answered(uid device.UID, there bool) {
	r.note(func(h *Health) {
		h.Asked++
		b := r.present[uid]
		b.asked = h.Asked
		if b.misses++; there {
			b.misses = 0
			h.Answered++
		}
		if r.present[uid] = b; b.misses == missesToLeave {
			delete(r.present, uid)
		}
	})
}

// forget forgets all badges.
func (r *Reader) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.present = map[device.UID]stay{}
}

func (r *Reader) works(chip Chip) {
	r.note(func(h *Health) {
		if h.Chip != "" {
			h.Restarts++
		}
		h.Healthy, h.Chip, h.Problem, h.Since = true, chip.String(), "", time.Now()
	})
	r.remark(chip.Note())
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
		h.Healthy, h.Problem, h.Note = false, err.Error(), ""
	})
}

func (r *Reader) note(f func(*Health)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.health)
}
