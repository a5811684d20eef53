package reader_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/reader"
	"timeclock/reader/mfrc522/mfrc522test"

	"pgregory.net/rapid"
)

// board is what differs from one Pi to the next: how fast the bus really is, as a
// multiple of what was asked for, and how busy the host is.
type board struct {
	name  string
	clock func() float64
	delay time.Duration
}

// boards are the corners, and what wanders between them.
func boards() (all []board) {
	for _, ratio := range []float64{0.25, 0.6, 1, 1.2, 1.6, 2, 2.5} {
		all = append(all, board{fmt.Sprintf("clock %v", ratio), steady(ratio), 0})
	}
	all = append(all, board{"clock that jumps", jumping(), 0})
	for _, d := range []time.Duration{
		200 * time.Microsecond, time.Millisecond,
		4 * time.Millisecond, 6 * time.Millisecond, 20 * time.Millisecond,
	} {
		all = append(all, board{fmt.Sprintf("clock that jumps, host %v late", d), jumping(), d})
	}
	return all
}

func steady(ratio float64) func() float64 { return func() float64 { return ratio } }

// jumping is another clock at each chip-select.
func jumping() func() float64 {
	source := rand.New(rand.NewPCG(1, 2))
	return func() float64 { return 0.25 + 2.25*source.Float64() }
}

// on makes a chip that of a board.
func (b board) on(chip *mfrc522test.Chip) {
	chip.Clock = b.clock
	if b.delay > 0 {
		chip.Delay = func() time.Duration { return b.delay }
	}
}

// soonEnough is how long a badge must be held to the reader at the most.
func (b board) soonEnough() time.Duration { return 60*time.Millisecond + 30*b.delay }

var lengths = [][]byte{{1, 2, 3, 4}, {4, 1, 2, 3, 4, 5, 6}, {4, 1, 2, 3, 4, 5, 6, 7, 8, 9}}

// A badge that is only waved past is read, whatever the board, whenever it comes; also by a
// reader that looks a little less often than by default.
func TestReadsOnEveryBoard(t *testing.T) {
	for _, b := range boards() {
		t.Run(b.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim, r, taps := startOn(t, b, reader.Options{Poll: 40 * time.Millisecond})
				period := max(40*time.Millisecond, 9*b.delay)
				step := period / 80
				for _, uid := range lengths {
					for phase := time.Duration(0); phase < period; phase += step {
						time.Sleep(time.Second + phase)
						placed := time.Now()
						card := &mfrc522test.Card{UID: uid}
						sim.Place(card)
						time.Sleep(b.soonEnough())
						sim.Remove(card)
						time.Sleep(time.Second + 60*b.delay)
						if len(taps) != 1 {
							t.Fatalf("a UID of %d bytes, %v into a poll: %d taps, want 1; %+v", len(uid), phase,
								len(taps), r.Health())
						}
						if tap := <-taps; tap.Time.Before(placed.Add(-period)) {
							t.Errorf("read at %v, placed at %v", tap.Time, placed)
						}
					}
				}
			})
		})
	}
}

// What an idle reader may cost on a board whose host is not late.
const (
	maxTransfers = 90   // a second
	maxField     = 0.20 // of the time
)

func TestFieldRestsWhenNobodyIsThere(t *testing.T) {
	for _, b := range boards() {
		if b.delay > 0 {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim, _, _ := startOn(t, b, everyTick)
				on, before := sim.FieldTime(), sim.Traffic()
				time.Sleep(100 * time.Second)
				after := sim.Traffic()
				share := float64(sim.FieldTime()-on) / float64(100*time.Second)
				rate := float64(after.Transfers-before.Transfers) / 100
				t.Logf("field on for %.1f %% of the time, %.1f transfers a second", 100*share, rate)
				if share > maxField {
					t.Errorf("the field was on for %.1f %% of the time, want at most %.0f", 100*share, 100*maxField)
				}
				if rate > maxTransfers {
					t.Errorf("%.1f transfers a second, want at most %d", rate, maxTransfers)
				}
			})
		})
	}
}

