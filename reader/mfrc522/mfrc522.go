// Package mfrc522 drives NXP's MFRC522 contactless reader over SPI, as far as
// a time clock needs it: the UIDs of ISO/IEC 14443-3 type A badges, of 4, 7 and
// 10 bytes, and whether a badge is still there.
//
// It polls; interrupt and reset lines are used where they are wired. It moves
// several registers per transfer and computes checksums itself, because each
// transfer of the host costs more than the frame on the air. How long a transfer
// takes is never taken for time: on Pis before the 5 the bus clock is 0.5 to 1.6 times
// what was asked for, and changes at any moment (raspberrypi/linux issues 2094, 3381
// and 4929). What must last is measured by the chip's timer or by the host's clock. It will not
// authenticate, read or write a badge's memory: a badge that stays outside its
// memory cannot be damaged by a clock.
//
// A Dev is not safe for concurrent use: one goroutine owns the chip.
package mfrc522

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// Opts says how the chip is wired. The zero Opts is a chip on SPI alone.
type Opts struct {
	Speed physic.Frequency // of the bus; 0 means 4 MHz, the chip takes up to 10 MHz
	Gain  int              // of the receiver in dB: 18, 23, 33, 38, 43 or 48; 0 means 33
	Reset gpio.PinOut      // NRSTPD; nil if not wired
	IRQ   gpio.PinIn       // IRQ; nil if not wired
}

// Dev is a chip that has been set up.
type Dev struct {
	port    spi.PortCloser
	conn    spi.Conn
	opts    Opts
	irq     gpio.PinIn // nil: not wired, or found to be dishonest
	version byte
	tested  testResult
	settled bool // else it is being set up, one register a transfer
	single  bool // so it is from now on: see Note
	field   bool
	sent    bool // a frame, since the chip was set up
	heard   bool // somebody, in the last Sniff
	emptied bool // the FIFO, in the last Sniff
	chains  bool // frames may follow each other without starting Transceive anew
	chained bool // the next one does: the one before was answered whole

	collAligned bool // CollPos counts from the byte, see anticollision
}

