package mfrc522

import "time"

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

func (r request) start(b *batch) {
	b.write(commandReg, cmdIdle)
	b.write(comIrqReg, irqAll)
	b.write(fifoLevelReg, flushFIFO)
	b.write(fifoDataReg, r.data...)
	b.write(commandReg, cmdTransceive)
	b.write(bitFramingReg, startSend|byte(r.align)<<4|byte(r.lastBits))
}

// send transmits a frame that no badge answers.
func (d *Dev) send(r request) error {
	var b batch
	r.start(&b)
	if err := d.run(b); err != nil {
		return err
	}
	time.Sleep(r.airTime())
	return nil
}

// exchange sends a frame and returns the answer. An answer of another length
// than expected is ErrProtocol. With ErrCollision the answer is valid up to bit
// position coll, counted from 1 in the received bits; 0 means out of range.
func (d *Dev) exchange(r request) (answer []byte, coll int, err error) {
	var b batch
	r.start(&b)
	if err := d.run(b); err != nil {
		return nil, 0, err
	}
	wait := r.airTime()
	// The chip's timer ends silence; only a chip that hangs takes longer.
	deadline := time.Now().Add(wait + silence + 20*time.Millisecond)
	for first := true; ; first = false {
		d.await(wait, first)
		b = batch{}
		status := b.read(comIrqReg, errorReg, fifoLevelReg, controlReg, collReg)
		data := b.read(repeat(fifoDataReg, r.answer)...)
		if err := d.run(b); err != nil {
			return nil, 0, err
		}
		switch irq := status[0]; {
		case irq&irqRx != 0:
			return d.judge(r, status, data)
		case irq&irqTimer != 0:
			return nil, 0, &Error{Op: r.op, Err: ErrTimeout}
		case time.Now().After(deadline):
			return nil, 0, &Error{Op: r.op, Err: ErrHung}
		}
		wait = silence / 2
	}
}

// await lets t pass, or less where an interrupt is wired and comes. What
// happened is read from the registers in either case, and only the first wait
// of an exchange trusts the interrupt: a line that floats or is stuck does no
// harm. t must be positive: WaitForEdge of host v3.8.5 waits for ever with 0.
func (d *Dev) await(t time.Duration, first bool) {
	if d.opts.IRQ != nil && first {
		d.opts.IRQ.WaitForEdge(t)
		return
	}
	time.Sleep(t)
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
