//go:build gates && linux && (amd64 || arm64)

package main

import (
	"testing"
	"time"
)

// maxIdleRate is how many SPI transfers a second an idle clock may ask for.
const maxIdleRate = 90.0

// TestGateIdleBus counts what the whole program asks of its bus while nobody comes. Of
// several whiles the least counts: another badge may just have left.
func TestGateIdleBus(t *testing.T) {
	w := startWired(t)
	w.healthy(true)
	rate := 1e9
	for range 3 {
		const while = 3 * time.Second
		before := w.dev.Transfers()
		time.Sleep(while)
		rate = min(rate, float64(w.dev.Transfers()-before)/while.Seconds())
	}
	w.stop()
	t.Logf("idle: %.1f SPI transfers a second", rate)
	if rate > maxIdleRate || rate < maxIdleRate/10 {
		t.Errorf("%.1f SPI transfers a second, want at most %.0f, and some", rate, maxIdleRate)
	}
}
