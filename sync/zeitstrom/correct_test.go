package zeitstrom_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// The whole life of a timespan.
func TestTimespans(t *testing.T) {
	server := documented()
	c := dial(t, server)
	ctx := t.Context()
	all := func(f zeitstrom.Filter) (out []zeitstrom.Timespan) {
		t.Helper()
		for ts, err := range c.Timespans(ctx, f) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, ts)
		}
		return out
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	june := zeitstrom.Filter{
		From: eight.AddDate(0, 0, -2), To: eight.AddDate(0, 0, 27), Employees: []device.EmployeeID{punch.Employee},
		Verbosity: "detail",
	}
	if got := all(june); len(got) != 1 || got[0].ID != spanID || !got[0].CheckOut.Equal(seventeen) ||
		got[0].Employee != punch.Employee || got[0].Workday == "" {
		t.Fatalf("%+v", got)
	}
	if got := all(zeitstrom.Filter{}); len(got) != 1 || got[0].Workday != "" {
		t.Errorf("compact: %+v", got)
	}
	days, err := c.Workdays(ctx, june.From, june.To, "")
	if err != nil || len(days) != 1 || !days[0].CheckIn.Equal(eight) {
		t.Fatalf("%+v, %v", days, err)
	}
	must(c.SetTimes(ctx, spanID, eight.Add(time.Hour), time.Time{}))
	must(c.SetComment(ctx, spanID, "late train"))
	must(c.AssignProject(ctx, spanID, zeitstrom.Project{ID: project}))
	must(c.SetTags(ctx, spanID, []zeitstrom.Tag{{ID: project, Type: "relative", Value: "100"}}))
	got, err := c.Timespan(ctx, spanID)
	if err != nil || !got.CheckIn.Equal(eight.Add(time.Hour)) || !got.CheckOut.Equal(seventeen) ||
		got.Comment != "late train" || got.ProjectID != project || len(got.Tags) != 1 || got.Tags[0].Value != "100" {
		t.Errorf("%+v, %v", got, err)
	}
	history, err := c.History(ctx, spanID)
	if err != nil || len(history) != 1 || !history[0].CheckIn.Equal(eight) || history[0].Originator != "Admin User" ||
		history[0].ID == "" {
		t.Errorf("%+v, %v", history, err)
	}
	must(c.Replace(ctx, []string{spanID},
		[]zeitstrom.Piece{
			{CheckIn: eight, CheckOut: eight.Add(time.Hour)},
			{CheckIn: eight.Add(time.Hour), CheckOut: seventeen, Comment: "after the break"},
		}))
	pieces := all(june)
	if len(pieces) != 2 || pieces[1].Comment != "after the break" {
		t.Fatalf("split: %+v", pieces)
	}
	added, err := c.AddTimes(ctx, days[0].ID, seventeen.Add(time.Hour), time.Time{})
	if err != nil || added.ID == "" || !added.CheckOut.IsZero() {
		t.Errorf("%+v, %v", added, err)
	}
	for _, p := range append(pieces, added) {
		must(c.Delete(ctx, p.ID))
	}
	if left := all(june); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
	for _, p := range []zeitstrom.Project{{}, {Code: "P", ID: project}, {Code: "P-1234567"}} {
		if err := c.AssignProject(ctx, spanID, p); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
}

