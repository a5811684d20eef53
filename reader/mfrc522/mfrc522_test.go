package mfrc522_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/reader/mfrc522"
	"timeclock/reader/mfrc522/mfrc522test"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

var (
	uid4  = []byte{0xA1, 0xB2, 0xC3, 0xD4}
	uid7  = []byte{0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66}
	uid10 = []byte{0x04, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A}
)

// newChip returns a strict chip and its driver.
func newChip(t *testing.T) (*mfrc522test.Chip, *mfrc522.Dev) {
	t.Helper()
	chip := &mfrc522test.Chip{Report: func(v string) { t.Error("violation:", v) }}
	dev, err := mfrc522.New(chip, mfrc522.Opts{})
	if err != nil {
		t.Fatal(err)
	}
	return chip, dev
}

// newcomers collects what the driver finds.
func newcomers(dev *mfrc522.Dev) (uids [][]byte, err error) {
	err = dev.Newcomers(func(uid []byte) { uids = append(uids, uid) })
	return uids, err
}

func TestReadsEveryLength(t *testing.T) {
	for _, uid := range [][]byte{uid4, uid7, uid10} {
		synctest.Test(t, func(t *testing.T) {
			chip, dev := newChip(t)
			card := &mfrc522test.Card{UID: uid}
			if got, err := newcomers(dev); err != nil || len(got) != 0 {
				t.Fatalf("empty field: %X, %v", got, err)
			}
			chip.Place(card)
			time.Sleep(10 * time.Millisecond)
			got, err := newcomers(dev)
			if err != nil || len(got) != 1 || !bytes.Equal(got[0], uid) {
				t.Fatalf("read %X, %v; want %X", got, err, uid)
			}
			if got, err := newcomers(dev); err != nil || len(got) != 0 {
				t.Fatalf("the same badge came twice: %X, %v", got, err)
			}
			for range 3 {
				if there, err := dev.Present(uid); err != nil || !there {
					t.Fatalf("Present = %v, %v while it rests", there, err)
				}
			}
			chip.Remove(card)
			if there, err := dev.Present(uid); err != nil || there {
				t.Fatalf("Present = %v, %v after it left", there, err)
			}
		})
	}
}

func TestBadgeNeedsItsGuardTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip, dev := newChip(t)
		chip.Place(&mfrc522test.Card{UID: uid4})
		if got, err := newcomers(dev); err != nil || len(got) != 1 {
			t.Fatalf("first poll after field on: %X, %v", got, err)
		}
		if err := dev.FieldOff(); err != nil {
			t.Fatal(err)
		}
		on := chip.FieldTime()
		if time.Sleep(time.Second); chip.FieldTime() != on {
			t.Error("the field is on after FieldOff")
		}
		if got, err := newcomers(dev); err != nil || len(got) != 1 {
			t.Fatalf("after the field was off the badge is new again: %X, %v", got, err)
		}
	})
}

func TestSeveralBadgesAreReadWhole(t *testing.T) {
	sets := [][][]byte{
		{uid4, {0xA1, 0xB2, 0xC3, 0xD5}},
		{uid4, uid7},
		{uid7, {0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x67}},
		{uid4, {0x21, 0xB2, 0xC3, 0xD4}, {0x21, 0x32, 0xC3, 0xD4}},
		{uid4, uid7, uid10},
	}
	for _, want := range sets {
		synctest.Test(t, func(t *testing.T) {
			chip, dev := newChip(t)
			for _, uid := range want {
				chip.Place(&mfrc522test.Card{UID: uid})
			}
			got, err := newcomers(dev)
			if err != nil || len(got) != len(want) {
				t.Fatalf("read %X, %v; want %X", got, err, want)
			}
			for _, uid := range want {
				if !slices.ContainsFunc(got, func(g []byte) bool { return bytes.Equal(g, uid) }) {
					t.Errorf("%X was not read; got %X", uid, got)
				}
				if there, err := dev.Present(uid); err != nil || !there {
					t.Errorf("Present(%X) = %v, %v", uid, there, err)
				}
			}
		})
	}
}

