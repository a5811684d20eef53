package deploy

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"timeclock/reader/mfrc522/mfrc522test"

	"periph.io/x/conn/v3/physic"
)

// TestMain makes a program of the tests: called chip, it is the simulated reader chip behind
// /dev/spichip, a bus of the real kernel on a board in QEMU (board/spichip.c). It takes commands
// from its standard input, one to a line:
//
//	clock RATIO      the bus runs at RATIO times what was asked for; "jumps": it never stays
//	early            from now on each chip-select but the last of a transfer ends early
//	place UID        a badge comes, and stays
//	remove           it leaves
//	wait DURATION
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "chip" {
		os.Exit(m.Run())
	}
	if err := runChip(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "chip:", err)
		os.Exit(1)
	}
}

// buildChip builds that program for a board.
func buildChip(t *testing.T, path string) {
	t.Helper()
	sh(t, `CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go test -c -trimpath -ldflags="-s -w" -o "$1" .`, path)
}

func runChip(commands io.Reader) error {
	bus, err := os.OpenFile("/dev/spichip", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	b := &bench{chip: &mfrc522test.Chip{}}
	b.clock.Store(func() float64 { return 1 })
	b.chip.Clock = func() float64 { return b.clock.Load().(func() float64)() }
	failed := make(chan error)
	go func() { failed <- b.serve(bus) }()
	go func() { failed <- b.obey(commands) }()
	return <-failed
}

// bench is the chip, the badge that came last, and how fast the chip's bus is.
type bench struct {
	chip  *mfrc522test.Chip
	card  *mfrc522test.Card
	clock atomic.Value // of func() float64
}

// obey carries out commands; it goes on serving when they end.
func (b *bench) obey(commands io.Reader) error {
	for lines := bufio.NewScanner(commands); lines.Scan(); {
		if err := b.do(strings.Fields(lines.Text())); err != nil {
			return fmt.Errorf("%q: %w", lines.Text(), err)
		}
		fmt.Println("done:", lines.Text())
	}
	select {}
}

func (b *bench) do(words []string) error {
	switch {
	case len(words) == 1 && words[0] == "early":
		b.chip.EndChipSelectsEarly(true)
		return nil
	case len(words) == 1 && words[0] == "remove":
		b.chip.Remove(b.card)
		return nil
	case len(words) != 2:
		return errors.New("no such command")
	}
	switch word := words[1]; words[0] {
	case "clock":
		if word == "jumps" {
			b.clock.Store(func() float64 { return 0.25 + 2.25*rand.Float64() })
			return nil
		}
		ratio, err := strconv.ParseFloat(word, 64)
		b.clock.Store(func() float64 { return ratio })
		return err
	case "place":
		uid, err := hex.DecodeString(word)
		b.card = &mfrc522test.Card{UID: uid}
		b.chip.Place(b.card)
		return err
	case "wait":
		d, err := time.ParseDuration(word)
		time.Sleep(d)
		return err
	}
	return errors.New("no such command")
}

// serve answers the messages of the bus, each transfer at its own speed.
func (b *bench) serve(bus *os.File) error {
	const head = 16
	for buffer := make([]byte, 1<<16); ; {
		n, err := bus.Read(buffer)
		switch {
		case errors.Is(err, syscall.EAGAIN): // it was too late for that one
			continue
		case err != nil:
			return err
		}
		var selects []mfrc522test.Select
		for at := 0; at < n; {
			number := func(i int) uint32 { return binary.NativeEndian.Uint32(buffer[at+4*i:]) }
			size := int(number(0))
			next := at + head + size
			selects = append(selects, mfrc522test.Select{
				W: buffer[at+head : next], R: make([]byte, size), Speed: physic.Frequency(number(1)) * physic.Hertz,
				KeepCS: (number(2) == 0) != (next == n),
			})
			at = next
		}
		if err := b.chip.Transfer(selects); err != nil {
			return err
		}
		var answer []byte
		for _, s := range selects {
			answer = append(answer, s.R...)
		}
		if _, err := bus.Write(answer); err != nil && !errors.Is(err, syscall.EAGAIN) {
			return err
		}
	}
}
