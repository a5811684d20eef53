package main

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/device/clock"
)

// inBubble runs f in a bubble of time of its own, and lets rapid have the panic by
// which it ends a failed test.
func inBubble(t *testing.T, f func()) {
	var ended any
	synctest.Test(t, func(*testing.T) {
		defer func() { ended = recover() }()
		f()
	})
	// Rapid tells ends of a test from each other by the lines that they come from: one that has only
	// run out of its data is no failure.
	if fmt.Sprintf("%T", ended) == "rapid.invalidData" {
		panic(ended)
	}
	if ended != nil {
		panic(ended)
	}
}

// bubble is a computer in a bubble of time, started at its beginning.
type bubble struct{ clock.Kernel }

var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // as testing/synctest has it

func (bubble) Wall() time.Time             { return time.Now() }
func (bubble) Uptime() time.Duration       { return time.Since(bubbleStart) }
func (bubble) BootID() device.BootID       { return device.BootID{1} }
func (bubble) Synchronised() (bool, error) { return true, nil }