// New connects to the chip and sets it up. The Dev owns the port: a failed New
// closes it.
func New(p spi.PortCloser, o Opts) (*Dev, error) {
	if o.Speed == 0 {
		o.Speed = 4 * physic.MegaHertz
	}
	if o.Gain == 0 {
		o.Gain = 33
	}
	d := &Dev{port: p, opts: o}
	if err := d.open(); err != nil {
		p.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dev) open() (err error) {
	if _, ok := rxGain[d.opts.Gain]; !ok {
		return fmt.Errorf("mfrc522: a gain of %d dB does not exist", d.opts.Gain)
	}
	if d.conn, err = d.port.Connect(maxSpeed, spi.Mode0, 8); err != nil {
		return &Error{Op: "connect", Err: ErrBus, Cause: err}
	}
	if err := d.port.LimitSpeed(d.opts.Speed); err != nil {
		return &Error{Op: "bus speed", Err: ErrBus, Cause: err}
	}
	return d.setUp()
}

// Close gives the bus back. The chip keeps its settings, and its field as it is.
func (d *Dev) Close() error { return d.port.Close() }

// maxSpeed of the bus (chapter 8.1.2).
const maxSpeed = 10 * physic.MegaHertz

// Name tells which chip it is, by its VersionReg and its self-test.
func (d *Dev) Name() string {
	name, ok := names[d.version]
	if !ok {
		return fmt.Sprintf("unknown chip (version %02X)", d.version)
	}
	if _, nxp := answers[d.version]; nxp {
		return name + d.tested.String()
	}
	return name
}

func (d *Dev) String() string { return d.Name() + " on " + d.conn.String() }

// Note tells what is odd about this chip or its bus, though badges are read; empty if
// nothing is.
func (d *Dev) Note() string {
	if d.single {
		return "the SPI bus ends chip-selects early (raspberrypi/linux issue 5655): " +
			"the reader goes on register by register, which costs more processor time"
	}
	return ""
}

// Times of the chip's start: it may take that long after a reset until its
// oscillator runs (chapter 8.8.2), and a reset pulse must last 100 ns.
const (
	startTimeout = 50 * time.Millisecond
	resetPulse   = time.Millisecond
)

// setUp resets the chip, tests it and writes every register that the driver relies on.
// It goes register by register; then it finds out whether more at once works here.
func (d *Dev) setUp() error {
	d.settled = false
	if d.opts.Reset != nil {
		if err := d.pulseReset(); err != nil {
			return err
		}
	}
	if d.opts.IRQ != nil {
		if err := d.opts.IRQ.In(gpio.PullUp, gpio.FallingEdge); err != nil {
			return &Error{Op: "IRQ pin", Err: ErrBus, Cause: err}
		}
		d.irq = d.opts.IRQ
	}
	if err := d.softReset(); err != nil {
		return err
	}
	if err := d.testItself(); err != nil {
		return err
	}
	if err := d.softReset(); err != nil {
		return err
	}
	var b batch
	for _, c := range config {
		b.write(c[0], c[1])
	}
	b.write(rfCfgReg, rxGain[d.opts.Gain])
	if d.opts.IRQ != nil {
		b.write(comIEnReg, 0x80|irqRx) // IRqInv: active low
		b.write(divIEnReg, 0x80)       // IRQPushPull
	}
	b.write(comIrqReg, irqAll)
	version := b.read(versionReg)
	if err := d.run(b); err != nil {
		return err
	}
	d.version, d.field, d.sent, d.chained, d.heard = version[0], false, false, false, false
	if err := d.check(); err != nil {
		return err
	}
	d.settled = true
	if err := d.Check(); err != nil {
		return err
	}
	if _, err := d.Sniff(); err != nil { // a chip that hangs shows in its first frame
		return err
	}
	return d.Check()
}

func (d *Dev) softReset() error {
	if err := d.awaitStart(); err != nil {
		return err
	}
	var b batch
	b.write(commandReg, cmdSoftReset)
	if err := d.run(b); err != nil {
		return err
	}
	return d.awaitStart()
}

func (d *Dev) pulseReset() error {
	for _, level := range []gpio.Level{gpio.Low, gpio.High} {
		if err := d.opts.Reset.Out(level); err != nil {
			return &Error{Op: "reset pin", Err: ErrBus, Cause: err}
		}
		time.Sleep(resetPulse)
	}
	return nil
}

// awaitStart waits until the chip has left power-down.
func (d *Dev) awaitStart() error {
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(time.Millisecond) {
		late := time.Now().After(deadline)
		var b batch
		command := b.read(commandReg)
		if err := d.run(b); err != nil {
			return err
		}
		if command[0]&powerDown == 0 {
			return nil
		}
		if late {
			return &Error{
				Op: "start", Err: ErrDead,
				Cause: fmt.Errorf("CommandReg stays at %02X: check wiring and 3.3 V supply", command[0]),
			}
		}
	}
}

// Check reads the version and two registers that setUp wrote, and whether the
// last frame came to an end: it notices a broken wire, a chip that lost its
// supply for a moment, and one that hangs. Where several chip-selects in one transfer
// do not work and single ones do, the driver goes on with single ones.
func (d *Dev) Check() error {
	err := d.check()
	for _, pause := range patience {
		if !errors.Is(err, ErrHung) {
			break
		}
		time.Sleep(pause)
		err = d.check()
	}
	switch {
	case err == nil || d.single || errors.Is(err, ErrBus):
		return err
	case !d.batchesFail():
		return d.check() // once more: it may have been one disturbed byte
	}
	d.single = true
	if err = d.check(); errors.Is(err, ErrHung) { // for want of what a batch had lost
		return d.setUp()
	}
	return err
}

// patience is how long a frame may take that noise seems to go on with.
var patience = [...]time.Duration{2 * time.Millisecond, 8 * time.Millisecond}

// closeLook is how long batches are looked at when something is wrong: a bus that ends one
// chip-select in a hundred early shows.
const closeLook = 15 * time.Millisecond

// batchesFail reports whether batches fail where single chip-selects do not. One disturbed
// byte is not enough.
func (d *Dev) batchesFail() bool {
	d.settled = false
	err := d.check()
	d.settled = true
	if errors.Is(err, ErrDead) || errors.Is(err, ErrBus) {
		return false
	}
	for end := time.Now().Add(closeLook); time.Now().Before(end); {
		if errors.Is(d.check(), ErrDead) {
			return true
		}
	}
	return false
}

// check is one transfer of two chip-selects. The first ends with a register whose
// content is known.
func (d *Dev) check() error {
	var b batch
	got := b.read(versionReg, comIrqReg, txASKReg, tPrescalerReg)
	b.read(versionReg)
	if err := d.run(b); err != nil {
		return err
	}
	version, irq := got[0], got[1]
	switch {
	case version == 0x00 || version == 0xFF:
		return &Error{
			Op: "check", Err: ErrDead,
			Cause: fmt.Errorf("VersionReg reads %02X: nothing is connected there, check wiring and supply", version),
		}
	case !d.isSetUp(version, got[2], got[3]):
		return &Error{
			Op: "check", Err: ErrDead,
			Cause: fmt.Errorf("it lost its settings (version %02X, TxASKReg %02X, TPrescalerReg %02X): "+
				"was its supply interrupted?",
				version, got[2], got[3]),
		}
	case d.sent && irq&(irqRx|irqTimer) == 0 && irq&irqTx != 0:
		return &Error{Op: "check", Err: ErrHung, Cause: errors.New("its frame was sent, but its timer does not fire")}
	case d.sent && irq&(irqRx|irqTimer) == 0:
		return &Error{Op: "check", Err: ErrHung, Cause: errors.New("its frame does not end")}
	}
	return nil
}

// isSetUp judges three registers: one that never changes, and two that setUp wrote.
func (d *Dev) isSetUp(version, txASK, tPrescaler byte) bool {
	return version == d.version && txASK == fullASK && tPrescaler == prescaler
}
