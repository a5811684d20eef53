package reader_test

import (
	"context"
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

// start runs a reader on a simulated chip.
func start(t *testing.T) (*mfrc522test.Chip, *reader.Reader, chan device.Tap) {
	sim := &mfrc522test.Chip{Report: func(v string) { t.Error("violation:", v) }}
	taps := make(chan device.Tap, 1000)
	r := reader.New(reader.Source{
		Open: func() (reader.Chip, error) {
			return mfrc522.New(sim, mfrc522.Opts{})
		},
		Fatal: mfrc522.Fatal,
	}, taps, slog.New(slog.NewTextHandler(io.Discard, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	time.Sleep(100 * time.Millisecond)
	return sim, r, taps
}

func badge(n byte) *mfrc522test.Card {
	return &mfrc522test.Card{UID: []byte{0x10, 0x20, 0x30, n}}
}

func uid(n byte) device.UID {
	u, _ := device.NewUID(badge(n).UID)
	return u
}

func TestOneTapHoweverLongItRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, taps := start(t)
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

func TestFieldRestsWhenNobodyIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, _ := start(t)
		on := 0
		for range 1000 {
			time.Sleep(997 * time.Microsecond)
			if sim.FieldOn() {
				on++
			}
		}
		if on > 150 {
			t.Errorf("the field was on for %.1f %% of the time, want at most 15", float64(on)/10)
		}
	})
}

func TestHealsADeadChip(t *testing.T) {
	for name, kill := range map[string]func(*mfrc522test.Chip){
		"MISO low":  func(c *mfrc522test.Chip) { c.SetBus(mfrc522test.Low) },
		"MISO high": func(c *mfrc522test.Chip) { c.SetBus(mfrc522test.High) },
		"no node":   func(c *mfrc522test.Chip) { c.SetBus(mfrc522test.NoNode) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim, r, taps := start(t)
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
				time.Sleep(5 * time.Second)
				if h := r.Health(); !h.Healthy || h.Restarts != 1 || h.Problem != "" {
					t.Errorf("5 s after it came back: %+v", h)
				}
				sim.Place(badge(1))
				time.Sleep(100 * time.Millisecond)
				if len(taps) != 1 {
					t.Errorf("%d taps after it came back, want 1", len(taps))
				}
			})
		})
	}
}

func TestHealsABrownOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, r, taps := start(t)
		sim.Report = nil // the driver cannot know that the chip is starting up
		sim.BrownOut()
		time.Sleep(2 * time.Second)
		sim.Place(badge(1))
		time.Sleep(100 * time.Millisecond)
		if h := r.Health(); !h.Healthy || h.Restarts != 1 || len(taps) != 1 {
			t.Errorf("after a brown-out: %+v, %d taps", h, len(taps))
		}
	})
}
