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

	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/control"
	"timeclock/sync/zeitstrom"
)

// desk is what the timespan commands work with.
type desk struct {
	*call
	cfg  config.Config
	api  *zeitstrom.Client
	zone *time.Location
}

// errNoAdmin refuses a change by a clock's own token.
var errNoAdmin = errors.New("this changes somebody's hours, for which a clock has no token: name the file of an admin's with -token FILE, or in [zeitstrom] admin_token_file")

// desk checks the number of arguments and reaches the API: with an admin's token
// where there is one, without it only to look.
func (c *call) desk(changes bool, least, most int) (*desk, error) {
	if err := c.want(least, most); err != nil {
		return nil, err
	}
	cfg, err := loadConfig(c.config)
	if err != nil {
		return nil, err
	}
	token := cmp.Or(c.token, cfg.Zeitstrom.AdminTokenFile)
	if token == "" {
		if changes {
			return nil, errNoAdmin
		}
		token = cfg.Zeitstrom.TokenFile
	}
	api, err := newClient(cfg, token)
	return &desk{c, cfg, api, cfg.Clock.Zone}, err
}

func newClient(cfg config.Config, token string) (*zeitstrom.Client, error) {
	return zeitstrom.New(zeitstrom.Config{URL: cfg.Zeitstrom.URL, TokenFile: token, CAFile: cfg.Zeitstrom.CAFile, Timeout: cfg.Zeitstrom.Timeout})
}

// employee finds somebody by id, by name, or by one of their badges.
func (d *desk) employee(ctx context.Context, who string) (e device.EmployeeID, err error) {
	if id, err := device.ParseEmployeeID(who); err == nil {
		return id, nil
	}
	err = d.withBadges(ctx, func(badges control.Badges) error {
		all, err := badges.List()
		if err != nil {
			return err
		}
		uid, noUID := device.ParseUID(who)
		found := map[device.EmployeeID]bool{}
		for _, b := range all {
			if noUID == nil && b.UID == uid || strings.EqualFold(b.Employee.Name, who) {
				found[b.Employee.ID], e = true, b.Employee.ID
			}
		}
		switch len(found) {
		case 0:
			return fmt.Errorf("nobody in the badge map has the name or the badge %q: give the employee's id", who)
		case 1:
			return nil
		}
		return fmt.Errorf("%d employees are called %q: give the employee's id", len(found), who)
	})
	return e, err
}

// names are those of the badge map, if it can be read.
func (d *desk) names(ctx context.Context) map[device.EmployeeID]string {
	names := map[device.EmployeeID]string{}
	d.withBadges(ctx, func(badges control.Badges) error {
		all, err := badges.List()
		for _, b := range all {
			names[b.Employee.ID] = b.Employee.Name
		}
		return err
	})
	return names
}

