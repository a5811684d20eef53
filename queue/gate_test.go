//go:build gates

package queue

import (
	"testing"
	"time"
)

// maxOpen is how long a clock that was offline for long may take to open its queue.
const maxOpen = time.Second

// TestGateOpenWithBacklog opens a queue with 100 000 pending punches. Of several times the
// best counts: this computer has other things to do.
func TestGateOpenWithBacklog(t *testing.T) {
	s := fill(t, 1_000, 100_000)
	path := s.db.Path()
	best := time.Hour
	for range 5 {
		must(t, s.Close())
		began := time.Now()
		s = open(t, path)
		best = min(best, time.Since(began))
	}
	t.Logf("opened with %d pending after %v", s.Stats().Pending, best.Round(time.Millisecond))
	if n := s.Stats().Pending; n != 100_000 || best > maxOpen {
		t.Errorf("%d pending after %v, limit %v", n, best, maxOpen)
	}
}
