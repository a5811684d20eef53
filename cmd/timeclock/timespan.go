package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	Tags     []zeitstrom.Tag   `json:"tags,omitempty"`
}

func newTimespanJSON(t zeitstrom.Timespan) timespanJSON {
	out := timespanJSON{ID: t.ID, Employee: t.Employee, Workday: t.Workday, CheckIn: t.CheckIn.UTC(), Project: t.ProjectID, Comment: t.Comment, Tags: t.Tags}
	if !t.CheckOut.IsZero() {
		at := t.CheckOut.UTC()
		out.CheckOut = &at
	}
	return out
}

func (d *desk) when(t time.Time) string {
	if t.IsZero() {
		return "open"
	}
	return t.In(d.zone).Format(time.DateTime)
}

func (d *desk) print(ctx context.Context, spans []zeitstrom.Timespan) error {
	if d.json {
		out := make([]timespanJSON, len(spans))
		for i, t := range spans {
			out[i] = newTimespanJSON(t)
		}
		return json.NewEncoder(d.stdout).Encode(out)
	}
	names := d.names(ctx)
	w := tabwriter.NewWriter(d.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIMESPAN\tCHECK-IN\tCHECK-OUT\tHOURS\tEMPLOYEE\tPROJECT\tCOMMENT")
	for _, t := range spans {
		hours := ""
		if !t.CheckOut.IsZero() {
			hours = fmt.Sprintf("%.2f", t.CheckOut.Sub(t.CheckIn).Hours())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, d.when(t.CheckIn), d.when(t.CheckOut), hours, cmp.Or(names[t.Employee], string(t.Employee)), t.ProjectID, zeitstrom.Tame(t.Comment))
	}
	return w.Flush()
}

func timespanList(ctx context.Context, c *call) error {
	d, err := c.desk(ctx, false, 0, 0)
	if err != nil {
		return err
	}
	f := zeitstrom.Filter{Verbosity: cmp.Or(c.verbosity, "detail")}
	now := time.Now().In(d.zone)
	if f.To, err = d.day(c.to, now); err != nil {
		return err
	}
	if f.From, err = d.day(c.from, f.To.AddDate(0, 0, -6)); err != nil {
		return err
	}
	if c.employee != "" {
		e, err := d.employee(ctx, c.employee)
		if err != nil {
			return err
		}
		f.Employees = []device.EmployeeID{e}
	}
	var spans []zeitstrom.Timespan
	first, last := f.From, f.To.AddDate(0, 0, 1)
	// In which zone days are cut there is not known: ask for more, and cut here.
	f.From, f.To = f.From.AddDate(0, 0, -1), last
	for t, err := range d.API.Timespans(ctx, f) {
		if err != nil {
			return err
		}
		if t.CheckIn.Before(midnight(first)) || !t.CheckIn.Before(midnight(last)) {
			continue
		}
		if t.Employee == "" && len(f.Employees) == 1 {
			t.Employee = f.Employees[0]
		}
		spans = append(spans, t)
	}
	slices.SortStableFunc(spans, func(a, b zeitstrom.Timespan) int { return a.CheckIn.Compare(b.CheckIn) })
	return d.print(ctx, spans)
}

func timespanShow(ctx context.Context, c *call) error {
	d, err := c.desk(ctx, false, 1, 1)
	if err != nil {
		return err
	}
	return d.show(ctx, c.args[0])
}

func (d *desk) show(ctx context.Context, id string) error {
	t, err := d.API.Timespan(ctx, id)
	if err != nil {
		return err
	}
	return d.print(ctx, []zeitstrom.Timespan{t})
}

func timespanHistory(ctx context.Context, c *call) error {
	d, err := c.desk(ctx, false, 1, 1)
	if err != nil {
		return err
	}
	changes, err := d.API.History(ctx, c.args[0])
	if err != nil {
		return err
	}
	if c.json {
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
			rows[i] = row{x.ID, x.At, x.Originator, x.CheckIn, newTimespanJSON(zeitstrom.Timespan{CheckOut: x.CheckOut}).CheckOut, x.Reason}
		}
		return json.NewEncoder(c.stdout).Encode(rows)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHANGED\tBY\tHAD BEEN\tUNTIL\tREASON")
	for _, x := range changes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.when(x.At), zeitstrom.Tame(x.Originator), d.when(x.CheckIn), d.when(x.CheckOut), zeitstrom.Tame(x.Reason))
	}
	return w.Flush()
}

// corrects makes a change of one timespan and shows what it is then.
func (c *call) corrects(ctx context.Context, least, most int, change func(*desk) (admin.Done, error)) error {
	d, err := c.desk(ctx, true, least, most)
	if err != nil {
		return err
	}
	done, err := change(d)
	return d.done(done, err, func() error { return d.show(ctx, c.args[0]) })
}

func timespanSetTimes(ctx context.Context, c *call) error {
	return c.corrects(ctx, 1, 1, func(d *desk) (admin.Done, error) {
		in, out, err := d.instants(false)
		if err != nil {
			return admin.Done{}, err
		}
		if in.IsZero() && out.IsZero() {
			return admin.Done{}, fmt.Errorf("%w: -checkin or -checkout is missing", errUsage)
		}
		return d.SetTimes(ctx, c.args[0], in, out)
	})
}

