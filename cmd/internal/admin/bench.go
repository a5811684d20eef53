package admin

import (
	"context"
	"sync"
	"time"

	"timeclock/device"
)

// Bench is a device on a technician's bench: while somebody tries it, nobody is booked. It is a
// device.Office before another one.
type Bench struct {
	office device.Office

	mu    sync.Mutex
	until time.Time
}

var _ device.Office = (*Bench)(nil)

// NewBench puts a bench before an office.
func NewBench(o device.Office) *Bench { return &Bench{office: o} }

// benchTime is how long a clock stays on the bench after the last that was heard of who tries it: who is
// cut off leaves no clock that books nobody.
const benchTime = 15 * time.Second

// hold keeps it on the bench, or ends that, and reports whether it was there.
func (b *Bench) hold(end bool) (was bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	was = now.Before(b.until)
	if b.until = now.Add(benchTime); end {
		b.until = time.Time{}
	}
	return was
}

// Enroll implements device.Office.
func (b *Bench) Enroll(tap device.Tap) (device.Outcome, bool) {
	b.mu.Lock()
	on := time.Now().Before(b.until)
	b.mu.Unlock()
	if !on {
		return b.office.Enroll(tap)
	}
	return device.Outcome{
		Kind: device.Tried, Tap: tap, Punch: device.Punch{Time: tap.Time, Stamp: tap.Stamp},
	}, true
}

// Trial is what is to be tried.
type Trial struct {
	Show  device.OutcomeKind `json:"show,omitempty"`  // by display, light and sound
	Bring bool               `json:"bring,omitempty"` // a badge, to a simulated reader
	End   bool               `json:"end,omitempty"`   // the clock books again
}

// Tried is what has come of it so far.
type Tried struct {
	Reads   int    `json:"reads"`  // badges that came
	Errors  int    `json:"errors"` // bad reads
	Chip    string `json:"chip"`
	Problem string `json:"problem,omitempty"` // of the reader
}

// benchBadge is one that belongs to nobody.
var benchBadge, _ = device.ParseUID("01020304")

// Try keeps the clock on the bench for a while, and tries something there.
func (a *Admin) Try(ctx context.Context, by string, t Trial) (Tried, error) {
	if was := a.rooms.Bench.hold(t.End); !was && !t.End {
		a.did(by, device.EventTried, "", nil)
	}
	if t.Show != "" {
		o := device.Outcome{
			Kind: t.Show, Employee: device.Employee{Name: "Test"}, Punch: device.Punch{Time: time.Now()},
		}
		a.rooms.Display.Show(o)
		a.rooms.Signal.Show(o)
	}
	if t.Bring && a.rooms.Bring != nil {
		go a.rooms.Bring(context.WithoutCancel(ctx), benchBadge)
	}
	h := a.rooms.Reader.Health()
	return Tried{h.Reads, h.Errors, h.Chip, h.Problem}, nil
}
