package admin

import (
	"context"
	"time"

	"timeclock/device"

	"golang.org/x/sync/errgroup"
)

// OpenDay is a check-in that no check-out followed, in the form that scripts read.
type OpenDay struct {
	Employee device.EmployeeID `json:"employee_id"`
	Name     string            `json:"name"`
	CheckIn  time.Time         `json:"checkin"`
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
func (c *Clock) OpenDays(ctx context.Context) ([]OpenDay, error) {
	now := time.Now()
	found := device.OpenDays{Now: now, Since: now.Add(-openDaysBack), LongestShift: c.Rules.LongestShift}
	if err := c.Queue.Backward(found.Add); err != nil {
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
			open[i], confirmed[i] = c.isOpen(ctx, d)
			return nil
		})
	}
	asking.Wait()
	names := c.Roster.Names()
	out := []OpenDay{}
	for i, d := range days {
		if open[i] {
			out = append(out, OpenDay{d.Employee, names[d.Employee], d.CheckIn.UTC(), optional(d.Next.Time), confirmed[i]})
		}
	}
	return out, nil
}

// isOpen asks Zeitstrom; if that is not possible, or it does not have everything
// yet, the day is taken for open.
func (c *Clock) isOpen(ctx context.Context, d device.OpenDay) (open, confirmed bool) {
	if _, pending, err := c.Queue.Last(d.Employee); err != nil || pending || !c.Uplink.Online() {
		return true, false
	}
	checkout, found, err := c.API.CheckOut(ctx, d.Employee, d.CheckIn)
	if err != nil {
		return true, false
	}
	return found && checkout.IsZero(), true
}
