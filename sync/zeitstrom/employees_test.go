package zeitstrom_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

func TestEmployees(t *testing.T) {
	server := &zeitstromtest.Server{}
	c := dial(t, server)
	if people, err := c.Employees(t.Context()); err != nil || len(people) != 0 {
		t.Errorf("nobody: %v, %v", people, err)
	}
	var all []zeitstromtest.Employee
	for n := range 250 { // three pages
		all = append(all, zeitstromtest.Employee{
			ID: fmt.Sprintf("A1B2C3D4-e5f6-7890-abcd-%012d", n), FirstName: "Anna", LastName: fmt.Sprint("Nr ", n),
			Token: " 04 11 ", Archived: n == 7,
		})
	}
	server.SetPeople(all)
	people, err := c.Employees(t.Context())
	if err != nil || len(people) != 250 {
		t.Fatalf("%d people, %v", len(people), err)
	}
	if p := people[7]; p.ID != "a1b2c3d4-e5f6-7890-abcd-000000000007" || p.Name != "Anna Nr 7" || p.Number != "04 11" ||
		!p.Archived || people[8].Archived {
		t.Errorf("%+v", p)
	}
}

// Half a list, or one with nonsense in it, is an error: nobody may take it for all.
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
		people, err := dial(t, server).Employees(t.Context())
		var e *zeitstrom.Error
		if !errors.As(err, &e) || e.Kind != zeitstrom.NotAPI || people != nil {
			t.Errorf("%s: %v, %v", name, people, err)
		}
	}
}
