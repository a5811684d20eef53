// Package admin is what an admin can do with a running clock. Each ability
// exists once, here; the command line reaches it through the control socket.
//
// The socket speaks HTTP with JSON bodies, for this program's own use. Whoever
// may open the socket may do everything: its file mode is the access control.
package admin

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/doctor"
	"timeclock/device/roster"
	"timeclock/display"
	"timeclock/queue"
	"timeclock/reader"
	"timeclock/sync/uplink"
	"timeclock/sync/zeitstrom"
)

// SocketName is the control socket's name in the state directory.
const SocketName = "control.sock"

// Clock is a running clock. Roster, Queue, Reader and Uplink are its rooms.
type Clock struct {
	Version  string
	Roster   *roster.Roster
	Queue    *queue.Store
	Sync     *roster.Sync
	Enrol    *roster.Enrolment
	Reader   *reader.Reader
	Uplink   *uplink.Uplink
	API      *zeitstrom.Client
	Clock    *clock.Clock
	Display  *display.Display
	Signal   *display.Signal
	Style    display.Style
	Rules    device.Rules
	Backlog  *Backlog
	Settings []string                                      // as they were read, a key to a line
	Refused  string                                        // why it does not run on the settings that there are; empty: it does
	Log      func() []string                               // its newest lines, oldest first
	AdminAPI func(token string) (*zeitstrom.Client, error) // by a token, or by the company's if it is empty; ErrNoAdminToken
	Page     Page                                          // nil: there is none
	// Hanging names the parts that do not come round in time; empty if all do.
	Hanging func(ctx context.Context, patience time.Duration) string
	// Salvage tries to recover a damaged queue file once more, or gives it up.
	Salvage func(by string, giveUp bool) error
	// Examine looks at everything; ExamineNow also keeps what it found.
	Examine func(context.Context) []doctor.Finding
	// Bring brings a badge to a simulated reader and returns the answer; nil
	// with a real reader: nobody clocks in by shell.
	Bring func(context.Context, device.UID) (device.Outcome, error)

	asking sync.Mutex // everybody

	examining sync.Mutex
	newest    Examination

	noticing sync.Mutex
	notice   string // what happened to the queue file before it was opened; usually nothing
}

// Page is the admin's page.
type Page interface {
	Pair() (Pairing, error)  // begins a pairing
	Reset() (Pairing, error) // takes all accounts away, and begins one
	Address() string         // empty: it is not served
	Problem() string         // why it is not
}

// Pairing is how somebody becomes admin of the page.
type Pairing struct {
	Code        string `json:"code"`
	Address     string `json:"address"`
	Fingerprint string `json:"fingerprint"` // of the page's certificate, SHA-256
}

// ErrNoPage refuses a pairing where there is no page.
var ErrNoPage = errors.New("this clock serves no page: set [web] listen and restart it")

// Answer is what became of a tap, in the form that scripts read.
type Answer struct {
	Outcome  device.OutcomeKind `json:"outcome"`
	Employee device.EmployeeID  `json:"employee_id"`
	Time     time.Time          `json:"time"`                // UTC, whole seconds
	Punch    string             `json:"punch_id"`            // empty if there is none
	Text     string             `json:"text"`                // what the employee sees
	Offline  bool               `json:"offline,omitempty"`   // saved, not sent yet
	Doubt    bool               `json:"uncertain,omitempty"` // the time is not certain yet
	Problem  string             `json:"problem,omitempty"`
}

// NewAnswer puts an outcome into the form that scripts read.
func NewAnswer(o device.Outcome, style display.Style) Answer {
	a := Answer{
		Outcome: o.Kind, Employee: o.Employee.ID, Time: o.Punch.Time.UTC().Truncate(time.Second),
		Text: style.Line(o), Offline: o.Offline, Doubt: o.Punch.Stamp.Uncertain,
	}
	if o.Punch.ID != 0 {
		a.Punch = o.Punch.ID.String()
	}
	if o.Err != nil {
		a.Problem = o.Err.Error()
	}
	return a
}

// ErrRealReader refuses Tap on a clock with a real reader.
var ErrRealReader = errors.New("this clock has a real reader: hold the badge to it (timeclock tap is for driver = \"simulated\")")

// Tap brings a badge to the simulated reader.
func (c *Clock) Tap(ctx context.Context, uid device.UID) (device.Outcome, error) {
	if c.Bring == nil {
		return device.Outcome{}, ErrRealReader
	}
	return c.Bring(ctx, uid)
}