// TestNeverDeafNeverWrong brings badges of any number and length to a reader on any
// board, which may change at any moment: each is read once, and nothing else is.
func TestNeverDeafNeverWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubble{t}, func(rt *rapid.T) {
			seed := rapid.Uint64().Draw(rt, "seed")
			source := rand.New(rand.NewPCG(seed, 1))
			late := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 5, 20}).Draw(rt, "host late, ms")) * time.Millisecond
			slow, fast := rapid.Float64Range(0.25, 2.5).Draw(rt, "a clock"), rapid.Float64Range(0.25, 2.5).Draw(rt,
				"another")
			change := rapid.IntRange(1, 60).Draw(rt, "chip-selects between changes of the clock")
			b := board{delay: late}
			n := 0
			b.clock = func() float64 {
				if n++; n/change%2 == 0 {
					return slow
				}
				return fast
			}
			sim, r, taps, stop := launch(t, func(c *mfrc522test.Chip) {
				b.on(c)
				if late > 0 {
					own := rand.New(rand.NewPCG(seed, 2))
					c.Delay = func() time.Duration { return time.Duration(own.Int64N(int64(late) + 1)) }
				}
				c.AlignedCollPos = rapid.Bool().Draw(rt, "aligned CollPos")
				c.OneShot = rapid.Bool().Draw(rt, "Transceive ends by itself")
			}, everyTick)
			defer stop()
			for range rapid.IntRange(1, 4).Draw(rt, "visits") {
				time.Sleep(time.Duration(source.Int64N(int64(200 * time.Millisecond))))
				want := map[device.UID]bool{}
				var cards []*mfrc522test.Card
				for len(cards) < rapid.IntRange(1, 3).Draw(rt, "badges") {
					raw := make([]byte, []int{4, 7, 10}[source.IntN(3)])
					for i := range raw {
						raw[i] = byte(source.IntN(0x88)) // no cascade tags
					}
					uid, err := device.NewUID(raw)
					if err != nil || want[uid] {
						continue
					}
					want[uid] = true
					card := &mfrc522test.Card{UID: raw}
					cards = append(cards, card)
					sim.Place(card)
				}
				// Badges at once collide, and are read one after the other.
				time.Sleep(time.Duration(len(cards)) * 3 * b.soonEnough())
				for _, card := range cards {
					sim.Remove(card)
				}
				time.Sleep(time.Second + 100*late)
				for len(taps) > 0 {
					tap := <-taps
					if !want[tap.UID] {
						rt.Errorf("read %v, which is not there or was read before", tap.UID.Hex())
					}
					delete(want, tap.UID)
				}
				if len(want) > 0 || !r.Health().Healthy {
					rt.Errorf("%d of %d badges were not read; %+v", len(want), len(cards), r.Health())
				}
			}
		})
	})
}

// bubble hides a test's deadline, which is not to be asked for in a bubble.
type bubble struct{ rapid.TB }

// A bus that ends chip-selects early, from the start or from then on, keeps nobody from
// booking: the driver finds out and goes on register by register.
func TestChipSelectsThatEndEarly(t *testing.T) {
	const soon = 150 * time.Millisecond
	for name, c := range map[string]struct {
		early, rests bool // from the start; a badge rests on the reader when it begins
	}{"from the start": {early: true}, "later": {}, "while a badge rests": {rests: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for phase := time.Duration(0); phase < 40*time.Millisecond; phase += time.Millisecond {
					sim, r, taps, stop := launch(t, func(chip *mfrc522test.Chip) {
						chip.Report = nil // what is cut off is no whole access
						chip.EndChipSelectsEarly(c.early)
					}, everyTick)
					if note := r.Health().Note; (note != "") != c.early {
						t.Errorf("note at the start: %q", note)
					}
					resting := badge(9)
					if c.rests {
						sim.Place(resting)
						time.Sleep(time.Second)
						<-taps
					}
					time.Sleep(phase)
					sim.EndChipSelectsEarly(true)
					for n, uid := range lengths {
						card := &mfrc522test.Card{UID: uid}
						sim.Place(card)
						time.Sleep(soon)
						if len(taps) != 1 {
							t.Fatalf("badge %d, %v into a poll: %d taps in %v, want 1; %+v", n+1, phase, len(taps),
								soon, r.Health())
						}
						if tap := <-taps; fmt.Sprintf("%X", uid) != tap.UID.Hex() {
							t.Errorf("read %s, not %X", tap.UID.Hex(), uid)
						}
						sim.Remove(card)
						time.Sleep(time.Second)
					}
					if h := r.Health(); !h.Healthy || h.Restarts > 0 || h.Note == "" {
						t.Errorf("%+v", h)
					}
					stop()
				}
			})
		})
	}
}

