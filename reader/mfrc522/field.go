package mfrc522

import "time"

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
	d.field, d.chained = false, false
	var b batch
	b.write(txControlReg, antennaOff)
	b.write(commandReg, cmdIdle)
	b.write(fifoLevelReg, flushFIFO) // Sniff does so in every second poll only
	return d.run(b)
}

// sniffTime is how long Sniff waits after its frame: REQA and its answer take 374 µs,
// and where nobody answers the chip's timer ends the silence after 420 µs.
const sniffTime = 560 * time.Microsecond

// Sniff reports whether a badge is in front of the antenna, or something that
// sounds like one, in three transfers of 22 bytes. The field is on for that and
// off afterwards: Newcomers tells which badge it is. It notices what Check notices.
func (d *Dev) Sniff() (bool, error) {
	batched := !d.single
	someone, err := d.sniff()
	if batched && d.single { // it was sent in batches, which do not work here
		return d.sniff()
	}
	return someone, err
}

func (d *Dev) sniff() (bool, error) {
	var b batch
	b.write(txControlReg, antennaOn)
	b.write(commandReg, cmdIdle, cmdTransceive)
	// Each is needed now and then only: to clear the signals, so that a chip shows that does
	// not end its frames; and to empty the FIFO, of what noise has put there since.
	if d.emptied = !d.emptied; d.emptied {
		b.write(fifoLevelReg, flushFIFO)
	} else {
		b.write(comIrqReg, irqAll)
	}
	b.write(fifoDataReg, reqA)
	if err := d.run(b); err != nil {
		return false, err
	}
	time.Sleep(fieldGuard)
	b = batch{}
	b.write(bitFramingReg, 7, startSend|7)
	if err := d.run(b); err != nil {
		return false, err
	}
	time.Sleep(sniffTime)
	b = batch{}
	got := b.read(comIrqReg, fifoLevelReg, fifoDataReg, fifoDataReg, versionReg, txASKReg, tPrescalerReg)
	b.write(txControlReg, antennaOff)
	err := d.run(b)
	d.field, d.sent, d.chained, d.heard = false, true, false, false
	if err != nil {
		return false, err
	}
	irq, level := got[0], got[1]
	if irq&(irqRx|irqTimer) == 0 || !d.isSetUp(got[4], got[5], got[6]) {
		return false, d.Check()
	}
	d.heard = irq&irqRx != 0 && level > 0
	d.chained = d.heard && level == 2 // the FIFO is empty now
	return d.heard, nil
}
