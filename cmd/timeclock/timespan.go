package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// timespanJSON is a timespan in the form that scripts read.
type timespanJSON struct {
	ID       string            `json:"id"`
	Employee device.EmployeeID `json:"employee_id,omitempty"`
	Workday  string            `json:"workday_id,omitempty"`
	CheckIn  time.Time         `json:"checkin"`
	CheckOut *time.Time        `json:"checkout"` // null: still working
	Project  string            `json:"project_id,omitempty"`
	Comment  string            `json:"comment,omitempty"`
	Tags     []admin.Tag       `json:"tags,omitempty"`
}

func newTimespanJSON(t admin.Timespan) timespanJSON {
	return timespanJSON{
		ID: t.ID, Employee: t.Employee, Workday: t.Workday, CheckIn: t.CheckIn.UTC(), CheckOut: orNull(t.CheckOut),
		Project: t.ProjectID, Comment: t.Comment, Tags: t.Tags,
	}
}

// orNull is an instant, or null if there is none.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (d *desk) when(t time.Time) string {
	if t.IsZero() {
		return "open"
	}
	return t.In(d.zone).Format(time.DateTime)
}

func (d *desk) print(ctx context.Context, spans []admin.Timespan) error {
	if d.json {
		out := make([]timespanJSON, len(spans))
		for i, t := range spans {
			out[i] = newTimespanJSON(t)
		}
		return json.NewEncoder(d.stdout).Encode(out)
	}
	names := map[device.EmployeeID]string{}
	for _, b := range d.badges(ctx) {
		names[b.Employee.ID] = b.Employee.Name
	}
	w := tabwriter.NewWriter(d.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIMESPAN\tCHECK-IN\tCHECK-OUT\tHOURS\tEMPLOYEE\tPROJECT\tCOMMENT")
	for _, t := range spans {
		hours := ""
		if !t.CheckOut.IsZero() {
			hours = fmt.Sprintf("%.2f", t.CheckOut.Sub(t.CheckIn).Hours())
		}
		who := cmp.Or(names[t.Employee], string(t.Employee))
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, d.when(t.CheckIn), d.when(t.CheckOut), hours, who,
			t.ProjectID,
			zeitstrom.Sanitize(t.Comment))
	}
	return w.Flush()
}

var timespanList = command{
	name: "timespan list", help: "list working times at Zeitstrom, of the last week unless -from and -to say otherwise",
	flags: atDesk(looks, func(f *flags) onDesk {
		whose := f.text("employee", "", "`whose`: name, number, id or badge; else everybody's")
		from, to := f.text("from", "", "first `day`"), f.text("to", "", "last `day`")
		verbosity := f.text("verbosity", "", "detail, duration or device")
		return func(ctx context.Context, d *desk) error {
			last, err := d.day(*to, time.Now().In(d.zone))
			if err != nil {
				return err
			}
			first, err := d.day(*from, last.AddDate(0, 0, -6))
			if err != nil {
				return err
			}
			return d.list(ctx, *whose, first, last, cmp.Or(*verbosity, "detail"))
		}
	}),
}

func (d *desk) list(ctx context.Context, whose string, first, last time.Time, verbosity string) (err error) {
	var e device.EmployeeID
	if whose != "" {
		if e, err = d.employee(ctx, whose); err != nil {
			return err
		}
	}
	var spans []admin.Timespan
	for t, err := range d.Days(ctx, e, first, last, verbosity) {
		if err != nil {
			return err
		}
		spans = append(spans, t)
	}
	slices.SortStableFunc(spans, func(a, b admin.Timespan) int { return a.CheckIn.Compare(b.CheckIn) })
	return d.print(ctx, spans)
}

var timespanShow = command{
	name: "timespan show", args: "ID", help: "show one",
	flags: atDesk(looks, func(*flags) onDesk {
		return func(ctx context.Context, d *desk) error { return d.show(ctx, d.args[0]) }
	}),
}

func (d *desk) show(ctx context.Context, id string) error {
	t, err := d.Timespan(ctx, id)
	if err != nil {
		return err
	}
	return d.print(ctx, []admin.Timespan{t})
}

var timespanHistory = command{
	name: "timespan history", args: "ID", help: "show how one was changed, and by whom",
	flags: atDesk(looks, func(*flags) onDesk {
		return func(ctx context.Context, d *desk) error {
			changes, err := d.History(ctx, d.args[0])
			if err != nil {
				return err
			}
			return d.printHistory(changes)
		}
	}),
}

func (d *desk) printHistory(changes []admin.Change) error {
	if d.json {
		type row struct {
			ID         string     `json:"id"`
			At         time.Time  `json:"at"`
			Originator string     `json:"originator"`
			CheckIn    time.Time  `json:"previous_checkin"`
			CheckOut   *time.Time `json:"previous_checkout"`
			Reason     string     `json:"reason"`
		}
		rows := make([]row, len(changes))
		for i, x := range changes {
			rows[i] = row{x.ID, x.At, x.Originator, x.CheckIn, orNull(x.CheckOut), x.Reason}
		}
		return json.NewEncoder(d.stdout).Encode(rows)
	}
	w := tabwriter.NewWriter(d.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHANGED\tBY\tHAD BEEN\tUNTIL\tREASON")
	for _, x := range changes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.when(x.At), zeitstrom.Sanitize(x.Originator), d.when(x.CheckIn),
			d.when(x.CheckOut),
			zeitstrom.Sanitize(x.Reason))
	}
	return w.Flush()
}