// day reads a date.
func (d *desk) day(s string, otherwise time.Time) (time.Time, error) {
	if s == "" {
		return otherwise, nil
	}
	for _, layout := range []string{time.DateOnly, "2.1.2006"} {
		if t, err := time.ParseInLocation(layout, s, d.zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: %q is no date: it looks like 2026-11-22", errUsage, s)
}

// instant reads a time of a flag; zero if it was not given and need not be.
func (d *desk) instant(name, s string, needed bool) (time.Time, error) {
	if s == "" {
		if needed {
			return time.Time{}, fmt.Errorf("%w: %s is missing", errUsage, name)
		}
		return time.Time{}, nil
	}
	return parseTime(s, d.zone)
}

// midnight is the beginning of a day.
func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

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
	d, err := c.desk(false, 0, 0)
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
	for t, err := range d.api.Timespans(ctx, f) {
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
	d, err := c.desk(false, 1, 1)
	if err != nil {
		return err
	}
	return d.show(ctx, c.args[0])
}

func (d *desk) show(ctx context.Context, id string) error {
	t, err := d.api.Timespan(ctx, id)
	if err != nil {
		return err
	}
	return d.print(ctx, []zeitstrom.Timespan{t})
}

func timespanHistory(ctx context.Context, c *call) error {
	d, err := c.desk(false, 1, 1)
	if err != nil {
		return err
	}
	changes, err := d.api.History(ctx, c.args[0])
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
func (c *call) corrects(ctx context.Context, least, most int, change func(*desk, zeitstrom.Timespan) error) error {
	d, err := c.desk(true, least, most)
	if err != nil {
		return err
	}
	t, err := d.api.Timespan(ctx, c.args[0])
	if err != nil {
		return err
	}
	if err := change(d, t); err != nil {
		return err
	}
	d.corrected(ctx, t.Employee)
	return d.done(d.show(ctx, t.ID))
}

// done says that a change was made, though it cannot be shown.
func (d *desk) done(err error) error {
	if err != nil {
		fmt.Fprintf(d.stderr, "Done, but it cannot be shown: %v\n", err)
	}
	return nil
}

// corrected lets the clock look at once who is in now, and says what it has yet to
// send: that may contradict the correction.
func (d *desk) corrected(ctx context.Context, e device.EmployeeID) {
	if e == "" {
		return
	}
	client := control.Dial(ctx, d.cfg.StateDir)
	pending, err := client.Refresh(e)
	if err == nil && pending > 0 {
		fmt.Fprintf(d.stderr, "Mind: this clock has %d bookings of this employee that Zeitstrom does not have (timeclock queue list).\n", pending)
	}
}

func timespanSetTimes(ctx context.Context, c *call) error {
	return c.corrects(ctx, 1, 1, func(d *desk, t zeitstrom.Timespan) error {
		in, err := d.instant("-checkin", c.checkin, false)
		if err != nil {
			return err
		}
		out, err := d.instant("-checkout", c.checkout, false)
		if err != nil {
			return err
		}
		if in.IsZero() && out.IsZero() {
			return fmt.Errorf("%w: -checkin or -checkout is missing", errUsage)
		}
		if in.IsZero() {
			in = t.CheckIn
		}
		return d.api.SetTimes(ctx, t.ID, in, out)
	})
}

func timespanAdd(ctx context.Context, c *call) error {
	d, err := c.desk(true, 0, 0)
	if err != nil {
		return err
	}
	in, err := d.instant("-checkin", c.checkin, true)
	if err != nil {
		return err
	}
	out, err := d.instant("-checkout", c.checkout, false)
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
	t, err := d.api.AddTimes(ctx, workday, in, out)
	if err != nil {
		return err
	}
	d.corrected(ctx, cmp.Or(t.Employee, e))
	if t.ID == "" || t.CheckIn.IsZero() { // the answer was lost, and it was found
		_, err := fmt.Fprintln(c.stdout, "added")
		return err
	}
	return d.done(d.print(ctx, []zeitstrom.Timespan{t}))
}

// findWorkday finds an employee's workday: by a timespan of that day, or by the number
// of one of their badges.
func (d *desk) findWorkday(ctx context.Context, e device.EmployeeID, day time.Time) (string, error) {
	var found []string
	for t, err := range d.api.Timespans(ctx, zeitstrom.Filter{From: day.AddDate(0, 0, -1), To: day.AddDate(0, 0, 1), Employees: []device.EmployeeID{e}, Verbosity: "detail"}) {
		if err != nil {
			return "", err
		}
		if t.Workday != "" && t.CheckIn.In(d.zone).Format(time.DateOnly) == day.Format(time.DateOnly) && !slices.Contains(found, t.Workday) {
			found = append(found, t.Workday)
		}
	}
	switch len(found) {
	case 0:
	case 1:
		return found[0], nil
	default:
		return "", fmt.Errorf("%s has %d workdays on %s: say which with -workday", e, len(found), day.Format(time.DateOnly))
	}
	var uids []device.UID
	d.withBadges(ctx, func(badges control.Badges) error {
		all, err := badges.List()
		for _, b := range all {
			if b.Employee.ID == e {
				uids = append(uids, b.UID)
			}
		}
		return err
	})
	for _, uid := range uids {
		days, err := d.api.Workdays(ctx, day, day, uid.Hex())
		if err != nil {
			return "", err
		}
		if len(days) == 1 && days[0].CheckIn.In(d.zone).Format(time.DateOnly) == day.Format(time.DateOnly) {
			return days[0].ID, nil
		}
	}
	return "", fmt.Errorf("no workday of %s is known on %s: say which with -workday (it stands in the address of the day at Zeitstrom)", e, day.Format(time.DateOnly))
}

func timespanProject(ctx context.Context, c *call) error {
	if (c.code == "") == (c.id == "") || len([]rune(c.code)) > zeitstrom.MaxProjectCode {
		return fmt.Errorf("%w: name the project by -code, of at most %d characters, or by -id", errUsage, zeitstrom.MaxProjectCode)
	}
	return c.corrects(ctx, 1, 1, func(d *desk, t zeitstrom.Timespan) error {
		return d.api.AssignProject(ctx, t.ID, zeitstrom.Project{Code: c.code, ID: c.id})
	})
}

func timespanTags(ctx context.Context, c *call) error {
	return c.corrects(ctx, 1, 50, func(d *desk, t zeitstrom.Timespan) error {
		var tags []zeitstrom.Tag
		for _, arg := range c.args[1:] {
			parts := strings.Split(arg, ":")
			if len(parts) != 3 || !isNumber(parts[2]) {
				return fmt.Errorf("%w: %q is no TAG:TYPE:VALUE, such as 1a2b3c4d-5e6f-7890-abcd-ef1234567890:relative:60", errUsage, arg)
			}
			tags = append(tags, zeitstrom.Tag{ID: parts[0], Type: parts[1], Value: json.Number(parts[2])})
		}
		return d.api.SetTags(ctx, t.ID, tags)
	})
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && json.Valid([]byte(s))
}

func timespanComment(ctx context.Context, c *call) error {
	return c.corrects(ctx, 2, 2, func(d *desk, t zeitstrom.Timespan) error {
		return d.api.SetComment(ctx, t.ID, c.args[1])
	})
}

func timespanSplit(ctx context.Context, c *call) error {
	d, err := c.desk(true, 1, 1)
	if err != nil {
		return err
	}
	at, err := d.instant("-at", c.at, true)
	if err != nil {
		return err
	}
	t, err := d.api.Timespan(ctx, c.args[0])
	if err != nil {
		return err
	}
	return d.replaced(ctx, t, d.api.Split(ctx, t, at))
}

func timespanMerge(ctx context.Context, c *call) error {
	d, err := c.desk(true, 2, 50)
	if err != nil {
		return err
	}
	var spans []zeitstrom.Timespan
	for _, id := range c.args {
		t, err := d.api.Timespan(ctx, id)
		if err != nil {
			return err
		}
		spans = append(spans, t)
	}
	return d.replaced(ctx, spans[0], d.api.Merge(ctx, spans))
}

// replaced lists what is there after timespans of a day were replaced.
func (d *desk) replaced(ctx context.Context, t zeitstrom.Timespan, err error) error {
	if err != nil {
		return err
	}
	d.corrected(ctx, t.Employee)
	if t.Employee == "" {
		_, err := fmt.Fprintln(d.stdout, "done")
		return err
	}
	var spans []zeitstrom.Timespan
	for x, err := range d.api.Timespans(ctx, zeitstrom.Filter{From: t.CheckIn.AddDate(0, 0, -1), To: t.CheckIn.AddDate(0, 0, 1), Employees: []device.EmployeeID{t.Employee}, Verbosity: "detail"}) {
		if err != nil {
			return d.done(err)
		}
		if x.Workday == t.Workday {
			spans = append(spans, x)
		}
	}
	return d.print(ctx, spans)
}

func timespanDelete(ctx context.Context, c *call) error {
	d, err := c.desk(true, 1, 1)
	if err != nil {
		return err
	}
	t, err := d.api.Timespan(ctx, c.args[0])
	if err != nil {
		return err
	}
	if !c.yes {
		if err := d.print(ctx, []zeitstrom.Timespan{t}); err != nil {
			return err
		}
		fmt.Fprint(c.stdout, "Delete it for good? Type yes: ")
		if line, _ := bufio.NewReader(c.stdin).ReadString('\n'); strings.TrimSpace(line) != "yes" {
			return errors.New("nothing deleted: say yes, or -yes")
		}
	}
	if err := d.api.Delete(ctx, t.ID); err != nil {
		return err
	}
	d.corrected(ctx, t.Employee)
	_, err = fmt.Fprintln(c.stdout, "deleted")
	return err
}
