package uplink

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// late answers every request after a while.
func late(after time.Duration) func(*http.Request) zeitstromtest.Fault {
	return func(*http.Request) zeitstromtest.Fault { return zeitstromtest.Fault{Delay: after} }
}

// clock is an uplink between a queue and a simulated API, in a bubble of time.
type clock struct {
	*Uplink
	t      *testing.T
	queue  *memory
	server *zeitstromtest.Server
	api    *zeitstrom.Client
	token  string
	log    logBuffer
}

const settle = time.Minute

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func start(t *testing.T, server *zeitstromtest.Server) *clock {
	c := &clock{t: t, server: server, token: filepath.Join(t.TempDir(), "token")}
	c.setToken("good")
	api := zeitstrom.New(zeitstrom.Config{
		URL: "http://zeitstrom.test/api/v2/", TokenFile: c.token,
		Timeout: 15 * time.Second, Transport: server,
	})
	c.queue = newMemory()
	c.api = api
	c.Uplink = New(c.queue, api, Options{Settle: settle}, c.log.logger())
	return c
}

func (c *clock) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	c.t.Cleanup(func() {
		cancel()
		<-done
		time.Sleep(time.Hour) // what the server still does
	})
	synctest.Wait()
}

func (c *clock) setToken(token string) {
	if err := os.WriteFile(c.token, []byte(token), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// tap appends a punch of employee n and wakes the uplink.
func (c *clock) tap(n int) device.PunchID {
	id := c.queue.append(n)
	select {
	case c.queue.changed <- struct{}{}:
	default:
	}
	synctest.Wait()
	return id
}

func employee(n int) device.EmployeeID {
	return device.EmployeeID(fmt.Sprintf("a1b2c3d4-e5f6-7890-abcd-%012d", n))
}

// posts keeps only posted timestamps of what a fault function sees.
func posts(f func(*http.Request) zeitstromtest.Fault) func(*http.Request) zeitstromtest.Fault {
	return func(r *http.Request) zeitstromtest.Fault {
		if r.Method != http.MethodPost {
			return zeitstromtest.Fault{}
		}
		return f(r)
	}
}

// forEmployees fails the punches of these employees only.
func forEmployees(fault zeitstromtest.Fault, ns ...int) func(*http.Request) zeitstromtest.Fault {
	return func(r *http.Request) zeitstromtest.Fault {
		body, err := r.GetBody()
		if err != nil {
			panic(err)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			panic(err)
		}
		for _, n := range ns {
			if strings.Contains(string(text), string(employee(n))) {
				return fault
			}
		}
		return zeitstromtest.Fault{}
	}
}

func TestDeliversAtOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, &zeitstromtest.Server{Token: "good"})
		c.run()
		if s := c.Status(); !s.Online || s.Problem != "" {
			t.Errorf("before the first tap: %+v", s)
		}
		for n := range 5 {
			c.tap(n % 2)
		}
		var got []string
		for _, ts := range c.server.Timestamps() {
			got = append(got, ts.Intent+ts.Employee[35:])
		}
		if want := []string{"checkin0", "checkin1", "checkout0", "checkout1", "checkin0"}; !slices.Equal(got, want) {
			t.Errorf("the server got %v, want %v", got, want)
		}
	})
}

// Until the API answers again: first within a second, then rarer, never more
// than five minutes apart.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var tries []time.Time
		mended := false
		server := &zeitstromtest.Server{}
		server.Fault = func(*http.Request) zeitstromtest.Fault {
			mu.Lock()
			defer mu.Unlock()
			tries = append(tries, time.Now())
			return zeitstromtest.Fault{NoConnection: !mended}
		}
		c := start(t, server)
		c.run()
		mu.Lock()
		tries = nil
		mu.Unlock()
		c.tap(1)
		time.Sleep(2 * time.Hour)
		mu.Lock()
		for i := 1; i < len(tries); i++ {
			gap := tries[i].Sub(tries[i-1])
			if i == 1 && gap > time.Second || gap > 5*time.Minute || gap < 200*time.Millisecond {
				t.Errorf("try %d came %v after the one before", i+1, gap)
			}
		}
		if n := len(tries); n < 30 || n > 70 {
			t.Errorf("%d tries in two hours", n)
		}
		s := c.Status()
		if s.Online || s.Problem == "" || s.Retry.Before(time.Now()) || s.Retry.After(time.Now().Add(5*time.Minute)) {
			t.Errorf("Status = %+v", s)
		}
		if n := strings.Count(c.log.String(), "delivery waits"); n != 1 {
			t.Errorf("the same problem was logged %d times", n)
		}

		mended = true
		mu.Unlock()
		c.tap(2) // wakes it
		if n := len(server.Timestamps()); n != 2 {
			t.Errorf("a new punch did not end the pause: %d delivered", n)
		}
		if s := c.Status(); !s.Online || s.Problem != "" {
			t.Errorf("Status = %+v", s)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for _, status := range []int{429, 503} {
		synctest.Test(t, func(t *testing.T) {
			busy := zeitstromtest.Fault{Status: status, Header: map[string]string{"Retry-After": "90"}}
			server := &zeitstromtest.Server{}
			server.Fault = posts(zeitstromtest.Sequence(busy))
			c := start(t, server)
			c.run()
			c.tap(1)
			time.Sleep(80 * time.Second)
			c.tap(2)
			if n := server.Requests(); n != 1 {
				t.Errorf("%d: %d requests before the time was over, want 1", status, n)
			}
			time.Sleep(11 * time.Second)
			if n := len(server.Timestamps()); n != 2 {
				t.Errorf("%d: %d delivered after it", status, n)
			}
		})
	}
}

func TestRefusedGoesToQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, &zeitstromtest.Server{Employees: []string{string(employee(2))}})
		c.run()
		refused, good := c.tap(1), c.tap(2)
		if got := c.queue.became(refused); !strings.HasPrefix(got, "employee_id: Invalid pk") {
			t.Errorf("punch of an unknown employee: %q", got)
		}
		if got := c.queue.became(good); got != "delivered" {
			t.Errorf("punch behind it: %q", got)
		}
		time.Sleep(time.Hour)
		if n := c.server.Requests(); n != 2 {
			t.Errorf("%d requests, want 2: a refused punch was sent again", n)
		}
	})
}

// One employee whose punches the server chokes on does not hold up the others.
func TestOneEmployeesTroubleIsTheirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = posts(forEmployees(zeitstromtest.HTML(500), 1))
		c := start(t, server)
		c.run()
		stuck := c.tap(1)
		time.Sleep(time.Hour)
		for n := 2; n < 12; n++ {
			if id := c.tap(n); c.queue.became(id) != "delivered" {
				t.Errorf("punch %d waits behind another employee's", id)
			}
		}
		if got := c.queue.became(stuck); got != "ambiguous" {
			t.Errorf("the stuck punch became %q: a 500 is no refusal", got)
		}
	})
}

func TestRefusedTokenPauses(t *testing.T) {
	for name, refusal := range map[string]zeitstromtest.Fault{
		"401": zeitstromtest.JSON(401, `{"detail": "Invalid token."}`),
		"403": zeitstromtest.JSON(403, `{"detail": "You do not have permission to perform this action."}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &zeitstromtest.Server{}
				server.Fault = posts(func(r *http.Request) zeitstromtest.Fault {
					if r.Header.Get("Authorization") == "Token other" {
						return zeitstromtest.Fault{}
					}
					return refusal
				})
				c := start(t, server)
				c.run()
				c.tap(1)
				before := server.Requests()
				time.Sleep(10 * time.Minute)
				if n := server.Requests() - before; n < 2 || n > 5 {
					t.Errorf("%d tries in ten minutes, want one every few minutes", n)
				}
				if s := c.Status(); !s.Online || !s.Token || c.Sends() || !strings.Contains(s.Problem, name) {
					t.Errorf("Status = %+v", s)
				}
				c.setToken("other")
				time.Sleep(tokenWatch + time.Second)
				if n := len(server.Timestamps()); n != 1 {
					t.Errorf("a new token was not noticed: %d delivered", n)
				}
			})
		})
	}
}

func TestMissingTokenIsNoticedAndWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, &zeitstromtest.Server{})
		os.Remove(c.token)
		c.run()
		if s := c.Status(); s.Online || !strings.Contains(s.Problem, "there is no token") {
			t.Errorf("Status = %+v", s)
		}
		c.tap(1)
		c.setToken("new")
		time.Sleep(tokenWatch + time.Second)
		if n := len(c.server.Timestamps()); n != 1 {
			t.Errorf("%d delivered after the token came", n)
		}
	})
}

// While the outcome of a delivery cannot be stored the punch is not sent again:
// Zeitstrom has it.
func TestOutcomeThatCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		c := start(t, server)
		var fills sync.Once // else the second punch, if it is sent first, fills the disk again
		server.Accepted = func(zeitstromtest.Timestamp) { fills.Do(func() { c.queue.full.Store(true) }) }
		c.run()
		id := c.tap(1)
		c.tap(2) // cannot even be marked as sent
		time.Sleep(time.Hour)
		if n := server.Requests(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
		c.queue.full.Store(false)
		time.Sleep(storePause + time.Second)
		if got := c.queue.became(id); got != "delivered" || server.Requests() != 2 {
			t.Errorf("after the disk came back: %q, %d requests", got, server.Requests())
		}
	})
}

// A shift that taps while the server is down does not lengthen the pauses.
func TestTapsDoNotLengthenThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = func(*http.Request) zeitstromtest.Fault { return zeitstromtest.Fault{NoConnection: true} }
		c := start(t, server)
		c.run()
		for n := range 60 {
			c.tap(n)
			time.Sleep(50 * time.Millisecond)
		}
		if wait := time.Until(c.Status().Retry); wait > 10*time.Second {
			t.Errorf("after three seconds of taps the next try is in %v", wait)
		}
	})
}
