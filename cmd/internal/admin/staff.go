package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"timeclock/device"
	"timeclock/device/roster"
)

// Lookup asks for employees by parts of names, personnel numbers or external ids.
type Lookup struct {
	Words string
	Most  int // to be told of; 0: ten
}

// Somebody is an employee of the company, or of the badge map.
type Somebody struct {
	device.Employee
	External string // id in the company's other systems
	Badges   int    // that they have here
}

// Candidates are those who fit a lookup, those whom it names as a whole first.
type Candidates struct {
	People  []Somebody
	Certain bool       // the first of them is meant
	Left    bool       // somebody fits who has left
	More    int        // how many more fit
	At      *time.Time // when Zeitstrom has listed the employees; null: never
	Problem string     // why it has not within the hour; empty: it has
}

const fewPeople = 10

// FindPeople looks employees up: those whom Zeitstrom has listed, and those with a badge here.
// People who have left are not among them.
func (a *Admin) FindPeople(ctx context.Context, _ string, l Lookup) (c Candidates, err error) {
	c.Problem = a.lists(ctx)
	found, err := roster.Ask(l.Words).Find(a.everybody(), cmp.Or(l.Most, fewPeople))
	if err != nil {
		c.Problem = err.Error()
		if found, err = roster.Ask(l.Words).Find(a.everybody(), cmp.Or(l.Most, fewPeople)); err != nil {
			return c, err
		}
	}
	_, c.Certain = found.One()
	c.Left, c.More, c.At = found.Left > roster.PartFit, found.More, optional(a.rooms.People.At())
	owned := map[device.EmployeeID]int{}
	for _, b := range a.rooms.Roster.List() {
		owned[b.Employee.ID]++
	}
	for _, p := range found.People {
		c.People = append(c.People, Somebody{p.Employee, p.External, owned[p.ID]})
	}
	return c, nil
}

// Listed is when Zeitstrom has listed the employees, zero if never; and why it has not within the
// hour. Where nobody is known yet it is waited for.
func (a *Admin) Listed(ctx context.Context) (at time.Time, problem string) {
	problem = a.lists(ctx)
	return a.rooms.People.At(), problem
}

// listTime is how long Zeitstrom is waited for where nobody is known yet.
const listTime = 8 * time.Second

// lists has Zeitstrom list the employees, if that was not within the hour, and says why it does not.
// While older ones are there it is not waited for.
func (a *Admin) lists(ctx context.Context) (problem string) {
	wait := listTime
	if !a.rooms.People.At().IsZero() {
		wait = 0
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := a.rooms.People.Fresh(ctx)
	if err == nil || wait == 0 && errors.Is(err, roster.ErrAsking) {
		return ""
	}
	return err.Error()
}

// everybody are the people whom Zeitstrom has listed, and those of the badge map whom it has not.
func (a *Admin) everybody() iter.Seq2[device.Person, error] {
	return func(yield func(device.Person, error) bool) {
		others := a.rooms.Roster.Employees()
		for p, err := range a.rooms.People.All() {
			delete(others, p.ID)
			if !yield(p, err) || err != nil {
				return
			}
		}
		for _, e := range others {
			if !yield(device.Person{Employee: e}, nil) {
				return
			}
		}
	}
}

// staff are the employees for an import, and what is to be minded about them once they were asked
// for: they may be those of an earlier day.
func (a *Admin) staff(ctx context.Context) (roster.Staff, *string) {
	notice := new(string)
	return func() (iter.Seq2[device.Person, error], error) {
		err := a.rooms.People.Fresh(ctx)
		if at := a.rooms.People.At(); err != nil && !at.IsZero() {
			*notice = fmt.Sprintf("the employees are those of %s: %v", at.In(a.Zone()).Format("2006-01-02 15:04"), err)
			err = nil
		}
		return a.rooms.People.All(), err
	}, notice
}

// Unclear says that words fit several employees, or one not quite, or none.
type Unclear struct {
	Words string
	Candidates
}

// Error says whom they fit.
func (u *Unclear) Error() string {
	if len(u.People) == 0 && u.Left {
		return fmt.Sprintf("whoever is called %q or has such a number has left", u.Words)
	}
	if len(u.People) == 0 {
		text := fmt.Sprintf("no employee is called %q or has such a number: give another part of the name, "+
			"the personnel number, or the id that Zeitstrom shows", u.Words)
		if u.Problem != "" {
			text += "; Zeitstrom could not be asked: " + u.Problem
		}
		return text
	}
	var texts []string
	for _, p := range u.People {
		text := p.Listed()
		if p.Number != "" {
			text += " (" + p.Number + ")"
		}
		texts = append(texts, text)
	}
	if u.More > 0 {
		texts = append(texts, fmt.Sprintf("%d more", u.More))
	}
	return fmt.Sprintf("whom %q means is not certain: %s: give the whole name, or the personnel number", u.Words,
		strings.Join(texts, "; "))
}

// Employee finds one employee: by id, by a badge, by the whole name or number, or by whole words of a
// name that only one has. The error is an *Unclear if it is not certain who is meant.
func (a *Admin) Employee(ctx context.Context, by string, who string) (device.Employee, error) {
	who = strings.TrimSpace(who)
	if id, err := device.ParseEmployeeID(who); err == nil {
		return a.byID(id), nil
	}
	if uid, err := device.ParseUID(who); err == nil {
		if b, known := a.rooms.Roster.Lookup(uid); known {
			return b.Employee, nil
		}
	}
	found, err := a.FindPeople(ctx, by, Lookup{Words: who})
	switch {
	case err != nil:
		return device.Employee{}, err
	case found.Certain:
		return found.People[0].Employee, nil
	}
	return device.Employee{}, &Unclear{who, found}
}

// byID is an employee with what is known of them.
func (a *Admin) byID(id device.EmployeeID) device.Employee {
	if e, known := a.rooms.Roster.Employees()[id]; known {
		return e
	}
	for p, err := range a.rooms.People.All() {
		if err == nil && p.ID == id {
			return p.Employee
		}
	}
	return device.Employee{ID: id}
}

// Named is an employee with the name that somebody has said, if any.
func Named(e device.Employee, name string) device.Employee {
	if name = strings.TrimSpace(name); name != "" && name != e.Name {
		e.Name, e.LastName = name, ""
	}
	return e
}
