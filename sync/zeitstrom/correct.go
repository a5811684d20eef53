package zeitstrom

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"timeclock/device"
)

// ErrLost says that a change was asked for, that no clear answer came, and that it
// was not there when it was looked up.
var ErrLost = errors.New("the answer was lost, and the change is not there: look again in a minute before you " +
	"repeat it")

// ErrUnknown says that a change may have been made: neither it nor a look got an answer.
var ErrUnknown = errors.New("whether it was done is not known: look before you repeat it")

// lookTime is how long a look may take after an answer was lost, whatever time the
// change itself had left.
const lookTime = 15 * time.Second

// change is a change that is asked for.
type change struct {
	method, path string
	body, answer any // nil: none
	idempotent   bool
	there        func(context.Context) (bool, error) // looks whether it was made
}

// of is a change of one timespan: POST timestamps/timespans/ID/WHAT/.
func of(id, what string, body any) change {
	return change{
		method: http.MethodPost, path: timespans + url.PathEscape(id) + "/" + what + "/", body: body, idempotent: true,
	}
}

// make makes a change. If the answer is lost it is looked up; what is not there
// is repeated only if it is idempotent.
func (c *Client) make(ctx context.Context, x change) error {
	err := c.ask(ctx, x.method, x.path, x.body, x.answer)
	var e *Error
	if !errors.As(err, &e) || !e.Ambiguous() {
		return err
	}
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTime)
	defer cancel()
	switch yes, lookup := x.there(look); {
	case lookup != nil:
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	case yes:
		return nil
	case !x.idempotent:
		return fmt.Errorf("%w (%w)", ErrLost, err)
	}
	err = c.ask(ctx, x.method, x.path, x.body, x.answer)
	switch {
	case x.method == http.MethodDelete && isNotFound(err): // the first one has landed meanwhile
		return nil
	case errors.As(err, &e) && e.Ambiguous():
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return err
}

// looks looks at a timespan whether a change was made.
func (c *Client) looks(id string, made func(Timespan) bool) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		t, err := c.Timespan(ctx, id)
		return err == nil && made(t), err
	}
}

// SetTimes sets a timespan's times; a zero checkout leaves it as it is.
func (c *Client) SetTimes(ctx context.Context, id string, checkin, checkout time.Time) error {
	x := of(id, "set-times", newTimes(checkin, checkout))
	x.method = http.MethodPatch
	x.there = c.looks(id, func(t Timespan) bool {
		return sameInstant(t.CheckIn, checkin) && (checkout.IsZero() || sameInstant(t.CheckOut, checkout))
	})
	return c.make(ctx, x)
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

// AddTimes adds a timespan to a workday; a zero checkout leaves it open. The
// timespan is returned if the API tells it.
func (c *Client) AddTimes(
	ctx context.Context, workday string, checkin, checkout time.Time,
) (added Timespan, err error) {
	body := struct {
		Workday string `json:"workday_id"`
		times
	}{workday, newTimes(checkin, checkout)}
	there := func(ctx context.Context) (bool, error) {
		f := Between(checkin, checkin, "")
		f.Verbosity = "detail"
		for t, err := range c.Timespans(ctx, f) {
			if err != nil {
				return false, err
			}
			if strings.EqualFold(t.Workday, workday) && sameInstant(t.CheckIn, checkin) &&
				sameInstant(t.CheckOut, checkout) {
				added = Timespan{ID: t.ID}
				return true, nil
			}
		}
		return false, nil
	}
	err = c.make(ctx, change{
		method: http.MethodPost, path: timespans + "add-times/", body: body, answer: &added, there: there,
	})
	if err == nil {
		err = exact(added.ID, added.vague)
	}
	return added, err
}

// Project names a project by its code or by its id.
type Project struct {
	Code string `json:"project_code,omitempty"` // at most device.MaxProjectCode characters
	ID   string `json:"project_id,omitempty"`
}

// AssignProject assigns a project to a timespan.
func (c *Client) AssignProject(ctx context.Context, id string, p Project) error {
	if n := len([]rune(p.Code)); n > device.MaxProjectCode {
		return fmt.Errorf("a project code has at most %d characters, %q has %d", device.MaxProjectCode, p.Code, n)
	}
	if (p.Code == "") == (p.ID == "") {
		return errors.New("a project is named by its code or by its id")
	}
	x := of(id, "assign-project", p)
	x.there = c.looks(id, func(t Timespan) bool { return p.ID != "" && t.ProjectID == p.ID })
	return c.make(ctx, x)
}

// TryProject asks once to assign the project of a code to a timespan: whether a lost answer meant success
// is for the caller to find out.
func (c *Client) TryProject(ctx context.Context, id, code string) error {
	x := of(id, "assign-project", Project{Code: code})
	return c.ask(ctx, x.method, x.path, x.body, nil)
}

// SetTags replaces all tag assignments of a timespan.
func (c *Client) SetTags(ctx context.Context, id string, tags []Tag) error {
	if tags == nil {
		tags = []Tag{}
	}
	body := struct {
		Tags []Tag `json:"tag_assignments"`
	}{tags}
	x := of(id, "update-tag-assignments", body)
	x.there = c.looks(id, func(Timespan) bool { return false }) // to say it again does no harm
	return c.make(ctx, x)
}

// SetComment sets the employee's comment; an empty one clears it.
func (c *Client) SetComment(ctx context.Context, id, comment string) error {
	body := struct {
		Comment string `json:"employee_comment"`
	}{comment}
	x := of(id, "update-employee-comment", body)
	x.there = c.looks(id, func(t Timespan) bool { return t.Comment == comment })
	return c.make(ctx, x)
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
	there := func(ctx context.Context) (bool, error) {
		for _, id := range sources { // they go when it is done
			if _, err := c.Timespan(ctx, id); !isNotFound(err) {
				return false, err
			}
		}
		return true, nil
	}
	return c.make(ctx, change{
		method: http.MethodPost, path: timespans + "modify-consecutive-timespans/", body: body, there: there,
	})
}

// errTags refuses what would lose tags: the API takes none with new timespans.
func errTags(t Timespan) error {
	return fmt.Errorf("timespan %s has tags, which would be lost: take them off first, and set them again afterwards",
		t.ID)
}

// Split makes two timespans of one, at an instant within it.
func (c *Client) Split(ctx context.Context, t Timespan, at time.Time) error {
	switch {
	case t.CheckOut.IsZero():
		return fmt.Errorf("timespan %s is still open: give it a check-out first", t.ID)
	case len(t.Tags) > 0:
		return errTags(t)
	case !at.After(t.CheckIn) || !at.Before(t.CheckOut):
		return fmt.Errorf("%s does not lie within the timespan, from %s to %s", at.Local().Format(time.DateTime),
			t.CheckIn.Local().Format(time.DateTime), t.CheckOut.Local().Format(time.DateTime))
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
	there := func(ctx context.Context) (bool, error) {
		_, err := c.Timespan(ctx, id)
		if isNotFound(err) {
			return true, nil
		}
		return false, err
	}
	return c.make(ctx, change{
		method: http.MethodDelete, path: timespans + url.PathEscape(id) + "/", idempotent: true, there: there,
	})
}

func isNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.Words() != ""
}