func TestBrokenBus(t *testing.T) {
	for name, tc := range map[string]struct {
		bus  mfrc522test.Bus
		want error
	}{
		"low": {mfrc522test.Low, mfrc522.ErrDead}, "high": {mfrc522test.High, mfrc522.ErrDead},
		"no node": {mfrc522test.NoNode, mfrc522.ErrBus},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip, dev := newChip(t)
				chip.SetBus(tc.bus)
				if err := dev.Check(); !errors.Is(err, tc.want) || !mfrc522.Fatal(err) {
					t.Errorf("Check = %v, want %v", err, tc.want)
				}
				if _, err := mfrc522.New(chip, mfrc522.Opts{}); !mfrc522.Fatal(err) {
					t.Errorf("New on a broken bus = %v", err)
				}
				chip.SetBus(mfrc522test.BusOK)
				time.Sleep(10 * time.Millisecond)
				if err := dev.Check(); !errors.Is(err, mfrc522.ErrDead) {
					t.Errorf("Check after the supply was gone = %v: the chip has lost its settings", err)
				}
				if _, err := mfrc522.New(chip, mfrc522.Opts{}); err != nil {
					t.Errorf("New after the bus came back: %v", err)
				}
			})
		})
	}
}

func TestResetAndIRQPins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := &mfrc522test.Chip{Report: func(v string) { t.Error("violation:", v) }}
		reset := chip.ResetPin()
		if err := reset.Out(false); err != nil { // held in reset since power-up
			t.Fatal(err)
		}
		chip.Place(&mfrc522test.Card{UID: uid7})
		dev, err := mfrc522.New(chip, mfrc522.Opts{Reset: reset, IRQ: chip.IRQPin()})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		got, err := newcomers(dev)
		if err != nil || len(got) != 1 || !bytes.Equal(got[0], uid7) {
			t.Fatalf("with both pins: %X, %v", got, err)
		}
		t.Logf("read in %v", time.Since(start))
	})
}

