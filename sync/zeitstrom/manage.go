package zeitstrom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"timeclock/device"
)

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
	CheckIn   *time.Time      `json:"checkin_time"`
	CheckOut  *time.Time      `json:"checkout_time"`
	ProjectID *string         `json:"project_id"`
	Comment   string          `json:"employee_comment"`
	Tags      []Tag           `json:"tag_assignments"`
	Workday   json.RawMessage `json:"workday"`
	WorkdayID json.RawMessage `json:"workday_id"`
	Employee  json.RawMessage `json:"employee"`
	EmplID    json.RawMessage `json:"employee_id"`
}

func (w wire) timespan() Timespan {
	t := Timespan{ID: w.ID, CheckIn: value(w.CheckIn), CheckOut: value(w.CheckOut), ProjectID: value(w.ProjectID), Comment: w.Comment, Tags: w.Tags}
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
		ID         string     `json:"id"`
		At         time.Time  `json:"created_at"`
		Originator string     `json:"originator"`
		CheckIn    *time.Time `json:"previous_checkin"`
		CheckOut   *time.Time `json:"previous_checkout"`
		Reason     string     `json:"change_reason"`
	}
	entries, err := list[entry](ctx, c, timespans+url.PathEscape(id)+"/history/", nil)
	out := make([]Change, len(entries))
	for i, e := range entries {
		out[i] = Change{e.ID, e.At, e.Originator, value(e.CheckIn), value(e.CheckOut), e.Reason}
	}
	return out, err
}

// Workdays lists the calendar days of the employee with an RFID token, or of
// everybody whom the API's token may see: GET timestamps/workdays/.
func (c *Client) Workdays(ctx context.Context, from, to time.Time, token string) ([]Workday, error) {
	type day struct {
		ID       string     `json:"id"`
		CheckIn  *time.Time `json:"checkin"`
		CheckOut *time.Time `json:"checkout"`
		Work     float64    `json:"work_duration"`
		Break    float64    `json:"break_duration"`
	}
	q := url.Values{"daterange": {days(from, to)}}
	if token != "" {
		q.Set("token", token)
	}
	list, err := list[day](ctx, c, "timestamps/workdays/", q)
	out := make([]Workday, len(list))
	for i, d := range list {
		out[i] = Workday{d.ID, value(d.CheckIn), value(d.CheckOut), time.Duration(d.Work * float64(time.Second)), time.Duration(d.Break * float64(time.Second))}
	}
	return out, err
}

// ErrLost says that a change was asked for, that no clear answer came, and that it
// was not there when it was looked up.
var ErrLost = errors.New("the answer was lost, and the change is not there: look again in a minute before you repeat it")

// ErrUnknown says that a change may have been made: neither it nor a look got an answer.
var ErrUnknown = errors.New("whether it was done is not known: look before you repeat it")

// lookTime is how long a look may take after an answer was lost, whatever time the
// change itself had left.
const lookTime = 15 * time.Second

