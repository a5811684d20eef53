package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
)

// change makes a correction on a desk.
type change func(context.Context, *desk) (admin.Done, error)

// corrects are a command's flags for a correction of the timespan that the first argument names:
// it is made, and what the timespan is then is shown.
func corrects(declare func(*flags) change) func(*flags) action {
	return atDesk(changes, func(f *flags) onDesk {
		correct := declare(f)
		return func(ctx context.Context, d *desk) error {
			done, err := correct(ctx, d)
			return d.done(done, err, func() error { return d.show(ctx, d.args[0]) })
		}
	})
}

var timespanSetTimes = command{
	name: "timespan set-times", args: "ID", help: "correct -checkin or -checkout",
	flags: corrects(func(f *flags) change {
		checkin := f.text("checkin", "", "new `time`, local or ISO 8601")
		checkout := f.text("checkout", "", "new `time`")
		return func(ctx context.Context, d *desk) (admin.Done, error) {
			in, out, err := d.instants(*checkin, *checkout, false)
			if err != nil {
				return admin.Done{}, err
			}
			if in.IsZero() && out.IsZero() {
				return admin.Done{}, fmt.Errorf("%w: -checkin or -checkout is missing", errUsage)
			}
			return d.SetTimes(ctx, d.args[0], in, out)
		}
	}),
}

// instants reads -checkin, which may be needed, and -checkout.
func (d *desk) instants(checkin, checkout string, needed bool) (in, out time.Time, err error) {
	if in, err = d.instant("-checkin", checkin, needed); err == nil {
		out, err = d.instant("-checkout", checkout, false)
	}
	return in, out, err
}

var timespanAdd = command{
	name: "timespan add", help: "add one, to a -workday or to an -employee's -date",
	flags: atDesk(changes, func(f *flags) onDesk {
		workday := f.text("workday", "", "its `id`")
		whose := f.text("employee", "", "`whose`: name, number, id or badge")
		date := f.text("date", "", "the `day`; that of -checkin if it is not said")
		checkin := f.text("checkin", "", "`time`, local or ISO 8601")
		checkout := f.text("checkout", "", "`time`; none: it stays open")
		return func(ctx context.Context, d *desk) error {
			in, out, err := d.instants(*checkin, *checkout, true)
			if err != nil {
				return err
			}
			if (*workday == "") == (*whose == "") {
				return fmt.Errorf("%w: say -workday, or -employee with -date", errUsage)
			}
			day, err := d.day(*date, in.In(d.zone))
			if err != nil {
				return err
			}
			return d.add(ctx, *workday, *whose, day, in, out)
		}
	}),
}

// add adds a timespan to a workday, or to that of an employee's day.
func (d *desk) add(ctx context.Context, workday, whose string, day, in, out time.Time) (err error) {
	var e device.EmployeeID
	if whose != "" {
		if e, err = d.employee(ctx, whose); err != nil {
			return err
		}
		if workday, err = d.FindWorkday(ctx, e, day, d.badges(ctx)); err != nil {
			return err
		}
	}
	done, err := d.Add(ctx, e, workday, in, out)
	return d.done(done, err, func() error {
		if done.Timespan.ID == "" || done.Timespan.CheckIn.IsZero() { // the answer was lost, and it was found
			_, err := fmt.Fprintln(d.stdout, "added")
			return err
		}
		return d.print(ctx, []admin.Timespan{done.Timespan})
	})
}

var timespanProject = command{
	name: "timespan assign-project", args: "ID", help: "assign a project by its -code or its -id",
	flags: corrects(func(f *flags) change {
		code, id := f.text("code", "", "the project's `code`"), f.text("id", "", "the project's `id`")
		return func(ctx context.Context, d *desk) (admin.Done, error) {
			if (*code == "") == (*id == "") || len([]rune(*code)) > device.MaxProjectCode {
				return admin.Done{},
					fmt.Errorf("%w: name the project by -code, of at most %d characters, or by -id",
						errUsage, device.MaxProjectCode)
			}
			return d.Assign(ctx, d.args[0], admin.Project{Code: *code, ID: *id})
		}
	}),
}

var timespanTags = command{
	name: "timespan tags", args: "ID [TAG:TYPE:VALUE...]", help: "replace its tags",
	flags: corrects(func(*flags) change {
		return func(ctx context.Context, d *desk) (admin.Done, error) {
			var tags []admin.Tag
			for _, arg := range d.args[1:] {
				parts := strings.Split(arg, ":")
				if len(parts) != 3 || !isNumber(parts[2]) {
					return admin.Done{},
						fmt.Errorf("%w: %q is no TAG:TYPE:VALUE, "+
							"such as 1a2b3c4d-5e6f-7890-abcd-ef1234567890:relative:60",
							errUsage, arg)
				}
				tags = append(tags, admin.Tag{ID: parts[0], Type: parts[1], Value: json.Number(parts[2])})
			}
			return d.Tag(ctx, d.args[0], tags)
		}
	}),
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && json.Valid([]byte(s))
}

var timespanComment = command{
	name: "timespan comment", args: "ID TEXT", help: "set its comment",
	flags: corrects(func(*flags) change {
		return func(ctx context.Context, d *desk) (admin.Done, error) {
			return d.Comment(ctx, d.args[0], d.args[1])
		}
	}),
}

var timespanSplit = command{
	name: "timespan split", args: "ID", help: "split it -at a time",
	flags: replaces(func(f *flags) change {
		at := f.text("at", "", "the `time`, local or ISO 8601")
		return func(ctx context.Context, d *desk) (admin.Done, error) {
			t, err := d.instant("-at", *at, true)
			if err != nil {
				return admin.Done{}, err
			}
			return d.Split(ctx, d.args[0], t)
		}
	}),
}

var timespanMerge = command{
	name: "timespan merge", args: "ID ID...", help: "make one of several of a day",
	flags: replaces(func(*flags) change {
		return func(ctx context.Context, d *desk) (admin.Done, error) { return d.Merge(ctx, d.args) }
	}),
}

// replaces is corrects for what replaces timespans of a day: what the day has then is shown.
func replaces(declare func(*flags) change) func(*flags) action {
	return atDesk(changes, func(f *flags) onDesk {
		correct := declare(f)
		return func(ctx context.Context, d *desk) error {
			done, err := correct(ctx, d)
			return d.done(done, err, func() error { return d.showDay(ctx, done.Timespan) })
		}
	})
}

func (d *desk) showDay(ctx context.Context, was admin.Timespan) error {
	if was.Employee == "" {
		_, err := fmt.Fprintln(d.stdout, "done")
		return err
	}
	spans, err := d.Workday(ctx, was)
	if err != nil {
		return err
	}
	return d.print(ctx, spans)
}

var timespanDelete = command{
	name: "timespan delete", args: "ID", help: "delete it for good",
	flags: atDesk(changes, func(f *flags) onDesk {
		sure := f.truth("yes", "do not ask")
		return func(ctx context.Context, d *desk) error {
			if !*sure {
				if err := d.show(ctx, d.args[0]); err != nil {
					return err
				}
				if !d.yes(ctx, "Delete it for good?") {
					return errors.New("nothing deleted: say yes, or -yes")
				}
			}
			done, err := d.Delete(ctx, d.args[0])
			return d.done(done, err, func() error {
				_, err := fmt.Fprintln(d.stdout, "deleted")
				return err
			})
		}
	}),
}
