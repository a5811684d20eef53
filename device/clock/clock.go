// Package clock knows whether the system's wall clock may be believed. A
// Raspberry Pi has no clock of its own: after a power cut it wakes at the time
// of its last shutdown until a time server or an RTC has corrected it.
package clock

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Trust says whether wall time may be believed, and who says so.
type Trust struct {
	Trusted bool
	Source  string
}

// Always is the trust of a clock that was told not to ask.
var Always = Trust{Trusted: true, Source: "always trusted by configuration"}

// Kernel asks the kernel whether its clock is synchronised (adjtimex(2)).
func Kernel() Trust {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil:
		return Trust{Source: fmt.Sprintf("the kernel does not say: %v", err)}
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		return Trust{Source: "not synchronised: is there a time server that the device reaches (timedatectl)?"}
	}
	return Trust{Trusted: true, Source: "synchronised, says the kernel"}
}
