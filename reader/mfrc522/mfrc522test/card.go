package mfrc522test

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// Times on the air at 106 kbit/s (ISO/IEC 14443-3:2018). One elementary time
// unit is 128 carrier periods of 13.56 MHz.
const (
	etu = 128 * time.Second / 13_560_000
	// A card answers 1236 carrier periods after the reader's last pulse
	// (table 6, n = 9, last bit 1).
	frameDelay = 1236 * time.Second / 13_560_000
	// A card must understand REQA 5 ms after it got its power (clause 5.1).
	slowestWake = 5 * time.Millisecond
)

// Card is a simulated badge: ISO/IEC 14443-3 type A up to its UID. UID must
// have 4, 7 or 10 bytes.
type Card struct {
	UID []byte
	// Wake is how long it takes from power to the first REQA; 0 means 5 ms, all
	// that the standard allows.
	Wake time.Duration
	// Keeps is how long it keeps its state without a field; the standard wants it gone
	// after 5 ms (ISO/IEC 14443-3, clause 5.1).
	Keeps time.Duration

	state   cardState
	lost    time.Time // when the field went; zero: it is there
	halted  bool      // woken from HALT: falls back there instead of to IDLE
	level   int       // cascade level it is being selected on
	powered time.Time
}

type cardState uint8

const (
	off cardState = iota
	idle
	ready
	active
	halt
)

const cascadeTag = 0x88 // ISO/IEC 14443-3, clause 6.5.4

// uidCL returns the four UID bytes and check byte of a cascade level.
func (c *Card) uidCL(level int) []byte {
	var b []byte
	if last := (len(c.UID) - 4) / 3; level == last {
		b = append(b, c.UID[level*3:]...)
	} else {
		b = append(b, cascadeTag)
		b = append(b, c.UID[level*3:level*3+3]...)
	}
	return append(b, b[0]^b[1]^b[2]^b[3])
}

// fallBack is what every card does with a command it did not expect.
func (c *Card) fallBack() {
	c.state = idle
	if c.halted {
		c.state = halt
	}
}

// hear lets the card take a frame from the reader and returns its answer as
// single bits, lowest first; nil is silence.
func (c *Card) hear(f frame, now time.Time) []byte {
	if c.state == off || now.Sub(c.powered) < cmp.Or(c.Wake, slowestWake) {
		return nil
	}
	if f.short() {
		return c.hearShort(f.bytes()[0])
	}
	b := f.bytes()
	switch {
	case c.state == ready && len(b) >= 2 && b[0] == selectCode(c.level):
		return c.hearSelect(b, f)
	case c.state == active && len(f)%8 == 0 && len(b) == 4 && b[0] == 0x50 && b[1] == 0 && crcOK(b):
		c.state = halt
		return nil
	}
	if c.state == ready || c.state == active {
		c.fallBack()
	}
	return nil
}

func selectCode(level int) byte { return 0x93 + 2*byte(level) }

func (c *Card) hearShort(cmd byte) []byte {
	const reqa, wupa = 0x26, 0x52
	switch {
	case (cmd == reqa || cmd == wupa) && c.state == idle:
		c.halted = false
	case cmd == wupa && c.state == halt:
		c.halted = true
	default:
		if c.state == ready || c.state == active {
			c.fallBack()
		}
		return nil
	}
	c.state, c.level = ready, 0
	atqa := []byte{0x04 | byte((len(c.UID)-4)/3)<<6, 0x00}
	return bits(atqa)
}

func (c *Card) hearSelect(b []byte, f frame) []byte {
	own := c.uidCL(c.level)
	nvb := b[1]
	if nvb == 0x70 {
		if len(f) != 9*8 || !crcOK(b) || !bytes.Equal(b[2:7], own) {
			c.fallBack()
			return nil
		}
		sak := byte(0x08)
		if c.level < (len(c.UID)-4)/3 {
			sak = 0x04 // the UID goes on in the next level
			c.level++
		} else {
			c.state = active
		}
		return bits(appendCRC([]byte{sak}))
	}
	known := int(nvb>>4-2)*8 + int(nvb&7)
	if nvb>>4 < 2 || known >= 32 || len(f) != 16+known || !slices.Equal(f[16:], frame(bits(own))[:known]) {
		c.fallBack()
		return nil
	}
	return bits(own)[known:]
}

// frame is what goes over the air: bits without parity, lowest first.
type frame []byte

func (f frame) short() bool { return len(f) == 7 }

func (f frame) bytes() []byte {
	out := make([]byte, (len(f)+7)/8)
	for i, bit := range f {
		out[i/8] |= bit << (i % 8)
	}
	return out
}

func bits(b []byte) []byte {
	out := make([]byte, 0, len(b)*8)
	for _, v := range b {
		for i := range 8 {
			out = append(out, v>>i&1)
		}
	}
	return out
}

// crcA is CRC_A with a preset (ISO/IEC 14443-3, annex B: 6363 hex).
func crcA(preset uint16, b []byte) uint16 {
	crc := preset
	for _, v := range b {
		v ^= byte(crc)
		v ^= v << 4
		crc = crc>>8 ^ uint16(v)<<8 ^ uint16(v)<<3 ^ uint16(v)>>4
	}
	return crc
}

func appendCRC(b []byte) []byte {
	crc := crcA(0x6363, b)
	return append(b, byte(crc), byte(crc>>8))
}

func crcOK(b []byte) bool {
	return len(b) > 2 && crcA(0x6363, b[:len(b)-2]) == uint16(b[len(b)-2])|uint16(b[len(b)-1])<<8
}
