package device

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
)

// UID identifies a badge: 4, 7 or 10 bytes (ISO/IEC 14443-3, clause 6.5.4:
// single, double and triple size). The zero UID identifies none.
//
// A UID is a credential: who knows it can copy the badge. So it prints masked
// by default, in logs and errors too; only Hex gives it whole.
type UID struct {
	bytes [10]byte
	size  uint8
}

// NewUID makes a UID of its bytes, in the order in which the badge sends them.
func NewUID(b []byte) (UID, error) {
	switch len(b) {
	case 4, 7, 10:
		u := UID{size: uint8(len(b))}
		copy(u.bytes[:], b)
		return u, nil
	}
	return UID{}, fmt.Errorf("a UID of %d bytes does not exist: badges have 4, 7 or 10 bytes (8, 14 or 20 hex digits)",
		len(b))
}

// ParseUID reads 8, 14 or 20 hex digits in either case; spaces, colons and
// hyphens between them are ignored.
func ParseUID(s string) (UID, error) {
	digits := strings.NewReplacer(" ", "", ":", "", "-", "").Replace(s)
	for i, c := range digits {
		if !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return UID{}, fmt.Errorf("UID has %q at digit %d: only 0-9 and A-F are hex digits", c, i+1)
		}
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return UID{}, fmt.Errorf("UID has %d hex digits: badges have 8, 14 or 20", len(digits))
	}
	return NewUID(b)
}

// Hex returns the whole UID in its canonical form: upper-case hex without
// separators. It is for the roster and for the operator who typed it, never
// for logs or public screens.
func (u UID) Hex() string { return strings.ToUpper(hex.EncodeToString(u.bytes[:u.size])) }

// Compare orders UIDs as their canonical forms would be.
func (u UID) Compare(v UID) int { return bytes.Compare(u.bytes[:u.size], v.bytes[:v.size]) }

// Bytes returns the UID's bytes in the order in which the badge sends them.
func (u UID) Bytes() []byte { return append([]byte(nil), u.bytes[:u.size]...) }

// Size is the number of bytes.
func (u UID) Size() int { return int(u.size) }

// IsZero reports whether u identifies no badge.
func (u UID) IsZero() bool { return u.size == 0 }

// Random reports whether the badge makes up a new UID each time it is powered,
// as phones and passports do: 4 bytes, the first of them 08 (ISO/IEC 14443-3,
// table 8). Such a UID can never identify anybody.
func (u UID) Random() bool { return u.size == 4 && u.bytes[0] == 0x08 }

// String returns the UID masked down to its last two digits.
func (u UID) String() string {
	if u.IsZero() {
		return "none"
	}
	return fmt.Sprintf("…%02X", u.bytes[u.size-1])
}

// Format masks the UID under every verb, so that %x and %v of a struct that
// holds one do not leak it.
func (u UID) Format(f fmt.State, _ rune) { fmt.Fprint(f, u.String()) }

// LogValue masks the UID in structured logs.
func (u UID) LogValue() slog.Value { return slog.StringValue(u.String()) }

// Weakness is why a badge's number proves less than others do. Any number can be copied,
// since a badge tells it to whoever asks.
type Weakness string

// The weaknesses that a number shows.
const (
	// ShortUID: 4 bytes. There are more badges than such numbers, so that others may have the
	// same one (NXP AN10927), and badges whose number can be written are sold for cents.
	ShortUID Weakness = "short"
	// RandomUID: it changes at each tap (ISO/IEC 14443-3, clause 6.5.4: it begins with 08).
	RandomUID Weakness = "random"
)

// Weakness says why the number proves less than others; empty if it does not.
func (u UID) Weakness() Weakness {
	switch {
	case u.Random():
		return RandomUID
	case u.size == 4:
		return ShortUID
	}
	return ""
}
