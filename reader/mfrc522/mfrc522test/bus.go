package mfrc522test

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

var errNoNode = errors.New("mfrc522test: no such device or address")

var (
	_ spi.PortCloser = (*Chip)(nil)
	_ spi.Conn       = (*wire)(nil)
	_ gpio.PinOut    = (*resetPin)(nil)
	_ gpio.PinIn     = (*irqPin)(nil)
)

// String implements conn.Resource.
func (c *Chip) String() string { return "simulated MFRC522" }

// Close implements spi.PortCloser. The chip can be opened again.
func (c *Chip) Close() error { return nil }

// LimitSpeed implements spi.Port. It may change at any time.
func (c *Chip) LimitSpeed(f physic.Frequency) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = f
	return nil
}

// Connect implements spi.Port. The chip takes up to 10 MHz in mode 0 (data
// sheet, chapter 8.1.2).
func (c *Chip) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bus == NoNode {
		return nil, errNoNode
	}
	if mode != spi.Mode0 || bits != 8 {
		c.violate("SPI in mode %v with %d bits: the chip speaks mode 0 with 8", mode, bits)
	}
	return &wire{c, f}, nil
}

// wire is the spi.Conn of a Chip.
type wire struct {
	chip  *Chip
	speed physic.Frequency
}

func (w *wire) String() string      { return w.chip.String() }
func (w *wire) Duplex() conn.Duplex { return conn.Full }

// Tx implements conn.Conn: one chip-select.
func (w *wire) Tx(out, in []byte) error {
	return w.TxPackets([]spi.Packet{{W: out, R: in}})
}

// TxPackets implements spi.Conn: one transfer, with a chip-select per packet.
func (w *wire) TxPackets(packets []spi.Packet) error {
	speed := w.speed
	if limit := w.chip.speedLimit(); limit != 0 {
		speed = min(speed, limit)
	}
	selects := make([]Select, len(packets))
	for i, p := range packets {
		selects[i] = Select{W: p.W, R: p.R, KeepCS: p.KeepCS, Speed: speed}
	}
	return w.chip.Transfer(selects)
}

func (c *Chip) speedLimit() physic.Frequency {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limit
}

// Select is one chip-select of a transfer.
type Select struct {
	W, R   []byte           // of the same length; R may be nil
	Speed  physic.Frequency // that the host asks for; Clock says what it gets
	KeepCS bool             // a violation: each access needs its own chip-select
}

// ioctlTime is what a host needs for a transfer beside the bytes: a fast Pi's.
const ioctlTime = 40 * time.Microsecond

// Transfer is what the host does in one call (one ioctl on Linux). It takes as long
// as on a Pi, and longer by Delay.
func (c *Chip) Transfer(selects []Select) error {
	c.mu.Lock()
	c.traffic.Transfers++
	for _, s := range selects {
		c.traffic.Bytes += len(s.W)
	}
	noNode := c.bus == NoNode
	c.mu.Unlock()
	if noNode {
		return errNoNode
	}
	at := time.Now().Add(ioctlTime)
	for i, s := range selects {
		if c.Delay != nil {
			at = at.Add(c.Delay())
			time.Sleep(time.Until(at)) // so that badges can come and go in between
		}
		took, err := c.chipSelect(at, s, i == len(selects)-1)
		if err != nil {
			return err
		}
		at = at.Add(took)
	}
	time.Sleep(time.Until(at))
	return nil
}

// chipSelect does one chip-select and returns how long it takes on the bus.
func (c *Chip) chipSelect(at time.Time, s Select, last bool) (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	speed := s.Speed
	if c.Clock != nil {
		speed = physic.Frequency(float64(speed) * c.Clock())
	}
	if speed > 10*physic.MegaHertz {
		c.violate("SPI at %s: the chip takes at most 10 MHz", speed)
	}
	in := s.R
	if in == nil {
		in = make([]byte, len(s.W))
	}
	if len(s.W) != len(in) {
		return 0, errors.New("mfrc522test: read and write buffers differ in length")
	}
	if s.KeepCS {
		c.violate("KeepCS: each access needs its own chip-select")
	}
	c.now, c.byteTime = at, 8*speed.Period()
	if c.EndsEarly != nil && !last && c.EndsEarly() {
		c.cutShort(s.W, in)
	} else {
		c.selected(s.W, in)
	}
	return c.now.Sub(at), nil
}

// cutShort is a chip-select that ends before its last byte: a read loses that, a
// write does not happen.
func (c *Chip) cutShort(out, in []byte) {
	n := len(out) - 1
	clear(in)
	if n > 1 && out[0]&0x80 != 0 {
		read := append(slices.Clone(out[:n-1]), 0) // the chip cannot tell it from a shorter one
		c.selected(read, in[:n])
		return
	}
	c.now = c.now.Add(time.Duration(n) * c.byteTime)
}

