package mfrc522test_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/reader/mfrc522/mfrc522test"

	"periph.io/x/devices/v3/mfrc522"
)

// TestPeriphReadsIt shows that the simulation is a chip and not a mirror of our
// driver: somebody else's reads a badge from it, by its interrupt line and by
// the chip's own checksum unit.
func TestPeriphReadsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := &mfrc522test.Chip{Report: func(v string) { t.Log("violation:", v) }}
		dev, err := mfrc522.NewSPI(chip, chip.ResetPin(), chip.IRQPin(), mfrc522.WithSync())
		if err != nil {
			t.Fatal(err)
		}
		uid := []byte{0xA1, 0xB2, 0xC3, 0xD4}
		// That driver gives badges less time to wake than the standard does.
		chip.Place(&mfrc522test.Card{UID: uid, Wake: 100 * time.Microsecond})
		time.Sleep(10 * time.Millisecond)
		got, err := dev.ReadUID(5 * time.Second)
		if err != nil || !bytes.Equal(got, uid) {
			t.Errorf("periph's driver read %X, %v; want %X", got, err, uid)
		}
	})
}
