package zeitstrom_test

import (
	"net/http"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// A month is told only where Zeitstrom's answer leaves no doubt.
func TestMonth(t *testing.T) {
	for body, want := range map[string]device.Month{
		`{"results": [{"worktime_count": 360000, "target_worktime": 576000.0}]}`: {
			Known: true, Worked: 100 * time.Hour, Target: 160 * time.Hour,
		},
		`{"results": [{"worktime_count": -1800.5, "target_worktime": 0}]}`: {
			Known: true, Worked: -1800500 * time.Millisecond,
		},
		`{"results": []}`: {},
		`{"results": [{"worktime_count": null, "target_worktime": 576000}]}`:                                      {},
		`{"results": [{"worktime_count": 360000}]}`:                                                               {},
		`{"results": [{"worktime_count": 1, "target_worktime": 2}, {"worktime_count": 3, "target_worktime": 4}]}`: {},
	} {
		server := &zeitstromtest.Server{Fault: always(zeitstromtest.JSON(http.StatusOK, body))}
		m, err := dial(t, server).Month(t.Context(), punch.Employee, 2026, time.November)
		if m != want || err != nil {
			t.Errorf("%s: %+v, %v", body, m, err)
		}
	}
	for _, body := range []string{
		`{"results": [{"worktime_count": "100 h", "target_worktime": 576000}]}`,
		`{"results": [{"worktime_count": 1e300, "target_worktime": 576000}]}`,
		`{"results": 7}`, `[]`, `no JSON`,
	} {
		server := &zeitstromtest.Server{Fault: always(zeitstromtest.JSON(http.StatusOK, body))}
		if m, err := dial(t, server).Month(t.Context(), punch.Employee, 2026, time.November); m.Known || err == nil {
			t.Errorf("%s: %+v, %v", body, m, err)
		}
	}
}

// Projects come with what a badge and a display need, and what a stranger may have put into a name is made
// harmless.
func TestProjects(t *testing.T) {
	server := &zeitstromtest.Server{Projects: []zeitstromtest.Project{
		{ID: "1", Name: "Umbau Süd", Code: "P-101"},
		{ID: "2", Name: " Bel\x1b[31ml ", Code: " P-2 ", Archived: true},
	}}
	var all []device.Project
	for p, err := range dial(t, server).Projects(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) != 2 || all[0] != (device.Project{ID: "1", Code: "P-101", Name: "Umbau Süd"}) ||
		all[1].Code != "P-2" || !all[1].Archived || all[1].Name == "" || all[1].Name[0] == ' ' {
		t.Errorf("%+v", all)
	}
	for _, r := range all[1].Name {
		if r < ' ' {
			t.Errorf("the name has %q", r)
		}
	}
}

func always(f zeitstromtest.Fault) func(*http.Request) zeitstromtest.Fault {
	return func(*http.Request) zeitstromtest.Fault { return f }
}
