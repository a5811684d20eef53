package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// ErrNoAdminToken refuses to change hours where the company has not allowed it.
var ErrNoAdminToken = errors.New("this device changes nobody's hours: it has no admin's token")

// Correction is what somebody did to an employee's hours at Zeitstrom, for the
// journal.
type Correction struct {
	What     device.EventKind  `json:"what"`
	Timespan string            `json:"timespan"`
	Employee device.EmployeeID `json:"employee"` // empty: Zeitstrom does not tell
}

// Done is what a correction has come to.
type Done struct {
	Timespan zeitstrom.Timespan // as it was before, or as it was added
	Pending  int                // bookings of the employee that this clock has still to send: they may contradict it
}

// Desk is what an admin corrects hours with, on the page and by the command line:
// Zeitstrom, by an admin's token, and the clock, which is told.
type Desk struct {
	API *zeitstrom.Client

	tell func(context.Context, Correction) (pending int, err error)
}

// Desk opens a desk for somebody: by a token that they have brought, which is kept
// nowhere, or else by the company's.
func (c *Clock) Desk(who, token string) (*Desk, error) {
	api, err := c.AdminAPI(token)
	if err != nil {
		return nil, err
	}
	return &Desk{api, func(ctx context.Context, x Correction) (int, error) { return c.Corrected(ctx, who, x) }}, nil
}

// Desk opens a desk of which the daemon is told, if one runs.
func (c *Client) Desk(api *zeitstrom.Client) *Desk {
	return &Desk{api, func(_ context.Context, x Correction) (int, error) { return c.Corrected(x) }}
}

// Corrected notes a correction, and lets the clock learn at once what the employee
// did last. It returns how many of their bookings Zeitstrom does not have.
func (c *Clock) Corrected(ctx context.Context, who string, x Correction) (pending int, err error) {
	c.did(who, x.What, fmt.Sprintf("timespan %s of %s", x.Timespan, x.Employee), nil)
	if x.Employee == "" {
		return 0, nil
	}
	c.Uplink.Corrected(x.Employee)
	waiting, err := c.Queue.Undelivered()
	for _, p := range waiting {
		if p.Employee == x.Employee {
			pending++
		}
	}
	_, lacks, lastErr := c.Queue.Last(x.Employee)
	if err := errors.Join(err, lastErr); err != nil || lacks || !c.Uplink.Online() {
		return pending, err
	}
	_, _, err = c.Uplink.Refresh(ctx, x.Employee)
	return pending, err
}

// Week returns an employee's timespans of the seven days from a day on, in order.
func (d *Desk) Week(ctx context.Context, e device.EmployeeID, from time.Time) (spans []zeitstrom.Timespan, err error) {
	to := from.AddDate(0, 0, 7)
	for t, err := range d.API.Timespans(ctx, zeitstrom.Filter{From: from.AddDate(0, 0, -1), To: to, Employees: []device.EmployeeID{e}, Verbosity: "detail"}) {
		if err != nil {
			return nil, err
		}
		if t.CheckIn.Before(to) && (!t.CheckIn.Before(from) || t.CheckOut.After(from)) {
			spans = append(spans, t)
		}
	}
	return spans, nil
}

// correct makes a change of one timespan.
func (d *Desk) correct(ctx context.Context, id string, what device.EventKind, change func(zeitstrom.Timespan) error) (Done, error) {
	t, err := d.API.Timespan(ctx, id)
	if err != nil {
		return Done{}, err
	}
	return d.done(ctx, what, t, change(t))
}

// done tells the clock of what was done, or may have been.
func (d *Desk) done(ctx context.Context, what device.EventKind, t zeitstrom.Timespan, err error) (Done, error) {
	switch {
	case errors.Is(err, zeitstrom.ErrUnknown):
		what = what.OutcomeUnknown()
	case err != nil:
		return Done{}, err
	}
	pending, _ := d.tell(ctx, Correction{what, t.ID, t.Employee}) // it is done, whatever the clock makes of it
	return Done{t, pending}, err
}

// SetTimes corrects a timespan's times; a zero time stays as it is.
func (d *Desk) SetTimes(ctx context.Context, id string, checkin, checkout time.Time) (Done, error) {
	return d.correct(ctx, id, device.EventTimesCorrected, func(t zeitstrom.Timespan) error {
		if checkin.IsZero() {
			checkin = t.CheckIn
		}
		return d.API.SetTimes(ctx, t.ID, checkin, checkout)
	})
}

// Add adds a timespan to an employee's workday; a zero checkout leaves it open.
func (d *Desk) Add(ctx context.Context, e device.EmployeeID, workday string, checkin, checkout time.Time) (Done, error) {
	t, err := d.API.AddTimes(ctx, workday, checkin, checkout)
	t.Employee = cmp.Or(t.Employee, e)
	return d.done(ctx, device.EventTimespanAdded, t, err)
}

// Split makes two timespans of one.
func (d *Desk) Split(ctx context.Context, id string, at time.Time) (Done, error) {
	return d.correct(ctx, id, device.EventTimespanSplit, func(t zeitstrom.Timespan) error { return d.API.Split(ctx, t, at) })
}

// Merge makes one timespan of several.
func (d *Desk) Merge(ctx context.Context, ids []string) (Done, error) {
	spans := make([]zeitstrom.Timespan, len(ids))
	for i, id := range ids {
		var err error
		if spans[i], err = d.API.Timespan(ctx, id); err != nil {
			return Done{}, err
		}
	}
	return d.done(ctx, device.EventTimespansMerged, spans[0], d.API.Merge(ctx, spans))
}

// Comment sets the comment; an empty one clears it.
func (d *Desk) Comment(ctx context.Context, id, text string) (Done, error) {
	return d.correct(ctx, id, device.EventCommentSet, func(t zeitstrom.Timespan) error { return d.API.SetComment(ctx, t.ID, text) })
}

// Assign assigns a project.
func (d *Desk) Assign(ctx context.Context, id string, p zeitstrom.Project) (Done, error) {
	return d.correct(ctx, id, device.EventProjectAssigned, func(t zeitstrom.Timespan) error { return d.API.AssignProject(ctx, t.ID, p) })
}

// Tag replaces all tags.
func (d *Desk) Tag(ctx context.Context, id string, tags []zeitstrom.Tag) (Done, error) {
	return d.correct(ctx, id, device.EventTagsSet, func(t zeitstrom.Timespan) error { return d.API.SetTags(ctx, t.ID, tags) })
}

// Delete deletes a timespan for good.
func (d *Desk) Delete(ctx context.Context, id string) (Done, error) {
	return d.correct(ctx, id, device.EventTimespanDeleted, func(t zeitstrom.Timespan) error { return d.API.Delete(ctx, t.ID) })
}
