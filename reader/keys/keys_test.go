package keys

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

// button is a key with contacts: pressed it pulls its pin to ground.
type button struct {
	gpiotest.Pin
	edges chan struct{}
	blind bool // edges are not told
	fault error

	mu    sync.Mutex
	level gpio.Level
	pull  gpio.Pull
}

func newButton() *button { return &button{edges: make(chan struct{}, 16), level: gpio.High} }

func (b *button) In(pull gpio.Pull, _ gpio.Edge) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pull = pull
	return b.fault
}

func (b *button) Read() gpio.Level {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.level
}

func (b *button) WaitForEdge(timeout time.Duration) bool {
	if b.blind {
		return false
	}
	select {
	case <-b.edges:
		return true
	case <-time.After(timeout):
		return false
	}
}

func (b *button) set(l gpio.Level) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.level == l {
		return
	}
	b.level = l
	select {
	case b.edges <- struct{}{}:
	default:
	}
}

// press holds the key for a while; its contacts bounce before and after.
func (b *button) press(held time.Duration) {
	bounce := func(to gpio.Level) {
		for i := range 7 {
			b.set(to != gpio.Level(i%2 == 1))
			time.Sleep(time.Duration(i) * time.Millisecond)
		}
		b.set(to)
	}
	bounce(gpio.Low)
	time.Sleep(held)
	bounce(gpio.High)
	time.Sleep(100 * time.Millisecond)
}

// watched runs a test with two keys, and returns what was chosen so far.
func watched(t *testing.T, f func(brk, out *button, chosen func() string)) {
	synctest.Test(t, func(t *testing.T) {
		brk, out := newButton(), newButton()
		to := make(chan device.Press, 16)
		k := New([]Key{{brk, device.TakeBreak}, {out, device.GoOut}}, nil, to, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil || len(k.Problem()) > 0 {
				t.Errorf("%v, %q", err, k.Problem())
			}
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		f(brk, out, func() string {
			synctest.Wait()
			var all []string
			for len(to) > 0 {
				all = append(all, string((<-to).Function))
			}
			return strings.Join(all, " ")
		})
	})
}

func TestPress(t *testing.T) {
	watched(t, func(brk, out *button, chosen func() string) {
		if brk.pull != gpio.PullUp {
			t.Errorf("the pin is pulled %v", brk.pull)
		}
		for range 3 {
			brk.press(80 * time.Millisecond)
		}
		if got := chosen(); got != "break break break" {
			t.Errorf("three presses: %q", got)
		}
		brk.press(80 * time.Millisecond)
		out.press(80 * time.Millisecond)
		if got := chosen(); got != "break out" {
			t.Errorf("two keys: %q", got)
		}
		brk.press(10 * time.Second)
		if got := chosen(); got != "break" {
			t.Errorf("a key that is held: %q", got)
		}
		go out.press(time.Hour) // stuck
		time.Sleep(time.Second)
		brk.press(80 * time.Millisecond)
		if got := chosen(); got != "out break" {
			t.Errorf("beside a key that is stuck: %q", got)
		}
		brk.set(gpio.Low) // a spark of static electricity
		time.Sleep(2 * time.Millisecond)
		brk.set(gpio.High)
		time.Sleep(time.Second)
		if got := chosen(); got != "" {
			t.Errorf("a spark: %q", got)
		}
		time.Sleep(time.Hour)
	})
}

func TestHeldAtTheStartAndWithoutEdges(t *testing.T) {
	for _, blind := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newButton()
			b.level, b.blind = gpio.Low, blind
			to := make(chan device.Press, 16)
			k := New([]Key{{b, device.ComeIn}}, nil, to, slog.New(slog.DiscardHandler))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- k.Run(ctx) }()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if len(to) != 0 {
				t.Errorf("blind %v: held while the clock starts, it was taken for a press", blind)
			}
			b.set(gpio.High)
			time.Sleep(time.Second)
			b.press(80 * time.Millisecond)
			synctest.Wait()
			if len(to) != 1 {
				t.Errorf("blind %v: %d presses, want 1", blind, len(to))
			}
			cancel()
			<-done
		})
	}
}

// A pin that cannot be read holds up nobody, and a clock that is busy is not told later.
func TestTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, good := newButton(), newButton()
		bad.fault = errors.New("busy")
		var log strings.Builder
		to := make(chan device.Press, 1)
		k := New([]Key{{bad, device.TakeBreak}, {good, device.ComeIn}}, errors.New("no pin GPIO99"), to,
			slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.Run(ctx) }()
		time.Sleep(time.Second)
		good.press(80 * time.Millisecond)
		good.press(80 * time.Millisecond)
		synctest.Wait()
		if len(to) != 1 || k.Problem() != "no pin GPIO99\n(0) cannot be read: busy" {
			t.Errorf("%d presses, %q", len(to), k.Problem())
		}
		cancel()
		<-done
		if !strings.Contains(log.String(), "cannot be read: busy") {
			t.Errorf("logged: %s", log.String())
		}
	})
}
