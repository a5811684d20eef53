package zeitstrom_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// employees are those that come before an error.
func employees(ctx context.Context, c *zeitstrom.Client) (people []device.Person, err error) {
	for p, err := range c.Employees(ctx) {
		if err != nil {
			return people, err
		}
		people = append(people, p)
	}
	return people, nil
}

func TestEmployees(t *testing.T) {
	server := &zeitstromtest.Server{}
	c := dial(t, server)
	if people, err := employees(t.Context(), c); err != nil || len(people) != 0 {
		t.Errorf("nobody: %v, %v", people, err)
	}
	var all []zeitstromtest.Employee
	for n := range 250 { // three pages
		all = append(all, zeitstromtest.Employee{
			ID: fmt.Sprintf("A1B2C3D4-e5f6-7890-abcd-%012d", n), FirstName: "Anna", LastName: fmt.Sprint("Nr ", n),
			Token: " 04 11 ", External: fmt.Sprint("X", n), Archived: n == 7,
		})
	}
	server.SetPeople(all)
	people, err := employees(t.Context(), c)
	if err != nil || len(people) != 250 {
		t.Fatalf("%d people, %v", len(people), err)
	}
	if p := people[7]; p.ID != "a1b2c3d4-e5f6-7890-abcd-000000000007" || p.Name != "Anna Nr 7" ||
		p.Badge != "04 11" || p.LastName != "Nr 7" || p.Number != "1007" || p.External != "X7" ||
		!p.Archived || people[8].Archived {
		t.Errorf("%+v", p)
	}
}

// Half a list, or one with nonsense in it, ends with an error: nobody may take it for all.
func TestEmployeesAllOrNone(t *testing.T) {
	const someone = `{"id": "a1b2c3d4-e5f6-7890-abcd-000000000001", "archived_at": null, "first_name": "A", ` +
		`"last_name": "B", "physical_token_id": null}`
	for name, body := range map[string]string{
		"ends early":      `{"count": 3, "results": [` + someone + `]}`,
		"no id":           `{"count": 1, "results": [{"first_name": "A"}]}`,
		"not a list":      `{"detail": "ok"}`,
		"broken in it":    `{"count": 2, "results": [` + someone + `, 7]}`,
		"an empty answer": ``,
	} {
		asked := 0
		server := &zeitstromtest.Server{Fault: func(*http.Request) zeitstromtest.Fault {
			if asked++; asked > 1 && name == "ends early" {
				return zeitstromtest.JSON(200, `{"count": 3, "results": []}`)
			}
			return zeitstromtest.JSON(200, body)
		}}
		people, err := employees(t.Context(), dial(t, server))
		var e *zeitstrom.Error
		if !errors.As(err, &e) || e.Kind != zeitstrom.NotAPI || len(people) > 1 {
			t.Errorf("%s: %v, %v", name, people, err)
		}
	}
}
