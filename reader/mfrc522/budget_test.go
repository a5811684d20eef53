package mfrc522_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"timeclock/reader/mfrc522"
	"timeclock/reader/mfrc522/mfrc522test"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// recorder is an SPI port that notes each transfer of the host.
type recorder struct {
	*mfrc522test.Chip
	transfers [][]spi.Packet
}

func (r *recorder) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	conn, err := r.Chip.Connect(f, mode, bits)
	return &recordingConn{conn, r}, err
}

type recordingConn struct {
	spi.Conn
	to *recorder
}

func (c *recordingConn) TxPackets(p []spi.Packet) error {
	c.to.transfers = append(c.to.transfers, slices.Clone(p))
	return c.Conn.TxPackets(p)
}

func size(transfers [][]spi.Packet) (bytes int) {
	for _, t := range transfers {
		for _, p := range t {
			bytes += len(p.W)
		}
	}
	return bytes
}

// sends finds the transfer that puts a frame beginning with these bytes into
// the FIFO, from index on.
func (r *recorder) sends(from int, frame ...byte) int {
	want := append([]byte{0x09 << 1}, frame...)
	for i := from; i < len(r.transfers); i++ {
		for _, p := range r.transfers[i] {
			if len(p.W) >= len(want) && slices.Equal(p.W[:len(want)], want) {
				return i
			}
		}
	}
	return -1
}

func TestBusBudget(t *testing.T) {
	for _, tc := range []struct {
		uid       []byte
		transfers int
	}{{uid4, 6}, {uid7, 10}, {uid10, 14}} {
		synctest.Test(t, func(t *testing.T) {
			port := &recorder{Chip: &mfrc522test.Chip{Report: func(v string) { t.Error("violation:", v) }}}
			dev, err := mfrc522.New(port, mfrc522.Opts{})
			if err != nil {
				t.Fatal(err)
			}
			port.transfers = nil
			if someone, err := dev.Sniff(); someone || err != nil {
				t.Fatalf("Sniff = %v, %v", someone, err)
			}
			if n, b := len(port.transfers), size(port.transfers); n > 3 || b > 22 {
				t.Errorf("an idle poll takes %d transfers and %d bytes, want 3 and 22", n, b)
			}
			if traffic := port.Traffic(); traffic.Bytes < 22 {
				t.Errorf("the chip counted %+v", traffic)
			}
			port.Place(&mfrc522test.Card{UID: tc.uid})
			port.transfers = nil
			if someone, err := dev.Sniff(); !someone || err != nil {
				t.Fatalf("Sniff beside a badge = %v, %v", someone, err)
			}
			before := port.Traffic()
			if uids, err := newcomers(dev); err != nil || len(uids) != 1 {
				t.Fatalf("%X, %v", uids, err)
			}
			// From the REQA that wakes it to the SAK that ends its UID: what
			// follows is HLTA and the look whether there is another one.
			first := port.sends(3, 0x26)
			last := port.sends(first, 0x50, 0x00)
			n, b := last-first, size(port.transfers[first:last])
			t.Logf("UID of %d bytes: %d transfers, %d bytes on the bus", len(tc.uid), n, b)
			if n > tc.transfers {
				t.Errorf("reading a UID of %d bytes takes %d transfers, want %d", len(tc.uid), n, tc.transfers)
			}
			after := port.Traffic()
			if got, want := after.Transfers-before.Transfers, len(port.transfers)-3; got != want {
				t.Errorf("the chip counted %d transfers, the recorder %d", got, want)
			}
		})
	}
}
