package zeitstrom

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"timeclock/device"
)

// employee is what a clock needs of an employee; the answer has more, and some of
// it (terminal_pin) is nobody's business here.
type employee struct {
	ID         string     `json:"id"`
	ArchivedAt *time.Time `json:"archived_at"`
	FirstName  string     `json:"first_name"`
	LastName   string     `json:"last_name"`
	Token      *string    `json:"physical_token_id"`
}

// Employees lists everybody at Zeitstrom, page by page, archived people included:
// GET employees/employees/. A list that ends early, or holds an employee without
// an id, is an error.
func (c *Client) Employees(ctx context.Context) ([]device.Person, error) {
	all, err := list[employee](ctx, c, "employees/employees/", nil)
	if err != nil {
		return nil, err
	}
	people := make([]device.Person, len(all))
	seen := map[device.EmployeeID]bool{}
	for i, e := range all {
		id, err := device.ParseEmployeeID(e.ID)
		if err == nil && seen[id] {
			err = errors.New("is listed twice")
		}
		seen[id] = true
		if err != nil {
			return nil, &Error{
				Kind: NotAPI, Status: http.StatusOK, Sent: true,
				Cause: fmt.Errorf("employee %d of %d: %w", i+1, len(all), err),
			}
		}
		people[i] = device.Person{
			Employee: device.Employee{ID: id, Name: Sanitize(strings.TrimSpace(e.FirstName + " " + e.LastName))},
			Archived: e.ArchivedAt != nil,
		}
		if e.Token != nil {
			people[i].Number = strings.TrimSpace(*e.Token)
		}
	}
	return people, nil
}
