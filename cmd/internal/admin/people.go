package admin

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"timeclock/device"

	"golang.org/x/sync/errgroup"
)

// Whereabouts is what is known of an employee: in or out, since when, by whom.
type Whereabouts struct {
	Employee device.Employee
	In       bool
	Open     bool // the check-in is older than the longest shift: nobody checked out
	Since    time.Time
	Source   device.Source
}

// Bounds of asking for everybody.
const (
	askEverybody     = 20 * time.Second
	askEverybodyWith = 6 // at once
)

// WhoIsIn tells of every employee in the badge map where they are, by name. Asked
// for, Zeitstrom's knowledge counts, as far as it comes in time; else this clock's.
// Asked and answered say for how many it was asked, and for how many it is known:
// also where this clock has something that Zeitstrom does not.
func (c *Clock) WhoIsIn(ctx context.Context, ask bool) (people []Whereabouts, asked, answered int, err error) {
	names := c.Roster.Names()
	now := time.Now()
	out := make([]Whereabouts, 0, len(names))
	for id, name := range names {
		last, _, err := c.Queue.Last(id)
		if err != nil {
			return nil, 0, 0, err
		}
		w := Whereabouts{Employee: device.Employee{ID: id, Name: name}}
		if last.ID != 0 {
			w.know(last.Intent, last.Time, device.ThisClock, now, c.Rules.LongestShift)
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b Whereabouts) int {
		return cmp.Or(cmp.Compare(a.Employee.Name, b.Employee.Name), cmp.Compare(a.Employee.ID, b.Employee.ID))
	})
	if ask && c.Uplink.Online() {
		asked, answered = c.askEverybody(ctx, out, now)
	}
	return out, asked, answered, nil
}

func (w *Whereabouts) know(intent device.Intent, at time.Time, by device.Source, now time.Time, longest time.Duration) {
	w.Source, w.Since = by, at
	w.In = intent == device.CheckIn && now.Sub(at) <= longest
	w.Open = intent == device.CheckIn && !w.In
}

func (c *Clock) askEverybody(ctx context.Context, people []Whereabouts, now time.Time) (asked, answered int) {
	ctx, cancel := context.WithTimeout(ctx, askEverybody)
	defer cancel()
	c.asking.Lock() // one roll-call at a time
	defer c.asking.Unlock()
	var known atomic.Int64
	var asking errgroup.Group
	asking.SetLimit(askEverybodyWith)
	for i := range people {
		w := &people[i]
		if _, pending, err := c.Queue.Last(w.Employee.ID); err != nil || pending {
			known.Add(1) // this clock knows more
			continue
		}
		asked++
		asking.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			intent, at, err := c.Uplink.Refresh(ctx, w.Employee.ID)
			if err == nil {
				known.Add(1)
			}
			if err == nil && intent != "" {
				w.know(intent, at, device.Zeitstrom, now, c.Rules.LongestShift)
			}
			return nil
		})
	}
	asking.Wait()
	return asked, int(known.Load())
}

// Sample is how much waited at an instant.
type Sample struct {
	At      time.Time
	Pending int
}

// Backlog remembers for a day how much waited.
type Backlog struct {
	Pending func() int

	mu      sync.Mutex
	samples []Sample
}

const (
	sampleEvery = 5 * time.Minute
	samplesKept = 24 * 12
)

func (b *Backlog) String() string { return "backlog" }

// Run takes samples until ctx ends.
func (b *Backlog) Run(ctx context.Context) error {
	for {
		b.mu.Lock()
		b.samples = append(b.samples, Sample{time.Now(), b.Pending()})
		b.samples = b.samples[max(0, len(b.samples)-samplesKept):]
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(sampleEvery):
		}
	}
}

// Samples returns what was remembered, oldest first, and how much waits now.
func (b *Backlog) Samples() []Sample {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append(slices.Clone(b.samples), Sample{time.Now(), b.Pending()})
}
