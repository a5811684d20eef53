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
}

// Workday is a calendar day of an employee.
type Workday struct {
	ID       string
	CheckIn  time.Time
	CheckOut time.Time // zero: still working
	Work     time.Duration
	Break    time.Duration
}

// wire is a timespan as the API writes it. Times and references may be nested
// objects in answers of other verbosities.
type wire struct {
	ID        string          `json:"id"`
	CheckIn   *exact          `json:"checkin_time"`
	CheckOut  *exact          `json:"checkout_time"`
	ProjectID *string         `json:"project_id"`
	Comment   string          `json:"employee_comment"`
	Tags      []Tag           `json:"tag_assignments"`
	Workday   json.RawMessage `json:"workday"`
	WorkdayID json.RawMessage `json:"workday_id"`
	Employee  json.RawMessage `json:"employee"`
	EmplID    json.RawMessage `json:"employee_id"`
}

func (w wire) timespan() Timespan {
	t := Timespan{
		ID: w.ID, CheckIn: w.CheckIn.when(), CheckOut: w.CheckOut.when(), ProjectID: value(w.ProjectID),
		Comment: w.Comment, Tags: w.Tags,
	}
	t.Workday = reference(w.WorkdayID, w.Workday)
	t.Employee, _ = device.ParseEmployeeID(reference(w.EmplID, w.Employee))
	return t
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

// Timespans lists timespans page by page, so that it takes little memory however
// many there are: GET timestamps/timespans/. It ends with the first error.
func (c *Client) Timespans(ctx context.Context, f Filter) iter.Seq2[Timespan, error] {
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
	return func(yield func(Timespan, error) bool) {
		for w, err := range pages[wire](ctx, c, timespans, q) {
			if !yield(w.timespan(), err) || err != nil {
				return
			}
		}
	}
}

// Timespan returns one timespan in detail: GET timestamps/timespans/ID/.
func (c *Client) Timespan(ctx context.Context, id string) (Timespan, error) {
	if id == "" || id == "." || id == ".." {
		return Timespan{}, fmt.Errorf("%q is no timespan's id", id)
	}
	var w wire
	err := c.ask(ctx, http.MethodGet, timespans+url.PathEscape(id)+"/?verbosity=detail", nil, &w)
	if err == nil && !strings.EqualFold(w.ID, id) {
		err = &Error{Kind: NotAPI, Status: http.StatusOK, Sent: true, Cause: fmt.Errorf("asked for timespan %s, and got %q", id, w.ID)}
	}
	return w.timespan(), err
}

// History returns how a timespan was changed, as the API orders it.
func (c *Client) History(ctx context.Context, id string) ([]Change, error) {
	type entry struct {
		ID         string `json:"id"`
		At         *exact `json:"created_at"`
		Originator string `json:"originator"`
		CheckIn    *exact `json:"previous_checkin"`
		CheckOut   *exact `json:"previous_checkout"`
		Reason     string `json:"change_reason"`
	}
	entries, err := list[entry](ctx, c, timespans+url.PathEscape(id)+"/history/", nil)
	out := make([]Change, len(entries))
	for i, e := range entries {
		out[i] = Change{e.ID, e.At.when(), e.Originator, e.CheckIn.when(), e.CheckOut.when(), e.Reason}
	}
	return out, err
}

// Workdays lists the calendar days of the employee with an RFID token, or of
// everybody whom the API's token may see: GET timestamps/workdays/.
func (c *Client) Workdays(ctx context.Context, from, to time.Time, token string) ([]Workday, error) {
	type day struct {
		ID       string  `json:"id"`
		CheckIn  *exact  `json:"checkin"`
		CheckOut *exact  `json:"checkout"`
		Work     float64 `json:"work_duration"`
		Break    float64 `json:"break_duration"`
	}
	q := url.Values{"daterange": {days(from, to)}}
	if token != "" {
		q.Set("token", token)
	}
	list, err := list[day](ctx, c, "timestamps/workdays/", q)
	out := make([]Workday, len(list))
	for i, d := range list {
		out[i] = Workday{
			d.ID, d.CheckIn.when(), d.CheckOut.when(), time.Duration(d.Work * float64(time.Second)),
			time.Duration(d.Break * float64(time.Second)),
		}
	}
	return out, err
}
