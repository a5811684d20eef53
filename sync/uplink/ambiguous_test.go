package uplink

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// fates are the ways in which a request can go wrong, and what must be true of
// its punch after that: whether it is ambiguous, quarantined or simply pending,
// and whether it had arrived. Pings are answered all the time.
var fates = []struct {
	name    string
	fault   zeitstromtest.Fault
	became  string // right after the fault
	arrived bool
	stuck   string // what `status` says of the employee
	problem string // what `status` says of everybody
}{
	{"no connection", zeitstromtest.Fault{NoConnection: true}, "", false, "cannot be reached", ""},
	{"drop before", zeitstromtest.Fault{DropBefore: true}, "ambiguous", false, "cannot be reached", ""},
	{"drop after", zeitstromtest.Fault{DropAfter: true}, "ambiguous", true, "cannot be reached", ""},
	{"lands late", zeitstromtest.Fault{Delay: 40 * time.Second}, "ambiguous", true, "cannot be reached", ""},
	{
		"reset mid-body",
		zeitstromtest.Fault{Status: 201, Body: `{"intent": "checkin"}`, CutBody: true},
		"ambiguous",
		false, "cannot be reached", "",
	},
	{"500", zeitstromtest.JSON(500, `{"detail": "boom"}`), "ambiguous", false, "not available (500)", ""},
	{"502 HTML", zeitstromtest.HTML(502), "ambiguous", false, "not available (502)", ""},
	{"503", zeitstromtest.HTML(503), "ambiguous", false, "not available (503)", ""},
	{"429", zeitstromtest.Fault{Status: 429}, "", false, "", "asks to wait"},
	{
		"429 with Retry-After",
		zeitstromtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "30"}},
		"",
		false, "", "asks to wait",
	},
	{"401", zeitstromtest.JSON(401, `{"detail": "Invalid token."}`), "", false, "", "does not accept the token (401)"},
	{
		"403", zeitstromtest.JSON(403, `{"detail": "No."}`), "", false,
		"no permission for POST devices/app-timestamps/ (403)", "no permission for POST devices/app-timestamps/ (403)",
	},
	{"404", zeitstromtest.JSON(404, `{"detail": "Not found."}`), "", false, "not available (404)", ""},
	{"405", zeitstromtest.JSON(405, `{"detail": "Method not allowed."}`), "", false, "not available (405)", ""},
	{"408", zeitstromtest.HTML(408), "", false, "not available (408)", ""},
	{"400 field", zeitstromtest.JSON(400, `{"time": ["In the future."]}`), "time: In the future.", false, "", ""},
	{
		"400 non-field", zeitstromtest.JSON(400, `{"non_field_errors": ["Employee is locked."]}`),
		"Employee is locked.", false, "", "",
	},
	{
		"redirect",
		zeitstromtest.Fault{Status: 302, Header: map[string]string{"Location": "http://login.hotel/"}},
		"ambiguous", false, "not Zeitstrom answering", "",
	},
	{"captive HTML 200", zeitstromtest.HTML(200), "ambiguous", false, "not Zeitstrom answering", ""},
	{"garbage", zeitstromtest.JSON(200, "{]"), "ambiguous", false, "not Zeitstrom answering", ""},
	{"plain text", zeitstromtest.Fault{
		Status: 200, Header: map[string]string{"Content-Type": "text/plain"},
		Body: "OK",
	}, "ambiguous", false, "not Zeitstrom answering", ""},
	{"false", zeitstromtest.JSON(200, "false"), "ambiguous", false, "no object", ""},
	{"null", zeitstromtest.JSON(200, "null"), "ambiguous", false, "no object", ""},
	{
		"an error", zeitstromtest.JSON(200, `{"error": "maintenance until 6"}`), "ambiguous", false,
		"maintenance until 6", "",
	},
	{
		"somebody else", zeitstromtest.JSON(201,
			`{"intent": "checkin", "employee_id": "b1b2c3d4-e5f6-7890-abcd-ef1234567890"}`), "ambiguous", false,
		"another booking", "",
	},
	{"empty 200", zeitstromtest.Fault{Status: 200}, "ambiguous", false, "looked like success", ""},
	{
		"empty 200 of HTML",
		zeitstromtest.Fault{Status: 200, Header: map[string]string{"Content-Type": "text/html"}},
		"ambiguous", false, "looked like success", "",
	},
	{"202", zeitstromtest.Fault{Status: 202}, "ambiguous", false, "looked like success", ""},
	{"204", zeitstromtest.Fault{Status: 204}, "ambiguous", false, "looked like success", ""},
	{"206", zeitstromtest.JSON(206, "{}"), "ambiguous", false, "looked like success", ""},
	{
		"portal's JSON", zeitstromtest.JSON(200, `{"login": "http://login.hotel/"}`), "ambiguous", false,
		"looked like success", "",
	},
}

