package device

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// live runs a terminal and returns how to tap.
func live(t *testing.T, term *Terminal) func(string) {
	taps := make(chan Tap)
	term.Taps = taps
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		term.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return func(badge string) {
		taps <- Tap{UID: uid(t, badge), Time: time.Now()}
		synctest.Wait()
	}
}

func TestSecondThoughts(t *testing.T) {
	const thinking = 4 * time.Second
	for name, tc := range map[string]struct {
		held time.Duration
		want string
		free time.Duration // when the punch may be delivered, after the tap
	}{
		"a tap": {50 * time.Millisecond, "stored checkin(4) checkin(0)", 200 * time.Millisecond},
		"three seconds": {
			2900 * time.Millisecond, "stored checkin(4) checkin(3) checkin(2) checkin(0)", 3100 * time.Millisecond,
		},
		"long enough": {
			5 * time.Second, "stored checkin(4) checkin(3) checkin(2) checkin(1) stored checkout",
			5100 * time.Millisecond,
		},
		"twenty seconds": {
			20 * time.Second, "stored checkin(4) checkin(3) checkin(2) checkin(1) stored checkout",
			20200 * time.Millisecond,
		},
		"it was left lying": {
			time.Hour, "stored checkin(4) checkin(3) checkin(2) checkin(1) stored checkout", thinking + leftLying +
				200*time.Millisecond,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				term, d := newTerminal(t)
				term.Rules.SecondThoughts = thinking
				tap := live(t, term)
				d.resting = true
				time.AfterFunc(tc.held, func() { d.with(func() { d.resting = false }) })
				tap("A1B2C3D4")
				time.Sleep(min(tc.held, tc.free) - 10*time.Millisecond)
				synctest.Wait()
				if !d.waits("anna") && tc.held < thinking+leftLying {
					t.Error("it may be delivered while the badge is there")
				}
				time.Sleep(tc.free - min(tc.held, tc.free) + 10*time.Millisecond)
				synctest.Wait()
				if d.waits("anna") {
					t.Errorf("it is not delivered %v after the tap", tc.free)
				}
				if got := d.happened(); got != tc.want {
					t.Errorf("happened %q, want %q", got, tc.want)
				}
			})
		})
	}
}

// Whoever is next in the queue ends the thinking of the one before.
func TestNextBadgeEndsSecondThoughts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, d := newTerminal(t)
		term.Rules.SecondThoughts = 4 * time.Second
		tap := live(t, term)
		d.resting = true
		tap("A1B2C3D4")
		time.Sleep(3500 * time.Millisecond)
		tap("01020304")
		if d.waits("anna") || !d.waits("ben") {
			t.Error("the wrong one waits")
		}
		time.Sleep(time.Second)
		d.with(func() { d.broken = errors.New("no space left on device") })
		time.Sleep(3500 * time.Millisecond) // ben's time is over, and nothing can be stored
		synctest.Wait()
		if got, want := d.happened(), "stored checkin(4) checkin(3) checkin(2) checkin(1) stored checkin(4) "+
			"checkin(3) checkin(2) checkin(1) checkin(0)"; got != want {
			t.Errorf("happened %q, want %q", got, want)
		}
		if d.waits("ben") {
			t.Error("ben's punch is kept back")
		}
		time.Sleep(time.Minute)
		tap("0A0B0C0D")
		if got := d.happened(); got != "blocked" {
			t.Errorf("a blocked badge: %q", got)
		}
	})
}
