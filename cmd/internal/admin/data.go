package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"timeclock/device"
	"timeclock/queue"
)

// Policy is how a clock is set up to deal with what it knows of people.
type Policy struct {
	Server           string // of the API
	StateDir         string
	KeepDays         int // that bookings are kept after Zeitstrom has them
	Names            device.Names
	FollowsZeitstrom bool   // the badge map has the badge numbers that stand there
	Corrects         bool   // the device has a token that may change hours
	Monitor          string // where monitoring finds the clock; empty: nowhere
}

// Policy is how this clock is set up so.
func (a *Admin) Policy() Policy { return a.rooms.Policy }

// Downloaded notes that somebody has taken a copy of what the clock keeps.
func (a *Admin) Downloaded(by, what string) { a.did(by, device.EventDataExported, what, nil) }

// Bookings calls f for each booking that was made between two instants, newest first.
func (a *Admin) Bookings(from, to time.Time, f func(Punch) error) error {
	employees := a.rooms.Roster.Employees()
	var failed error
	err := a.rooms.Queue.Backward(func(e device.Entry) bool {
		inside := !e.Time.Before(from) && e.Time.Before(to)
		if inside || e.Stamp.Uncertain {
			failed = f(a.punch(e, employees))
		}
		return failed == nil && (e.Claimed || e.Stamp.Uncertain || !e.Time.Before(from))
	})
	return errors.Join(err, failed)
}

// Personal is everything that this clock keeps about an employee, for whom asks by Article 15 of the
// GDPR. Zeitstrom keeps more.
type Personal struct {
	Employee device.Employee
	External string    // id in the company's other systems, as Zeitstrom has listed it
	Listed   time.Time // when Zeitstrom has listed the employee; zero: it has not
	Badges   []device.Badge
	Bookings []Punch       // newest first
	Events   []JournalLine // of the journal, that are about the employee: oldest first
}

// Personal gathers it.
func (a *Admin) Personal(_ context.Context, by string, id device.EmployeeID) (p Personal, err error) {
	p.Employee = a.byID(id)
	for person, err := range a.rooms.People.All() {
		if err == nil && person.ID == id {
			p.External, p.Listed = person.External, a.rooms.People.At()
			p.Employee.Number = cmp.Or(p.Employee.Number, person.Number)
		}
	}
	for _, b := range a.rooms.Roster.List() {
		if b.Employee.ID == id {
			p.Badges = append(p.Badges, b)
		}
	}
	err = a.Bookings(time.Time{}, time.Unix(1<<40, 0), func(x Punch) error {
		if x.Employee == id {
			p.Bookings = append(p.Bookings, x)
		}
		return nil
	})
	own := map[device.PunchID]bool{}
	for _, x := range p.Bookings {
		own[x.ID] = true
	}
	err = errors.Join(err, a.rooms.Queue.Journal(func(e queue.JournalEntry) error {
		if x := e.Event; x != nil && (strings.Contains(x.Reason, string(id)) || x.Punch != 0 && own[x.Punch]) {
			p.Events = append(p.Events, NewJournalLine(e))
		}
		return nil
	}))
	if err == nil {
		a.Downloaded(by, fmt.Sprintf("everything about %s", id))
	}
	return p, err
}

// Erased is what is left of somebody.
type Erased struct {
	Employee device.Employee
	Badges   int       // that were removed
	Bookings int       // that are kept until the time that the company keeps them is over
	Until    time.Time // when the last of them goes; zero: there are none
}

// Erase forgets an employee: their badges and their name. Bookings are kept as long as the company
// keeps them, under the employee's id only, and then go by themselves; the journal can be verified
// before and after. What Zeitstrom manages is to be erased there first.
func (a *Admin) Erase(ctx context.Context, by string, id device.EmployeeID) (x Erased, err error) {
	x.Employee = a.byID(id)
	badges := slices.DeleteFunc(a.rooms.Roster.List(), func(b device.Badge) bool { return b.Employee.ID != id })
	for _, b := range badges {
		if b.Origin == device.FromZeitstrom {
			return x, fmt.Errorf("badge %s stands at Zeitstrom and would come back: block it, or take the number "+
				"away there", b.UID.Hex())
		}
	}
	if err := a.rooms.People.Forget(id); err != nil {
		return x, err
	}
	for _, b := range badges {
		if _, err := a.RemoveBadge(ctx, by, WholeUID{b.UID}); err != nil {
			return x, err
		}
		x.Badges++
	}
	err = a.Bookings(time.Time{}, time.Unix(1<<40, 0), func(p Punch) error {
		if p.Employee == id {
			x.Bookings++
			if until := p.Time.AddDate(0, 0, a.rooms.Policy.KeepDays); until.After(x.Until) {
				x.Until = until
			}
		}
		return nil
	})
	a.did(by, device.EventErased, fmt.Sprintf("%s: %d badges", id, x.Badges), err)
	return x, err
}
