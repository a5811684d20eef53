package zeitstrom

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
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
	Number     *string    `json:"accounting_number"`
	External   *string    `json:"external_id"`
	Token      *string    `json:"physical_token_id"`
}

// person is an employee in the clock's own words.
func (e employee) person(id device.EmployeeID) device.Person {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return cut(Sanitize(strings.TrimSpace(*s)))
	}
	first, last := text(&e.FirstName), text(&e.LastName)
	return device.Person{
		Employee: device.Employee{
			ID: id, Name: strings.TrimSpace(first + " " + last), LastName: last, Number: text(e.Number),
		},
		External: text(e.External), Badge: text(e.Token), Archived: e.ArchivedAt != nil,
	}
}

// maxText bounds what is kept of a name or a number: a badge list takes a hundred characters of a name.
const maxText = 48

func cut(s string) string {
	if runes := []rune(s); len(runes) > maxText {
		return string(runes[:maxText])
	}
	return s
}

// Employees lists everybody at Zeitstrom, page by page, archived people included:
// GET employees/employees/. A list that ends early, or holds an employee without
// an id, ends with an error: what came before is not the whole list.
func (c *Client) Employees(ctx context.Context) iter.Seq2[device.Person, error] {
	return func(yield func(device.Person, error) bool) {
		seen, n := map[[16]byte]bool{}, 0
		for e, err := range pages[employee](ctx, c, "employees/employees/", nil) {
			n++
			var id device.EmployeeID
			if err == nil {
				if id, err = unseen(e.ID, seen); err != nil {
					err = fmt.Errorf("employee %d: %w", n, err)
					err = &Error{Kind: NotAPI, Status: http.StatusOK, Sent: true, Cause: err}
				}
			}
			if !yield(e.person(id), err) || err != nil {
				return
			}
		}
	}
}

// unseen reads an id that is new in a list.
func unseen(text string, seen map[[16]byte]bool) (id device.EmployeeID, err error) {
	if id, err = device.ParseEmployeeID(text); err != nil {
		return "", err
	}
	var key [16]byte // a list may be long
	if _, err := hex.Decode(key[:], []byte(strings.ReplaceAll(string(id), "-", ""))); err != nil {
		return "", err
	}
	if seen[key] {
		return "", errors.New("is listed twice")
	}
	seen[key] = true
	return id, nil
}