// One disturbed byte is no reason to go register by register, nor to set up the chip again.
func TestOneDisturbedCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, r, _, stop := launch(t, func(chip *mfrc522test.Chip) { chip.Report = nil }, everyTick)
		defer stop()
		for range 100 {
			sim.EndChipSelectsEarly(true)
			before := sim.Traffic().Transfers
			for sim.Traffic().Transfers == before {
				time.Sleep(100 * time.Microsecond)
			}
			sim.EndChipSelectsEarly(false)
			time.Sleep(time.Second)
		}
		if h := r.Health(); !h.Healthy || h.Note != "" || h.Restarts > 0 {
			t.Errorf("%+v", h)
		}
	})
}

// A bus that ends a chip-select early now and then costs no restart and books nobody twice.
func TestChipSelectsThatEndEarlyAtTimes(t *testing.T) {
	for _, share := range []float64{0.01, 0.05, 0.2} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				source := rand.New(rand.NewPCG(3, 4))
				_, r, taps, stop := launch(t, func(chip *mfrc522test.Chip) {
					chip.Report = nil // what is cut off is no whole access
					chip.EndsEarly = func() bool { return source.Float64() < share }
					for n := range byte(50) {
						time.AfterFunc(time.Second+time.Duration(n)*12*time.Second, func() {
							card := badge(n)
							chip.Place(card)
							time.AfterFunc(10*time.Second, func() { chip.Remove(card) })
						})
					}
				}, everyTick)
				defer stop()
				time.Sleep(11 * time.Minute)
				if h := r.Health(); !h.Healthy || h.Restarts > 0 || h.Note == "" || len(taps) != 50 {
					t.Errorf("%d taps of 50 badges; %+v", len(taps), h)
				}
			})
		})
	}
}

// Whatever noise leaves in the FIFO when the field goes off, badges are read.
func TestStrayBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := rand.New(rand.NewPCG(5, 6))
		sim, r, taps, stop := launch(t, func(chip *mfrc522test.Chip) {
			own := rand.New(rand.NewPCG(7, 8))
			chip.Stray = func() []byte { return make([]byte, own.IntN(4)) }
		}, everyTick)
		defer stop()
		for n := range byte(100) {
			time.Sleep(time.Duration(source.Int64N(int64(time.Second))))
			card := badge(n)
			sim.Place(card)
			time.Sleep(100 * time.Millisecond) // a poll more than without noise
			sim.Remove(card)
			time.Sleep(time.Second)
			if len(taps) != 1 {
				t.Fatalf("badge %d: %d taps; %+v", n, len(taps), r.Health())
			}
			<-taps
		}
		if h := r.Health(); h.Restarts > 0 {
			t.Errorf("%+v", h)
		}
	})
}

// A badge that keeps its power for longer than the field is off between two frames is read
// all the same.
func TestBadgeThatKeepsItsPower(t *testing.T) {
	for _, keeps := range []time.Duration{
		0, 30 * time.Microsecond, 100 * time.Microsecond,
		time.Millisecond, 4 * time.Millisecond, 20 * time.Millisecond, 33 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			sim, r, taps := start(t)
			for phase := time.Duration(0); phase < 40*time.Millisecond; phase += 700 * time.Microsecond {
				time.Sleep(time.Second + phase)
				card := &mfrc522test.Card{UID: lengths[2], Keeps: keeps}
				sim.Place(card)
				time.Sleep(65 * time.Millisecond)
				sim.Remove(card)
				time.Sleep(time.Second)
				if len(taps) != 1 {
					t.Fatalf("keeps it for %v, %v into a poll: %d taps; %+v", keeps, phase, len(taps), r.Health())
				}
				<-taps
			}
		})
	}
}

// Somebody who comes again a moment later, while others were there, is read again.
func TestFewWhoComeAgain(t *testing.T) {
	everywhere(t, func(t *testing.T, b board) {
		sim, _, taps := startOn(t, b, everyTick)
		for n := range 200 {
			card := badge(byte(n % 5))
			sim.Place(card)
			time.Sleep(2*b.soonEnough() - 40*time.Millisecond + time.Duration(n%7)*time.Millisecond)
			sim.Remove(card)
			if len(taps) != 1 {
				t.Fatalf("badge %d: %d taps", n, len(taps))
			}
			<-taps
		}
	})
}
