package zeitstrom

import (
	"context"
	"fmt"
	"iter"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"timeclock/device"
)

// Projects lists the company's projects, page by page, archived ones included: GET projects/projects/.
// An error ends the list.
func (c *Client) Projects(ctx context.Context) iter.Seq2[device.Project, error] {
	type project struct {
		ID         string  `json:"id"`
		Name       string  `json:"name"`
		Code       *string `json:"code"`
		Archived   bool    `json:"archived"`
		ArchivedAt *string `json:"archived_at"`
	}
	return func(yield func(device.Project, error) bool) {
		for p, err := range pages[project](ctx, c, "projects/projects/", nil) {
			out := device.Project{
				ID: p.ID, Code: strings.TrimSpace(value(p.Code)), Name: cut(Sanitize(strings.TrimSpace(p.Name))),
				Archived: p.Archived || p.ArchivedAt != nil,
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// Month tells how long an employee has worked in a month, and was to work: GET timestamps/workmonths/. It
// is not Known if Zeitstrom has none.
func (c *Client) Month(ctx context.Context, e device.EmployeeID, year int, month time.Month) (device.Month, error) {
	type workmonth struct {
		Worked *seconds `json:"worktime_count"`
		Target *seconds `json:"target_worktime"`
	}
	q := url.Values{
		"employee_ids": {string(e)}, "years": {strconv.Itoa(year)}, "months": {strconv.Itoa(int(month))},
		"verbosity": {"detail"}, "limit": {"2"},
	}
	var page struct {
		Results []workmonth `json:"results"`
	}
	err := c.ask(ctx, http.MethodGet, "timestamps/workmonths/?"+q.Encode(), nil, &page)
	// Of several nobody could tell whose they are.
	if err != nil || len(page.Results) != 1 || page.Results[0].Worked == nil || page.Results[0].Target == nil {
		return device.Month{}, err
	}
	m := page.Results[0]
	return device.Month{Known: true, Worked: time.Duration(*m.Worked), Target: time.Duration(*m.Target)}, nil
}

// seconds is a duration as the API counts it: with or without a fraction.
type seconds time.Duration

// UnmarshalJSON reads a number of seconds, of which nobody has worked more than a few years.
func (s *seconds) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseFloat(string(raw), 64)
	if err == nil && math.Abs(n) > 1e8 {
		err = fmt.Errorf("%s seconds are too many", raw)
	}
	*s = seconds(n * float64(time.Second))
	return err
}
