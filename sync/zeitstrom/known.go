package zeitstrom

import (
	"context"
	"net/url"
	"time"

	"timeclock/device"
)

// timespan is what is needed of a timespan; the answer has more.
type timespan struct {
	ID       string     `json:"id"`
	Checkin  *time.Time `json:"checkin_time"`
	Checkout *time.Time `json:"checkout_time"`
}

// change is what is needed of an entry of a timespan's history.
type change struct {
	Checkin  *time.Time `json:"previous_checkin"`
	Checkout *time.Time `json:"previous_checkout"`
}

// Has reports whether Zeitstrom knows of the punch: whether one of the
// employee's timespans around that day begins (a check-in) or ends (a
// check-out) at its instant, to the second, or did so before somebody corrected
// it. A compact timespan does not say whose it is, so one employee is asked for.
func (c *Client) Has(ctx context.Context, p device.Punch) (bool, error) {
	spans, err := c.around(ctx, p)
	if err != nil {
		return false, err
	}
	for _, s := range spans {
		if same(p, s.Checkin, s.Checkout) {
			return true, nil
		}
	}
	for _, s := range spans {
		changes, err := list[change](ctx, c, timespans+url.PathEscape(s.ID)+"/history/", nil)
		if err != nil {
			return false, err
		}
		for _, was := range changes {
			if same(p, was.Checkin, was.Checkout) {
				return true, nil
			}
		}
	}
	return false, nil
}

// Bounds of what Latest looks at.
const (
	daysBack = 31
	// ahead is how far the clocks of others may be ahead: an end that is further
	// in the future was planned, and has not happened yet.
	ahead = 2 * time.Minute
)

// Latest returns what an employee did last before an instant, at this clock,
// another door or in the app, by the timespans of the month before it. The
// intent is empty if there are none.
func (c *Client) Latest(ctx context.Context, e device.EmployeeID, before time.Time) (device.Intent, time.Time, error) {
	day := before.UTC()
	spans, err := list[timespan](ctx, c, timespans, url.Values{
		"employee_ids": {string(e)},
		"daterange":    {day.AddDate(0, 0, -daysBack).Format(time.DateOnly) + "|" + day.AddDate(0, 0, 1).Format(time.DateOnly)},
	})
	if err != nil {
		return "", time.Time{}, err
	}
	var latest device.Intent
	var at time.Time
	horizon := before.Add(ahead)
	for _, s := range spans {
		intent, when := device.CheckOut, s.Checkout
		if when == nil || when.After(horizon) {
			intent, when = device.CheckIn, s.Checkin
		}
		if when == nil || when.After(horizon) {
			continue
		}
		// Where one timespan ends and the next begins, the employee is in.
		if when.After(at) || when.Equal(at) && intent == device.CheckIn {
			latest, at = intent, *when
		}
	}
	return latest, at, nil
}

// CheckOut returns when the timespan ended that began with an employee's check-in;
// the zero time if it is still open. If there is none (it was deleted, or its
// beginning corrected), found is false.
func (c *Client) CheckOut(ctx context.Context, e device.EmployeeID, checkin time.Time) (checkout time.Time, found bool, err error) {
	in := device.Punch{Employee: e, Intent: device.CheckIn, Time: checkin}
	spans, err := c.around(ctx, in)
	if err != nil {
		return time.Time{}, false, err
	}
	for _, s := range spans {
		if !same(in, s.Checkin, nil) {
			continue
		}
		if found = true; s.Checkout == nil {
			return time.Time{}, true, nil
		}
		checkout = *s.Checkout
	}
	return checkout, found, nil
}

// around lists the employee's timespans of the days around a punch. In which time
// zone days are cut is not documented, so it is a day more on both sides.
func (c *Client) around(ctx context.Context, p device.Punch) ([]timespan, error) {
	day := p.Time.UTC()
	return list[timespan](ctx, c, timespans, url.Values{
		"employee_ids": {string(p.Employee)},
		"daterange":    {day.AddDate(0, 0, -1).Format(time.DateOnly) + "|" + day.AddDate(0, 0, 1).Format(time.DateOnly)},
	})
}

// same compares instants as the API keeps them: to the second.
func same(p device.Punch, checkin, checkout *time.Time) bool {
	at := checkin
	if p.Intent == device.CheckOut {
		at = checkout
	}
	return at != nil && at.Truncate(time.Second).Equal(p.Time.Truncate(time.Second))
}
