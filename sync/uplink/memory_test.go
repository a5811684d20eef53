package uplink

import (
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"timeclock/device"
)

// memory is a queue without a disk. The uplink may not import the real one.
type memory struct {
	changed chan struct{}
	full    atomic.Bool // the disk takes nothing

	mu        sync.Mutex
	punches   []device.Punch
	state     map[device.PunchID]string
	attempted map[device.PunchID]bool
	ambiguous map[device.PunchID]bool
	holders   []device.Punch
}

func newMemory() *memory {
	return &memory{
		changed: make(chan struct{}, 1), state: map[device.PunchID]string{}, attempted: map[device.PunchID]bool{},
		ambiguous: map[device.PunchID]bool{},
	}
}

func (m *memory) Heads() (heads []device.Undelivered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[device.EmployeeID]bool{}
	for _, p := range m.punches {
		if m.state[p.ID] == "" && !seen[p.Employee] {
			heads = append(heads, device.Undelivered{Punch: p, Ambiguous: m.ambiguous[p.ID]})
			seen[p.Employee] = true
		}
	}
	return heads
}

func (m *memory) Changed() <-chan struct{} { return m.changed }

func (m *memory) Attempt(p device.Punch) error {
	if m.full.Load() {
		return io.ErrShortWrite
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempted[p.ID] = true
	return nil
}

// attempts is how many punches were sent.
func (m *memory) attempts() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.attempted)
}

func (m *memory) MarkAmbiguous(p device.Punch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.state, p.ID)
	m.ambiguous[p.ID] = true
	return nil
}

func (m *memory) Deliver(p device.Punch) error { return m.settle(p, "delivered") }

func (m *memory) Quarantine(p device.Punch, reason string) error { return m.settle(p, reason) }

func (m *memory) Retry(_ string, id device.PunchID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.state, id)
	delete(m.ambiguous, id)
	return nil
}

// Undelivered are those that the quarantine holds, and what is held with them.
func (m *memory) Undelivered() (all []device.Entry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, in := range m.holders {
		out := in
		out.ID, out.Intent = in.ID+1, device.CheckOut
		all = append(all, device.Entry{Punch: in, State: device.Quarantined}, device.Entry{
			Punch: out, State: device.Held,
		})
	}
	return all, nil
}

func (m *memory) settle(p device.Punch, state string) error {
	if m.full.Load() {
		return io.ErrShortWrite
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state[p.ID] = state
	m.holders = slices.DeleteFunc(m.holders, func(in device.Punch) bool { return in.ID == p.ID })
	delete(m.ambiguous, p.ID)
	return nil
}

// restart forgets what a crash would: what was marked as attempted and is not
// settled is ambiguous.
func (m *memory) restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.attempted {
		if m.state[id] == "" {
			m.ambiguous[id] = true
		}
	}
}

// became returns "delivered", a refusal's words, "ambiguous", or nothing while
// pending.
func (m *memory) became(id device.PunchID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ambiguous[id] {
		return "ambiguous"
	}
	return m.state[id]
}

func (m *memory) append(n int) device.PunchID {
	m.mu.Lock()
	defer m.mu.Unlock()
	intent := device.CheckIn
	for _, p := range m.punches {
		if p.Employee == employee(n) {
			intent = map[device.Intent]device.Intent{
				device.CheckIn: device.CheckOut, device.CheckOut: device.CheckIn,
			}[p.Intent]
		}
	}
	p := device.Punch{ID: device.PunchID(len(m.punches) + 1), Employee: employee(n), Intent: intent, Time: time.Now()}
	m.punches = append(m.punches, p)
	return p.ID
}
