package zeitstrom

import (
	"context"
	"slices"
	"time"

	"timeclock/device"
)

// Bounds of what a Record covers.
const (
	daysBack = 31
	// ahead is how far the clocks of others may be ahead: an end that is further
	// in the future was planned, and has not happened yet.
	ahead = 2 * time.Minute
)

// Record is what Zeitstrom had of an employee in the month before an instant: bookings of
// this clock, of other doors and of the app.
type Record struct {
	spans  []Timespan
	before time.Time
}

// Record lists an employee's timespans of the month before an instant.
func (c *Client) Record(ctx context.Context, e device.EmployeeID, before time.Time) (Record, error) {
	f := Between(before.AddDate(0, 0, 1-daysBack), before, e)
	spans, err := list[Timespan](ctx, c, timespans, f.query())
	if err != nil {
		return Record{}, err
	}
	for _, t := range spans {
		if t.vague {
			return Record{}, incomparable(noZone)
		}
	}
	return Record{spans, before}, nil
}

// Latest returns what the employee did last. The intent is empty if nothing is known.
// It may lie up to two minutes in the future: clocks differ.
func (r Record) Latest() (latest device.Intent, at time.Time) {
	horizon := r.before.Add(ahead)
	for _, t := range r.spans {
		intent, when := device.CheckOut, t.CheckOut
		if when.IsZero() || when.After(horizon) {
			intent, when = device.CheckIn, t.CheckIn
		}
		if when.IsZero() || when.After(horizon) {
			continue
		}
		// Where one timespan ends and the next begins, the employee is in.
		if when.After(at) || when.Equal(at) && intent == device.CheckIn {
			latest, at = intent, when
		}
	}
	return latest, at
}

// Spans returns the timespans that began since an instant, in order, as far as clocks that may be a little
// ahead have made them.
func (r Record) Spans(since time.Time) (spans []device.Span) {
	horizon := r.before.Add(ahead)
	for _, t := range r.spans {
		if t.CheckIn.IsZero() || t.CheckIn.Before(since) || t.CheckIn.After(horizon) {
			continue
		}
		s := device.Span{In: t.CheckIn, Out: t.CheckOut, Project: t.ProjectID}
		if s.Out.After(horizon) { // it was planned
			s.Out = time.Time{}
		}
		spans = append(spans, s)
	}
	slices.SortStableFunc(spans, func(a, b device.Span) int { return a.In.Compare(b.In) })
	return spans
}

// Has reports whether a timespan begins or ends where the punch does.
func (r Record) Has(p device.Punch) bool {
	for _, t := range r.spans {
		if t.has(p) {
			return true
		}
	}
	return false
}

// Bounds of what is taken for the booking of somebody whose clock is wrong: what is further
// ahead was planned, as ends often are.
const (
	plannedIn  = 24 * time.Hour
	plannedOut = time.Hour
)

// Ahead returns the booking that is furthest in the future, further than Latest looks,
// and that nobody is likely to have planned; the zero time if there is none.
func (r Record) Ahead() (at time.Time) {
	for _, t := range r.spans {
		for i, when := range []time.Time{t.CheckIn, t.CheckOut} {
			planned := []time.Duration{plannedIn, plannedOut}[i]
			if d := when.Sub(r.before); d > ahead && d < planned && when.After(at) {
				at = when
			}
		}
	}
	return at
}

// CheckOut returns when the timespan ended that began with an employee's check-in;
// the zero time if it is still open. If there is none (it was deleted, or its
// beginning corrected), found is false.
func (c *Client) CheckOut(
	ctx context.Context, e device.EmployeeID, checkin time.Time,
) (checkout time.Time, found bool, err error) {
	in := device.Punch{Employee: e, Intent: device.CheckIn, Time: checkin}
	spans, err := c.around(ctx, in)
	if err != nil {
		return time.Time{}, false, err
	}
	for _, t := range spans {
		switch {
		case !t.has(in):
		case t.vague: // it has ended, and nobody knows when
			return time.Time{}, true, incomparable(noZone)
		case t.CheckOut.IsZero():
			return time.Time{}, true, nil
		default:
			checkout, found = t.CheckOut, true
		}
	}
	return checkout, found, nil
}

// Resumed reports whether somebody worked again after a break began, within the longest shift; or the
// timespan that it ended is not there any more, so that somebody has put the day in order.
func (c *Client) Resumed(
	ctx context.Context, e device.EmployeeID, since time.Time, longestShift time.Duration,
) (bool, error) {
	out := device.Punch{Employee: e, Intent: device.CheckOut, Time: since}
	spans, err := c.around(ctx, out)
	if err != nil {
		return false, err
	}
	there := false
	for _, t := range spans {
		if t.vague {
			return false, incomparable(noZone)
		}
		there = there || t.has(out)
		if d := t.CheckIn.Sub(since); d >= 0 && d <= longestShift {
			return true, nil
		}
	}
	return !there, nil
}