// selected is one chip-select: a write of n bytes to one address, or a read of
// any number of addresses (data sheet, tables 6 to 8).
func (c *Chip) selected(out, in []byte) {
	for i := range in {
		in[i] = 0x00
		if c.bus == High {
			in[i] = 0xFF
		}
	}
	if c.bus != BusOK || c.inReset || len(out) == 0 {
		c.now = c.now.Add(time.Duration(len(out)) * c.byteTime)
		return
	}
	if len(out) < 2 {
		c.violate("a chip-select with a single byte: neither a read nor a write")
	}
	c.tick()
	addr := c.address(out[0])
	if out[0]&0x80 == 0 {
		for _, b := range out[1:] {
			c.tick()
			c.write(addr, b, c.now)
		}
		return
	}
	for i := 1; i < len(out); i++ {
		in[i] = c.read(addr, c.now)
		c.tick()
		switch last := i == len(out)-1; {
		case last && out[i] != 0:
			c.violate("a read must end with a zero byte, not %02X", out[i])
		case last:
		case out[i]&0x80 == 0:
			c.violate("byte %d of a read is a write address (%02X)", i, out[i])
		default:
			addr = c.address(out[i])
		}
	}
}

// tick lets the time of one byte pass.
func (c *Chip) tick() {
	c.now = c.now.Add(c.byteTime)
	c.advance(c.now)
}

func (c *Chip) address(b byte) byte {
	if b&0x01 != 0 {
		c.violate("address byte %02X: bit 0 must be 0", b)
	}
	addr := b >> 1 & 0x3F
	if reservedRegs>>addr&1 == 1 {
		c.violate("access to reserved register %02X", addr)
	}
	return addr
}

func (c *Chip) starting(addr byte, now time.Time) bool {
	if !now.Before(c.wakes) {
		return false
	}
	if addr != regCommand {
		c.violate("access to register %02X before the chip has started up", addr)
	}
	return true
}

func (c *Chip) read(addr byte, now time.Time) byte {
	if c.starting(addr, now) {
		return powerDown | 0x20
	}
	switch addr {
	case regFIFOData:
		if len(c.fifo) == 0 {
			return 0 // no error flag is defined for an underrun
		}
		b := c.fifo[0]
		c.fifo = c.fifo[1:]
		return b
	case regFIFOLevel:
		return byte(len(c.fifo))
	case regStatus1:
		v := byte(0x20) // CRCReady
		if c.irq() {
			v |= 0x10
		}
		if !c.timerEnds.IsZero() {
			v |= 0x08
		}
		return v
	case regTCounterH, regTCounterL:
		count := uint16(0)
		if !c.timerEnds.IsZero() {
			count = uint16(c.timerEnds.Sub(now) / c.timerTicks(1))
		}
		if addr == regTCounterH {
			return byte(count >> 8)
		}
		return byte(count)
	case regVersion:
		return c.version()
	}
	return c.regs[addr]
}

func (c *Chip) version() byte { return cmp.Or(c.Version, 0x92) }

// irq is the level of the interrupt line before IRqInv (table 24).
func (c *Chip) irq() bool { return c.regs[regComIEn]&c.regs[regComIrq]&0x7F != 0 }

func (c *Chip) write(addr, v byte, now time.Time) {
	if c.starting(addr, now) {
		return
	}
	switch addr {
	case regCommand:
		c.setCommand(v, now)
	case regComIrq, regDivIrq:
		if v&0x80 != 0 {
			c.regs[addr] |= v & 0x7F
		} else {
			c.regs[addr] &^= v
		}
	case regFIFOData:
		if len(c.fifo) == fifoSize {
			c.violate("FIFO written beyond its 64 bytes")
			c.regs[regError] |= errBufferOvfl
			return
		}
		c.fifo = append(c.fifo, v)
	case regFIFOLevel:
		if v&0x80 != 0 {
			c.fifo = nil
			c.regs[regError] &^= errBufferOvfl
		}
	case regControl:
		if v&0x80 != 0 {
			c.timerEnds = time.Time{}
		} else if v&0x40 != 0 {
			c.timerEnds = now.Add(c.timerPeriod())
		}
	case regBitFraming:
		c.regs[addr] = v & 0x7F
		if v&startSend != 0 && c.command() == cmdTransceive {
			c.transmit(now)
		}
	default:
		mask, limited := writable[addr]
		if !limited {
			mask = 0xFF
		}
		if mask == 0 {
			c.violate("write to read-only register %02X", addr)
		}
		c.regs[addr] = c.regs[addr]&^mask | v&mask
		if addr == regTxControl {
			c.powerCards(now)
		}
	}
}

func (c *Chip) setCommand(v byte, now time.Time) {
	cmd := v & 0x0F
	if cmd == cmdNoChange {
		cmd = c.command()
	}
	if cmd != cmdTransceive && c.air != nil {
		c.air = nil // the running command is cancelled (chapter 10.2)
	}
	c.regs[regCommand] = v&0x20 | cmd
	switch cmd {
	case cmdIdle, cmdTransceive, cmdReceive:
	case cmdTransmit:
		c.transmit(now)
	case cmdMem: // the FIFO's bytes go into the internal buffer (chapter 10.3.1.2)
		c.fifo = nil
		c.regs[regCommand] &^= 0x0F
	case cmdCalcCRC:
		if c.regs[regAutoTest]&0x0F == autoTest {
			c.fifo = nil
			c.testEnds = now.Add(selfTestTime)
			return
		}
		crc := crcA(c.crcPreset(), c.fifo)
		c.fifo = nil
		c.regs[regCRCResultH], c.regs[regCRCResultL] = byte(crc>>8), byte(crc)
		c.regs[regDivIrq] |= 0x04 // CRCIRq; the command stays active
	case cmdSoftReset:
		if c.Version == 0x12 { // this clone does not know it
			return
		}
		c.reset(now, softStart)
	default:
		c.violate("command %X is not simulated", cmd)
	}
}
