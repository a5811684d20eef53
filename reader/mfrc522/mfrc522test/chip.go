// Package mfrc522test simulates an MFRC522 with badges in front of it, down to
// registers, FIFO, timer and frame times, behind periph's spi.Port. It is
// written from NXP's data sheet (Rev. 3.9) and ISO/IEC 14443-3, for tests and
// for running a whole clock without hardware.
//
// It takes its time from package time, so it lives in a synctest bubble as
// well as in real time. It does not simulate MIFARE authentication or
// ISO 14443-4.
package mfrc522test

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"periph.io/x/conn/v3/physic"
)

// Bus is the state of the wires between host and chip.
type Bus uint8

// What can happen to the wires.
const (
	BusOK  Bus = iota
	Low        // every read gives 00, writes are lost: MISO shorted, no supply
	High       // every read gives FF, writes are lost: nothing connected
	NoNode     // the device node is gone: every transfer is an error
)

// Chip is a simulated MFRC522. The zero Chip is powered, wired and has no
// badge in its field, on a bus that is what the host asked for; configure its
// fields before its first use.
type Chip struct {
	// Version is what VersionReg says; 0 means 0x92, version 2.0.
	Version byte
	// Report is told of each access that a real chip would not forgive:
	// reserved registers, a transfer that breaks the SPI format, a FIFO
	// overrun, use while it starts up.
	Report func(string)
	// AlignedCollPos makes CollPos count from the first bit of the byte that an
	// answer begins in (RxAlign), not from its first bit: the data sheet leaves
	// that open.
	AlignedCollPos bool
	// Noise disturbs what badges answer; nil leaves it as it is.
	Noise func(*Answer)
	// Clock is how fast the bus really is, as a multiple of what the host asked for:
	// 0.5 to 1.6 on a Pi before the 5, and another one at any moment. It is asked at each
	// chip-select; nil means 1.
	Clock func() float64
	// Delay is what a busy host adds before a transfer and between its chip-selects; nil
	// means nothing.
	Delay func() time.Duration
	// SelfTest is what the chip's self-test leaves in the FIFO (chapter 16.1.1). Nil means
	// NXP's answer for NXP's versions; the others have no self-test then.
	SelfTest []byte
	// Stray is what the receiver takes for bytes whenever the field goes off, while a command
	// still receives; nil means nothing.
	Stray func() []byte
	// EndsEarly is asked at each chip-select of a transfer but the last whether it ends one
	// byte early, as a Pi 4 may (raspberrypi/linux issue 5655): a read loses its last byte, a
	// write does not happen. Nil means never; EndChipSelectsEarly sets it at any moment.
	EndsEarly func() bool
	// OneShot makes Transceive end with the first answer, against the data sheet
	// (chapter 10.3.1.8).
	OneShot bool

	mu         sync.Mutex
	booted     bool
	inReset    bool // NRSTPD is low
	hung       bool
	stubborn   bool // no reset ends that
	timeless   bool // its timer does not fire
	wakes      time.Time
	bus        Bus
	regs       [64]byte
	fifo       []byte
	cards      []*Card
	air        *exchange
	timerEnds  time.Time // zero: not running
	testEnds   time.Time // of the self-test; zero: not running
	traffic    Traffic
	fieldTime  time.Duration    // with the field on, until it was last switched
	fieldSince time.Time        // it is on; zero: off
	limit      physic.Frequency // of the bus; 0: none
	byteTime   time.Duration    // on the bus, in the transfer under way
	now        time.Time        // of the transfer under way
}

// Traffic counts what went over the bus.
type Traffic struct {
	Transfers int // calls of Tx or TxPackets: one ioctl each on Linux
	Bytes     int
}

// Place brings a badge into the field, as someone holding it there would.
func (c *Chip) Place(card *Card) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(time.Now())
	card.state, card.halted, card.lost = off, false, time.Time{}
	c.cards = append(c.cards, card)
	if c.fieldOn() {
		card.state, card.powered = idle, time.Now()
	}
}

// Remove takes a badge away; what it was just saying is cut off.
func (c *Chip) Remove(card *Card) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(time.Now())
	if c.air != nil && slices.Contains(c.air.from, card) {
		c.air.cut = true
	}
	c.cards = slices.DeleteFunc(c.cards, func(o *Card) bool { return o == card })
	card.state = off
}