// operations are all that can be asked for or changed.
var operations = map[string]func(*zeitstrom.Client, context.Context) error{
	"list": func(c *zeitstrom.Client, ctx context.Context) error {
		for _, err := range c.Timespans(ctx, zeitstrom.Filter{}) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"retrieve": func(c *zeitstrom.Client, ctx context.Context) error { _, err := c.Timespan(ctx, spanID); return err },
	"history":  func(c *zeitstrom.Client, ctx context.Context) error { _, err := c.History(ctx, spanID); return err },
	"workdays": func(c *zeitstrom.Client, ctx context.Context) error {
		_, err := c.Workdays(ctx, eight, eight, "")
		return err
	},
	"employees": func(c *zeitstrom.Client, ctx context.Context) error { _, err := employees(ctx, c); return err },
	"set-times": func(c *zeitstrom.Client, ctx context.Context) error {
		return c.SetTimes(ctx, spanID, eight.Add(time.Hour), seventeen)
	},
	"add-times": func(c *zeitstrom.Client, ctx context.Context) error {
		_, err := c.AddTimes(ctx, "f6a7b8c9-d0e1-2345-fabc-678901234567", seventeen, time.Time{})
		return err
	},
	"assign-project": func(c *zeitstrom.Client, ctx context.Context) error {
		return c.AssignProject(ctx, spanID, zeitstrom.Project{ID: project})
	},
	"tags":    func(c *zeitstrom.Client, ctx context.Context) error { return c.SetTags(ctx, spanID, nil) },
	"comment": func(c *zeitstrom.Client, ctx context.Context) error { return c.SetComment(ctx, spanID, "x") },
	"replace": func(c *zeitstrom.Client, ctx context.Context) error {
		return c.Replace(ctx, []string{spanID}, []zeitstrom.Piece{{CheckIn: eight, CheckOut: seventeen}})
	},
	"delete": func(c *zeitstrom.Client, ctx context.Context) error { return c.Delete(ctx, spanID) },
}

// Every operation × every answer: success, the API's refusals with their words, a
// server that fails, and an answer that is lost after the change was made.
func TestEveryOperationAndAnswer(t *testing.T) {
	changes := []string{"set-times", "add-times", "assign-project", "tags", "comment", "replace", "delete"}
	for answer, tc := range map[string]struct {
		fault zeitstromtest.Fault
		kind  zeitstrom.Kind
		words string
	}{
		"400": {
			zeitstromtest.JSON(400, `{"checkin": ["Datetime has wrong format."]}`), zeitstrom.Refused,
			"checkin: Datetime has wrong format.",
		},
		"401": {zeitstromtest.JSON(401, `{"detail": "Invalid token."}`), zeitstrom.Unauthorized, "Invalid token."},
		"403": {
			zeitstromtest.JSON(403, `{"detail": "You do not have permission to perform this action."}`),
			zeitstrom.Forbidden, "the token has no permission for ",
		},
		"404": {
			zeitstromtest.JSON(404, `{"detail": "Not found."}`), zeitstrom.Unavailable, "Zeitstrom does not know ",
		},
		"429":   {zeitstromtest.JSON(429, `{"detail": "Request was throttled."}`), zeitstrom.Throttled, "throttled"},
		"500":   {zeitstromtest.HTML(500), zeitstrom.Unavailable, "is not available (500)"},
		"200":   {},
		"lost":  {fault: zeitstromtest.Fault{DropAfter: true}},
		"never": {fault: zeitstromtest.Fault{DropBefore: true}},
	} {
		for name, do := range operations {
			t.Run(name+"/"+answer, func(t *testing.T) {
				server := documented()
				first := true
				server.Fault = func(*http.Request) zeitstromtest.Fault {
					// A lost answer is lost once; the others are as they are.
					if f := tc.fault; first || !f.DropAfter && !f.DropBefore {
						first = false
						return f
					}
					return zeitstromtest.Fault{}
				}
				err := do(dial(t, server), t.Context())
				var e *zeitstrom.Error
				isChange := slices.Contains(changes, name)
				switch {
				case tc.words != "":
					if !errors.As(err, &e) || e.Kind != tc.kind || !strings.Contains(err.Error(), tc.words) {
						t.Errorf("%v, want %q", err, tc.words)
					}
				case answer == "200", answer == "lost" && isChange:
					if err != nil {
						t.Errorf("%v", err)
					}
				case answer == "never" && (name == "add-times" || name == "replace"): // never twice
					if !errors.Is(err, zeitstrom.ErrLost) {
						t.Errorf("%v, want ErrLost", err)
					}
				case answer == "never" && isChange: // looked up, and repeated
					if err != nil {
						t.Errorf("%v", err)
					}
				default:
					if !errors.As(err, &e) || e.Kind != zeitstrom.Unreachable {
						t.Errorf("%v", err)
					}
				}
			})
		}
	}
}

// A long list is read page by page, and what is unknown in it does no harm.
func TestLongListOfTimespans(t *testing.T) {
	server := &zeitstromtest.Server{}
	for n := range 250 {
		server.Put(zeitstromtest.Timespan{
			Employee: string(punch.Employee), CheckIn: eight.Add(time.Duration(n) * time.Minute), CheckOut: seventeen,
		})
	}
	c := dial(t, server)
	n := 0
	for _, err := range c.Timespans(t.Context(), zeitstrom.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 120 { // whoever has seen enough reads no further
			break
		}
	}
	if asked := server.Questions(); n != 120 || asked != 2 {
		t.Errorf("%d timespans by %d requests", n, asked)
	}
}

// What would lose something, or cannot be meant, is refused before anything is sent.
func TestRefusedBeforehand(t *testing.T) {
	server := documented()
	c := dial(t, server)
	ctx := t.Context()
	for _, id := range []string{"", ".", ".."} {
		if _, err := c.Timespan(ctx, id); err == nil {
			t.Errorf("%q was asked for", id)
		}
	}
	span, err := c.Timespan(ctx, spanID)
	if err != nil {
		t.Fatal(err)
	}
	asked := server.Questions()
	tagged, open := span, span
	tagged.Tags, open.CheckOut = []zeitstrom.Tag{{ID: project, Type: "relative", Value: "100"}}, time.Time{}
	for what, err := range map[string]error{
		"split with tags":      c.Split(ctx, tagged, eight.Add(time.Hour)),
		"split of an open one": c.Split(ctx, open, eight.Add(time.Hour)),
		"split outside":        c.Split(ctx, span, seventeen),
		"merge with itself":    c.Merge(ctx, []zeitstrom.Timespan{span, span}),
		"merge with tags":      c.Merge(ctx, []zeitstrom.Timespan{tagged, span}),
		"merge of an open one": c.Merge(ctx, []zeitstrom.Timespan{open, span}),
	} {
		if err == nil {
			t.Errorf("%s was done", what)
		}
	}
	if n := server.Questions() - asked; n > 0 {
		t.Errorf("%d requests were sent", n)
	}
	// Somebody else's answer is nobody's timespan.
	server.Fault = func(*http.Request) zeitstromtest.Fault { return zeitstromtest.JSON(200, `{}`) }
	var e *zeitstrom.Error
	if _, err := c.Timespan(ctx, spanID); !errors.As(err, &e) || e.Kind != zeitstrom.NotAPI {
		t.Errorf("an answer without an id: %v", err)
	}
}
