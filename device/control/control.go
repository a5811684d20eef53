// Package control is what an admin can do with a running clock. Each ability
// exists once, here; the command line reaches it through the control socket.
//
// The socket speaks HTTP with JSON bodies, for this program's own use. Whoever
// may open the socket may do everything: its file mode is the access control.
package control

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"time"

	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/roster"
	"timeclock/display"
	"timeclock/queue"
	"timeclock/reader"
	"timeclock/sync/uplink"
)

// SocketName is the control socket's name in the state directory.
const SocketName = "control.sock"

// Clock is a running clock. Roster, Queue, Reader and Uplink are its rooms.
type Clock struct {
	Version string
	Roster  *roster.Roster
	Queue   *queue.Store
	Reader  *reader.Reader
	Uplink  *uplink.Uplink
	Trust   func() clock.Trust
	Lockout time.Duration
	Notice  string // what happened to the queue file before the start; usually nothing
	// Bring brings a badge to a simulated reader and returns the answer; nil
	// with a real reader: nobody clocks in by shell.
	Bring func(context.Context, device.UID) (device.Outcome, error)
}

// Status is the state of a clock, in the form that scripts read.
type Status struct {
	Version       string     `json:"version"`
	Pending       int        `json:"pending"`
	Delivered     int        `json:"delivered"`
	Quarantined   int        `json:"quarantined"`
	Unclaimed     int        `json:"unclaimed"`
	Ambiguous     int        `json:"ambiguous"` // of those pending: sent, and not clearly answered
	Held          int        `json:"held"`      // of those pending: check-outs whose check-ins are quarantined
	Dropped       int        `json:"dropped"`
	OldestPending *time.Time `json:"oldest_pending"` // null if nothing is pending
	Journal       string     `json:"journal"`        // the hash of the whole journal, to be kept elsewhere
	Badges        int        `json:"badges"`
	Storage       struct {
		Healthy bool   `json:"healthy"`
		Problem string `json:"problem"`
		Notice  string `json:"notice"` // what happened to the file before the start
	} `json:"storage"`
	Reader struct {
		Healthy  bool   `json:"healthy"`
		Chip     string `json:"chip"`
		Problem  string `json:"problem"`
		Restarts int    `json:"restarts"`
		Reads    int    `json:"reads"`
		Errors   int    `json:"errors"`
		Asked    int    `json:"asked"`    // how often a resting badge was asked whether it is there
		Answered int    `json:"answered"` // how often it said so
	} `json:"reader"`
	Uplink struct {
		Online  bool       `json:"online"`
		Problem string     `json:"problem"`
		Retry   *time.Time `json:"retry"` // null if nothing waits
		Blind   bool       `json:"blind"` // the token may not read timespans
	} `json:"uplink"`
	Clock struct {
		Trusted bool   `json:"trusted"`
		Source  string `json:"source"`
	} `json:"clock"`
}