// Traffic returns what went over the bus since the chip was made.
func (c *Chip) Traffic() Traffic {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.traffic
}

// FieldTime returns for how long the antenna was driven so far.
func (c *Chip) FieldTime() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fieldOn() {
		return c.fieldTime + time.Since(c.fieldSince)
	}
	return c.fieldTime
}

func (c *Chip) violate(format string, args ...any) {
	if c.Report != nil {
		c.Report(fmt.Sprintf(format, args...))
	}
}

// How long the chip needs after a reset (chapters 8.6.3 and 8.8.2): 1024 clocks
// of 27.12 MHz once its oscillator runs, and before that, after a power-up or a
// pulse at NRSTPD, the start of a slow crystal.
const (
	softStart = 37740 * time.Nanosecond
	hardStart = 2*time.Millisecond + softStart
)

func (c *Chip) reset(now time.Time, start time.Duration) {
	c.booted, c.hung = true, c.hung && c.stubborn
	c.wakes = now.Add(start)
	c.regs = [64]byte{}
	for r, v := range resetValues {
		c.regs[r] = v
	}
	c.fifo, c.timerEnds, c.testEnds = nil, time.Time{}, time.Time{}
	c.powerCards(now)
}

func (c *Chip) fieldOn() bool { return c.regs[regTxControl]&0x03 != 0 }

// powerCards gives the cards their power or takes it, after the field changed.
func (c *Chip) powerCards(now time.Time) {
	on := c.fieldOn()
	switch {
	case on && c.fieldSince.IsZero():
		c.fieldSince = now
	case !on && !c.fieldSince.IsZero():
		c.fieldTime += now.Sub(c.fieldSince)
		c.fieldSince = time.Time{}
	}
	if !on && c.air != nil {
		c.air.cut = true
	}
	if !on && c.Stray != nil && (c.command() == cmdTransceive || c.command() == cmdReceive) {
		c.fifo = append(c.fifo, c.Stray()...)
	}
	for _, card := range c.cards {
		switch {
		case !on && card.lost.IsZero():
			card.lost = now
		case on && (card.state == off || !card.lost.IsZero() && now.Sub(card.lost) >= card.Keeps):
			card.state, card.halted, card.powered = idle, false, now
		}
		if on {
			card.lost = time.Time{}
		}
	}
}

func (c *Chip) command() byte { return c.regs[regCommand] & 0x0F }

// advance lets everything happen that was due until now, in its order.
func (c *Chip) advance(now time.Time) {
	if !c.booted {
		c.reset(now, 0) // powered long ago
	}
	for {
		at, happen := c.next()
		if happen == nil || at.After(now) {
			return
		}
		happen()
	}
}

// next returns the earliest thing that is due, and when.
func (c *Chip) next() (at time.Time, happen func()) {
	consider := func(t time.Time, f func()) {
		if !t.IsZero() && (happen == nil || t.Before(at)) {
			at, happen = t, f
		}
	}
	if x := c.air; x != nil {
		switch {
		case !x.sent:
			consider(x.txEnd, c.transmitted)
		case !x.fifthBit.IsZero() && !x.timed:
			consider(x.fifthBit, func() {
				x.timed = true
				if c.regs[regRxMode]&0x04 == 0 && c.regs[regTMode]&0x80 != 0 {
					c.timerEnds = time.Time{} // table 106: stops after the fifth bit
				}
			})
		case !x.fifthBit.IsZero():
			consider(x.rxEnd, c.received)
		}
	}
	if !c.timeless {
		consider(c.timerEnds, func() {
			c.timerEnds = time.Time{}
			c.regs[regComIrq] |= irqTimer
		})
	}
	consider(c.testEnds, func() {
		c.testEnds = time.Time{}
		c.fifo = slices.Clone(c.selfTest())
	})
	return at, happen
}

// timerPeriod is how long the timer runs from its reload value to zero.
func (c *Chip) timerPeriod() time.Duration {
	return c.timerTicks(int64(c.regs[regTReloadH])<<8 + int64(c.regs[regTReloadL]) + 1)
}

// timerTicks is equation 5 of the data sheet.
func (c *Chip) timerTicks(n int64) time.Duration {
	prescaler := int64(c.regs[regTMode]&0x0F)<<8 | int64(c.regs[regTPrescaler])
	return time.Duration((prescaler*2 + 1) * n * int64(time.Second) / 13_560_000)
}
