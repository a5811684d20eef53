package device

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Numbers says how badge numbers are written. The same badge has many: hex in the
// order of its bytes, or backwards, decimal, or with a check byte behind it.
type Numbers string

// The ways in which badge numbers are written.
const (
	AnyNumbers  Numbers = ""             // found out from the numbers themselves
	Hex         Numbers = "hex"          // 8, 14 or 20 hex digits in the badge's own order
	HexReversed Numbers = "hex-reversed" // the same, last byte first
	// 4 bytes and their check byte (ISO/IEC 14443-3, clause 6.5.3.2), in hex or decimal, as SimpleMFRC522 writes them
	CheckByte       Numbers = "check-byte"
	Decimal         Numbers = "decimal"          // the hex number in decimal: readers call it 8H10D
	DecimalReversed Numbers = "decimal-reversed" // the reversed one in decimal
)

// AllNumbers are the ways that one may name.
var AllNumbers = []Numbers{Hex, HexReversed, CheckByte, Decimal, DecimalReversed}

// ParseNumbers reads the name of a way.
func ParseNumbers(s string) (Numbers, error) {
	if n := Numbers(s); n == AnyNumbers || slices.Contains(AllNumbers, n) {
		return n, nil
	}
	return AnyNumbers, fmt.Errorf("%q is no way to write badge numbers: use hex, hex-reversed, check-byte, "+
		"decimal or decimal-reversed", s)
}

// Reading is what a badge number says if it is written in a certain way.
type Reading struct {
	Numbers Numbers
	UID     UID
	Problem error // why this UID cannot be in the badge map
}

// Explain returns every reading of a number, the most likely first.
func Explain(number string) []Reading {
	var out []Reading
	for _, n := range AllNumbers {
		uid, err := n.UID(number)
		if err == nil {
			out = append(out, Reading{n, uid, uid.Check()})
		}
	}
	return out
}

var errNotSo = errors.New("is not written so")

// UID reads a number that is written in this way.
func (n Numbers) UID(number string) (UID, error) {
	digits := strings.NewReplacer(" ", "", ":", "", "-", "", ".", "", "\u00a0", "").Replace(number)
	switch n {
	case Hex:
		return ParseUID(digits)
	case HexReversed:
		uid, err := ParseUID(digits)
		return turned(uid), err
	case Decimal:
		return fromDecimal(digits)
	case DecimalReversed:
		uid, err := fromDecimal(digits)
		return turned(uid), err
	case CheckByte:
		return withCheckByte(digits)
	}
	return UID{}, errNotSo
}

// turned puts the last byte first.
func turned(uid UID) UID {
	b := uid.Bytes()
	slices.Reverse(b)
	uid, _ = NewUID(b) // as many as there were
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
func fromDecimal(digits string) (UID, error) {
	v, ok := parseDecimal(digits)
	if !ok {
		return UID{}, errNotSo
	}
	for _, size := range []int{4, 7, 10} {
		if v.BitLen() <= 8*size {
			return NewUID(v.FillBytes(make([]byte, size)))
		}
	}
	return UID{}, errNotSo
}

// withCheckByte reads five bytes of which the last is the exclusive or of the others.
func withCheckByte(digits string) (UID, error) {
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
		return UID{}, errNotSo
	}
	return NewUID(v.FillBytes(make([]byte, 5))[:4])
}

func checks(v *big.Int) bool {
	if v.BitLen() > 40 {
		return false
	}
	b := v.FillBytes(make([]byte, 5))
	return b[0]^b[1]^b[2]^b[3] == b[4]
}

// Check says why a UID can never identify a badge.
func (u UID) Check() error {
	b := u.Bytes()
	switch {
	case u.Random():
		return fmt.Errorf("UID %s begins with 08: such a badge (a phone, some passports) makes up a new number at "+
			"every tap and can never identify anyone, use another badge", u.Hex())
	case len(b) == 4 && b[0] == 0x88: // the cascade tag (ISO/IEC 14443-3, clause 6.5.4)
		return fmt.Errorf("UID %s begins with 88: that is only the first half of a 7-byte number, "+
			"read it again with a reader that gives all 14 digits", u.Hex())
	}
	return nil
}
