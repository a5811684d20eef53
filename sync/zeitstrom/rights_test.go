package zeitstrom_test

import (
	"net/http"
	"strings"
	"testing"

	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// What a token may read is found out without changing anything.
func TestRights(t *testing.T) {
	forbidden := func(path string) func(*http.Request) zeitstromtest.Fault {
		return func(r *http.Request) zeitstromtest.Fault {
			if strings.Contains(r.URL.Path, path) {
				return zeitstromtest.JSON(http.StatusForbidden,
					`{"detail": "You do not have permission to perform this action."}`)
			}
			return zeitstromtest.Fault{}
		}
	}
	for name, c := range map[string]struct {
		server *zeitstromtest.Server
		want   zeitstrom.Rights
		err    string
	}{
		"everything":   {&zeitstromtest.Server{}, zeitstrom.Rights{Timespans: true, Employees: true}, ""},
		"no timespans": {&zeitstromtest.Server{WriteOnly: true}, zeitstrom.Rights{Employees: true}, ""},
		"no employees": {&zeitstromtest.Server{Fault: forbidden("employees/")}, zeitstrom.Rights{Timespans: true}, ""},
		"a bad token":  {&zeitstromtest.Server{Token: "another"}, zeitstrom.Rights{}, "does not accept the token"},
		"nobody " +
			"there": {
			&zeitstromtest.Server{Fault: func(*http.Request) zeitstromtest.Fault {
				return zeitstromtest.Fault{NoConnection: true}
			}},
			zeitstrom.Rights{},
			"cannot be reached",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dial(t, c.server).Rights(t.Context())
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v, %v", got, err)
			}
			if len(c.server.Timestamps()) > 0 {
				t.Error("it booked something")
			}
		})
	}
}
