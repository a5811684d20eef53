package uplink

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/sync/zeitstrom/zeitstromtest"
)

func TestStopsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = posts(late(10 * time.Second))
		c := start(t, server)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Run(ctx)
		}()
		synctest.Wait()
		c.tap(1)
		began := time.Now()
		cancel()
		<-done
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("stopping took %v", took)
		}
		if got := c.queue.became(1); got != "ambiguous" {
			t.Errorf("a punch whose request was given up became %q", got)
		}
		time.Sleep(time.Minute)
	})
}

// The uplink comes round while Zeitstrom keeps it waiting.
func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{Fault: late(time.Hour)}
		c := start(t, server)
		c.run()
		c.tap(1)
		for range 30 {
			time.Sleep(time.Second)
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			if err := c.Alive(ctx); err != nil {
				t.Error(err)
			}
			stop()
		}
	})
}
