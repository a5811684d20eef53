package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"timeclock/device"
	"timeclock/reader"
	"timeclock/reader/mfrc522/mfrc522test"
)

var _ device.Screen = (*hand)(nil)

// hand brings badges to a simulated reader, one at a time: it holds a badge
// there until the answer comes, and takes it away.
type hand struct {
	chip   *mfrc522test.Chip
	reader *reader.Reader
	busy   chan struct{}

	mu      sync.Mutex
	waiting map[device.UID]chan device.Outcome
}

func newHand(chip *mfrc522test.Chip, r *reader.Reader) *hand {
	return &hand{chip: chip, reader: r, busy: make(chan struct{}, 1), waiting: map[device.UID]chan device.Outcome{}}
}

// Show implements device.Screen.
func (h *hand) Show(o device.Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// An update belongs to the tap before, but for the month's hours, which an answer may wait for.
	if c, ok := h.waiting[o.Tap.UID]; ok && !o.Awaits && (!o.Update || o.Kind == device.HoursShown) {
		delete(h.waiting, o.Tap.UID)
		c <- o
	}
}

// patience is how long someone holds a badge to a reader that does nothing.
const patience = 10 * time.Second

var errNoAnswer = errors.New("the reader did not answer: `timeclock status` says what is wrong with it")

// Bring brings a badge to the reader and returns the answer. The badge has left
// the reader's memory before it is brought again.
func (h *hand) Bring(ctx context.Context, uid device.UID) (device.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case h.busy <- struct{}{}:
		defer func() { <-h.busy }()
	case <-ctx.Done():
		return device.Outcome{}, errNoAnswer
	}
	for h.reader.Resting(uid) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return device.Outcome{}, errNoAnswer
		}
	}
	answer := make(chan device.Outcome, 1)
	h.mu.Lock()
	h.waiting[uid] = answer
	h.mu.Unlock()
	card := &mfrc522test.Card{UID: uid.Bytes()}
	h.chip.Place(card)
	defer h.chip.Remove(card)
	select {
	case o := <-answer:
		return o, nil
	case <-ctx.Done():
		h.mu.Lock()
		delete(h.waiting, uid)
		h.mu.Unlock()
		return device.Outcome{}, errNoAnswer
	}
}
