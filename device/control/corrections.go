package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// ErrNoAdminToken refuses to change hours where the company has not allowed it.
var ErrNoAdminToken = errors.New("this device changes nobody's hours: it has no admin's token")

// Desk is what an admin corrects hours with: Zeitstrom, by an admin's token.
type Desk struct {
	clock *Clock
	api   *zeitstrom.Client
	who   string
}

// Desk opens a desk for somebody: by a token that they have brought, which is kept
// nowhere, or else by the company's.
func (c *Clock) Desk(who, token string) (*Desk, error) {
	api, err := c.AdminAPI(token)
	if err != nil {
		return nil, err
	}
	return &Desk{c, api, who}, nil
}

// Week returns an employee's timespans of the seven days from a day on, in order.
func (d *Desk) Week(ctx context.Context, e device.EmployeeID, from time.Time) (spans []zeitstrom.Timespan, err error) {
	to := from.AddDate(0, 0, 7)
	for t, err := range d.api.Timespans(ctx, zeitstrom.Filter{From: from.AddDate(0, 0, -1), To: to, Employees: []device.EmployeeID{e}, Verbosity: "detail"}) {
		if err != nil {
			return nil, err
		}
		if t.CheckIn.Before(to) && (!t.CheckIn.Before(from) || t.CheckOut.After(from)) {
			spans = append(spans, t)
		}
	}
	return spans, nil
}

// History returns how a timespan was changed.
func (d *Desk) History(ctx context.Context, id string) ([]zeitstrom.Change, error) {
	return d.api.History(ctx, id)
}

// correct makes a change of a timespan, notes who made it, and lets the clock learn
// of it at once. It returns how many of the employee's bookings are still to be
// sent from here: they may contradict the correction.
func (d *Desk) correct(ctx context.Context, id, what string, change func(zeitstrom.Timespan) error) (pending int, err error) {
	t, err := d.api.Timespan(ctx, id)
	if err != nil {
		return 0, err
	}
	if err := change(t); err != nil {
		if errors.Is(err, zeitstrom.ErrUnknown) {
			d.clock.did(d.who, what+" (outcome unknown)", fmt.Sprintf("timespan %s of %s", t.ID, t.Employee), 0, nil)
			d.clock.Refresh(ctx, t.Employee)
		}
		return 0, err
	}
	d.clock.did(d.who, what, fmt.Sprintf("timespan %s of %s", t.ID, t.Employee), 0, nil)
	if t.Employee == "" {
		return 0, nil
	}
	pending, _ = d.clock.Refresh(ctx, t.Employee) // the correction is made, whatever this finds
	return pending, nil
}

// SetTimes corrects a timespan's times; a zero checkout stays as it is.
func (d *Desk) SetTimes(ctx context.Context, id string, checkin, checkout time.Time) (pending int, err error) {
	return d.correct(ctx, id, "times corrected", func(t zeitstrom.Timespan) error { return d.api.SetTimes(ctx, t.ID, checkin, checkout) })
}

// Split makes two timespans of one.
func (d *Desk) Split(ctx context.Context, id string, at time.Time) (pending int, err error) {
	return d.correct(ctx, id, "timespan split", func(t zeitstrom.Timespan) error { return d.api.Split(ctx, t, at) })
}

// Comment sets the comment.
func (d *Desk) Comment(ctx context.Context, id, text string) (pending int, err error) {
	return d.correct(ctx, id, "comment set", func(t zeitstrom.Timespan) error { return d.api.SetComment(ctx, t.ID, text) })
}

// Assign assigns a project by its code.
func (d *Desk) Assign(ctx context.Context, id, code string) (pending int, err error) {
	return d.correct(ctx, id, "project assigned", func(t zeitstrom.Timespan) error {
		return d.api.AssignProject(ctx, t.ID, zeitstrom.Project{Code: code})
	})
}
