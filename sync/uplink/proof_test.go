package uplink

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// An answer that does not prove itself is proven by asking; then its shape counts for an
// hour, and is forgotten when it has lied.
func TestProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		lies, asked := false, 0
		server := &zeitstromtest.Server{}
		server.Fault = func(r *http.Request) zeitstromtest.Fault {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case r.Method == http.MethodPost && lies:
				return zeitstromtest.Fault{Status: 204}
			case r.Method == http.MethodPost:
				return zeitstromtest.Fault{Silent: 204}
			case strings.Contains(r.URL.Path, "timespans"):
				asked++
			}
			return zeitstromtest.Fault{}
		}
		c := start(t, server)
		c.runUntil()
		lie := func(yes bool) {
			mu.Lock()
			defer mu.Unlock()
			lies = yes
		}
		expect := func(what string, id device.PunchID, became string, questions int) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if got := c.queue.became(id); got != became || asked != questions {
				t.Errorf("%s: %q after %d questions, want %q after %d", what, got, asked, became, questions)
			}
			asked = 0
		}
		expect("the first", c.tap(1), "delivered", 1)
		expect("the second", c.tap(2), "delivered", 0)
		time.Sleep(provenFor + time.Minute)
		expect("after an hour", c.tap(1), "delivered", 1)
		lie(true)
		lied := c.tap(2)
		expect("a portal that answers alike", lied, "delivered", 0)
		time.Sleep(time.Minute)
		lie(false)
		if _, err := c.Latest(t.Context(), employee(2), device.Punch{}, time.Now()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		expect("a question that lacks it", lied, "ambiguous", 1)
		expect("the next of another", c.tap(3), "delivered", 1)
		time.Sleep(2 * settle)
		if got, n := c.queue.became(lied), len(server.Timestamps()); got != "delivered" || n != 5 {
			t.Errorf("in the end it is %q, and Zeitstrom has %d", got, n)
		}
	})
}

// What looked like success and is not there is sent again only after it was denied several
// times over a quarter of an hour.
func TestDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = posts(zeitstromtest.Sequence(zeitstromtest.JSON(202, `{"job": 7}`)))
		c := start(t, server)
		c.runUntil()
		id := c.tap(1)
		time.Sleep(denialTime - time.Second)
		if n, q := server.Requests(), server.Questions(); n != 1 || q < denials || q > 20 {
			t.Errorf("%d requests, %d questions in the first quarter of an hour", n, q)
		}
		time.Sleep(longest + 2*time.Second)
		synctest.Wait()
		if got := c.queue.became(id); got != "delivered" || server.Requests() != 2 {
			t.Errorf("it is %q after %d requests", got, server.Requests())
		}
		if len(c.shapes) > 0 {
			t.Errorf("a shape was learned: %v", c.shapes)
		}
	})
}

// Where nobody can check, an answer that looks like success counts; one that never is
// does not.
func TestTokenThatMayNotCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{WriteOnly: true}
		server.Fault = posts(zeitstromtest.Sequence(zeitstromtest.Fault{Status: 204},
			zeitstromtest.JSON(200, "false"), zeitstromtest.Fault{Status: 204}))
		c := start(t, server)
		c.runUntil()
		var got []string
		for n := range 3 {
			got = append(got, c.queue.became(c.tap(n)))
		}
		if want := []string{"delivered", "ambiguous", "delivered"}; !slices.Equal(got, want) {
			t.Errorf("they are %q, want %q", got, want)
		}
		if !c.Status().MayNotAsk {
			t.Errorf("%+v", c.Status())
		}
	})
}
