package mfrc522

import (
	"errors"
	"fmt"
)

// What can go wrong between host, chip and badge. Errors of this package wrap
// one of these.
var (
	// ErrBus: the host could not talk to the chip at all.
	ErrBus = errors.New("SPI bus failed")
	// ErrDead: the chip does not answer as one that was set up by this driver.
	ErrDead = errors.New("reader chip does not answer")
	// ErrHung: a frame neither ended nor timed out in its time.
	ErrHung = errors.New("reader chip hangs in a command")

	ErrTimeout   = errors.New("no answer from the badge")
	ErrCollision = errors.New("several badges answered at once")
	ErrParity    = errors.New("parity error")
	ErrProtocol  = errors.New("frame error")
	ErrCRC       = errors.New("checksum error")
	ErrOverflow  = errors.New("answer longer than the FIFO")
)

// Error says what the driver was doing when Err, one of the errors above,
// happened.
type Error struct {
	Op    string
	Err   error
	Cause error // what the bus said; may be nil
}

// Error says what failed, and in which step.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("mfrc522: %s: %v: %v", e.Op, e.Err, e.Cause)
	}
	return fmt.Sprintf("mfrc522: %s: %v", e.Op, e.Err)
}

// Unwrap gives errors.Is and errors.As both the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Err, e.Cause} }

// Fatal reports whether err means that the chip must be set up again, rather
// than that a badge was read badly.
func Fatal(err error) bool {
	return errors.Is(err, ErrBus) || errors.Is(err, ErrDead) || errors.Is(err, ErrHung)
}
