package mfrc522test_test

import (
	"testing"
	"testing/synctest"
	"time"

	"timeclock/reader/mfrc522/mfrc522test"

	"periph.io/x/conn/v3/physic"
)

// A transfer takes as long as its bytes do on the bus, each chip-select at its own speed and
// by the clock that the bus really has, and as the host lets it wait.
func TestTransferTakesItsTime(t *testing.T) {
	const version = 0x80 | 0x37<<1
	read := func(speed physic.Frequency) mfrc522test.Select {
		return mfrc522test.Select{W: []byte{version, 0}, R: make([]byte, 2), Speed: speed}
	}
	for name, c := range map[string]struct {
		chip    *mfrc522test.Chip
		selects []mfrc522test.Select
		want    time.Duration // beside the host's own
	}{
		"one": {&mfrc522test.Chip{}, []mfrc522test.Select{read(physic.MegaHertz)}, 16 * time.Microsecond},
		"at two speeds": {
			&mfrc522test.Chip{},
			[]mfrc522test.Select{read(physic.MegaHertz), read(100 * physic.KiloHertz)},
			176 * time.Microsecond,
		},
		"on a fast bus": {
			&mfrc522test.Chip{Clock: func() float64 { return 2 }},
			[]mfrc522test.Select{read(physic.MegaHertz)},
			8 * time.Microsecond,
		},
		"by a late host": {
			&mfrc522test.Chip{Delay: func() time.Duration { return time.Millisecond }},
			[]mfrc522test.Select{read(physic.MegaHertz), read(physic.MegaHertz)},
			2032 * time.Microsecond,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			if err := c.chip.Transfer(c.selects); err != nil {
				t.Fatal(err)
			}
			const host = 40 * time.Microsecond
			if took := time.Since(start) - host; took != c.want {
				t.Errorf("%s: %v, want %v", name, took, c.want)
			}
			if got := c.selects[0].R[1]; got != 0x92 {
				t.Errorf("%s: VersionReg reads %02X", name, got)
			}
		})
	}
}
