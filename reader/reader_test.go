package reader_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/reader"
	"timeclock/reader/mfrc522"
	"timeclock/reader/mfrc522/mfrc522test"
)

// everyTick is how a reader reads by default.
var everyTick = reader.Options{Poll: 36 * time.Millisecond}

// start runs a reader on a simulated chip.
func start(t *testing.T) (*mfrc522test.Chip, *reader.Reader, chan device.Tap) {
	return startOn(t, board{}, everyTick)
}

// startOn runs it on a board.
func startOn(t *testing.T, b board, o reader.Options) (*mfrc522test.Chip, *reader.Reader, chan device.Tap) {
	sim, r, taps, stop := launch(t, b.on, o)
	t.Cleanup(stop)
	return sim, r, taps
}

// launch runs a reader on a chip that was changed, until it is stopped.
func launch(t *testing.T, change func(*mfrc522test.Chip), o reader.Options) (
	sim *mfrc522test.Chip, r *reader.Reader, taps chan device.Tap, stop func(),
) {
	sim = &mfrc522test.Chip{Report: func(v string) { t.Error("violation:", v) }}
	change(sim)
	taps = make(chan device.Tap, 1000)
	r = reader.New(reader.Source{
		Open: func() (reader.Chip, error) {
			return mfrc522.New(sim, mfrc522.Opts{})
		},
		Fatal: mfrc522.Fatal,
	}, o, taps, slog.New(slog.NewTextHandler(io.Discard, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	time.Sleep(100 * time.Millisecond)
	for !r.Health().Healthy && sim.Delay != nil { // a late host takes longer
		time.Sleep(100 * time.Millisecond)
	}
	return sim, r, taps, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// everywhere runs a test on a plain board, on one whose bus clock jumps, and on one whose
// host is late besides.
func everywhere(t *testing.T, f func(t *testing.T, b board)) {
	for _, b := range []board{
		{name: "plain"}, {"clock jumps", jumping(), 0}, {"host late", jumping(), 5 * time.Millisecond},
	} {
		t.Run(b.name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, b) }) })
	}
}

func badge(n byte) *mfrc522test.Card {
	return &mfrc522test.Card{UID: []byte{0x10, 0x20, 0x30, n}}
}

func uid(n byte) device.UID {
	u, _ := device.NewUID(badge(n).UID)
	return u
}

func TestOneTapHoweverLongItRests(t *testing.T) {
	everywhere(t, func(t *testing.T, b board) {
		sim, _, taps := startOn(t, b, everyTick)
		card := badge(1)
		sim.Place(card)
		time.Sleep(10 * time.Second)
		if len(taps) != 1 {
			t.Fatalf("%d taps from one badge, want 1", len(taps))
		}
		if tap := <-taps; tap.UID != uid(1) || time.Since(tap.Time) < 9*time.Second {
			t.Errorf("tap = %v", tap)
		}
		newcomer := badge(2) // beside the one that rests
		sim.Place(newcomer)
		time.Sleep(time.Second)
		if len(taps) != 1 || (<-taps).UID != uid(2) {
			t.Errorf("a newcomer beside a resting badge was not read once")
		}
		sim.Remove(card)
		time.Sleep(time.Second)
		sim.Place(card)
		time.Sleep(time.Second)
		if len(taps) != 1 {
			t.Errorf("%d taps after it came back, want 1", len(taps))
		}
	})
}

func TestHealsADeadChip(t *testing.T) {
	for name, kill := range map[string]func(*mfrc522test.Chip){
		"MISO low":  func(c *mfrc522test.Chip) { c.SetBus(mfrc522test.Low) },
		"MISO high": func(c *mfrc522test.Chip) { c.SetBus(mfrc522test.High) },
		"no node":   func(c *mfrc522test.Chip) { c.SetBus(mfrc522test.NoNode) },
		"hung":      func(c *mfrc522test.Chip) { c.Hang(); c.IgnoreReset(true) },
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, b board) {
				sim, r, taps := startOn(t, b, everyTick)
				if h := r.Health(); !h.Healthy || h.Chip == "" {
					t.Fatalf("at start: %+v", h)
				}
				kill(sim)
				time.Sleep(2 * time.Second)
				if h := r.Health(); h.Healthy || h.Problem == "" {
					t.Errorf("2 s after it died: %+v", h)
				}
				time.Sleep(time.Hour)
				sim.SetBus(mfrc522test.BusOK)
				sim.IgnoreReset(false)
				time.Sleep(5 * time.Second)
				if h := r.Health(); !h.Healthy || h.Restarts != 1 || h.Problem != "" {
					t.Errorf("5 s after it came back: %+v", h)
				}
				sim.Place(badge(1))
				time.Sleep(2 * b.soonEnough())
				if len(taps) != 1 {
					t.Errorf("%d taps after it came back, want 1", len(taps))
				}
			})
		})
	}
}

