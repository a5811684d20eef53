package uplink

import (
	"fmt"
	"math/rand/v2"
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

const (
	healthy = 25 // among fifty others
	others  = 50
)

// fifty are all but the healthy one.
func fifty() (ns []int) {
	for n := range others + 1 {
		if n != healthy {
			ns = append(ns, n)
		}
	}
	return ns
}

// A healthy employee's punch is at Zeitstrom soon, whatever fifty others are answered:
// whether they all come at once, or their trouble is an old one.
func TestHealthyAmongFifty(t *testing.T) {
	for name, fault := range map[string]zeitstromtest.Fault{
		"404":              zeitstromtest.JSON(404, `{"detail": "Not found."}`),
		"404 HTML":         zeitstromtest.HTML(404),
		"403":              zeitstromtest.JSON(403, `{"detail": "Not your unit."}`),
		"405":              zeitstromtest.JSON(405, `{"detail": "x"}`),
		"408":              zeitstromtest.HTML(408),
		"500":              zeitstromtest.HTML(500),
		"503":              zeitstromtest.JSON(503, `{"detail": "busy"}`),
		"captive portal":   zeitstromtest.HTML(200),
		"redirect":         {Status: 302, Header: map[string]string{"Location": "http://login.hotel/"}},
		"false":            zeitstromtest.JSON(200, "false"),
		"empty 200":        {Status: 200},
		"refused alike":    zeitstromtest.JSON(400, `{"employee_id": ["Does not exist."]}`),
		"refused, and why": zeitstromtest.JSON(400, `{"non_field_errors": ["No."]}`),
		"dropped":          {DropBefore: true},
		"cut off":          {Status: 201, Body: `{"intent": "checkin"}`, CutBody: true},
		"hang":             {Delay: time.Hour},
	} {
		for _, old := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, old %v", name, old), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server := &zeitstromtest.Server{Fault: posts(forEmployees(fault, fifty()...))}
					c := start(t, server)
					c.runUntil()
					for _, n := range fifty() {
						if old {
							c.tap(n)
							continue
						}
						c.queue.append(n)
						if n == healthy-1 { // in the middle of them
							c.queue.append(healthy)
						}
					}
					if old {
						time.Sleep(10 * time.Minute)
						c.queue.append(healthy)
					}
					began := time.Now()
					c.queue.changed <- struct{}{}
					for len(server.Timestamps()) == 0 && time.Since(began) < time.Hour {
						time.Sleep(100 * time.Millisecond)
					}
					limit := 5 * time.Second
					if fault.Delay > 0 {
						limit += 15 * time.Second
					}
					if took := time.Since(began); took > limit {
						t.Errorf("it took %v", took)
					}
					if ts := server.Timestamps(); len(ts) != 1 || ts[0].Employee != string(employee(healthy)) {
						t.Errorf("Zeitstrom has %v", ts)
					}
				})
			})
		}
	}
}

// One employee whose posts fail changes nothing for the others: they are asked about, and
// the clock is online. Only a question that failed keeps taps from asking, until a ping is
// answered.
func TestOneEmployeesPostsDoNotTouchQuestions(t *testing.T) {
	for _, status := range []int{403, 404, 500} {
		synctest.Test(t, func(t *testing.T) {
			server := &zeitstromtest.Server{}
			server.Fault = posts(forEmployees(zeitstromtest.JSON(status, `{"detail": "x"}`), 1))
			c := start(t, server)
			c.run()
			c.tap(1)
			server.Book(zeitstromtest.Timestamp{
				Intent: "checkin", Employee: string(employee(2)), Time: time.Now().Add(-time.Hour),
			})
			for range 100 {
				time.Sleep(7 * time.Second)
				synctest.Wait()
				if s := c.Status(); !s.Online || !s.Asks {
					t.Fatalf("%d: %+v", status, s)
				}
				if known, err := c.Latest(t.Context(), employee(2), device.Punch{},
					time.Now()); known.Intent != device.CheckIn || err != nil {
					t.Fatalf("%d: %q, %v", status, known.Intent, err)
				}
			}
		})
	}
}

func TestFailedQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var question, ping fault
		server := &zeitstromtest.Server{}
		server.Fault = func(r *http.Request) zeitstromtest.Fault {
			switch {
			case strings.Contains(r.URL.Path, "timespans"):
				return question.get()
			case r.Method == http.MethodGet:
				return ping.get()
			}
			return zeitstromtest.Fault{}
		}
		c := start(t, server)
		c.run()
		ask := func() (took time.Duration, err error) {
			began := time.Now()
			_, err = c.Latest(t.Context(), employee(1), device.Punch{}, time.Now())
			return time.Since(began), err
		}
		ping.set(zeitstromtest.HTML(502))
		question.set(zeitstromtest.Fault{Delay: 20 * time.Second})
		if took, err := ask(); err == nil || took != 15*time.Second {
			t.Errorf("a question that fails: %v after %v", err, took)
		}
		synctest.Wait()
		id := c.tap(2)
		if took, err := ask(); err == nil || took > 0 {
			t.Errorf("the next one: %v after %v", err, took)
		}
		ping.set(zeitstromtest.Fault{})
		question.set(zeitstromtest.Fault{})
		time.Sleep(2 * time.Second)
		if _, err := ask(); err != nil {
			t.Errorf("after a ping was answered: %v", err)
		}
		if got := c.queue.became(id); got != "delivered" {
			t.Errorf("a punch is %q", got)
		}
	})
}

// Employees who are refused with the same words hold up nobody, and each goes to quarantine
// once somebody was accepted.
func TestRefusedAlike(t *testing.T) {
	for _, n := range []int{3, 4, 6, 12} {
		synctest.Test(t, func(t *testing.T) {
			server := &zeitstromtest.Server{}
			ns := make([]int, n)
			for i := range ns {
				ns[i] = i
			}
			server.Fault = posts(forEmployees(zeitstromtest.JSON(400, `{"employee_id": ["Does not exist."]}`), ns...))
			c := start(t, server)
			c.runUntil()
			var gone []device.PunchID
			for i := range n {
				gone = append(gone, c.tap(i))
			}
			if s := c.Status(); s.Problem == "" || s.Token {
				t.Errorf("%d refused, nobody accepted: %+v", n, s)
			}
			good := c.tap(99)
			if got := c.queue.became(good); got != "delivered" {
				t.Errorf("%d refused: a good one is %q at once", n, got)
			}
			time.Sleep(5 * time.Second)
			synctest.Wait()
			for _, id := range gone {
				if got := c.queue.became(id); got != "employee_id: Does not exist." {
					t.Errorf("%d refused: punch %d is %q", n, id, got)
				}
			}
			if s := c.Status(); s.Problem != "" {
				t.Errorf("%d refused: %+v", n, s)
			}
		})
	}
}

// A token that may not post for anybody is everybody's trouble; one that may not for some
// is theirs.
func TestForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = posts(forEmployees(zeitstromtest.JSON(403, `{"detail": "No."}`), 1, 2))
		c := start(t, server)
		c.runUntil()
		c.tap(1)
		if s := c.Status(); !s.Token {
			t.Errorf("nobody else is there to try: %+v", s)
		}
		c.tap(2)
		if s := c.Status(); !s.Token {
			t.Errorf("two, and nobody accepted: %+v", s)
		}
		before := server.Requests()
		time.Sleep(10 * time.Minute)
		if n := server.Requests() - before; n < 2 || n > 8 {
			t.Errorf("%d tries in ten minutes", n)
		}
		good := c.tap(3)
		if got := c.queue.became(good); got != "delivered" {
			t.Errorf("a third is %q", got)
		}
		if s := c.Status(); s.Token || s.Problem != "" || len(s.Stuck) != 2 {
			t.Errorf("one was accepted: %+v", s)
		}
	})
}

