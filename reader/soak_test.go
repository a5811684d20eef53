package reader_test

import (
	"flag"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/reader"
	"timeclock/reader/mfrc522/mfrc522test"
)

var soak = flag.Duration("soak", 2*time.Hour, "how much simulated time TestSoak lasts; a week: -soak 168h")

// TestSoak lives through taps, noise, brown-outs and dead buses in fast time, on a bus
// whose clock jumps:
//
//	go test -v -run TestSoak ./reader -soak 168h -timeout 1h
//
// While the bus is well every badge is read exactly once; after each fault the
// reader heals within five seconds; nothing leaks.
func TestSoak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &soaking{t: t, rand: rand.New(rand.NewPCG(1, 2))}
		s.sim, s.reader, s.taps = startOn(t, board{clock: jumping()}, everyTick)
		s.sim.Report = nil // a driver cannot know that the supply has just come back
		s.sim.Noise = s.noise
		s.life(10 * time.Minute) // until everything has its size
		before := measure()
		*s = soaking{t: t, rand: s.rand, sim: s.sim, reader: s.reader, taps: s.taps}
		began := time.Now()
		s.life(*soak)
		after := measure()
		h := s.reader.Health()
		t.Logf("%v: %d taps, %d read, %d of them through noise; %d faults, slowest recovery %v; %d restarts, "+
			"%d bad reads",
			time.Since(began).Round(time.Second), s.tapped, s.read, s.noisy, s.faults, s.slowest, h.Restarts, h.Errors)
		t.Logf("heap %d → %d kB, goroutines %d → %d, open files %d → %d", before.heap>>10, after.heap>>10,
			before.goroutines, after.goroutines, before.files, after.files)
		if grown := int(after.heap) - int(before.heap); grown > 1<<20 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
		if after.goroutines != before.goroutines || after.files != before.files {
			t.Error("goroutines or files leaked")
		}
	})
}

type soaking struct {
	t      *testing.T
	rand   *rand.Rand
	sim    *mfrc522test.Chip
	reader *reader.Reader
	taps   chan device.Tap

	noiseLeft                   int
	tapped, read, noisy, faults int
	slowest                     time.Duration
}

// life goes on for a while: a tap every minute or so, a fault every half hour.
func (s *soaking) life(lasting time.Duration) {
	nextFault := s.between(10*time.Minute, 50*time.Minute)
	for end := time.Now().Add(lasting); time.Now().Before(end); {
		pause := s.between(time.Second, 2*time.Minute)
		time.Sleep(pause)
		if nextFault -= pause; nextFault < 0 {
			s.fault()
			nextFault = s.between(10*time.Minute, 50*time.Minute)
		}
		s.tap()
	}
}

func (s *soaking) between(a, b time.Duration) time.Duration {
	return a + time.Duration(s.rand.Int64N(int64(b-a)))
}

// tap brings a badge, sometimes through noise, and expects to read it once.
func (s *soaking) tap() {
	uid := make([]byte, []int{4, 7, 10}[s.rand.IntN(3)])
	for i := range uid {
		uid[i] = byte(s.rand.IntN(0x88)) // no cascade tags
	}
	stay := s.between(60*time.Millisecond, 3*time.Second)
	if s.rand.IntN(5) == 0 {
		s.noiseLeft, stay = s.rand.IntN(6), stay+500*time.Millisecond
		s.noisy++
	}
	card := &mfrc522test.Card{UID: uid}
	s.sim.Place(card)
	time.Sleep(stay)
	s.sim.Remove(card)
	time.Sleep(500 * time.Millisecond)
	s.tapped++
	want, _ := device.NewUID(uid)
	if n := len(s.taps); n != 1 {
		s.t.Fatalf("tap %d, %v long: %d reads; %+v", s.tapped, stay, n, s.reader.Health())
	}
	if tap := <-s.taps; tap.UID != want {
		s.t.Fatalf("tap %d: a wrong UID was read", s.tapped)
	}
	s.read++
}

// noise disturbs the next few answers.
func (s *soaking) noise(a *mfrc522test.Answer) {
	if s.noiseLeft == 0 {
		return
	}
	s.noiseLeft--
	at := s.rand.IntN(len(a.Bits))
	switch s.rand.IntN(3) {
	case 0:
		a.Bits = a.Bits[:at]
	case 1:
		a.Bits[at] ^= 1
		a.Parity = true
	default:
		a.Bits[at] ^= 1
	}
}

// fault breaks something for a while and waits until it has healed.
func (s *soaking) fault() {
	s.faults++
	lasting := s.between(10*time.Millisecond, time.Minute)
	switch s.rand.IntN(5) {
	case 0:
		s.sim.BrownOut()
	case 1:
		s.sim.Hang()
	case 2:
		s.broken(mfrc522test.Low, lasting)
	case 3:
		s.broken(mfrc522test.High, lasting)
	default:
		s.broken(mfrc522test.NoNode, lasting)
	}
	began := time.Now()
	time.Sleep(600 * time.Millisecond) // it may not have been noticed yet
	for !s.reader.Health().Healthy {
		if time.Since(began) > 5*time.Second {
			s.t.Fatalf("not healed after five seconds: %+v", s.reader.Health())
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.slowest = max(s.slowest, time.Since(began))
	time.Sleep(100 * time.Millisecond)
}

func (s *soaking) broken(how mfrc522test.Bus, lasting time.Duration) {
	s.sim.SetBus(how)
	time.Sleep(lasting)
	s.sim.SetBus(mfrc522test.BusOK)
}

type size struct {
	heap              uint64
	goroutines, files int
}

func measure() size {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd")
	return size{m.HeapAlloc, runtime.NumGoroutine(), len(files)}
}