// A badge that rests on the reader while the supply dips is not booked again.
func TestRestingThroughABrownOut(t *testing.T) {
	everywhere(t, func(t *testing.T, b board) {
		sim, r, taps := startOn(t, b, everyTick)
		sim.Report = nil // the driver cannot know that the chip is starting up
		sim.Place(badge(1))
		time.Sleep(time.Second)
		sim.BrownOut()
		time.Sleep(5 * time.Second)
		if len(taps) != 1 || r.Health().Restarts != 1 {
			t.Errorf("%d taps, want 1; %+v", len(taps), r.Health())
		}
	})
}

func TestHealsABrownOut(t *testing.T) {
	everywhere(t, func(t *testing.T, b board) {
		sim, r, taps := startOn(t, b, everyTick)
		sim.Report = nil // the driver cannot know that the chip is starting up
		sim.BrownOut()
		time.Sleep(2 * time.Second)
		sim.Place(badge(1))
		time.Sleep(2 * b.soonEnough())
		if h := r.Health(); !h.Healthy || h.Restarts != 1 || len(taps) != 1 {
			t.Errorf("after a brown-out: %+v, %d taps", h, len(taps))
		}
	})
}

// A queue at shift's start: one badge after the other, none missed, none twice.
func TestFiveHundredBadges(t *testing.T) {
	everywhere(t, func(t *testing.T, b board) {
		sim, _, taps := startOn(t, b, everyTick)
		for n := range 500 {
			card := &mfrc522test.Card{UID: []byte{0x20, byte(n >> 8), byte(n), 0x55}}
			sim.Place(card)
			time.Sleep(b.soonEnough() + 90*time.Millisecond)
			sim.Remove(card)
		}
		time.Sleep(time.Second)
		if len(taps) != 500 {
			t.Errorf("%d taps of 500 badges", len(taps))
		}
		for n := range len(taps) {
			want, _ := device.NewUID([]byte{0x20, byte(n >> 8), byte(n), 0x55})
			if tap := <-taps; tap.UID != want {
				t.Fatalf("tap %d is of another badge", n+1)
			}
		}
	})
}

// With one badge at a time wanted, two count for none, until they leave.
func TestSeveralBadges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, taps := startOn(t, board{}, reader.Options{Poll: 40 * time.Millisecond, One: true})
		wallet := []*mfrc522test.Card{badge(1), badge(2), badge(3)}
		for _, card := range wallet {
			sim.Place(card)
		}
		time.Sleep(time.Second)
		if len(taps) != 1 {
			t.Fatalf("%d taps from a wallet", len(taps))
		}
		if tap := <-taps; !tap.Several || !tap.UID.IsZero() {
			t.Errorf("a wallet gave %+v", tap)
		}
		for _, card := range wallet {
			sim.Remove(card)
		}
		time.Sleep(time.Second)
		sim.Place(wallet[1])
		time.Sleep(time.Second)
		if len(taps) != 1 || (<-taps).UID != uid(2) {
			t.Error("one of them alone does not count")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		sim, _, taps := start(t)
		for n := range byte(3) {
			sim.Place(badge(n))
		}
		time.Sleep(time.Second)
		if len(taps) != 3 {
			t.Errorf("%d taps of three badges at once, want 3", len(taps))
		}
	})
}

// A reader comes round while its chip works and while it does not, but not while
// nobody takes its taps.
func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, r, taps := start(t)
		alive := func() error {
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			return r.Alive(ctx)
		}
		if err := alive(); err != nil {
			t.Error(err)
		}
		sim.SetBus(mfrc522test.Low)
		time.Sleep(time.Minute)
		if err := alive(); err != nil || r.Health().Healthy {
			t.Errorf("without power: %v", err)
		}
		sim.SetBus(mfrc522test.BusOK)
		time.Sleep(time.Minute)
		for range cap(taps) { // the terminal hangs
			taps <- device.Tap{}
		}
		sim.Place(badge(1))
		time.Sleep(time.Second)
		if err := alive(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody takes its taps: %v", err)
		}
	})
}