// With a slow server that fails often, an ambiguous punch is settled soon, however many
// timespans there are to be looked through.
func TestAmbiguousOnABadDay(t *testing.T) {
	var took []time.Duration
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			random := rand.New(rand.NewPCG(seed, 1))
			server := &zeitstromtest.Server{}
			first := true
			server.Fault = func(r *http.Request) zeitstromtest.Fault {
				mu.Lock()
				defer mu.Unlock()
				f := zeitstromtest.Fault{Delay: 2 * time.Second, DropAfter: random.IntN(10) < 3}
				if r.Method == http.MethodPost {
					f.DropAfter, f.DropBefore, first = false, first, false
				}
				return f
			}
			for n := range 30 {
				at := time.Now().Add(time.Duration(n-40)*time.Hour/2 + 7*time.Second)
				server.Put(zeitstromtest.Timespan{
					Employee: string(employee(1)), CheckIn: at, CheckOut: at.Add(20 * time.Minute),
				})
			}
			c := start(t, server)
			c.runUntil()
			for !c.Online() {
				time.Sleep(time.Second)
			}
			id := c.tap(1)
			began := time.Now()
			for c.queue.became(id) != "delivered" && time.Since(began) < time.Hour {
				time.Sleep(time.Second)
			}
			took = append(took, time.Since(began))
		})
	}
	slices.Sort(took)
	t.Logf("half of %d took %v at most, the worst %v", len(took), took[len(took)/2], took[len(took)-1])
	if took[len(took)*95/100] > 120*time.Second || took[len(took)-1] > 180*time.Second { // bad luck has no end
		t.Errorf("it took %v until the punch was sent again", took)
	}
}

// Times that cannot be compared leave an ambiguous punch to a person.
func TestIncomparable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		first := zeitstromtest.Sequence(zeitstromtest.Fault{DropAfter: true})
		server.Fault = func(r *http.Request) zeitstromtest.Fault {
			switch {
			case r.Method == http.MethodPost:
				return first(r)
			case strings.Contains(r.URL.Path, "history"):
				return zeitstromtest.JSON(200, `{"count": 0, "results": []}`)
			case strings.Contains(r.URL.Path, "timespans"):
				return zeitstromtest.JSON(200, `{"count": 1, "results": [{"id": "x", "checkin_time": `+
					`"2000-01-01T00:00:00"}]}`)
			}
			return zeitstromtest.Fault{}
		}
		c := start(t, server)
		c.runUntil()
		id := c.tap(1)
		time.Sleep(24 * time.Hour)
		if got := c.queue.became(id); got != "ambiguous" || server.Requests() != 1 {
			t.Errorf("it is %q after %d requests", got, server.Requests())
		}
		if s := c.Status(); !strings.Contains(s.Stuck[id], "cannot be compared") || !s.Online {
			t.Errorf("%+v", s)
		}
	})
}

// A server that answers everything late does not keep a booking here for long: a ping that
// is not answered holds nothing up.
func TestSlowServerGetsTheBookingSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{Fault: late(10 * time.Second)}
		c := start(t, server)
		c.runUntil()
		c.tap(1)
		time.Sleep(5 * time.Second)
		if n := c.queue.attempts(); n != 1 {
			t.Errorf("%d are under way after five seconds", n)
		}
		time.Sleep(10 * time.Second)
		if n := len(server.Timestamps()); n != 1 {
			t.Errorf("%d arrived", n)
		}
	})
}

// Every booking that counted for the look of the answer is taken back when a question
// lacks it.
func TestSeveralLies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		var f fault
		server.Fault = posts(func(*http.Request) zeitstromtest.Fault { return f.get() })
		f.set(zeitstromtest.Fault{Silent: 204})
		c := start(t, server)
		c.runUntil()
		c.tap(2)
		f.set(zeitstromtest.Fault{Status: 204})
		var lied []device.PunchID
		for range 3 {
			lied = append(lied, c.tap(1))
			time.Sleep(time.Minute)
		}
		f.set(zeitstromtest.Fault{})
		if _, err := c.Latest(t.Context(), employee(1), device.Punch{}, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		for _, id := range lied {
			if got := c.queue.became(id); got != "delivered" {
				t.Errorf("punch %d is %q", id, got)
			}
		}
		if n := len(server.Timestamps()); n != 4 {
			t.Errorf("Zeitstrom has %d, want 4", n)
		}
	})
}

// A token that is not taken for reading still posts.
func TestUnauthorizedToRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fault
		server := &zeitstromtest.Server{Fault: reads(&f)}
		f.set(zeitstromtest.JSON(401, `{"detail": "Invalid token."}`))
		c := start(t, server)
		c.run()
		if _, err := c.Latest(t.Context(), employee(1), device.Punch{}, time.Now()); err == nil {
			t.Error("it reads")
		}
		id := c.tap(1)
		if got := c.queue.became(id); got != "delivered" || !c.Status().MayNotAsk || c.Status().Problem != "" {
			t.Errorf("it is %q; %+v", got, c.Status())
		}
	})
}