// TestFaultMatrix meets every fault on the first try, on a retry, and in the
// last request before a restart. In the end the punch is where it belongs, and
// Zeitstrom has it at most once.
func TestFaultMatrix(t *testing.T) {
	for _, fate := range fates {
		for _, when := range []string{"first try", "retry", "before a restart"} {
			t.Run(fate.name+"/"+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					faults := []zeitstromtest.Fault{fate.fault}
					if when == "retry" {
						faults = []zeitstromtest.Fault{{NoConnection: true}, fate.fault}
					}
					server := &zeitstromtest.Server{}
					server.Fault = posts(zeitstromtest.Sequence(faults...))
					c := start(t, server)
					stop := c.runUntil()
					id := c.tap(1)
					time.Sleep(17 * time.Second) // more than a time-out
					synctest.Wait()
					got := c.queue.became(id)
					over := fate.became == "" && got == "delivered" // tried again and well
					if got != fate.became && !over {
						t.Errorf("after the fault the punch is %q, want %q", got, fate.became)
					}
					if s := c.Status(); !over &&
						(!strings.Contains(s.Stuck[id], fate.stuck) || len(s.Stuck) > 0 != (fate.stuck != "")) {
						t.Errorf("Status = %+v, want %q", s, fate.stuck)
					}
					if s := c.Status(); !over &&
						(!strings.Contains(s.Problem, fate.problem) || c.Sends() != (fate.problem == "")) {
						t.Errorf("Status = %+v, want %q", s, fate.problem)
					}
					if n := len(server.Timestamps()); (n > 0) != fate.arrived && !over && fate.name != "lands late" {
						t.Errorf("Zeitstrom has it %d times", n)
					}
					if when == "before a restart" {
						stop()
						c.queue.restart()
						c.Uplink = New(c.queue, c.api, Options{Settle: settle}, c.log.logger())
						c.runUntil()
					}
					time.Sleep(time.Hour)
					synctest.Wait()
					c.checkEnd(id, fate.became)
				})
			})
		}
	}
}

// checkEnd compares what became of the only punch with what Zeitstrom has.
func (c *clock) checkEnd(id device.PunchID, became string) {
	c.t.Helper()
	want := "delivered"
	refused := became != "" && became != "ambiguous"
	if refused {
		want = became
	}
	if got := c.queue.became(id); got != want {
		c.t.Errorf("in the end the punch is %q, want %q; %+v", got, want, c.Status())
	}
	count := 1
	if refused {
		count = 0
	}
	if got := len(c.server.Timestamps()); got != count {
		c.t.Errorf("Zeitstrom has it %d times, want %d", got, count)
	}
}

// runUntil starts the uplink and returns what stops it.
func (c *clock) runUntil() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	up := c.Uplink
	go func() {
		defer close(done)
		up.Run(ctx)
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			<-done
		})
	}
	c.t.Cleanup(func() {
		stop()
		time.Sleep(time.Hour) // what the server still does
	})
	synctest.Wait()
	return stop
}

func TestAmbiguousPunchIsLeftAloneForTheSettlingTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = posts(zeitstromtest.Sequence(zeitstromtest.HTML(502)))
		c := start(t, server)
		c.runUntil()
		c.tap(1)
		other := c.tap(2)
		if got := c.queue.became(other); got != "delivered" {
			t.Errorf("another employee's punch is %q: it must not wait", got)
		}
		c.tap(1) // wakes it, and must not end the settling
		time.Sleep(settle - time.Second)
		if n, q := server.Requests(), server.Questions(); n != 2 || q != 0 {
			t.Errorf("%d requests and %d questions within the settling time", n, q)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n, q := len(server.Timestamps()), server.Questions(); n != 3 || q != 1 {
			t.Errorf("after it: %d arrived, %d questions", n, q)
		}
	})
}