// Status tells how the clock is.
func (c *Clock) Status() Status {
	s := Status{Version: c.Version, Badges: c.Roster.Len()}
	q := c.Queue.Stats()
	s.Pending, s.Delivered, s.Quarantined = q.Pending, q.Delivered, q.Quarantined
	s.Journal = c.Queue.Head()
	taps, _ := c.Queue.Unclaimed()
	s.Unclaimed = len(taps)
	s.Ambiguous, s.Held, s.Dropped = q.Ambiguous, q.Held, q.Dropped
	s.OldestPending = optional(q.OldestPending)
	s.Storage.Healthy, s.Storage.Problem, s.Storage.Notice = q.Problem == "", q.Problem, c.Notice
	h := c.Reader.Health()
	s.Reader.Healthy, s.Reader.Chip, s.Reader.Problem = h.Healthy, h.Chip, h.Problem
	s.Reader.Restarts, s.Reader.Reads, s.Reader.Errors = h.Restarts, h.Reads, h.Errors
	s.Reader.Asked, s.Reader.Answered = h.Asked, h.Answered
	u := c.Uplink.Status()
	s.Uplink.Online, s.Uplink.Problem, s.Uplink.Retry, s.Uplink.Blind = u.Online, u.Problem, optional(u.Retry), u.Blind
	trust := c.Trust()
	s.Clock.Trusted, s.Clock.Source = trust.Trusted, trust.Source
	return s
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// Answer is what became of a tap, in the form that scripts read.
type Answer struct {
	Outcome  device.OutcomeKind `json:"outcome"`
	Employee device.EmployeeID  `json:"employee_id"`
	Time     time.Time          `json:"time"`     // UTC, whole seconds
	Punch    string             `json:"punch_id"` // empty if there is none
	Text     string             `json:"text"`     // what the employee sees
	Problem  string             `json:"problem,omitempty"`
}

// NewAnswer puts an outcome into the form that scripts read.
func NewAnswer(o device.Outcome) Answer {
	a := Answer{Outcome: o.Kind, Employee: o.Employee.ID, Time: o.Punch.Time.UTC().Truncate(time.Second), Text: display.Line(o)}
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
	State    queue.State       `json:"state"`
	Reason   string            `json:"reason,omitempty"`
	Since    *time.Time        `json:"since,omitempty"` // when it came into that state
}

func (c *Clock) punch(e queue.Entry, names map[device.EmployeeID]string) Punch {
	return Punch{
		ID: e.ID, Employee: e.Employee, Name: names[e.Employee], Intent: e.Intent, Time: e.Time.UTC(),
		State: e.State, Reason: e.Reason, Since: optional(e.Since),
	}
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
		list = func() ([]queue.Entry, error) { return c.Queue.Recent(recent) }
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

// JournalLine is an entry of the journal, in the form in which it is exported. It
// carries neither names nor UIDs.
type JournalLine struct {
	Punch    device.PunchID    `json:"punch_id"`
	Employee device.EmployeeID `json:"employee_id,omitempty"`
	Intent   device.Intent     `json:"intent,omitempty"`
	Time     time.Time         `json:"time"` // of the punch, or of the exception
	State    queue.State       `json:"state,omitempty"`
	What     string            `json:"exception,omitempty"`
	Why      string            `json:"why,omitempty"`
	Hash     string            `json:"hash"` // of the journal up to here
}

// NewJournalLine puts a journal entry into the form in which it is exported.
func NewJournalLine(e queue.JournalEntry, state func(device.PunchID) queue.State) JournalLine {
	l := JournalLine{Hash: hex.EncodeToString(e.Hash[:])}
	if e.Punch == nil {
		l.Punch, l.Time, l.What, l.Why = e.Exception.Punch, e.Exception.At, e.Exception.What, e.Exception.Why
		return l
	}
	l.Punch, l.Employee, l.Intent, l.Time = e.Punch.ID, e.Punch.Employee, e.Punch.Intent, e.Punch.Time.UTC()
	l.State = state(e.Punch.ID)
	return l
}

// Unclaimed is a badge that belongs to nobody, with its taps.
type Unclaimed struct {
	Claim int         `json:"claim"`
	UID   string      `json:"uid"` // whole: for the admin who gives it to someone
	Taps  []time.Time `json:"taps"`
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
	}
	return badges, lost
}

// Claim gives a badge to an employee and turns its unclaimed taps into punches,
// unless dry: then it only tells which it would make.
func (c *Clock) Claim(b roster.Badge, force, dry bool) ([]Punch, error) {
	plan, err := c.Queue.Claim(b.UID, b.Employee.ID, c.Lockout, force, true)
	if err != nil {
		return nil, err
	}
	if !dry {
		// The badge first: if the punches fail, the taps can still be claimed.
		if _, err := c.Roster.Add(b); err != nil {
			return nil, err
		}
		if plan, err = c.Queue.Claim(b.UID, b.Employee.ID, c.Lockout, force, false); err != nil {
			return nil, err
		}
	}
	out := make([]Punch, len(plan))
	for i, p := range plan {
		out[i] = c.punch(queue.Entry{Punch: p, State: queue.Pending}, c.Roster.Names())
	}
	return out, nil
}

// Badges is what can be done with a badge map: by a *roster.Roster in this
// process, or by a *Client in the daemon.
type Badges interface {
	List() ([]roster.Badge, error)
	Add(roster.Badge) (roster.Action, error)
	Remove(device.UID) (device.Employee, error)
	Import(io.Reader) ([]roster.Line, error)
}
