package zeitstrom

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"timeclock/device"
)

const timespans = "timestamps/timespans/"

// Timespan is a single working period. What only the verbosity "detail" tells is
// empty without it.
type Timespan struct {
	ID        string
	CheckIn   time.Time
	CheckOut  time.Time // zero: still working
	ProjectID string    // empty: none
	Comment   string    // of the employee
	Tags      []Tag
	Workday   string            // detail
	Employee  device.EmployeeID // detail

	vague bool // a time has no zone, so nobody knows which instant it is: that one is zero
}

// Tag is a project tag of a timespan, with its share.
type Tag struct {
	ID    string      `json:"tag_id"`
	Type  string      `json:"type"` // "relative", say
	Value json.Number `json:"value"`
}

// Change is an entry of a timespan's history: what it was before.
type Change struct {
	ID         string // opaque
	At         time.Time
	Originator string
	CheckIn    time.Time // before the change
	CheckOut   time.Time // before the change; zero: it was open
	Reason     string

	vague bool // as a Timespan's
}

// Workday is a calendar day of an employee.
type Workday struct {
	ID      string
	CheckIn time.Time
}

// UnmarshalJSON reads a timespan as the API writes it. References may be nested objects in answers
// of other verbosities.
func (t *Timespan) UnmarshalJSON(raw []byte) error {
	var w struct {
		ID        string          `json:"id"`
		CheckIn   *instant        `json:"checkin_time"`
		CheckOut  *instant        `json:"checkout_time"`
		ProjectID *string         `json:"project_id"`
		Comment   string          `json:"employee_comment"`
		Tags      []Tag           `json:"tag_assignments"`
		Workday   json.RawMessage `json:"workday"`
		WorkdayID json.RawMessage `json:"workday_id"`
		Employee  json.RawMessage `json:"employee"`
		EmplID    json.RawMessage `json:"employee_id"`
	}
	err := json.Unmarshal(raw, &w)
	*t = Timespan{
		ID: w.ID, CheckIn: w.CheckIn.when(), CheckOut: w.CheckOut.when(), ProjectID: value(w.ProjectID),
		Comment: w.Comment, Tags: w.Tags, Workday: reference(w.WorkdayID, w.Workday),
		vague: w.CheckIn.isVague() || w.CheckOut.isVague(),
	}
	t.Employee, _ = device.ParseEmployeeID(reference(w.EmplID, w.Employee)) // some verbosities do not tell
	return err
}

// UnmarshalJSON reads an entry of a history.
func (c *Change) UnmarshalJSON(raw []byte) error {
	var w struct {
		ID         string   `json:"id"`
		At         *instant `json:"created_at"`
		Originator string   `json:"originator"`
		CheckIn    *instant `json:"previous_checkin"`
		CheckOut   *instant `json:"previous_checkout"`
		Reason     string   `json:"change_reason"`
	}
	err := json.Unmarshal(raw, &w)
	*c = Change{
		ID: w.ID, At: w.At.when(), Originator: w.Originator, CheckIn: w.CheckIn.when(), CheckOut: w.CheckOut.when(),
		Reason: w.Reason,
		vague:  w.CheckIn.isVague() || w.CheckOut.isVague(),
	}
	return err
}

// exact refuses an answer whose times nobody can work with.
func exact(id string, vague bool) error {
	if !vague {
		return nil
	}
	cause := fmt.Errorf("a time of timespan %s has no zone", id)
	return &Error{Kind: NotAPI, Status: http.StatusOK, Sent: true, Cause: cause}
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// reference reads an id that is a text, or an object with an id.
func reference(raws ...json.RawMessage) string {
	for _, raw := range raws {
		var id string
		var object struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(raw, &id) == nil && id != "" {
			return id
		}
		if json.Unmarshal(raw, &object) == nil && object.ID != "" {
			return object.ID
		}
	}
	return ""
}

// Filter says which timespans are wanted.
type Filter struct {
	From, To  time.Time // days, both included; zero: no bound, and then both must be
	Employees []device.EmployeeID
	Verbosity string // detail, duration or device; empty: compact
}

func days(from, to time.Time) string {
	return from.Format(time.DateOnly) + "|" + to.Format(time.DateOnly)
}

func (f Filter) query() url.Values {
	q := url.Values{}
	if !f.From.IsZero() {
		q.Set("daterange", days(f.From, f.To))
	}
	ids := make([]string, len(f.Employees))
	for i, e := range f.Employees {
		ids[i] = string(e)
	}
	if len(ids) > 0 {
		q.Set("employee_ids", strings.Join(ids, "|"))
	}
	if f.Verbosity != "" {
		q.Set("verbosity", f.Verbosity)
	}
	return q
}

// Between is the filter for the days between two instants, of one employee or of everybody. In
// which time zone days are cut is not documented, so it is a day more on both sides.
func Between(from, to time.Time, e device.EmployeeID) Filter {
	f := Filter{From: from.UTC().AddDate(0, 0, -1), To: to.UTC().AddDate(0, 0, 1)}
	if e != "" {
		f.Employees = []device.EmployeeID{e}
	}
	return f
}

// Timespans lists timespans page by page, so that it takes little memory however
// many there are: GET timestamps/timespans/. It ends with the first error.
func (c *Client) Timespans(ctx context.Context, f Filter) iter.Seq2[Timespan, error] {
	return func(yield func(Timespan, error) bool) {
		for t, err := range pages[Timespan](ctx, c, timespans, f.query()) {
			if err == nil {
				err = exact(t.ID, t.vague)
			}
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
}

// Timespan returns one timespan in detail: GET timestamps/timespans/ID/.
func (c *Client) Timespan(ctx context.Context, id string) (t Timespan, err error) {
	if id == "" || id == "." || id == ".." {
		return t, fmt.Errorf("%q is no timespan's id", id)
	}
	err = c.ask(ctx, http.MethodGet, timespans+url.PathEscape(id)+"/?verbosity=detail", nil, &t)
	switch {
	case err != nil:
	case !strings.EqualFold(t.ID, id):
		err = &Error{
			Kind: NotAPI, Status: http.StatusOK, Sent: true,
			Cause: fmt.Errorf("asked for timespan %s, and got %q", id, t.ID),
		}
	default:
		err = exact(id, t.vague)
	}
	return t, err
}

// History returns how a timespan was changed, as the API orders it.
func (c *Client) History(ctx context.Context, id string) ([]Change, error) {
	changes, err := c.history(ctx, id)
	for _, x := range changes {
		if err == nil {
			err = exact(id, x.vague)
		}
	}
	return changes, err
}

func (c *Client) history(ctx context.Context, id string) ([]Change, error) {
	return list[Change](ctx, c, timespans+url.PathEscape(id)+"/history/", nil)
}

// Workdays lists the calendar days of the employee with an RFID token, or of
// everybody whom the API's token may see: GET timestamps/workdays/.
func (c *Client) Workdays(ctx context.Context, from, to time.Time, token string) ([]Workday, error) {
	type day struct {
		ID      string   `json:"id"`
		CheckIn *instant `json:"checkin"`
	}
	q := url.Values{"daterange": {days(from, to)}}
	if token != "" {
		q.Set("token", token)
	}
	list, err := list[day](ctx, c, "timestamps/workdays/", q)
	out := make([]Workday, len(list))
	for i, d := range list {
		out[i] = Workday{d.ID, d.CheckIn.when()}
	}
	return out, err
}
