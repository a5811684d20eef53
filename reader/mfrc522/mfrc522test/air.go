package mfrc522test

import (
	"slices"
	"time"
)

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

// transmitted ends the sending.
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
	switch {
	case c.hung || c.regs[regMode]&txWaitRF != 0 && !c.fieldOn():
		return
	case c.air != nil && !c.air.sent:
		c.violate("StartSend while a transmission is under way")
		return
	case len(c.fifo) == 0:
		c.violate("StartSend with an empty FIFO")
		return
	case c.regs[regAutoTest]&0x0F != 0:
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
	// Type A needs 100 % ASK.
	if modulated := c.fieldOn() && c.regs[regTxASK]&0x40 != 0; modulated {
		c.answer(x, f, now)
	}
}

// answer lets the cards in the field answer a frame.
func (c *Chip) answer(x *exchange, f frame, now time.Time) {
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
