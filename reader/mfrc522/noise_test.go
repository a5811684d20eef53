package mfrc522_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/reader/mfrc522"
	"timeclock/reader/mfrc522/mfrc522test"

	"pgregory.net/rapid"
)

// anyUID draws a UID as the standard allows it: the first byte of a single-size
// UID is no cascade tag, and neither is the fourth of a longer one.
func anyUID(t *rapid.T, label string) []byte {
	n := rapid.SampledFrom([]int{4, 7, 10}).Draw(t, label+" length")
	uid := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, label)
	for i := 0; i < n-3; i += 3 {
		if uid[i] == 0x88 {
			uid[i] = 0x04
		}
	}
	return uid
}

// disturb is a way to spoil an answer on the air.
func disturb(t *rapid.T) func(*mfrc522test.Answer) {
	kind := rapid.SampledFrom([]string{"flip", "two flips", "flip with its parity", "cut", "silence", "none"})
	return func(a *mfrc522test.Answer) {
		at := func() int { return rapid.IntRange(0, len(a.Bits)-1).Draw(t, "position") }
		switch kind.Draw(t, "noise") {
		case "flip":
			a.Bits[at()] ^= 1
			a.Parity = true
		case "flip with its parity":
			a.Bits[at()] ^= 1
		case "two flips":
			a.Bits[at()] ^= 1
			a.Bits[at()] ^= 1
		case "cut":
			a.Bits = a.Bits[:at()]
		case "silence":
			a.Bits = nil
		}
	}
}

// bubble hides a test's deadline, which is not to be asked for in a bubble.
type bubble struct{ rapid.TB }

// TestNeverAWrongUID reads one to three random badges through noise at random
// places: what is read is always one of them, whole; and once the noise ends,
// all of them are read.
func TestNeverAWrongUID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubble{t}, func(t *rapid.T) {
			chip := &mfrc522test.Chip{
				Report:         func(v string) { t.Error("violation:", v) },
				AlignedCollPos: rapid.Bool().Draw(t, "aligned CollPos"),
				OneShot:        rapid.Bool().Draw(t, "Transceive ends by itself"),
			}
			ratio := rapid.Float64Range(0.25, 2.5).Draw(t, "bus clock")
			chip.Clock = func() float64 { return ratio }
			if late := rapid.IntRange(0, 3).Draw(t, "host late, ms"); late > 0 {
				chip.Delay = func() time.Duration { return time.Duration(late) * time.Millisecond }
			}
			dev, err := mfrc522.New(chip, mfrc522.Opts{})
			if err != nil {
				t.Fatal(err)
			}
			var there [][]byte
			for i := range rapid.IntRange(1, 3).Draw(t, "badges") {
				uid := anyUID(t, fmt.Sprint("badge ", i))
				if !slices.ContainsFunc(there, func(o []byte) bool { return bytes.Equal(o, uid) }) {
					there = append(there, uid)
					chip.Place(&mfrc522test.Card{UID: uid})
				}
			}
			disturbed := rapid.IntRange(0, 12).Draw(t, "disturbed answers")
			noise := disturb(t)
			chip.Noise = func(a *mfrc522test.Answer) {
				if disturbed > 0 {
					disturbed--
					noise(a)
				}
			}
			read := map[string]bool{}
			for poll := 0; poll < 40 && (disturbed > 0 || len(read) < len(there)); poll++ {
				uids, err := newcomers(dev)
				if mfrc522.Fatal(err) {
					t.Fatalf("noise on the air is no fault of the chip: %v", err)
				}
				for _, uid := range uids {
					if !slices.ContainsFunc(there, func(o []byte) bool { return bytes.Equal(o, uid) }) {
						t.Fatalf("read %X, which is not there; there are %X", uid, there)
					}
					read[string(uid)] = true
				}
			}
			if len(read) < len(there) {
				t.Fatalf("only %d of these %d badges were read: %X", len(read), len(there), there)
			}
		})
	})
}
