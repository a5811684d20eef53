package mfrc522

import (
	"errors"
	"time"
)

// Times on the air at 106 kbit/s (ISO/IEC 14443-3): one elementary time unit
// is 128 periods of 13.56 MHz, and a badge answers 1236 periods after the
// reader's last pulse.
const (
	etu        = 128 * time.Second / 13_560_000
	frameDelay = 1236 * time.Second / 13_560_000
	silence    = 325 * time.Microsecond // the chip's timer, see config
)

// request is a frame to the badges and what is expected back.
type request struct {
	op       string
	data     []byte
	lastBits int // valid bits in the last byte of data; 0 means all eight
	align    int // bit at which the answer's first bit is to be stored
	answer   int // bytes that a whole answer has; 0: none is expected
}

// airTime is how long request and whole answer take.
func (r request) airTime() time.Duration {
	n := len(r.data)
	out := 1 + 9*n + 2
	in := 1 + 9*r.answer + 1
	return time.Duration(out+in)*etu + frameDelay
}

// start puts a frame into the FIFO and sends it, with the field on. After an answer Transceive waits for
// the next frame by itself (chapter 10.3.1.8): that takes two chip-selects, where starting
// it anew takes five.
func (d *Dev) start(r request) error {
	if err := d.fieldOn(); err != nil {
		return err
	}
	var b batch
	if !d.chained {
		b.write(commandReg, cmdIdle, cmdTransceive)
		b.write(comIrqReg, irqAll)
		b.write(fifoLevelReg, flushFIFO)
	}
	b.write(fifoDataReg, r.data...)
	framing := byte(r.align)<<4 | byte(r.lastBits)
	b.write(bitFramingReg, framing, startSend|framing) // it starts with the step from 0 to 1
	d.chained, d.sent = false, true
	return d.run(b)
}

// send transmits a frame that no badge answers.
func (d *Dev) send(r request) error {
	err := d.start(r)
	time.Sleep(r.airTime())
	return err
}

// slack is what badges and clocks may add to the nominal times.
const slack = 80 * time.Microsecond

// looks are the pauses before each look at a frame that should have come to its end.
// The chip's timer ends silence; only a chip that hangs needs them all.
var looks = [...]time.Duration{0, silence, 2 * time.Millisecond, 8 * time.Millisecond, 32 * time.Millisecond}

// exchange sends a frame and returns the answer. An answer of another length
// than expected is ErrProtocol. With ErrCollision the answer is valid up to bit
// position coll, counted from 1 in the received bits; 0 means out of range.
//
// Where a chain goes on, ComIrqReg still has the answer before: what is in the FIFO
// tells them apart.
func (d *Dev) exchange(r request) (answer []byte, coll int, err error) {
	d.drainIRQ()
	if err := d.start(r); err != nil {
		return nil, 0, err
	}
	wait := r.airTime() + slack
	for _, pause := range looks {
		signalled := d.await(wait + pause)
		var b batch
		status := b.read(append([]byte{comIrqReg, errorReg, fifoLevelReg, controlReg, collReg},
			repeat(fifoDataReg, r.answer)...)...)
		if err := d.run(b); err != nil {
			return nil, 0, err
		}
		switch irq, level := status[0], status[2]; {
		case irq&irqTimer != 0 && level == 0:
			return nil, 0, &Error{Op: r.op, Err: ErrTimeout}
		case irq&irqRx != 0:
			answer, coll, err = d.judge(r, status[:5], status[5:])
			d.chained = err == nil && d.chains
			return answer, coll, err
		case irq&irqTimer != 0:
			return nil, 0, &Error{Op: r.op, Err: ErrTimeout}
		case signalled:
			d.irq = nil // it signals what did not happen: poll from now on
		}
		wait = 0
	}
	if err := d.Check(); err != nil {
		return nil, 0, err
	}
	return nil, 0, &Error{Op: r.op, Err: ErrProtocol, Cause: errors.New("neither an answer nor silence")}
}

// await sleeps, or waits for the interrupt where one is wired and honest; true
// means that it came. A line that never signals does no harm: what happened is
// read from the registers. t must be positive: WaitForEdge of host v3.8.5 waits
// for ever with 0.
func (d *Dev) await(t time.Duration) (signalled bool) {
	if d.irq != nil {
		return d.irq.WaitForEdge(t)
	}
	time.Sleep(t)
	return false
}

// drainIRQ takes the signals of earlier frames off the interrupt line. A line
// that has no end of them is not honest.
func (d *Dev) drainIRQ() {
	const most = 8
	for n := 0; d.irq != nil && d.irq.WaitForEdge(time.Microsecond); n++ {
		if n == most {
			d.irq = nil
		}
	}
}

func (d *Dev) judge(r request, status, data []byte) ([]byte, int, error) {
	errs, level, lastBits, coll := status[1], int(status[2]), status[3]&7, status[4]
	fail := func(err error) ([]byte, int, error) { return nil, 0, &Error{Op: r.op, Err: err} }
	switch {
	case errs&errColl != 0:
		pos := 0
		if coll&collPosNotValid == 0 {
			pos = int(coll & 0x1F)
			if pos == 0 {
				pos = 32 // table 45: 0 is the 32nd bit
			}
		}
		return data[:min(level, len(data))], pos, &Error{Op: r.op, Err: ErrCollision}
	case errs&errParity != 0:
		return fail(ErrParity)
	case errs&errCRC != 0:
		return fail(ErrCRC)
	case errs&errProtocol != 0:
		return fail(ErrProtocol)
	case errs&errBufferOvfl != 0:
		return fail(ErrOverflow)
	case level != r.answer || lastBits != 0:
		return fail(ErrProtocol)
	}
	return data, 0, nil
}

func repeat(reg byte, n int) []byte {
	regs := make([]byte, n)
	for i := range regs {
		regs[i] = reg
	}
	return regs
}

// appendCRC appends CRC_A (ISO/IEC 14443-3, annex B), low byte first.
func appendCRC(b []byte) []byte {
	crc := crcA(b)
	return append(b, byte(crc), byte(crc>>8))
}

func crcA(b []byte) uint16 {
	crc := uint16(0x6363)
	for _, v := range b {
		v ^= byte(crc)
		v ^= v << 4
		crc = crc>>8 ^ uint16(v)<<8 ^ uint16(v)<<3 ^ uint16(v)>>4
	}
	return crc
}
