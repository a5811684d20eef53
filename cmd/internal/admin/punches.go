package admin

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"time"

	"timeclock/device"
	"timeclock/display"
	"timeclock/queue"
)

// Answer is what became of a tap, in the form that scripts read.
type Answer struct {
	Outcome   device.OutcomeKind `json:"outcome"`
	Employee  device.EmployeeID  `json:"employee_id"`
	Time      time.Time          `json:"time"`                // UTC, whole seconds
	Punch     string             `json:"punch_id"`            // empty if there is none
	Text      string             `json:"text"`                // what the employee sees
	Offline   bool               `json:"offline,omitempty"`   // saved, not sent yet
	Uncertain bool               `json:"uncertain,omitempty"` // the time is not certain yet
	Problem   string             `json:"problem,omitempty"`

	Function device.Function `json:"function,omitempty"`   // that was chosen, or used
	Taken    bool            `json:"taken_back,omitempty"` // the function: of the booking, or of the next tap
	Break    bool            `json:"break,omitempty"`      // a break began
	Project  string          `json:"project,omitempty"`    // code of the project that the booking is for
	Hints    []string        `json:"hints,omitempty"`      // what the law on working hours says
	// How long they have worked, in seconds; missing: it is not known.
	WorkedToday *int `json:"worked_today,omitempty"`
	Rough       bool `json:"worked_today_rough,omitempty"` // as far as this clock knows
	WorkedMonth *int `json:"worked_month,omitempty"`
	TargetMonth *int `json:"target_month,omitempty"`
}

// NewAnswer puts an outcome into the form that scripts read.
func NewAnswer(o device.Outcome, style display.Style) Answer {
	a := Answer{
		Outcome: o.Kind, Employee: o.Employee.ID, Time: o.Punch.Time.UTC().Truncate(time.Second),
		Text: style.Line(o), Offline: o.Offline, Uncertain: o.Punch.Stamp.Uncertain,
	}
	if o.Punch.ID != 0 {
		a.Punch = o.Punch.ID.String()
	}
	if o.Err != nil {
		a.Problem = o.Err.Error()
	}
	a.choose(o, style)
	return a
}

// choose adds what there is beside direction and time.
func (a *Answer) choose(o device.Outcome, style display.Style) {
	seconds := func(known bool, d time.Duration) *int {
		if !known {
			return nil
		}
		n := int(d / time.Second)
		return &n
	}
	a.Function, a.Taken = o.Function, o.TakenBack
	if o.Kind == device.Chosen {
		a.Function, a.Taken = o.Next.Function, o.Next.Function == ""
	}
	if o.Booked() {
		a.Break = o.Punch.OnBreak()
		if o.Punch.Intent == device.CheckIn {
			a.Project = o.Punch.Project
		}
		for _, h := range style.Hints(o.Punch.Hints) {
			a.Hints = append(a.Hints, h.Long)
		}
	}
	w := o.Worked
	a.WorkedToday, a.Rough = seconds(w.Known, w.Today), w.Known && w.Rough
	a.WorkedMonth, a.TargetMonth = seconds(w.Month.Known, w.Month.Worked), seconds(w.Month.Known, w.Month.Target)
}

// ErrRealReader refuses Tap on a clock with a real reader.
var ErrRealReader = errors.New("this clock has a real reader: hold the badge to it (timeclock tap is for driver = " +
	"\"simulated\")")

// Tap brings a badge to the simulated reader.
func (a *Admin) Tap(ctx context.Context, _ string, uid WholeUID) (Answer, error) {
	if a.rooms.Bring == nil {
		return Answer{}, ErrRealReader
	}
	o, err := a.rooms.Bring(ctx, uid.UID)
	return NewAnswer(o, a.rooms.Style), err
}

// Punch is a stored punch, in the form that scripts read.
type Punch struct {
	ID       device.PunchID    `json:"punch_id"`
	Employee device.EmployeeID `json:"employee_id"`
	Name     string            `json:"name"`
	Number   string            `json:"personnel_number,omitempty"`
	Intent   device.Intent     `json:"intent"`
	Time     time.Time         `json:"time"`
	State    device.State      `json:"state"`
	Reason   string            `json:"reason,omitempty"`
	Since    *time.Time        `json:"since,omitempty"` // when it came into that state
	Basis
	Times
	Detail
}