// instants reads -checkin, which may be needed, and -checkout.
func (d *desk) instants(needed bool) (in, out time.Time, err error) {
	if in, err = d.instant("-checkin", d.checkin, needed); err == nil {
		out, err = d.instant("-checkout", d.checkout, false)
	}
	return in, out, err
}

func timespanAdd(ctx context.Context, c *call) error {
	d, err := c.desk(ctx, true, 0, 0)
	if err != nil {
		return err
	}
	in, out, err := d.instants(true)
	if err != nil {
		return err
	}
	workday, e := c.workday, device.EmployeeID("")
	if (workday == "") == (c.employee == "") {
		return fmt.Errorf("%w: say -workday, or -employee with -date", errUsage)
	}
	if c.employee != "" {
		if e, err = d.employee(ctx, c.employee); err != nil {
			return err
		}
		day, err := d.day(c.date, in.In(d.zone))
		if err != nil {
			return err
		}
		if workday, err = d.findWorkday(ctx, e, day); err != nil {
			return err
		}
	}
	done, err := d.Add(ctx, e, workday, in, out)
	return d.done(done, err, func() error {
		if done.Timespan.ID == "" || done.Timespan.CheckIn.IsZero() { // the answer was lost, and it was found
			_, err := fmt.Fprintln(c.stdout, "added")
			return err
		}
		return d.print(ctx, []zeitstrom.Timespan{done.Timespan})
	})
}

func timespanProject(ctx context.Context, c *call) error {
	if (c.code == "") == (c.id == "") || len([]rune(c.code)) > zeitstrom.MaxProjectCode {
		return fmt.Errorf("%w: name the project by -code, of at most %d characters, or by -id", errUsage, zeitstrom.MaxProjectCode)
	}
	return c.corrects(ctx, 1, 1, func(d *desk) (admin.Done, error) {
		return d.Assign(ctx, c.args[0], zeitstrom.Project{Code: c.code, ID: c.id})
	})
}

func timespanTags(ctx context.Context, c *call) error {
	return c.corrects(ctx, 1, 50, func(d *desk) (admin.Done, error) {
		var tags []zeitstrom.Tag
		for _, arg := range c.args[1:] {
			parts := strings.Split(arg, ":")
			if len(parts) != 3 || !isNumber(parts[2]) {
				return admin.Done{}, fmt.Errorf("%w: %q is no TAG:TYPE:VALUE, such as 1a2b3c4d-5e6f-7890-abcd-ef1234567890:relative:60", errUsage, arg)
			}
			tags = append(tags, zeitstrom.Tag{ID: parts[0], Type: parts[1], Value: json.Number(parts[2])})
		}
		return d.Tag(ctx, c.args[0], tags)
	})
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && json.Valid([]byte(s))
}

func timespanComment(ctx context.Context, c *call) error {
	return c.corrects(ctx, 2, 2, func(d *desk) (admin.Done, error) { return d.Comment(ctx, c.args[0], c.args[1]) })
}

func timespanSplit(ctx context.Context, c *call) error {
	d, err := c.desk(ctx, true, 1, 1)
	if err != nil {
		return err
	}
	at, err := d.instant("-at", c.at, true)
	if err != nil {
		return err
	}
	done, err := d.Split(ctx, c.args[0], at)
	return d.done(done, err, func() error { return d.workday(ctx, done.Timespan) })
}

func timespanMerge(ctx context.Context, c *call) error {
	d, err := c.desk(ctx, true, 2, 50)
	if err != nil {
		return err
	}
	done, err := d.Merge(ctx, c.args)
	return d.done(done, err, func() error { return d.workday(ctx, done.Timespan) })
}

// workday lists what is there after timespans of a day were replaced.
func (d *desk) workday(ctx context.Context, was zeitstrom.Timespan) error {
	if was.Employee == "" {
		_, err := fmt.Fprintln(d.stdout, "done")
		return err
	}
	var spans []zeitstrom.Timespan
	for t, err := range d.nearby(ctx, was.Employee, was.CheckIn) {
		if err != nil {
			return err
		}
		if t.Workday == was.Workday {
			spans = append(spans, t)
		}
	}
	return d.print(ctx, spans)
}

func timespanDelete(ctx context.Context, c *call) error {
	d, err := c.desk(ctx, true, 1, 1)
	if err != nil {
		return err
	}
	if !c.yes {
		if err := d.show(ctx, c.args[0]); err != nil {
			return err
		}
		fmt.Fprint(c.stdout, "Delete it for good? Type yes: ")
		if line, _ := bufio.NewReader(c.stdin).ReadString('\n'); strings.TrimSpace(line) != "yes" {
			return errors.New("nothing deleted: say yes, or -yes")
		}
	}
	done, err := d.Delete(ctx, c.args[0])
	return d.done(done, err, func() error {
		_, err := fmt.Fprintln(c.stdout, "deleted")
		return err
	})
}
