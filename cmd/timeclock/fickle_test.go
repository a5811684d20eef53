package main

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// fickle is a server whose next requests fail, and one employee's bookings all the time.
type fickle struct {
	zeitstromtest.Server
	mu       sync.Mutex
	next     []zeitstromtest.Fault
	troubled device.EmployeeID
	fate     zeitstromtest.Fault
	fated    time.Time // when it last met a booking
}

// trouble lets the bookings of one employee fail from now on.
func (f *fickle) trouble(e device.EmployeeID, fate zeitstromtest.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.troubled, f.fate = e, fate
}

// plan adds faults for the next requests; without any it forgets those there are.
func (f *fickle) plan(faults ...zeitstromtest.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next = append(f.next, faults...); len(faults) == 0 {
		f.next = nil
	}
}

// plain reports whether no booking had trouble of its own for a while: one that an odd answer delivers counts
// only until Zeitstrom is looked at.
func (f *fickle) plain() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.fated) > 6*time.Minute
}

// well reports whether the next request will not fail.
func (f *fickle) well() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.next) == 0
}

func (f *fickle) fault(r *http.Request) zeitstromtest.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodPost && f.troubled != "" {
		body, err := r.GetBody()
		if err == nil {
			text, _ := io.ReadAll(body)
			if strings.Contains(string(text), string(f.troubled)) {
				f.fated = time.Now()
				return f.fate
			}
		}
	}
	if len(f.next) == 0 {
		return zeitstromtest.Fault{}
	}
	now := f.next[0]
	f.next = f.next[1:]
	return now
}
