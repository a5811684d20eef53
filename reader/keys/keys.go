// Package keys turns push-buttons into functions: each key is between a GPIO and ground, and a press
// chooses what the next badge means. A press counts once, when its contacts have come to rest; a key that
// is held, or stuck, is one press and no more, and one that is held while the clock starts is none.
//
// It does not know what functions do, and it finds no pins itself.
package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"timeclock/device"

	"periph.io/x/conn/v3/gpio"
)

// Key is a push-button that is wired to a pin.
type Key struct {
	Pin      gpio.PinIn
	Function device.Function
}

// Keys is the task that watches the keys.
type Keys struct {
	keys  []Key
	found error
	to    chan<- device.Press
	log   *slog.Logger

	mu     sync.Mutex
	failed error // why keys that are there cannot be read
}

// Times of a key.
const (
	// Contacts bounce for up to some 10 ms; a level that stays for settle counts.
	settle = 25 * time.Millisecond
	look   = 5 * time.Millisecond // how often it is looked at meanwhile
	idle   = time.Second          // how long an edge is waited for, until the level is looked at anyway
)

// New makes the task. Found says why a key that should be there is missing; the others work without it.
func New(keys []Key, found error, to chan<- device.Press, log *slog.Logger) *Keys {
	return &Keys{keys: keys, found: found, to: to, log: log}
}

func (k *Keys) String() string { return "keys" }

// Problem says why a key does not work; empty if all do, or there is none.
func (k *Keys) Problem() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := errors.Join(k.found, k.failed); err != nil {
		return err.Error()
	}
	return ""
}

// Run watches until ctx ends.
func (k *Keys) Run(ctx context.Context) error {
	var watching sync.WaitGroup
	for _, key := range k.keys {
		watching.Go(func() {
			if err := k.watch(ctx, key); !errors.Is(err, context.Canceled) {
				k.log.Error("a key does not work, the clock goes on without", "key", key.Pin.String(), "error", err)
				k.mu.Lock()
				defer k.mu.Unlock()
				k.failed = errors.Join(k.failed, err)
			}
		})
	}
	watching.Wait()
	return nil
}

// watch waits for presses of one key, until ctx ends or the key cannot be read.
func (k *Keys) watch(ctx context.Context, key Key) error {
	if err := key.Pin.In(gpio.PullUp, gpio.BothEdges); err != nil {
		return fmt.Errorf("%s cannot be read: %w", key.Pin, err)
	}
	for {
		if err := becomes(ctx, key.Pin, gpio.High); err != nil {
			return err
		}
		if err := becomes(ctx, key.Pin, gpio.Low); err != nil {
			return err
		}
		select {
		case k.to <- device.Press{Function: key.Function, Time: time.Now()}:
		default: // the clock is busy, and whoever presses sees that nothing happens
		}
	}
}

// becomes waits until a pin has a level, and keeps it.
func becomes(ctx context.Context, pin gpio.PinIn, level gpio.Level) error {
	for {
		for since := time.Now(); pin.Read() == level; {
			if time.Since(since) >= settle {
				return nil
			}
			time.Sleep(look)
		}
		began := time.Now()
		if edge := pin.WaitForEdge(idle); ctx.Err() != nil {
			return ctx.Err()
		} else if !edge && time.Since(began) < idle { // it cannot wait for edges: then it is looked at
			time.Sleep(look)
		}
	}
}
