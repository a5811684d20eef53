package mfrc522

import (
	"slices"

	"periph.io/x/conn/v3/spi"
)

// batch collects register accesses that go to the chip in one transfer of the
// host: one chip-select each, as the data sheet wants it (chapter 8.1.2).
type batch struct {
	packets []spi.Packet
}

// write adds a write of one or more bytes to one register.
func (b *batch) write(reg byte, data ...byte) {
	b.packets = append(b.packets, spi.Packet{W: append([]byte{reg << 1}, data...)})
}

// read adds a read of several registers in one chip-select. The values are in
// the returned slice once the batch has run.
func (b *batch) read(regs ...byte) []byte {
	out := make([]byte, len(regs)+1)
	for i, reg := range regs {
		out[i] = 0x80 | reg<<1
	}
	in := make([]byte, len(out))
	b.packets = append(b.packets, spi.Packet{W: out, R: in})
	return in[1:]
}

// run does what a batch says, in one transfer of the host, or in one for each
// chip-select where several do not work, or nobody knows yet.
func (d *Dev) run(b batch) error {
	n := len(b.packets)
	if d.single || !d.settled {
		n = 1
	}
	for packets := range slices.Chunk(b.packets, n) {
		if err := d.conn.TxPackets(packets); err != nil {
			return &Error{Op: "bus", Err: ErrBus, Cause: err}
		}
	}
	return nil
}
