package roster

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"timeclock/device"
)

// Numbers says how badge numbers are written. The same badge has many: hex in the
// order of its bytes, or backwards, decimal, or with a check byte behind it.
type Numbers string

// The ways in which badge numbers are written.
const (
	Auto            Numbers = ""                 // found out from the numbers themselves
	Written         Numbers = "hex"              // 8, 14 or 20 hex digits in the badge's own order
	Reversed        Numbers = "hex-reversed"     // the same, last byte first
	CheckByte       Numbers = "check-byte"       // 4 bytes and their check byte (ISO/IEC 14443-3, clause 6.5.3.2), in hex or decimal, as SimpleMFRC522 writes them
	Decimal         Numbers = "decimal"          // the hex number in decimal: readers call it 8H10D
	DecimalReversed Numbers = "decimal-reversed" // the reversed one in decimal
)

// AllNumbers are the ways that one may name.
var AllNumbers = []Numbers{Written, Reversed, CheckByte, Decimal, DecimalReversed}

// ParseNumbers reads the name of a way.
func ParseNumbers(s string) (Numbers, error) {
	if n := Numbers(s); n == Auto || slices.Contains(AllNumbers, n) {
		return n, nil
	}
	return Auto, fmt.Errorf("%q is no way to write badge numbers: use hex, hex-reversed, check-byte, decimal or decimal-reversed", s)
}

// Reading is what a badge number says if it is written in a certain way.
type Reading struct {
	Numbers Numbers
	UID     device.UID
	Problem error // why this UID cannot be in the badge map
}

// Explain returns every reading of a number, the most likely first.
func Explain(number string) []Reading {
	var out []Reading
	for _, n := range AllNumbers {
		uid, err := n.read(number)
		if err == nil {
			out = append(out, Reading{n, uid, checkUID(uid)})
		}
	}
	return out
}

var errNotSo = errors.New("is not written so")

// read reads a number that is written in this way.
func (n Numbers) read(number string) (device.UID, error) {
	digits := strings.NewReplacer(" ", "", ":", "", "-", "", ".", "", "\u00a0", "").Replace(number)
	switch n {
	case Written:
		return device.ParseUID(digits)
	case Reversed:
		uid, err := device.ParseUID(digits)
		return turned(uid), err
	case Decimal:
		return fromDecimal(digits)
	case DecimalReversed:
		uid, err := fromDecimal(digits)
		return turned(uid), err
	case CheckByte:
		return withCheckByte(digits)
	}
	return device.UID{}, errNotSo
}

// turned puts the last byte first.
func turned(uid device.UID) device.UID {
	b := uid.Bytes()
	slices.Reverse(b)
	uid, _ = device.NewUID(b) // as many as there were
	return uid
}

// parseDecimal reads a whole number without a sign.
func parseDecimal(digits string) (*big.Int, bool) {
	if digits == "" || len(digits) > 25 || strings.Trim(digits, "0123456789") != "" {
		return nil, false
	}
	return new(big.Int).SetString(digits, 10)
}

// fromDecimal fills up to 4 bytes, or to 7 or 10 if the number is larger.
func fromDecimal(digits string) (device.UID, error) {
	v, ok := parseDecimal(digits)
	if !ok {
		return device.UID{}, errNotSo
	}
	for _, size := range []int{4, 7, 10} {
		if v.BitLen() <= 8*size {
			return device.NewUID(v.FillBytes(make([]byte, size)))
		}
	}
	return device.UID{}, errNotSo
}

// withCheckByte reads five bytes of which the last is the exclusive or of the others.
func withCheckByte(digits string) (device.UID, error) {
	var v *big.Int
	var ok bool
	if len(digits) == 10 && strings.Trim(digits, "0123456789abcdefABCDEF") == "" {
		v, ok = new(big.Int).SetString(digits, 16)
		if ok && !checks(v) {
			v, ok = parseDecimal(digits)
		}
	} else {
		v, ok = parseDecimal(digits)
	}
	if !ok || !checks(v) {
		return device.UID{}, errNotSo
	}
	return device.NewUID(v.FillBytes(make([]byte, 5))[:4])
}

func checks(v *big.Int) bool {
	if v.BitLen() > 40 {
		return false
	}
	b := v.FillBytes(make([]byte, 5))
	return b[0]^b[1]^b[2]^b[3] == b[4]
}

// checkUID says why a UID can never identify a badge.
func checkUID(uid device.UID) error {
	b := uid.Bytes()
	switch {
	case uid.Random():
		return fmt.Errorf("UID %s begins with 08: such a badge (a phone, some passports) makes up a new number at every tap and can never identify anyone, use another badge", uid.Hex())
	case len(b) == 4 && b[0] == 0x88: // the cascade tag (ISO/IEC 14443-3, clause 6.5.4)
		return fmt.Errorf("UID %s begins with 88: that is only the first half of a 7-byte number, read it again with a reader that gives all 14 digits", uid.Hex())
	}
	return nil
}

// guess finds out how the numbers of a file are written: by badges that are known
// already, the best evidence first, or else by what can be read at all. It returns
// why it thinks so.
func guess(numbers []string, evidence []func(device.UID) bool) (n Numbers, why string, err error) {
	for _, known := range evidence {
		if way, matches, clear := best(numbers, known); matches > 0 && clear {
			return way, fmt.Sprintf("%d of them are known so: tapped here, or given out by hand", matches), nil
		} else if matches > 0 {
			return Auto, "", errors.New("badges that were tapped here match these numbers in more than one way: say -numbers hex, hex-reversed, check-byte, decimal or decimal-reversed")
		}
	}
	readable := func(way Numbers) bool {
		for _, number := range numbers {
			if _, err := way.read(number); err != nil {
				return false
			}
		}
		return len(numbers) > 0
	}
	digits := strings.Trim(strings.Join(numbers, ""), "0123456789") == ""
	switch {
	case readable(Written) && digits:
		return Written, "all have 8, 14 or 20 digits; none has a letter, though: if they are decimal, say -numbers decimal or -numbers decimal-reversed", nil
	case readable(Written):
		return Written, "all have 8, 14 or 20 hex digits", nil
	case readable(CheckByte) && (len(numbers) > 2 || !readable(Decimal) || !short(numbers)):
		return CheckByte, "all have five bytes, of which the last checks the others", nil
	case readable(Decimal):
		return Auto, "", errors.New("the badge numbers are decimal, and in which order their bytes stand cannot be seen: tap one of these badges at the clock and try again, or say -numbers decimal or -numbers decimal-reversed (`timeclock badge explain NUMBER` shows both)")
	}
	return Written, "some have 8, 14 or 20 hex digits", nil
}

// short reports whether a number would fit into four bytes: then five, of which the
// last checks the others, may be chance.
func short(numbers []string) bool {
	for _, number := range numbers {
		if v, ok := parseDecimal(strings.TrimSpace(number)); ok && v.BitLen() <= 32 {
			return true
		}
	}
	return false
}

// best returns in which way the most numbers are known, and whether in no other as
// many are.
func best(numbers []string, known func(device.UID) bool) (n Numbers, most int, clear bool) {
	for _, way := range AllNumbers {
		matches := 0
		for _, number := range numbers {
			if uid, err := way.read(number); err == nil && known(uid) {
				matches++
			}
		}
		switch {
		case matches > most:
			n, most, clear = way, matches, true
		case matches == most:
			clear = false
		}
	}
	return n, most, clear
}
