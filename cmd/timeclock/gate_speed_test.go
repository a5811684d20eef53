//go:build gates

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/queue"
	"timeclock/sync/uplink"
	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// minSpeed is the share of a bare client's rate at which a backlog must drain.
const minSpeed = 0.9

// thinking is how long the server takes for an answer: less than any across the
// internet. With less still both measure how fast this computer wakes its threads.
const thinking = 5 * time.Millisecond

// TestGateBacklogSpeed drains a backlog of 10 000 punches of 200 employees, and
// compares that with a client that only posts as many, over as many connections
// to the same server. Each one's best of the rounds counts, and the first that is fast enough is the last.
func TestGateBacklogSpeed(t *testing.T) {
	const backlog, connections, rounds = 10_000, 6, 3
	bare, ours, share := time.Hour, time.Hour, 0.0
	for round := 0; round < rounds && share < minSpeed; round++ {
		bare, ours = min(bare, postBare(t, backlog, connections)), min(ours, drain(t, backlog))
		share = bare.Seconds() / ours.Seconds()
		t.Logf("%d punches: %v, bare client %v: %.0f %% of its rate", backlog, ours.Round(time.Millisecond),
			bare.Round(time.Millisecond), 100*share)
	}
	if share < minSpeed {
		t.Errorf("a backlog drains at %.0f %% of a bare client's rate, less than %.0f", 100*share, 100*minSpeed)
	}
}

func startAPI(t *testing.T) *api {
	t.Helper()
	a, err := newAPI()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.down)
	a.server.Fault = func(*http.Request) zeitstromtest.Fault { return zeitstromtest.Fault{Delay: thinking} }
	return a
}

func postBare(t *testing.T, n, connections int) time.Duration {
	t.Helper()
	a := startAPI(t)
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	began := time.Now()
	var workers sync.WaitGroup
	for w := range connections {
		workers.Go(func() {
			for i := w; i < n; i += connections {
				body := fmt.Sprintf(`{"intent":"checkin","employee_id":"%s","time":"2026-11-23T08:00:%02dZ"}`,
					employeeOf(i%200), i%60)
				req, _ := http.NewRequest(http.MethodPost, a.url()+"devices/app-timestamps/",
					bytes.NewReader([]byte(body)))
				req.Header.Set("Authorization", "Token good")
				req.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	workers.Wait()
	took := time.Since(began)
	if got := len(a.server.Timestamps()); got != n {
		t.Fatalf("%d of %d arrived", got, n)
	}
	return took
}

func drain(t *testing.T, n int) time.Duration {
	t.Helper()
	a := startAPI(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("good"), 0o600); err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(filepath.Join(dir, "queue.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for i := range n {
		if _, err := q.Append(device.Punch{
			Employee: employeeOf(i % 200), Intent: device.CheckIn, Time: time.Unix(int64(i), 0),
		}, false); err != nil {
			t.Fatal(err)
		}
	}
	client := zeitstrom.New(zeitstrom.Config{
		URL:       "http://" + a.address + zeitstromtest.Base,
		TokenFile: filepath.Join(dir, "token"), Timeout: 15 * time.Second,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	began := time.Now()
	go func() {
		defer close(done)
		uplink.New(q, client, uplink.Options{Settle: time.Minute}, slog.New(slog.DiscardHandler)).Run(ctx)
	}()
	for q.Stats().Pending > 0 && t.Context().Err() == nil {
		time.Sleep(20 * time.Millisecond) // asking more often is work that the other does not have
	}
	took := time.Since(began)
	cancel()
	<-done
	if got := len(a.server.Timestamps()); got != n {
		t.Fatalf("%d of %d arrived", got, n)
	}
	return took
}
