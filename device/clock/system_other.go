//go:build !linux

package clock

import "time"

// started is when this program was: there is no boot here that a booking could be told by.
var started = time.Now()

// Uptime implements Kernel.
func (System) Uptime() time.Duration { return time.Since(started) }

// Synchronised implements Kernel. Whether somebody sets the clock of a desktop computer is not
// asked: only demonstrations run on one.
func (System) Synchronised() (bool, error) { return false, nil }

// Offset implements Kernel.
func (System) Offset() time.Duration { return 0 }