// change makes a change. If the answer is lost it is looked up; what is not there
// is repeated only if twice is as good as once.
func (c *Client) change(ctx context.Context, method, path string, body any, answer any, repeatable bool, there func(context.Context) (bool, error)) error {
	err := c.ask(ctx, method, path, body, answer)
	var e *Error
	if !errors.As(err, &e) || !e.Ambiguous() {
		return err
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	switch yes, lookup := there(look); {
	case lookup != nil:
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	case yes:
		return nil
	case !repeatable:
		return fmt.Errorf("%w (%w)", ErrLost, err)
	}
	err = c.ask(ctx, method, path, body, answer)
	switch {
	case method == http.MethodDelete && isNotFound(err): // the first one has landed meanwhile
		return nil
	case errors.As(err, &e) && e.Ambiguous():
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return err
}

// SetTimes sets a timespan's times; a zero checkout leaves it as it is.
func (c *Client) SetTimes(ctx context.Context, id string, checkin, checkout time.Time) error {
	return c.change(ctx, http.MethodPatch, timespans+url.PathEscape(id)+"/set-times/", newTimes(checkin, checkout), nil, true, func(ctx context.Context) (bool, error) {
		t, err := c.Timespan(ctx, id)
		return sameInstant(t.CheckIn, checkin) && (checkout.IsZero() || sameInstant(t.CheckOut, checkout)), err
	})
}

// times is how the API takes them.
type times struct {
	CheckIn  string `json:"checkin"`
	CheckOut string `json:"checkout,omitempty"`
}

func newTimes(checkin, checkout time.Time) times {
	t := times{CheckIn: checkin.UTC().Format(time.RFC3339)}
	if !checkout.IsZero() {
		t.CheckOut = checkout.UTC().Format(time.RFC3339)
	}
	return t
}

func sameInstant(a, b time.Time) bool {
	return a.Truncate(time.Second).Equal(b.Truncate(time.Second))
}

// AddTimes adds a timespan to a workday; a zero checkout leaves it open. The
// timespan is returned if the API tells it.
func (c *Client) AddTimes(ctx context.Context, workday string, checkin, checkout time.Time) (Timespan, error) {
	var w wire
	body := struct {
		Workday string `json:"workday_id"`
		times
	}{workday, newTimes(checkin, checkout)}
	err := c.change(ctx, http.MethodPost, timespans+"add-times/", body, &w, false, func(ctx context.Context) (bool, error) {
		for t, err := range c.Timespans(ctx, Filter{From: checkin.AddDate(0, 0, -1), To: checkin.AddDate(0, 0, 1), Verbosity: "detail"}) {
			if err != nil {
				return false, err
			}
			if strings.EqualFold(t.Workday, workday) && sameInstant(t.CheckIn, checkin) && sameInstant(t.CheckOut, checkout) {
				w.ID = t.ID
				return true, nil
			}
		}
		return false, nil
	})
	return w.timespan(), err
}

// Project names a project by its code or by its id.
type Project struct {
	Code string `json:"project_code,omitempty"` // at most MaxProjectCode characters
	ID   string `json:"project_id,omitempty"`
}

// MaxProjectCode is the API's (timespans, Assign a Project).
const MaxProjectCode = 8

// AssignProject assigns a project to a timespan.
func (c *Client) AssignProject(ctx context.Context, id string, p Project) error {
	if n := len([]rune(p.Code)); n > MaxProjectCode {
		return fmt.Errorf("a project code has at most %d characters, %q has %d", MaxProjectCode, p.Code, n)
	}
	if (p.Code == "") == (p.ID == "") {
		return errors.New("a project is named by its code or by its id")
	}
	return c.change(ctx, http.MethodPost, timespans+url.PathEscape(id)+"/assign-project/", p, nil, true, func(ctx context.Context) (bool, error) {
		t, err := c.Timespan(ctx, id)
		return p.ID != "" && t.ProjectID == p.ID, err
	})
}

// SetTags replaces all tag assignments of a timespan.
func (c *Client) SetTags(ctx context.Context, id string, tags []Tag) error {
	if tags == nil {
		tags = []Tag{}
	}
	body := struct {
		Tags []Tag `json:"tag_assignments"`
	}{tags}
	return c.change(ctx, http.MethodPost, timespans+url.PathEscape(id)+"/update-tag-assignments/", body, nil, true, func(ctx context.Context) (bool, error) {
		_, err := c.Timespan(ctx, id)
		return false, err // to say it again does no harm
	})
}

// SetComment sets the employee's comment; an empty one clears it.
func (c *Client) SetComment(ctx context.Context, id, comment string) error {
	body := struct {
		Comment string `json:"employee_comment"`
	}{comment}
	return c.change(ctx, http.MethodPost, timespans+url.PathEscape(id)+"/update-employee-comment/", body, nil, true, func(ctx context.Context) (bool, error) {
		t, err := c.Timespan(ctx, id)
		return t.Comment == comment, err
	})
}

// Piece is a timespan that is to replace others.
type Piece struct {
	CheckIn, CheckOut time.Time
	ProjectID         string
	Comment           string
}

// Replace replaces consecutive timespans of one workday by others: POST
// timestamps/timespans/modify-consecutive-timespans/.
func (c *Client) Replace(ctx context.Context, sources []string, pieces []Piece) error {
	type piece struct {
		times
		ProjectID string `json:"project_id,omitempty"`
		Comment   string `json:"employee_comment,omitempty"`
	}
	body := struct {
		Sources []string `json:"source_timespan_ids"`
		Pieces  []piece  `json:"new_timespans"`
	}{Sources: sources}
	for _, p := range pieces {
		body.Pieces = append(body.Pieces, piece{newTimes(p.CheckIn, p.CheckOut), p.ProjectID, p.Comment})
	}
	return c.change(ctx, http.MethodPost, timespans+"modify-consecutive-timespans/", body, nil, false, func(ctx context.Context) (bool, error) {
		for _, id := range sources { // they go when it is done
			if _, err := c.Timespan(ctx, id); !isNotFound(err) {
				return false, err
			}
		}
		return true, nil
	})
}

// errTags refuses what would lose tags: the API takes none with new timespans.
func errTags(t Timespan) error {
	return fmt.Errorf("timespan %s has tags, which would be lost: take them off first, and set them again afterwards", t.ID)
}

// Split makes two timespans of one, at an instant within it.
func (c *Client) Split(ctx context.Context, t Timespan, at time.Time) error {
	switch {
	case t.CheckOut.IsZero():
		return fmt.Errorf("timespan %s is still open: give it a check-out first", t.ID)
	case len(t.Tags) > 0:
		return errTags(t)
	case !at.After(t.CheckIn) || !at.Before(t.CheckOut):
		return fmt.Errorf("%s does not lie within the timespan, from %s to %s", at.Local().Format(time.DateTime), t.CheckIn.Local().Format(time.DateTime), t.CheckOut.Local().Format(time.DateTime))
	}
	return c.Replace(ctx, []string{t.ID}, []Piece{
		{CheckIn: t.CheckIn, CheckOut: at, ProjectID: t.ProjectID, Comment: t.Comment},
		{CheckIn: at, CheckOut: t.CheckOut, ProjectID: t.ProjectID, Comment: t.Comment},
	})
}

// Merge makes one timespan of several of the same workday and project, from the
// first check-in to the last check-out.
func (c *Client) Merge(ctx context.Context, spans []Timespan) error {
	spans = slices.SortedFunc(slices.Values(spans), func(a, b Timespan) int { return a.CheckIn.Compare(b.CheckIn) })
	whole := Piece{CheckIn: spans[0].CheckIn, ProjectID: spans[0].ProjectID, Comment: spans[0].Comment}
	var ids []string
	for _, t := range spans {
		switch {
		case slices.Contains(ids, t.ID):
			return fmt.Errorf("timespan %s was named twice", t.ID)
		case len(t.Tags) > 0:
			return errTags(t)
		case t.CheckOut.IsZero():
			return fmt.Errorf("timespan %s is still open: give it a check-out first", t.ID)
		case t.Workday != spans[0].Workday:
			return fmt.Errorf("timespan %s is of another workday than %s", t.ID, spans[0].ID)
		case t.ProjectID != whole.ProjectID:
			return fmt.Errorf("timespan %s has another project than %s: assign the same one first", t.ID, spans[0].ID)
		}
		if t.CheckOut.After(whole.CheckOut) {
			whole.CheckOut = t.CheckOut
		}
		if t.Comment != "" && !strings.Contains(whole.Comment, t.Comment) {
			whole.Comment = strings.TrimPrefix(whole.Comment+"; "+t.Comment, "; ")
		}
		ids = append(ids, t.ID)
	}
	return c.Replace(ctx, ids, []Piece{whole})
}

// Delete deletes a timespan for good.
func (c *Client) Delete(ctx context.Context, id string) error {
	return c.change(ctx, http.MethodDelete, timespans+url.PathEscape(id)+"/", nil, nil, true, func(ctx context.Context) (bool, error) {
		_, err := c.Timespan(ctx, id)
		if isNotFound(err) {
			return true, nil
		}
		return false, err
	})
}

func isNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.Words() != ""
}

// ask sends a body and decodes the answer, if there is one.
func (c *Client) ask(ctx context.Context, method, path string, body, answer any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	got, err := c.do(ctx, method, path, raw)
	if err != nil || answer == nil || len(got) == 0 {
		return err
	}
	if err := json.Unmarshal(got, answer); err != nil {
		path, _, _ = strings.Cut(path, "?") // a badge's number may stand there
		return &Error{Kind: NotAPI, Status: http.StatusOK, Sent: true, Cause: fmt.Errorf("an answer at %s that cannot be read: %w", path, err)}
	}
	return nil
}

// pages reads a paginated list, a page at a time, by offset: "next" may be absent.
func pages[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen, count := 0, 0
		for range maxPages {
			q := url.Values{"limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(seen)}}
			for k, v := range query {
				q[k] = v
			}
			var page struct {
				Count   *int `json:"count"`
				Results []T  `json:"results"`
			}
			err := c.ask(ctx, http.MethodGet, path+"?"+q.Encode(), nil, &page)
			switch {
			case err != nil:
			case page.Count == nil:
				err = &Error{Kind: NotAPI, Status: http.StatusOK, Sent: true, Cause: fmt.Errorf("a list without count and results at %s", path)}
			case seen > 0 && *page.Count != count: // what was added or deleted meanwhile shifts the pages
				err = &Error{Kind: NotAPI, Status: http.StatusOK, Sent: true, Cause: fmt.Errorf("the list at %s changed while it was read: try again", path)}
			case len(page.Results) == 0 && seen < *page.Count:
				err = &Error{Kind: NotAPI, Status: http.StatusOK, Sent: true, Cause: fmt.Errorf("the list at %s ends after %d of %d", path, seen, *page.Count)}
			}
			if err != nil {
				yield(none, err)
				return
			}
			for _, x := range page.Results {
				if !yield(x, nil) {
					return
				}
			}
			count = *page.Count
			if seen += len(page.Results); seen >= *page.Count {
				return
			}
		}
		yield(none, &Error{Kind: NotAPI, Status: http.StatusOK, Sent: true, Cause: fmt.Errorf("the list at %s does not end", path)})
	}
}
