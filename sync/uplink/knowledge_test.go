package uplink

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// fault may change while requests are under way.
type fault struct {
	mu  sync.Mutex
	now zeitstromtest.Fault
}

func (f *fault) get() zeitstromtest.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fault) set(now zeitstromtest.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = now
}

// reads fails only questions.
func reads(f *fault) func(*http.Request) zeitstromtest.Fault {
	return func(r *http.Request) zeitstromtest.Fault {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "timespans") {
			return f.get()
		}
		return zeitstromtest.Fault{}
	}
}

func TestLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fault fault
		server := &zeitstromtest.Server{Fault: reads(&fault)}
		c := start(t, server)
		latest := func() (device.Intent, time.Duration, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			began := time.Now()
			known, err := c.Latest(ctx, employee(1), device.Punch{}, time.Now())
			return known.Intent, time.Since(began), err
		}
		if _, took, err := latest(); !errors.Is(err, errOffline) || took > 0 {
			t.Errorf("before the first contact: %v after %v", err, took)
		}
		c.run()
		server.Book(zeitstromtest.Timestamp{
			Intent: "checkin", Employee: string(employee(1)), Time: time.Now().Add(-time.Hour),
		})
		if intent, took, err := latest(); intent != device.CheckIn || took > 0 || err != nil {
			t.Errorf("booked by the app: %q, %v after %v", intent, err, took)
		}

		// A slow server holds up nobody for longer than was agreed, and is not
		// asked without end.
		fault.set(zeitstromtest.Fault{Delay: 10 * time.Second})
		for range questions {
			if _, took, err := latest(); !errors.Is(err, context.DeadlineExceeded) || took != 200*time.Millisecond {
				t.Errorf("a slow server: %v after %v", err, took)
			}
		}
		if _, took, err := latest(); !errors.Is(err, errBusy) || took > 0 {
			t.Errorf("with %d questions open: %v after %v", questions, err, took)
		}
		fault.set(zeitstromtest.Fault{})
		time.Sleep(time.Minute)
		if intent, _, err := latest(); intent != device.CheckIn || err != nil {
			t.Errorf("when it is well again: %q, %v", intent, err)
		}

		// A token that may not read is not tried at each tap; the permission may come.
		fault.set(zeitstromtest.JSON(403, `{"detail": "You do not have permission to perform this action."}`))
		if _, _, err := latest(); err == nil || !c.Status().MayNotAsk {
			t.Errorf("without permission: %v, %+v", err, c.Status())
		}
		fault.set(zeitstromtest.Fault{})
		if _, took, err := latest(); !errors.Is(err, errMayNotAsk) || took > 0 {
			t.Errorf("again at once: %v after %v", err, took)
		}
		time.Sleep(longest)
		if _, _, err := latest(); err != nil || c.Status().MayNotAsk {
			t.Errorf("with permission: %v, %+v", err, c.Status())
		}
		if !c.Online() {
			t.Errorf("questions at the door say nothing about delivery: %+v", c.Status())
		}
	})
}

// A clock that starts with a doubtful booking learns at once that Zeitstrom answers,
// and so do those who stand at the door; a token that may not read is an answer, too.
func TestOnlineWhileOneSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fault
		c := start(t, &zeitstromtest.Server{Fault: reads(&f)})
		id := c.queue.append(1)
		c.queue.MarkAmbiguous(device.Punch{ID: id, Employee: employee(1)})
		c.run()
		if !c.Online() {
			t.Errorf("at the start: %+v", c.Status())
		}
		f.set(zeitstromtest.JSON(403, `{"detail": "You do not have permission to perform this action."}`))
		time.Sleep(2 * settle)
		synctest.Wait()
		if s := c.Status(); !s.Online || !s.MayNotAsk || s.Problem != "" {
			t.Errorf("without permission to read: %+v", s)
		}
	})
}

// What was learned on purpose is remembered until the employee books again; what a
// tap asked for is not: its own booking is newer.
func TestRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		c := start(t, server)
		c.run()
		server.Book(zeitstromtest.Timestamp{
			Intent: "checkin", Employee: string(employee(1)), Time: time.Now().Add(-time.Hour),
		})
		if _, err := c.Latest(t.Context(), employee(1), device.Punch{}, time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, known := c.Remembered(employee(1), device.Punch{}); known {
			t.Error("a tap's question is remembered")
		}
		if _, _, err := c.Refresh(t.Context(), employee(1)); err != nil {
			t.Fatal(err)
		}
		if k, known := c.Remembered(employee(1), device.Punch{}); k.Intent != device.CheckIn || !known {
			t.Errorf("remembered %q, %v", k.Intent, known)
		}
		c.tap(1)
		if _, known := c.Remembered(employee(1), device.Punch{}); known {
			t.Error("it is remembered after the next booking")
		}
	})
}

// A token that may not read workmonths is not asked for them all the time; one that may is, and a server in
// trouble is asked again.
func TestMonthIsNotAskedInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, now := 0, &fault{}
		server := &zeitstromtest.Server{MayNotPlan: true}
		server.Fault = func(r *http.Request) zeitstromtest.Fault {
			if !strings.Contains(r.URL.Path, "workmonths") {
				return zeitstromtest.Fault{}
			}
			asked++
			return now.get()
		}
		c := start(t, server)
		ask := func(known bool, want int) {
			t.Helper()
			m, err := c.Month(t.Context(), employee(1), time.Now())
			if m.Known != known || known != (err == nil) || asked != want {
				t.Errorf("%+v, %v; asked %d times, want %d", m, err, asked, want)
			}
		}
		ask(false, 1)
		ask(false, 1)
		time.Sleep(59 * time.Minute)
		ask(false, 1)
		time.Sleep(2 * time.Minute)
		ask(false, 2)
		server.MayNotPlan = false
		time.Sleep(61 * time.Minute)
		ask(true, 3)
		now.set(zeitstromtest.HTML(502))
		ask(false, 4)
		now.set(zeitstromtest.Fault{})
		ask(true, 5)
	})
}

// What was heard last stays, whatever was booked since: hours are told from it.
func TestHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &zeitstromtest.Server{}
		c := start(t, server)
		c.run()
		began := time.Now().Add(-4 * time.Hour)
		server.Book(zeitstromtest.Timestamp{Intent: "checkin", Employee: string(employee(1)), Time: began})
		if h := c.Heard(employee(1)); !h.Asked.IsZero() {
			t.Errorf("before anything was asked: %+v", h)
		}
		if _, err := c.Latest(t.Context(), employee(1), device.Punch{}, time.Now()); err != nil {
			t.Fatal(err)
		}
		c.tap(1)
		time.Sleep(time.Second)
		synctest.Wait()
		h := c.Heard(employee(1))
		if len(h.Spans) != 1 || !h.Spans[0].In.Equal(began) || h.Asked.IsZero() {
			t.Errorf("%+v", h)
		}
	})
}