// Detail is what was chosen for a punch, in the form that scripts read.
type Detail struct {
	Function device.Function `json:"function,omitempty"` // by which it was made
	Break    bool            `json:"break,omitempty"`    // a break began
	Project  string          `json:"project,omitempty"`  // code; of a break: with which its end goes on
	Hints    []string        `json:"hints,omitempty"`    // by their names

	ProjectState  device.AssignmentState `json:"project_state,omitempty"`
	ProjectReason string                 `json:"project_reason,omitempty"` // the server's words, say
}

func newDetail(p device.Punch) Detail {
	return Detail{Function: p.Function, Break: p.OnBreak(), Project: p.Project, Hints: p.Hints.Names()}
}

// Basis is what was known of the employee when a punch's intent was decided.
type Basis struct {
	Source device.Source `json:"known_from,omitempty"` // clock or zeitstrom
	Intent device.Intent `json:"known_intent,omitempty"`
	Time   *time.Time    `json:"known_time,omitempty"`
	Silent bool          `json:"zeitstrom_silent,omitempty"` // it was asked and did not answer in time
}

// Times is what there is to say of a punch whose time was not certain when it was
// made.
type Times struct {
	Uncertain bool       `json:"uncertain,omitempty"` // it still is not
	NotBefore *time.Time `json:"not_before,omitempty"`
	NotAfter  *time.Time `json:"not_after,omitempty"`
	Raw       *time.Time `json:"raw_time,omitempty"` // what the clock showed, if it was wrong
}

func newBasis(p device.Punch) Basis {
	return Basis{p.Basis.Source, p.Basis.Intent, optional(p.Basis.Time), p.Basis.Silent}
}

func (a *Admin) punch(e device.Entry, names map[device.EmployeeID]device.Employee) Punch {
	p := Punch{
		ID: e.ID, Employee: e.Employee, Name: names[e.Employee].Name, Number: names[e.Employee].Number,
		Intent: e.Intent, Time: e.Time.UTC(),
		State: shown(e), Reason: cmp.Or(e.Reason, a.rooms.Uplink.Status().Stuck[e.ID]), Since: optional(e.Since),
		Basis: newBasis(e.Punch), Times: Times{Uncertain: e.Stamp.Uncertain, Raw: optional(e.Raw)},
	}
	p.Detail = newDetail(e.Punch)
	p.ProjectState, p.ProjectReason = e.ProjectState, e.ProjectReason
	if from, to, err := a.rooms.Clock.Bounds(e.Punch); err == nil && e.Stamp.Uncertain {
		p.NotBefore, p.NotAfter = optional(from), optional(to)
	}
	return p
}

// shown is a state as scripts and people know it: what waits for its time is held.
func shown(e device.Entry) device.State {
	if e.State == device.Untimed || e.State == device.Pending && e.Stamp.Uncertain {
		return device.Held
	}
	return e.State
}

// Punch returns one punch.
func (a *Admin) Punch(_ context.Context, _ string, id device.PunchID) (Punch, error) {
	e, err := a.rooms.Queue.Find(id)
	return a.punch(e, a.rooms.Roster.Employees()), err
}

// recent is how many punches Punches returns of those that were delivered.
const (
	recent      = 1000
	manyPunches = 10_000 // since an instant: days of a large company
)

// Which punches to list.
type Which struct {
	All bool // the newest of any state, newest first; else what Zeitstrom does not have yet, in order
	// Projects: those instead whose projects Zeitstrom does not have yet, though it has the bookings.
	Projects bool
	Most     int // 0: a thousand of all, and no bound for the others
	// Since is from when on they are of any state; zero: the newest are, whenever they were made.
	Since time.Time
}

