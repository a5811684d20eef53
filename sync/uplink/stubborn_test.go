package uplink

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/sync/zeitstrom/zeitstromtest"
)

// However long the pause of everything lasts, an ambiguous punch is asked about
// before it goes out again.
func TestLongPausesDoNotSkipTheQuestion(t *testing.T) {
	outage := make([]zeitstromtest.Fault, 11)
	for i := range outage {
		outage[i].NoConnection = true
	}
	for name, faults := range map[string][]zeitstromtest.Fault{
		"outage, then an answer that is lost": append(outage, zeitstromtest.Fault{DropAfter: true}),
		"a long Retry-After":                  {{Status: 504, Header: map[string]string{"Retry-After": "120"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &zeitstromtest.Server{}
				server.Fault = posts(zeitstromtest.Sequence(faults...))
				c := start(t, server)
				c.runUntil()
				c.tap(1)
				time.Sleep(3 * time.Hour)
				synctest.Wait()
				if n, q := len(server.Timestamps()), server.Questions(); n != 1 || q == 0 {
					t.Errorf("%d arrived, %d questions", n, q)
				}
			})
		})
	}
}

// A new token ends the pause, not the settling of what may still land.
func TestNewTokenDoesNotEndTheSettling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = posts(zeitstromtest.Sequence(zeitstromtest.Fault{Delay: 40 * time.Second},
			zeitstromtest.JSON(401, `{"detail": "x"}`)))
		c := start(t, server)
		c.runUntil()
		c.tap(1)
		time.Sleep(16 * time.Second)
		c.tap(2)
		time.Sleep(3 * time.Second)
		c.setToken("another-one")
		time.Sleep(time.Hour)
		if n := len(server.Timestamps()); n != 2 {
			t.Errorf("%d arrived of two taps", n)
		}
	})
}

// A server that refuses the question is asked again, but not all the time.
func TestRefusedQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		first := zeitstromtest.Sequence(zeitstromtest.Fault{DropAfter: true})
		server.Fault = func(r *http.Request) zeitstromtest.Fault {
			if r.Method == http.MethodPost {
				return first(r)
			}
			if strings.Contains(r.URL.Path, "timespans") {
				return zeitstromtest.JSON(400, `{"employee_ids": ["Select a valid choice."]}`)
			}
			return zeitstromtest.Fault{}
		}
		c := start(t, server)
		c.runUntil()
		id := c.tap(1)
		other := c.tap(2)
		time.Sleep(24 * time.Hour)
		if got := c.queue.became(id); got != "ambiguous" {
			t.Errorf("it is %q", got)
		}
		if got := c.queue.became(other); got != "delivered" {
			t.Errorf("another employee's is %q", got)
		}
		if n := strings.Count(c.log.String(), "refuses to say"); n < 10 || n > 600 {
			t.Errorf("asked %d times in a day", n)
		}
	})
}

// A refusal whose words are blank is none.
func TestBlankRefusal(t *testing.T) {
	for _, body := range []string{`{"detail": " "}`, `{"non_field_errors": ["", ""]}`} {
		synctest.Test(t, func(t *testing.T) {
			server := &zeitstromtest.Server{}
			server.Fault = posts(zeitstromtest.Sequence(zeitstromtest.JSON(400, body)))
			c := start(t, server)
			c.runUntil()
			id := c.tap(1)
			time.Sleep(10 * time.Minute)
			if got := c.queue.became(id); got != "delivered" {
				t.Errorf("%s: it is %q", body, got)
			}
		})
	}
}

// A token that may not book for one employee books for the others.
func TestForbiddenForOneEmployee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = posts(forEmployees(zeitstromtest.JSON(403, `{"detail": "Not your unit."}`), 1))
		c := start(t, server)
		c.runUntil()
		c.tap(1)
		other := c.tap(2)
		time.Sleep(24 * time.Hour)
		if got := c.queue.became(other); got != "delivered" {
			t.Errorf("another employee's is %q", got)
		}
	})
}