// Punch is a stored punch, in the form that scripts read.
type Punch struct {
	ID       device.PunchID    `json:"punch_id"`
	Employee device.EmployeeID `json:"employee_id"`
	Name     string            `json:"name"`
	Intent   device.Intent     `json:"intent"`
	Time     time.Time         `json:"time"`
	State    device.State      `json:"state"`
	Reason   string            `json:"reason,omitempty"`
	Since    *time.Time        `json:"since,omitempty"` // when it came into that state
	Basis
	Times
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

func (c *Clock) punch(e device.Entry, names map[device.EmployeeID]string) Punch {
	p := Punch{
		ID: e.ID, Employee: e.Employee, Name: names[e.Employee], Intent: e.Intent, Time: e.Time.UTC(),
		State: shown(e.State), Reason: cmp.Or(e.Reason, c.Uplink.Status().Stuck[e.ID]), Since: optional(e.Since), Basis: newBasis(e.Punch),
		Times: Times{Uncertain: e.Stamp.Uncertain, Raw: optional(e.Raw)},
	}
	if from, to, err := c.Clock.Bounds(e.Punch); err == nil && e.Stamp.Uncertain {
		p.NotBefore, p.NotAfter = optional(from), optional(to)
	}
	return p
}

// shown is a state as scripts and people know it: what waits for its time is held.
func shown(s device.State) device.State {
	if s == device.Untimed {
		return device.Held
	}
	return s
}

// SetTime gives a punch whose time is not certain the time that a person says.
func (c *Clock) SetTime(who string, id device.PunchID, at time.Time) error {
	return c.Clock.SetTime(who, id, at)
}

// Punch returns one punch.
func (c *Clock) Punch(id device.PunchID) (Punch, error) {
	e, err := c.Queue.Find(id)
	return c.punch(e, c.Roster.Names()), err
}

// recent is how many punches Punches returns of those that were delivered.
const recent = 1000

// Punches lists what Zeitstrom does not have yet, in order; with all, the
// newest punches of any state, newest first.
func (c *Clock) Punches(all bool) ([]Punch, error) {
	list := c.Queue.Undelivered
	if all {
		list = c.recent
	}
	entries, err := list()
	if err != nil {
		return nil, err
	}
	names := c.Roster.Names()
	out := make([]Punch, len(entries))
	for i, e := range entries {
		out[i] = c.punch(e, names)
	}
	return out, nil
}

// recent are the newest punches, newest first.
func (c *Clock) recent() (all []device.Entry, err error) {
	err = c.Queue.Backward(func(e device.Entry) bool {
		all = append(all, e)
		return len(all) < recent
	})
	return all, err
}

// JournalLine is an entry of the journal, in the form in which it is exported. It
// carries neither names nor UIDs.
type JournalLine struct {
	Punch    device.PunchID    `json:"punch_id"`
	Employee device.EmployeeID `json:"employee_id,omitempty"`
	Intent   device.Intent     `json:"intent,omitempty"`
	Time     time.Time         `json:"time"` // of the punch, or of the exception
	State    device.State      `json:"state,omitempty"`
	Basis
	Times
	What device.EventKind `json:"exception,omitempty"`
	By   string           `json:"by,omitempty"`
	Why  string           `json:"why,omitempty"`
	Hash string           `json:"hash"` // of the journal up to here
}

// NewJournalLine puts a journal entry into the form in which it is exported.
func NewJournalLine(e queue.JournalEntry) JournalLine {
	l := JournalLine{Hash: hex.EncodeToString(e.Hash[:])}
	if e.Punch == nil {
		l.Punch, l.Time, l.What, l.Why, l.By = e.Event.Punch, e.Event.At, e.Event.Kind, e.Event.Why, e.Event.By
		return l
	}
	l.Punch, l.Employee, l.Intent, l.Time = e.Punch.ID, e.Punch.Employee, e.Punch.Intent, e.Punch.Time.UTC()
	l.State, l.Basis, l.Times = shown(e.State), newBasis(*e.Punch), Times{Uncertain: e.Punch.Stamp.Uncertain, Raw: optional(e.Punch.Raw)}
	return l
}

// Unclaimed is a badge that belongs to nobody, with its taps.
type Unclaimed struct {
	Claim int         `json:"claim"`
	UID   string      `json:"uid"` // whole: for the admin who gives it to someone
	Taps  []time.Time `json:"taps"`
	Doubt bool        `json:"uncertain,omitempty"` // at least one of the times is not certain
}

// Unclaimed lists the badges that belong to nobody, newest first, and how many
// older taps had to go.
func (c *Clock) Unclaimed() (badges []Unclaimed, lost int) {
	taps, lost := c.Queue.Unclaimed()
	for _, t := range slices.Backward(taps) {
		i := slices.IndexFunc(badges, func(b Unclaimed) bool { return b.UID == t.UID.Hex() })
		if i < 0 {
			badges = append(badges, Unclaimed{Claim: t.Claim, UID: t.UID.Hex()})
			i = len(badges) - 1
		}
		badges[i].Taps = append(badges[i].Taps, t.Time)
		badges[i].Doubt = badges[i].Doubt || t.Stamp.Uncertain
	}
	return badges, lost
}

// Badges is what can be done with a badge map: by a *roster.Roster in this
// process, or by a *Client in the daemon.
type Badges interface {
	List() ([]device.Badge, error)
	Add(b device.Badge, move bool) (roster.Action, error)
	Remove(device.UID) (device.Employee, error)
	Block(uid device.UID, blocked bool) (device.Employee, error)
	Import(io.Reader, roster.Options) (roster.Report, error)
}

// Tapped knows the badges that were tapped and belong to nobody.
func Tapped(q *queue.Store) func(device.UID) bool {
	taps, _ := q.Unclaimed()
	tapped := map[device.UID]bool{}
	for _, t := range taps {
		tapped[t.UID] = true
	}
	return func(uid device.UID) bool { return tapped[uid] }
}

var errNobody = errors.New("nobody in the badge map has that name: give the employee id, a UUID, as Zeitstrom shows it")

// Employee finds an employee by id, or by a name that only one has.
func (c *Clock) Employee(idOrName string) (device.Employee, error) {
	names := c.Roster.Names()
	if id, err := device.ParseEmployeeID(idOrName); err == nil {
		return device.Employee{ID: id, Name: names[id]}, nil
	}
	var found []device.Employee
	for id, name := range names {
		if strings.EqualFold(name, strings.TrimSpace(idOrName)) {
			found = append(found, device.Employee{ID: id, Name: name})
		}
	}
	switch len(found) {
	case 0:
		return device.Employee{}, errNobody
	case 1:
		return found[0], nil
	}
	return device.Employee{}, fmt.Errorf("%d employees are called %s: give the employee id", len(found), idOrName)
}