// Clones are named and read badges; one of them does not know SoftReset, and
// finds the registers as somebody else left them.
func TestClones(t *testing.T) {
	for version, want := range map[byte]string{
		0x92: "MFRC522 v2.0", 0x91: "MFRC522 v1.0", 0x90: "MFRC522 v0.0", 0x88: "FM17522 (clone)",
		0xB2: "FM17522 1 (clone)",
		0x89: "FM17522E (clone)", 0x12: "counterfeit MFRC522 (clone)", 0x15: "MFRC522 (clone, version 15)",
		0x77: "unknown chip (version 77)",
	} {
		synctest.Test(t, func(t *testing.T) {
			chip := &mfrc522test.Chip{Version: version, Report: func(v string) { t.Error("violation:", v) }}
			foul(t, chip)
			dev, err := mfrc522.New(chip, mfrc522.Opts{Gain: 48})
			if err != nil || dev.Name() != want {
				t.Fatalf("version %02X: %v, %v; want %s", version, dev, err, want)
			}
			chip.Place(&mfrc522test.Card{UID: uid7})
			if got, err := newcomers(dev); err != nil || len(got) != 1 {
				t.Errorf("%s read %X, %v", want, got, err)
			}
			if err := dev.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A chip that claims to be NXP's is named by its self-test. No answer is refused.
func TestSelfTest(t *testing.T) {
	other := bytes.Repeat([]byte{0x5A}, 64)
	for want, chip := range map[string]*mfrc522test.Chip{
		"MFRC522 v2.0": {Version: 0x92},
		"MFRC522 v1.0": {Version: 0x91},
		"MFRC522 v2.0 (a clone, by its self-test)": {Version: 0x92, SelfTest: other},
		"MFRC522 v1.0 (without a self-test)":       {Version: 0x91, SelfTest: []byte{}},
		"MFRC522 v2.0 (without a self-test)":       {Version: 0x92, SelfTest: other[:63]},
		"FM17522 (clone)":                          {Version: 0x88, SelfTest: other},
	} {
		synctest.Test(t, func(t *testing.T) {
			chip.Report = func(v string) { t.Error("violation:", v) }
			dev, err := mfrc522.New(chip, mfrc522.Opts{})
			if err != nil || dev.Name() != want {
				t.Fatalf("%v, %v; want %s", dev, err, want)
			}
			chip.Place(&mfrc522test.Card{UID: uid7})
			if got, err := newcomers(dev); err != nil || len(got) != 1 {
				t.Errorf("%s read %X, %v", want, got, err)
			}
		})
	}
}

// A check that is disturbed once is no fault, of the chip or of its bus.
func TestDisturbedCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip, dev := newChip(t)
		asked := 0
		chip.EndsEarly = func() bool { asked++; return asked == 1 }
		if err := dev.Check(); err != nil || dev.Note() != "" || asked < 2 {
			t.Errorf("%v, %q after %d batches", err, dev.Note(), asked)
		}
	})
}

// What can be told of a chip that is deaf is told, at once and later.
func TestToldOfDeafness(t *testing.T) {
	for want, fail := range map[string]func(*mfrc522test.Chip){
		"its timer does not fire": (*mfrc522test.Chip).StopTimer,
		"its frame does not end":  func(c *mfrc522test.Chip) { c.IgnoreReset(true); c.Hang() },
	} {
		synctest.Test(t, func(t *testing.T) {
			chip, dev := newChip(t)
			fail(chip)
			if _, err := dev.Sniff(); !errors.Is(err, mfrc522.ErrHung) || !strings.Contains(err.Error(), want) {
				t.Errorf("Sniff: %v, want %q", err, want)
			}
			if _, err := newcomers(dev); !errors.Is(err, mfrc522.ErrHung) || !strings.Contains(err.Error(), want) {
				t.Errorf("Newcomers: %v, want %q", err, want)
			}
			if _, err := mfrc522.New(chip, mfrc522.Opts{}); !errors.Is(err, mfrc522.ErrHung) ||
				!strings.Contains(err.Error(), want) {
				t.Errorf("New: %v, want %q", err, want)
			}
		})
	}
}

// foul leaves a chip's registers as another program might.
func foul(t *testing.T, chip *mfrc522test.Chip) {
	t.Helper()
	conn, err := chip.Connect(physic.MegaHertz, spi.Mode0, 8)
	if err != nil {
		t.Fatal(err)
	}
	const txMode, rxMode, bitFraming, txControl, rfCfg = 0x12, 0x13, 0x0D, 0x14, 0x26
	for _, w := range [][2]byte{{txMode, 0x80}, {rxMode, 0x80}, {bitFraming, 0x37}, {txControl, 0x83}, {rfCfg, 0x08}} {
		if err := conn.Tx([]byte{w[0] << 1, w[1]}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// An interrupt line that floats, sticks or is not there changes nothing but
// the time it takes.
func TestAnyIRQLine(t *testing.T) {
	for name, fires := range map[string]func(time.Duration) bool{
		"stuck on":  func(time.Duration) bool { return true },
		"stuck off": func(d time.Duration) bool { time.Sleep(d); return false },
		"floating": func(d time.Duration) bool {
			wait := rand.N(2 * d)
			time.Sleep(min(wait, d))
			return wait < d
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip := &mfrc522test.Chip{Report: func(v string) { t.Error("violation:", v) }}
				pin := &line{t: t, PinIn: chip.IRQPin(), fires: fires}
				dev, err := mfrc522.New(chip, mfrc522.Opts{IRQ: pin})
				if err != nil {
					t.Fatal(err)
				}
				for _, uid := range [][]byte{uid4, uid7, uid10} {
					card := &mfrc522test.Card{UID: uid}
					chip.Place(card)
					time.Sleep(10 * time.Millisecond)
					got, err := newcomers(dev)
					if len(got) == 0 { // the line may be found out in the middle of a read
						got, err = newcomers(dev)
					}
					if err != nil || len(got) != 1 || !bytes.Equal(got[0], uid) {
						t.Errorf("read %X, %v; want %X", got, err, uid)
					}
					chip.Remove(card)
				}
			})
		})
	}
}

// line is an interrupt line with a fault.
type line struct {
	gpio.PinIn
	t     *testing.T
	fires func(time.Duration) bool
}

func (l *line) WaitForEdge(timeout time.Duration) bool {
	if timeout <= 0 {
		l.t.Errorf("WaitForEdge(%v) does not end on Linux, or at once", timeout)
	}
	return l.fires(timeout)
}
