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
	"errors"
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
	// overrun, use while it starts up. Violations keeps them in any case.
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
	violations []string
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

// exchange is one transmission and what the cards answer to it.
type exchange struct {
	start, txEnd time.Time
	fifthBit     time.Time // zero: nobody answers
	rxEnd        time.Time
	sent, timed  bool
	answer       []byte // bits; those of several cards overlaid
	collision    int    // index of the first bit on which cards differ, -1: none
	from         []*Card
	cut          bool // a card left, or the field went, before the end
	parity       bool // a parity bit was disturbed
}

// Answer is what badges say to one frame, as the antenna hears it.
type Answer struct {
	Bits   []byte // one bit each, lowest first, without parity; may be changed and cut
	Parity bool   // a parity bit is wrong: set when a flipped bit is to be noticed
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

// Violations lists the accesses that a real chip would not have forgiven.
func (c *Chip) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.violations)
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
	v := fmt.Sprintf(format, args...)
	c.violations = append(c.violations, v)
	if c.Report != nil {
		c.Report(v)
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

func (c *Chip) transmitted() {
	x := c.air
	x.sent = true
	c.regs[regComIrq] |= irqTx
	if c.command() == cmdTransmit {
		c.regs[regCommand] &^= 0x0F
		c.regs[regComIrq] |= irqIdle
	}
	if c.regs[regTMode]&0x80 != 0 {
		c.timerEnds = x.txEnd.Add(c.timerPeriod())
	}
	if x.fifthBit.IsZero() {
		c.air = nil
	}
}

// received puts the cards' answer into the FIFO.
func (c *Chip) received() {
	x := c.air
	c.air = nil
	if c.command() != cmdTransceive && c.command() != cmdReceive {
		return // nobody listens any more
	}
	errs := byte(0)
	answer := x.answer
	align := int(c.regs[regBitFraming] >> 4 & 7)
	if x.cut {
		answer = answer[:len(answer)/2]
		errs |= errProtocol
	}
	if x.parity {
		errs |= errParity
	}
	c.regs[regColl] |= 0x20
	if x.collision >= 0 && x.collision < len(answer) {
		errs |= errColl
		pos := x.collision + 1
		if c.AlignedCollPos {
			pos += align
		}
		if pos <= 32 {
			c.regs[regColl] = c.regs[regColl]&0x80 | byte(pos)&0x1F
		}
	}
	aligned := frame(append(make([]byte, align), answer...))
	data := aligned.bytes()
	if c.regs[regRxMode]&0x80 != 0 && errs == 0 { // RxCRCEn: checked and taken off
		if n := len(data) - 2; n >= 0 && crcA(c.crcPreset(), data[:n]) == uint16(data[n])|uint16(data[n+1])<<8 {
			data = data[:n]
		} else {
			errs |= errCRC
		}
	}
	for _, b := range data {
		if len(c.fifo) == fifoSize {
			errs |= errBufferOvfl
			break
		}
		c.fifo = append(c.fifo, b)
	}
	c.regs[regControl] = c.regs[regControl]&^0x07 | byte(len(aligned)%8)
	c.regs[regError] |= errs
	c.regs[regComIrq] |= irqRx
	if errs != 0 {
		c.regs[regComIrq] |= irqErr
	}
	if c.command() == cmdReceive || c.OneShot {
		c.regs[regCommand] &^= 0x0F
		c.regs[regComIrq] |= irqIdle
	}
}

func (c *Chip) crcPreset() uint16 {
	return [4]uint16{0x0000, 0x6363, 0xA671, 0xFFFF}[c.regs[regMode]&0x03]
}

// transmit sends the FIFO to the cards and works out when they answer what.
func (c *Chip) transmit(now time.Time) {
	const txWaitRF = 0x20
	if c.hung || c.regs[regMode]&txWaitRF != 0 && !c.fieldOn() {
		return
	}
	if c.air != nil && !c.air.sent {
		c.violate("StartSend while a transmission is under way")
		return
	}
	if len(c.fifo) == 0 {
		c.violate("StartSend with an empty FIFO")
		return
	}
	if c.regs[regAutoTest]&0x0F != 0 {
		c.violate("StartSend in a self-test")
		return
	}
	c.regs[regError] &= errWr
	data := c.fifo
	c.fifo = nil
	if c.regs[regTxMode]&0x80 != 0 {
		crc := crcA(c.crcPreset(), data)
		data = append(data, byte(crc), byte(crc>>8))
	}
	f := frame(bits(data))
	if last := int(c.regs[regBitFraming] & 7); last != 0 {
		f = f[:len(f)-8+last]
	}
	x := &exchange{start: now, collision: -1}
	// One start bit, a parity bit per whole byte, two etu for the end.
	etus := 1 + len(f) + len(f)/8 + 2
	x.txEnd = now.Add(time.Duration(etus) * etu)
	c.air = x
	c.timerEnds = time.Time{}
	modulated := c.fieldOn() && c.regs[regTxASK]&0x40 != 0 // type A needs 100 % ASK
	if !modulated {
		return
	}
	for _, card := range c.cards {
		if answer := card.hear(f, now); answer != nil {
			x.from = append(x.from, card)
			x.overlay(answer)
		}
	}
	if len(x.from) == 0 || c.command() != cmdTransceive {
		return
	}
	if c.Noise != nil {
		a := Answer{Bits: x.answer}
		c.Noise(&a)
		x.answer, x.parity = a.Bits, a.Parity
	}
	if len(x.answer) == 0 {
		return
	}
	rxStart := x.txEnd.Add(frameDelay)
	x.fifthBit = rxStart.Add(5 * etu)
	n := len(x.answer)
	x.rxEnd = rxStart.Add(time.Duration(1+n+(n+7)/8+1) * etu)
	if x.collision >= 0 && x.collision < n && c.regs[regColl]&0x80 == 0 {
		clear(x.answer[x.collision:]) // ValuesAfterColl = 0
	}
}

// overlay adds a card's answer to those already in the air.
func (x *exchange) overlay(answer []byte) {
	if len(x.from) == 1 {
		x.answer = slices.Clone(answer)
		return
	}
	for i, bit := range answer {
		if i == len(x.answer) {
			x.answer = append(x.answer, bit)
		} else if x.answer[i] != bit {
			x.answer[i] = 1
			if x.collision < 0 || i < x.collision {
				x.collision = i
			}
		}
	}
}

var errNoNode = errors.New("mfrc522test: no such device or address")
