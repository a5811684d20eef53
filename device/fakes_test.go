package device

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakes is everything around a terminal.
type fakes struct {
	mu      sync.Mutex
	badges  map[UID]Badge
	stored  []Punch
	pending bool
	broken  error
	order   []string // what happened, to see that storing comes before showing

	stamp  func(time.Time) Stamp
	online bool
	latest func(context.Context) (Intent, time.Time, error)
	asked  int

	remembered Intent // what was known at learned

	learned time.Time // zero: nothing is remembered

	functions map[UID]Function
	spans     []Span // of the answer
	heard     Known  // the last answer
	month     func(context.Context) (Month, error)

	waiting map[EmployeeID]bool
	resting bool
	enrolls bool
}

func (d *fakes) Lookup(u UID) (Badge, bool) { b, ok := d.badges[u]; return b, ok }

func (d *fakes) Last(id EmployeeID) (Punch, bool, error) {
	for _, p := range slices.Backward(d.stored) {
		if p.Employee == id {
			return p, d.pending, nil
		}
	}
	return Punch{}, d.pending, nil
}

func (d *fakes) Append(p Punch, _ bool) (Punch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return p, d.broken
	}
	p.ID = PunchID(len(d.stored) + 1)
	d.stored = append(d.stored, p)
	d.order = append(d.order, "stored")
	return p, nil
}

func (d *fakes) Turn(p Punch) (Punch, error) {
	p.Intent = p.Intent.Other()
	return d.Append(p, false)
}

func (d *fakes) Wait(e EmployeeID, yes bool) { d.with(func() { d.waiting[e] = yes }) }

// with changes or reads what a running terminal uses.
func (d *fakes) with(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// waits reports whether an employee's punches are kept here.
func (d *fakes) waits(e EmployeeID) (yes bool) {
	d.with(func() { yes = d.waiting[e] })
	return yes
}

func (d *fakes) Whole() bool { return true }

func (d *fakes) Keep(Tap, time.Duration, bool) (int, error) { return 17, d.broken }

func (d *fakes) Stamp(t time.Time) Stamp {
	if d.stamp == nil {
		return Stamp{}
	}
	return d.stamp(t)
}

func (d *fakes) Sends() bool { return d.online }

func (d *fakes) Latest(ctx context.Context, _ EmployeeID, _ Punch, _ time.Time) (k Known, err error) {
	if !d.online {
		return k, fmt.Errorf("%w: no way", ErrNotAsked)
	}
	d.asked++
	k.Intent, k.At, err = d.latest(ctx)
	k.Spans = d.spans
	return k, err
}

func (d *fakes) Remembered(_ EmployeeID, last Punch) (Known, bool) {
	return Known{Intent: d.remembered, At: d.learned}, d.learned.After(last.Time)
}

func (d *fakes) Heard(EmployeeID) Known { return d.heard }

func (d *fakes) Month(ctx context.Context, _ EmployeeID, _ time.Time) (Month, error) {
	return d.month(ctx)
}

func (d *fakes) Function(u UID) (Function, bool) { f, is := d.functions[u]; return f, is }

func (d *fakes) Name(code string) string { return "project " + code }

func (d *fakes) Code(id string) string { return strings.TrimPrefix(id, "id of ") }

func (d *fakes) Recent(e EmployeeID) (punches []Entry) {
	for _, p := range d.stored {
		if p.Employee == e {
			e := Entry{Punch: p, State: Delivered}
			if d.pending {
				e.State = Pending
			}
			punches = append(punches, e)
		}
	}
	return punches
}

func (d *fakes) Switch(out, in Punch, soon bool) (Punch, error) {
	if _, err := d.Append(out, soon); err != nil {
		return in, err
	}
	return d.Append(in, soon)
}

func (d *fakes) TakeBack(p Punch, plain Detail) (Punch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return p, d.broken
	}
	p.Detail = plain
	d.stored[p.ID-1] = p
	return p, nil
}

func (d *fakes) Resting(UID) (yes bool) {
	d.with(func() { yes = d.resting })
	return yes
}

func (d *fakes) Enroll(tap Tap) (Outcome, bool) {
	return Outcome{Kind: Enrolled, Tap: tap}, d.enrolls
}

func (d *fakes) Show(o Outcome) {
	what := string(o.Kind)
	if o.Turns > 0 || o.Update {
		what += fmt.Sprintf("(%d)", o.Turns)
	}
	d.with(func() { d.order = append(d.order, what) })
}

func (d *fakes) happened() (s string) {
	d.with(func() { s, d.order = strings.Join(d.order, " "), nil })
	return s
}

func newTerminal(t *testing.T) (*Terminal, *fakes) {
	d := &fakes{badges: map[UID]Badge{}, waiting: map[EmployeeID]bool{}}
	for badge, e := range map[string]EmployeeID{
		"A1B2C3D4": "anna", "04112233445566": "anna", "01020304": "ben", "0A0B0C0D": "blocked",
	} {
		d.badges[uid(t, badge)] = Badge{UID: uid(t, badge), Employee: Employee{ID: e}, Blocked: e == "blocked"}
	}
	return &Terminal{
		Roster: d, Queue: d, Clock: d, Elsewhere: d, Projects: d, Office: d, Field: d, Screen: d,
		Rules: Rules{
			Zone: time.UTC, Lockout: 30 * time.Second, LongestShift: 14 * time.Hour, Ask: 200 * time.Millisecond,
		},
		Log: slog.New(slog.DiscardHandler),
	}, d
}
