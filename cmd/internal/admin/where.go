package admin

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"timeclock/device"
	"timeclock/device/roster"

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

// RollCall is where everybody is, by last name.
type RollCall struct {
	People   []Whereabouts
	Asked    int // for how many Zeitstrom was asked
	Answered int // for how many it is known: also where this clock has something that Zeitstrom does not
}

// Bounds of asking for everybody.
const (
	askEverybody     = 20 * time.Second
	askEverybodyWith = 6 // at once
)

// WhoIsIn tells of every employee in the badge map where they are. Asked
// for, Zeitstrom's knowledge counts, as far as it comes in time; else this clock's.
func (a *Admin) WhoIsIn(ctx context.Context, ask bool) (r RollCall, err error) {
	employees := a.rooms.Roster.Employees()
	now := time.Now()
	r.People = make([]Whereabouts, 0, len(employees))
	for id, e := range employees {
		last, _, err := a.rooms.Queue.Last(id)
		if err != nil {
			return RollCall{}, err
		}
		w := Whereabouts{Employee: e}
		if last.ID != 0 {
			w.know(last.Intent, last.Time, device.ThisClock, now, a.rooms.Rules.LongestShift)
		}
		r.People = append(r.People, w)
	}
	roster.Order(r.People, func(w Whereabouts) device.Employee { return w.Employee })
	if ask && a.rooms.Uplink.Online() {
		r.Asked, r.Answered = a.askAll(ctx, r.People, now)
	}
	return r, nil
}

func (w *Whereabouts) know(intent device.Intent, at time.Time, by device.Source, now time.Time, longest time.Duration) {
	w.Source, w.Since = by, at
	w.In = intent == device.CheckIn && now.Sub(at) <= longest
	w.Open = intent == device.CheckIn && !w.In
}

func (a *Admin) askAll(ctx context.Context, people []Whereabouts, now time.Time) (asked, answered int) {
	ctx, cancel := context.WithTimeout(ctx, askEverybody)
	defer cancel()
	a.asking.Lock() // one roll-call at a time
	defer a.asking.Unlock()
	var known atomic.Int64
	var asking errgroup.Group
	asking.SetLimit(askEverybodyWith)
	for i := range people {
		w := &people[i]
		if _, lacks, err := a.rooms.Queue.Last(w.Employee.ID); err != nil || lacks {
			known.Add(1) // this clock knows more
			continue
		}
		asked++
		asking.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			intent, at, err := a.rooms.Uplink.Refresh(ctx, w.Employee.ID)
			if err == nil {
				known.Add(1)
			}
			if err == nil && intent != "" {
				w.know(intent, at, device.Zeitstrom, now, a.rooms.Rules.LongestShift)
			}
			return nil
		})
	}
	asking.Wait()
	return asked, int(known.Load())
}

// OpenDay is a check-in that no check-out followed, in the form that scripts read.
type OpenDay struct {
	Employee device.EmployeeID `json:"employee_id"`
	Name     string            `json:"name"`
	CheckIn  time.Time         `json:"checkin"`         // or when the break began
	Break    bool              `json:"break,omitempty"` // it is a break that did not end
	// Next is the check-in that came instead of a check-out; null: none yet.
	Next *time.Time `json:"next"`
	// Confirmed: Zeitstrom says that it is open. Else it could not be asked.
	Confirmed bool `json:"confirmed"`
}

// Bounds of what is looked at for open days.
const (
	openDaysBack   = 62 * 24 * time.Hour
	openDaysAsking = 4                // questions at once
	openDaysTime   = 20 * time.Second // for all of them
)

// OpenDays lists the check-ins of the last two months that no check-out followed
// within the longest shift, oldest first. Those that Zeitstrom has closed by now,
// or does not know any more, are left out.
func (a *Admin) OpenDays(ctx context.Context, _ string, _ None) ([]OpenDay, error) {
	now := time.Now()
	found := device.OpenDays{Now: now, Since: now.Add(-openDaysBack), LongestShift: a.rooms.Rules.LongestShift}
	if err := a.rooms.Queue.Backward(found.Add); err != nil {
		return nil, err
	}
	days := found.Days()
	ctx, cancel := context.WithTimeout(ctx, openDaysTime)
	defer cancel()
	open, confirmed := make([]bool, len(days)), make([]bool, len(days))
	var asking errgroup.Group
	asking.SetLimit(openDaysAsking)
	for i, d := range days {
		asking.Go(func() error {
			open[i], confirmed[i] = a.isOpen(ctx, d)
			return nil
		})
	}
	asking.Wait()
	employees := a.rooms.Roster.Employees()
	out := []OpenDay{}
	for i, d := range days {
		if open[i] {
			out = append(out, OpenDay{
				d.Employee, employees[d.Employee].Name, d.CheckIn.UTC(), d.Break, optional(d.Next.Time), confirmed[i],
			})
		}
	}
	return out, nil
}

// isOpen asks Zeitstrom; if that is not possible, or it does not have everything
// yet, the day is taken for open.
func (a *Admin) isOpen(ctx context.Context, d device.OpenDay) (open, confirmed bool) {
	if _, lacks, err := a.rooms.Queue.Last(d.Employee); err != nil || lacks || !a.rooms.Uplink.Online() {
		return true, false
	}
	if d.Break {
		resumed, err := a.rooms.API.Resumed(ctx, d.Employee, d.CheckIn, a.rooms.Rules.LongestShift)
		return err != nil || !resumed, err == nil
	}
	checkout, found, err := a.rooms.API.CheckOut(ctx, d.Employee, d.CheckIn)
	if err != nil {
		return true, false
	}
	return found && checkout.IsZero(), true
}

// Sample is how much waited at an instant.
type Sample struct {
	At      time.Time
	Pending int
}

// backlog remembers for a day how much waited.
type backlog struct {
	mu      sync.Mutex
	samples []Sample
}

const (
	sampleEvery = 5 * time.Minute
	samplesKept = 24 * 12
)

func (a *Admin) String() string { return "admin" }

// Run remembers how much waits, until ctx ends.
func (a *Admin) Run(ctx context.Context) error {
	for {
		now := a.sample()
		a.backlog.mu.Lock()
		a.backlog.samples = append(a.backlog.samples, now)
		a.backlog.samples = a.backlog.samples[max(0, len(a.backlog.samples)-samplesKept):]
		a.backlog.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(sampleEvery):
		}
	}
}

func (a *Admin) sample() Sample { return Sample{time.Now(), a.rooms.Queue.Stats().Pending} }

// Backlog returns how much waited over the last day, oldest first, and how much waits now.
func (a *Admin) Backlog() []Sample {
	now := a.sample()
	a.backlog.mu.Lock()
	defer a.backlog.mu.Unlock()
	return append(slices.Clone(a.backlog.samples), now)
}
