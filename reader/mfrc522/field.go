package mfrc522

import (
	"time"

	"periph.io/x/conn/v3/physic"
)

// fieldGuard is how long a badge may need from field on to its first REQA
// (ISO/IEC 14443-3, clause 5.1: 5 ms) and a little more.
const fieldGuard = 5100 * time.Microsecond

func (d *Dev) fieldOn() error {
	if d.field {
		return nil
	}
	var b batch
	b.write(txControlReg, antennaOn)
	if err := d.run(b); err != nil {
		return err
	}
	d.field = true
	time.Sleep(fieldGuard)
	return nil
}

// FieldOff switches the antenna off; badges in front of it lose their power.
func (d *Dev) FieldOff() error {
	if !d.field {
		return nil
	}
	d.field = false
	var b batch
	b.write(txControlReg, antennaOff)
	b.write(commandReg, cmdIdle)
	b.write(fifoLevelReg, flushFIFO) // Sniff does not
	return d.run(b)
}

// Sniff sends one REQA and looks whether anybody answers. The slow bus is its
// clock: reading ComIrqReg five times at 100 kHz takes 400 µs, and REQA with its
// answer is over after 374 µs. So the same transfer that sends can look, and
// switch the field off.
const (
	sniffSpeed = 100 * physic.KiloHertz
	sniffLooks = 5
	sniffLead  = 3 // bytes of that transfer before the frame starts
)

// Sniff reports whether a badge is in front of the antenna, or something that
// sounds like one, in two transfers of 20 bytes. The field is on for that and
// off afterwards: Newcomers tells which badge it is.
func (d *Dev) Sniff() (bool, error) {
	var b batch
	b.write(txControlReg, antennaOn)
	b.write(commandReg, cmdIdle, cmdTransceive)
	b.write(comIrqReg, irqAll)
	b.write(fifoDataReg, reqA)
	if err := d.run(b); err != nil {
		return false, err
	}
	time.Sleep(fieldGuard - sniffLead*8*sniffSpeed.Period())
	b = batch{}
	b.write(bitFramingReg, 7, startSend|7)
	looks := b.read(repeat(comIrqReg, sniffLooks)...)
	b.write(txControlReg, antennaOff)
	err := d.runAt(sniffSpeed, b)
	d.field, d.sent = false, true
	return looks[sniffLooks-1]&irqRx != 0, err
}

// runAt runs a batch with another clock on the bus.
func (d *Dev) runAt(speed physic.Frequency, b batch) error {
	if err := d.port.LimitSpeed(speed); err != nil {
		return &Error{Op: "bus speed", Err: ErrBus, Cause: err}
	}
	err := d.run(b)
	if back := d.port.LimitSpeed(d.opts.Speed); err == nil && back != nil {
		err = &Error{Op: "bus speed", Err: ErrBus, Cause: back}
	}
	return err
}
