package uplink

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// watching is a clock that looks after its bookings.
func watching(t *testing.T, server *zeitstromtest.Server) *clock {
	c := start(t, server)
	c.Uplink = New(c.queue, c.api, Options{Settle: settle, Watch: true}, c.log.logger())
	c.run()
	return c
}

// A booking that was deleted at Zeitstrom no longer counts at the door: once it was seen
// there, and two answers half a minute apart lack it. One that was never seen may be on its
// way.
func TestDeletedBooking(t *testing.T) {
	for name, tc := range map[string]struct {
		deleted, asked time.Duration // after the booking
		counts         bool
	}{
		"never seen":          {time.Second, 2 * time.Minute, false},
		"a moment ago":        {10 * time.Second, 20 * time.Second, false},
		"a minute ago":        {10 * time.Second, 70 * time.Second, true},
		"later":               {100 * time.Second, 200 * time.Second, true},
		"long ago, and never": {time.Second, 6 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &zeitstromtest.Server{}
				c := watching(t, server)
				server.Book(zeitstromtest.Timestamp{
					Intent: "checkout", Employee: string(employee(1)), Time: time.Now().Add(-15 * time.Hour),
				})
				c.tap(1)
				booked := c.queue.punches[0]
				time.Sleep(tc.deleted)
				server.Delete(string(employee(1)), booked.Time)
				time.Sleep(tc.asked - tc.deleted)
				synctest.Wait()
				known, err := c.Latest(t.Context(), employee(1), booked, time.Now())
				if counts := err == nil && known.Intent == device.CheckOut; counts != tc.counts || !counts &&
					!errors.Is(err, errLags) {
					t.Errorf("%q, %v", known.Intent, err)
				}
			})
		})
	}
}

// What is changed through this clock counts at once.
func TestCorrectedHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		c := watching(t, server)
		c.tap(1)
		booked := c.queue.punches[0]
		server.Delete(string(employee(1)), booked.Time)
		time.Sleep(time.Second)
		if _, err := c.Latest(t.Context(), employee(1), booked, time.Now()); !errors.Is(err, errLags) {
			t.Errorf("before anybody said so: %v", err)
		}
		c.Corrected(employee(1))
		if known, err := c.Latest(t.Context(), employee(1), booked, time.Now()); known.Intent != "" || err != nil {
			t.Errorf("%q, %v", known.Intent, err)
		}
	})
}

// The looks after a booking are few, and end.
func TestLooksAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		c := watching(t, server)
		for n := range 20 {
			c.tap(n)
		}
		time.Sleep(time.Hour)
		if n := server.Questions(); n != 20*len(lookAfter) {
			t.Errorf("%d looks after 20 bookings", n)
		}
		synctest.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.watched) > 0 {
			t.Errorf("%d are still watched", len(c.watched))
		}
	})
}

// A booking by a clock that is ahead is told of as long as it is.
func TestSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		c := start(t, server)
		c.run()
		at := time.Now().Add(10 * time.Minute)
		server.Book(zeitstromtest.Timestamp{Intent: "checkin", Employee: string(employee(1)), Time: at})
		if known, err := c.Latest(t.Context(), employee(1), device.Punch{}, time.Now()); known.Intent != "" ||
			err != nil {
			t.Errorf("it is followed: %q, %v", known.Intent, err)
		}
		if s := c.Status().Skews; len(s) != 1 || s[0].Employee != employee(1) || s[0].Ahead != 10*time.Minute ||
			!s[0].At.Equal(at) {
			t.Errorf("Skews = %+v", s)
		}
		time.Sleep(11 * time.Minute)
		if s := c.Status().Skews; len(s) != 0 {
			t.Errorf("later: %+v", s)
		}
	})
}
