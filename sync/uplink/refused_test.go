package uplink

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// "Already checked in" may speak of the very punch that was sent before.
func TestRefusalOfAPunchThatHadArrived(t *testing.T) {
	for _, known := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			server := &zeitstromtest.Server{Strict: true}
			c := start(t, server)
			if known { // it had arrived: another try of ours, that nobody remembers
				if _, err := c.api.Post(t.Context(),
					device.Punch{Employee: employee(1), Intent: device.CheckIn, Time: time.Now()}); err != nil {
					t.Fatal(err)
				}
			} else if _, err := c.api.Post(t.Context(), device.Punch{
				Employee: employee(1), Intent: device.CheckIn,
				Time: time.Now().Add(-time.Hour),
			}); err != nil {
				t.Fatal(err)
			}
			c.runUntil()
			id := c.tap(1)
			want := "Employee is already checked in."
			if known {
				want = "delivered"
			}
			if got := c.queue.became(id); got != want {
				t.Errorf("it had arrived: %v; it is %q, want %q", known, got, want)
			}
		})
	}
}

// One fault that hits everyone is not answered by quarantining everyone.
func TestRefusingEveryonePauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		refusing := true
		server := &zeitstromtest.Server{}
		server.Fault = posts(func(*http.Request) zeitstromtest.Fault {
			mu.Lock()
			defer mu.Unlock()
			if refusing {
				return zeitstromtest.JSON(400, `{"time": ["The subscription has ended."]}`)
			}
			return zeitstromtest.Fault{}
		})
		c := start(t, server)
		c.runUntil()
		for n := range 20 {
			c.tap(n)
		}
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		for id := device.PunchID(1); id <= 20; id++ {
			if got := c.queue.became(id); got != "" {
				t.Fatalf("punch %d is %q", id, got)
			}
		}
		if s := c.Status(); !s.Online || c.Sends() || !strings.Contains(s.Problem, "The subscription has ended.") {
			t.Errorf("Status = %+v", s)
		}
		if n := server.Requests(); n > 100 {
			t.Errorf("%d requests in six hours", n)
		}
		mu.Lock()
		refusing = false
		mu.Unlock()
		time.Sleep(longest + time.Second)
		synctest.Wait()
		if n := len(server.Timestamps()); n != 20 {
			t.Errorf("%d of 20 arrived after it was over", n)
		}
	})
}

// Several employees that are really gone are quarantined one by one, once
// somebody else was accepted in between.
func TestRefusingSomeQuarantinesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		server.Fault = posts(forEmployees(zeitstromtest.JSON(400, `{"employee_id": ["Does not exist."]}`), 0, 1, 2, 3,
			4))
		c := start(t, server)
		c.runUntil()
		var gone []device.PunchID
		for n := range 5 {
			gone = append(gone, c.tap(n))
		}
		c.tap(9)
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if n := len(server.Timestamps()); n != 1 {
			t.Errorf("%d arrived, want the one who exists", n)
		}
		for _, id := range gone {
			if got := c.queue.became(id); got != "employee_id: Does not exist." {
				t.Errorf("punch %d is %q; %+v", id, got, c.Status())
			}
		}
	})
}