// Punches lists them.
func (a *Admin) Punches(_ context.Context, _ string, w Which) ([]Punch, error) {
	var entries []device.Entry
	var err error
	if w.Projects {
		var open []device.Assignment
		open, err = a.rooms.Queue.Assignments(func(device.Assignment) bool { return true }, manyPunches)
		for _, x := range open {
			entries = append(entries, device.Entry{
				Punch: x.Punch, State: device.Delivered, ProjectState: x.State, ProjectReason: x.Reason,
			})
		}
	} else if w.All {
		most := cmp.Or(w.Most, recent)
		if !w.Since.IsZero() {
			most = manyPunches
		}
		err = a.rooms.Queue.Backward(func(e device.Entry) bool {
			entries = append(entries, e)
			return (e.Claimed || e.Stamp.Uncertain || e.Time.After(w.Since)) && len(entries) < most
		})
	} else {
		entries, err = a.rooms.Queue.Undelivered()
	}
	if err != nil {
		return nil, err
	}
	names := a.rooms.Roster.Employees()
	out := make([]Punch, len(entries))
	for i, e := range entries {
		out[i] = a.punch(e, names)
	}
	return out, nil
}

// Retry sends a quarantined, held or ambiguous punch again, and returns it.
func (a *Admin) Retry(ctx context.Context, by string, id device.PunchID) (Punch, error) {
	if err := a.rooms.Queue.Retry(by, id); err != nil {
		return Punch{}, err
	}
	return a.Punch(ctx, by, id)
}

// Drop is the wish that a punch is never sent.
type Drop struct {
	Punch  device.PunchID
	Reason string
}

// Drop decides so, and returns the punch.
func (a *Admin) Drop(ctx context.Context, by string, d Drop) (Punch, error) {
	if err := a.rooms.Queue.Drop(by, d.Punch, d.Reason); err != nil {
		return Punch{}, err
	}
	return a.Punch(ctx, by, d.Punch)
}

// TimeOf is the time that a person says of a punch.
type TimeOf struct {
	Punch device.PunchID
	Time  time.Time
}

// SetTime gives an untimed punch that time, and returns it.
func (a *Admin) SetTime(ctx context.Context, by string, t TimeOf) (Punch, error) {
	if err := a.rooms.Clock.SetTime(by, t.Punch, t.Time); err != nil {
		return Punch{}, err
	}
	return a.Punch(ctx, by, t.Punch)
}

// Salvage tries to recover a damaged queue file once more, or gives it up.
func (a *Admin) Salvage(_ context.Context, by string, giveUp bool) (None, error) {
	err := a.rooms.Storage.Salvage(by, giveUp)
	if !giveUp { // which the queue notes
		a.did(by, device.EventSalvageAsked, "give up: false", err)
	}
	return None{}, err
}

// JournalLine is an entry of the journal, in the form in which it is exported. It
// carries neither names nor UIDs.
type JournalLine struct {
	Punch    device.PunchID    `json:"punch_id"`
	Employee device.EmployeeID `json:"employee_id,omitempty"`
	Intent   device.Intent     `json:"intent,omitempty"`
	Time     time.Time         `json:"time"` // of the punch, or of the event
	State    device.State      `json:"state,omitempty"`
	Basis
	Times
	Detail
	Kind   device.EventKind `json:"exception,omitempty"`
	By     string           `json:"by,omitempty"`
	Reason string           `json:"why,omitempty"`
	Hash   string           `json:"hash"` // of the journal up to here
}

// NewJournalLine puts a journal entry into the form in which it is exported.
func NewJournalLine(e queue.JournalEntry) JournalLine {
	l := JournalLine{Hash: hex.EncodeToString(e.Hash[:])}
	if e.Punch == nil {
		l.Punch, l.Time, l.Kind, l.Reason, l.By = e.Event.Punch, e.Event.At, e.Event.Kind, e.Event.Reason, e.Event.By
		return l
	}
	p := *e.Punch
	l.Punch, l.Employee, l.Intent, l.Time = p.ID, p.Employee, p.Intent, p.Time.UTC()
	l.State, l.Basis = shown(device.Entry{Punch: p, State: e.State}), newBasis(p)
	l.Times, l.Detail = Times{Uncertain: p.Stamp.Uncertain, Raw: optional(p.Raw)}, newDetail(p)
	return l
}

// Journal calls f for each entry of the journal, oldest first.
func (a *Admin) Journal(_ context.Context, f func(JournalLine) error) error {
	return a.rooms.Queue.Journal(func(e queue.JournalEntry) error { return f(NewJournalLine(e)) })
}

// VerifyJournal compares the journal with its hash and returns its length.
func (a *Admin) VerifyJournal(context.Context, string, None) (entries int, err error) {
	return a.rooms.Queue.VerifyJournal()
}