// A punch that somebody corrected in the meantime is known by its history.
func TestCorrectedPunchIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = posts(zeitstromtest.Sequence(zeitstromtest.Fault{DropAfter: true}))
		c := start(t, server)
		c.runUntil()
		id := c.tap(1)
		server.Correct(string(employee(1)), time.Hour)
		time.Sleep(2 * settle)
		if got := c.queue.became(id); got != "delivered" || server.Requests() != 1 {
			t.Errorf("it is %q after %d requests", got, server.Requests())
		}
	})
}

// A token that may only post: what is ambiguous waits for a person, the rest
// goes on.
func TestTokenThatMayNotAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{WriteOnly: true}
		server.Fault = posts(zeitstromtest.Sequence(zeitstromtest.Fault{DropAfter: true}))
		c := start(t, server)
		c.runUntil()
		stuck := c.tap(1)
		time.Sleep(24 * time.Hour)
		other := c.tap(2)
		if got := c.queue.became(stuck); got != "ambiguous" || server.Requests() != 2 {
			t.Errorf("it is %q after %d requests", got, server.Requests())
		}
		if got := c.queue.became(other); got != "delivered" {
			t.Errorf("another employee's is %q", got)
		}
		if s := c.Status(); !s.MayNotAsk || !s.Online {
			t.Errorf("Status = %+v", s)
		}
		if n := strings.Count(c.log.String(), "may not read timespans"); n != 1 {
			t.Errorf("said %d times in a day", n)
		}
		c.queue.Retry("", stuck) // the person decides
		c.queue.changed <- struct{}{}
		synctest.Wait()
		if got := c.queue.became(stuck); got != "delivered" {
			t.Errorf("after the decision it is %q", got)
		}
	})
}

// A check-out that was held goes on once Zeitstrom shows its check-in.
func TestHolderThatIsFoundIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, &zeitstromtest.Server{})
		in := device.Punch{ID: 1, Employee: employee(1), Intent: device.CheckIn, Time: time.Now()}
		c.queue.punches, c.queue.state[1], c.queue.holders = []device.Punch{in}, "refused", []device.Punch{in}
		c.runUntil()
		time.Sleep(heldEvery + time.Second)
		if got := c.queue.became(1); got != "refused" {
			t.Errorf("not at Zeitstrom, yet %q", got)
		}
		if _, err := c.api.Post(t.Context(), in); err != nil { // somebody enters it by hand
			t.Fatal(err)
		}
		time.Sleep(heldEvery + time.Second)
		if got := c.queue.became(1); got != "delivered" {
			t.Errorf("at Zeitstrom, yet %q", got)
		}
	})
}

// A backlog goes out in parallel, each employee's in order.
func TestBacklogGoesOutInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = posts(late(100 * time.Millisecond))
		c := start(t, server)
		for n := range 200 {
			c.queue.append(n % 10)
		}
		began := time.Now()
		c.runUntil()
		for len(server.Timestamps()) < 200 && time.Since(began) < time.Minute {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(began); took > 200*100*time.Millisecond/parallel*5/4 {
			t.Errorf("200 punches took %v", took)
		}
		last := map[string]time.Time{}
		for _, ts := range server.Timestamps() {
			if !last[ts.Employee].Before(ts.Time.Add(time.Nanosecond)) {
				t.Errorf("%s out of order", ts.Employee)
			}
			last[ts.Employee] = ts.Time
		}
		var intents []string
		for _, ts := range server.Timestamps() {
			if ts.Employee == string(employee(3)) {
				intents = append(intents, ts.Intent)
			}
		}
		want := slices.Repeat([]string{"checkin", "checkout"}, 10)
		if fmt.Sprint(intents) != fmt.Sprint(want) {
			t.Errorf("employee 3: %v", intents)
		}
	})
}
