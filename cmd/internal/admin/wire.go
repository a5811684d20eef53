package admin

import (
	"time"

	"timeclock/device"
	"timeclock/device/roster"
)

// badge and line carry UIDs whole: they go to the operator who owns the map.
type badge struct {
	UID      string            `json:"uid"`
	Employee device.EmployeeID `json:"employee_id"`
	Name     string            `json:"name"`
	Blocked  bool              `json:"blocked,omitempty"`
	From     string            `json:"from,omitempty"`
	Until    string            `json:"until,omitempty"`
	Origin   device.Origin     `json:"origin,omitempty"`
}

// claim is a badge that gets an owner, and what to do with its taps.
type claim struct {
	badge
	Force bool `json:"force"`
	Dry   bool `json:"dry"`
}

type unclaimed struct {
	Badges []Unclaimed `json:"badges"`
	Lost   int         `json:"lost"`
}

func newBadge(b device.Badge) badge {
	return badge{b.UID.Hex(), b.Employee.ID, b.Employee.Name, b.Blocked, b.From, b.Until, b.Origin}
}

func (b badge) roster() (device.Badge, error) {
	uid, err := device.ParseUID(b.UID)
	if err != nil {
		return device.Badge{}, err
	}
	id, err := device.ParseEmployeeID(string(b.Employee))
	return device.Badge{UID: uid, Employee: device.Employee{ID: id, Name: b.Name}, Blocked: b.Blocked, From: b.From, Until: b.Until, Origin: b.Origin}, err
}

type line struct {
	Number int             `json:"line"`
	Badge  badge           `json:"badge"`
	Was    device.Employee `json:"was"`
	Action roster.Action   `json:"action"`
	Opened bool            `json:"unblocked,omitempty"`
	Text   string          `json:"text,omitempty"`
	Reason string          `json:"reason,omitempty"`
}

func newLine(l roster.Line) line {
	return line{l.Number, newBadge(l.Badge), l.Was, l.Action, l.Unblocked, l.Text, l.Reason}
}

func newBadges(list []device.Badge) []badge {
	out := make([]badge, len(list))
	for i, b := range list {
		out[i] = newBadge(b)
	}
	return out
}

func badgesOf(list []badge) []device.Badge {
	out := make([]device.Badge, len(list))
	for i, b := range list {
		out[i], _ = b.roster() // it was one
	}
	return out
}

type report struct {
	Numbers device.Numbers `json:"numbers"`
	Why     string         `json:"why"`
	Lines   []line         `json:"lines"`
	Removed []badge        `json:"removed"`
}

func newReport(r roster.Report) report {
	out := report{r.Numbers, r.Why, make([]line, len(r.Lines)), newBadges(r.Removed)}
	for i, l := range r.Lines {
		out.Lines[i] = newLine(l)
	}
	return out
}

func (r report) roster() roster.Report {
	out := roster.Report{Numbers: r.Numbers, Why: r.Why, Lines: make([]roster.Line, len(r.Lines)), Removed: badgesOf(r.Removed)}
	for i, l := range r.Lines {
		b, _ := l.Badge.roster() // a refused line may have none
		out.Lines[i] = roster.Line{Number: l.Number, Badge: b, Was: l.Was, Action: l.Action, Unblocked: l.Opened, Text: l.Text, Reason: l.Reason}
	}
	return out
}

type merged struct {
	Numbers   device.Numbers    `json:"numbers"`
	Why       string            `json:"why"`
	Added     []badge           `json:"added"`
	Changed   []badge           `json:"changed"`
	Removed   []badge           `json:"removed"`
	Blocked   []badge           `json:"blocked"`
	Conflicts []roster.Conflict `json:"conflicts"`
}

func newMerged(m roster.Merged) merged {
	return merged{m.Numbers, m.Why, newBadges(m.Added), newBadges(m.Changed), newBadges(m.Removed), newBadges(m.Blocked), m.Conflicts}
}

func (m merged) roster() roster.Merged {
	return roster.Merged{
		Numbers: m.Numbers, Why: m.Why, Added: badgesOf(m.Added), Changed: badgesOf(m.Changed),
		Removed: badgesOf(m.Removed), Blocked: badgesOf(m.Blocked), Conflicts: m.Conflicts,
	}
}

type enrolment struct {
	Number  int             `json:"number"`
	For     device.Employee `json:"for"`
	Way     roster.Way      `json:"way"`
	Until   time.Time       `json:"until"`
	Waiting bool            `json:"waiting"`
	Badge   *badge          `json:"badge"`
	Blocked []badge         `json:"blocked"`
	Problem string          `json:"problem"`
}

func newEnrolment(s roster.EnrolState) enrolment {
	e := enrolment{Number: s.Number, For: s.For, Way: s.Way, Until: s.Until, Waiting: s.Waiting, Blocked: newBadges(s.Blocked), Problem: s.Problem}
	if !s.Badge.UID.IsZero() {
		b := newBadge(s.Badge)
		e.Badge = &b
	}
	return e
}

func (e enrolment) roster() roster.EnrolState {
	s := roster.EnrolState{Number: e.Number, For: e.For, Way: e.Way, Until: e.Until, Waiting: e.Waiting, Blocked: badgesOf(e.Blocked), Problem: e.Problem}
	if e.Badge != nil {
		s.Badge, _ = e.Badge.roster()
	}
	return s
}
