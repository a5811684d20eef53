package admin

import (
	"context"
	"time"

	"timeclock/device"
	"timeclock/device/roster"
	"timeclock/queue"
	"timeclock/reader"
	"timeclock/sync/uplink"
	"timeclock/sync/zeitstrom"
)

// Status is the state of a clock: one snapshot, from which the display, the page, the metrics, the
// self-check and systemd are told. What has a key is for scripts.
type Status struct {
	Version     string `json:"version"`
	Pending     int    `json:"pending"`
	Delivered   int    `json:"delivered"`
	Quarantined int    `json:"quarantined"`
	Unclaimed   int    `json:"unclaimed"`
	Ambiguous   int    `json:"ambiguous"` // of those pending: sent, and not clearly answered
	// Of those pending: check-outs whose check-ins are quarantined, and those that are untimed.
	Held      int `json:"held"`
	Uncertain int `json:"uncertain"` // of those held: their time is not certain yet
	Stranded  int `json:"stranded"`  // of those uncertain: only a person can tell their time
	Dropped   int `json:"dropped"`
	// whose times are wrong, as later bookings show: to be corrected at Zeitstrom
	Wrong         []device.PunchID `json:"wrong"`
	OldestPending *time.Time       `json:"oldest_pending"` // of those whose time is certain; null if there is none
	Journal       string           `json:"journal"`        // the hash of the whole journal, to be kept elsewhere
	Badges        int              `json:"badges"`
	Roster        RosterStatus     `json:"roster"`
	Settings      struct {
		Problem string `json:"problem"` // why the clock runs on those of its last start; empty: it does not
	} `json:"settings"`
	Storage struct {
		Part
		Notice string `json:"notice"` // what happened to the file before the start
		Stuck  bool   `json:"-"`      // it could not be recovered by itself
	} `json:"storage"`
	Reader   ReaderStatus  `json:"reader"`
	Uplink   UplinkStatus  `json:"uplink"`
	Projects ProjectStatus `json:"projects"`
	Keys     Part          `json:"keys"`
	Display  Part          `json:"display"`
	Signal   Part          `json:"signal"`
	Page     PageStatus    `json:"page"`
	Clock    struct {
		Trusted bool   `json:"trusted"`
		Source  string `json:"source"`

		Offset time.Duration `json:"-"` // from the time server, as far as the kernel knows
	} `json:"clock"`

	OldDevice *OldDevice `json:"old_device,omitempty"` // that this one has replaced, and that had not sent all

	Enrollment  roster.EnrollState `json:"-"`
	Examination Examination        `json:"-"` // the newest
}

// OldDevice is one whose undelivered punches wait here for somebody to say that it never sends them.
type OldDevice struct {
	Name    string `json:"name"`
	Punches int    `json:"punches"`
}

// Part is a part of the clock that works, or says why not.
type Part struct {
	Healthy bool   `json:"healthy"`
	Problem string `json:"problem"`
	None    bool   `json:"-"` // there is none, by the settings
}

func newPart(problem string) Part { return Part{Healthy: problem == "", Problem: problem} }

// RosterStatus is how the badge map is.
type RosterStatus struct {
	Zeitstrom bool       `json:"zeitstrom"` // it follows Zeitstrom
	Compared  *time.Time `json:"compared"`  // null: not yet
	Problem   string     `json:"problem"`
	Conflicts int        `json:"conflicts"`
	Damage    string     `json:"damage"` // what is wrong with the file, and what to do; empty: nothing
	Lost      bool       `json:"lost"`   // badges are missing
	// Remedy is what can be done about the problem, in no surface's words.
	Remedy device.Remedy `json:"remedy,omitempty"`
}

// ReaderStatus is how the reader is.
type ReaderStatus struct {
	Healthy  bool       `json:"healthy"`
	Chip     string     `json:"chip"`
	Problem  string     `json:"problem"`
	Note     string     `json:"note"` // what is odd about it, though it works
	Restarts int        `json:"restarts"`
	Reads    int        `json:"reads"`
	LastRead *time.Time `json:"last_read"` // null: none since the start
	Errors   int        `json:"errors"`
	Asked    int        `json:"asked"`    // how often a resting badge was asked whether it is there
	Answered int        `json:"answered"` // how often it said so

	// Since is the same instant by the monotonic clock; zero: none since the start. The system's
	// clock may have been set since.
	Since time.Time `json:"-"`
}

// UplinkStatus is how the way to Zeitstrom is.
type UplinkStatus struct {
	Online       bool       `json:"online"`
	Problem      string     `json:"problem"`
	Retry        *time.Time `json:"retry"`        // null if nothing waits
	Stuck        int        `json:"stuck"`        // bookings that wait though others' are sent
	Reason       string     `json:"stuck_reason"` // why one of them does
	MayNotAsk    bool       `json:"blind"`        // the token may not read timespans
	Skews        []Skew     `json:"skews"`        // employees with a booking that is ahead of this clock
	Silent       int        `json:"silent"`       // questions at the door in a row that were not answered in time
	SilentReason string     `json:"why"`          // the last of them was not

	Token  bool                 `json:"-"` // what is in the way is the token
	Errors [zeitstrom.Kinds]int `json:"-"` // requests that failed since the start, by zeitstrom.Kind
}

// ProjectStatus is how the projects come to their timespans.
type ProjectStatus struct {
	Waiting int    `json:"waiting"` // projects that timespans are still to get
	Refused int    `json:"refused"` // of those: refused by Zeitstrom so far
	Off     string `json:"off"`     // why no token may assign any; empty: one may, as far as is known
	Problem string `json:"problem"` // why the last try failed
}

// Skew is an employee with a booking at Zeitstrom that is further ahead of this clock than is
// believed, in the form that scripts read.
type Skew struct {
	Employee device.EmployeeID `json:"employee_id"`
	Name     string            `json:"name"`
	Time     time.Time         `json:"time"`    // of the booking
	Seconds  int               `json:"seconds"` // that it was ahead when it was seen
}

// PageStatus is how the admin's page is.
type PageStatus struct {
	Address string `json:"address"` // empty: it is not served
	Problem string `json:"problem"`

	Code        string `json:"-"` // the pairing code that the display shows; empty: none is valid
	Fingerprint string `json:"-"` // what the display shows beside it
}

// Status tells how the clock is.
func (a *Admin) Status(context.Context, string, None) (Status, error) {
	s := a.Glance()
	if s.Uncertain > 0 {
		waiting, _ := a.rooms.Queue.Undelivered() // what cannot be read shows elsewhere
		for _, e := range waiting {
			if e.Stamp.Uncertain && e.State != device.Quarantined && !a.rooms.Clock.CanRepair(e.Punch) {
				s.Stranded++
			}
		}
	}
	if u, err := ReadUnsent(a.rooms.Policy.StateDir); err == nil {
		s.OldDevice = &OldDevice{u.Device, len(u.Punches)}
	}
	return s, nil
}

// Glance is the status without what is to be looked up in the file: how many are Stranded. It is
// for what asks every second.
func (a *Admin) Glance() Status {
	r := a.rooms
	q := r.Queue.Stats()
	s := Status{Version: r.Version, Badges: r.Roster.Len(), Examination: a.Examination()}
	s.count(q)
	taps, _ := r.Queue.Unclaimed()
	s.Unclaimed = len(taps)
	s.Settings.Problem = r.Refused
	s.Storage.Part, s.Storage.Notice, s.Storage.Stuck = newPart(q.Problem), r.Storage.Notice(), r.Storage.Stuck()
	s.Roster = rosterStatus(r.Roster, r.Sync)
	s.Reader = readerStatus(r.Reader.Health())
	s.Uplink = a.uplinkStatus(r.Uplink.Status())
	assigns := r.Assigner.Status()
	s.Projects = ProjectStatus{q.Assigning, q.Refused, assigns.Off, assigns.Problem}
	s.Keys = newPart(r.Keys.Problem())
	s.Display, s.Signal = newPart(r.Display.Problem()), newPart(r.Signal.Problem())
	s.Display.None, s.Signal.None = r.NoDisplay, r.NoSignal
	if p := r.Page; p != nil {
		s.Page = PageStatus{p.Address(), p.Problem(), p.Code(), p.Fingerprint()}
	}
	trust := r.Clock.Trust()
	s.Clock.Trusted, s.Clock.Source, s.Clock.Offset = trust.Trusted, trust.Source, r.Clock.Offset()
	s.Enrollment, _ = r.Enrollment.State()
	return s
}

func (s *Status) count(q queue.Stats) {
	s.Pending, s.Delivered, s.Quarantined, s.Dropped = q.Pending, q.Delivered, q.Quarantined, q.Dropped
	s.Ambiguous, s.Held, s.Uncertain = q.Ambiguous, q.Waiting, q.Untimed
	s.Wrong, s.OldestPending, s.Journal = q.Wrong, optional(q.OldestPending), q.Journal
}

func rosterStatus(badges *roster.Roster, sync *roster.Sync) RosterStatus {
	last, damage := sync.Status(), badges.Damage()
	return RosterStatus{
		Zeitstrom: sync.Every > 0, Compared: optional(last.At), Problem: last.Problem,
		Conflicts: len(last.Merged.Conflicts), Damage: damage.Problem, Lost: damage.Lost, Remedy: last.Remedy,
	}
}

func readerStatus(h reader.Health) ReaderStatus {
	return ReaderStatus{
		Healthy: h.Healthy, Chip: h.Chip, Problem: h.Problem, Note: h.Note, Restarts: h.Restarts, Reads: h.Reads,
		LastRead: optional(h.LastRead), Errors: h.Errors, Asked: h.Asked, Answered: h.Answered, Since: h.LastRead,
	}
}

func (a *Admin) uplinkStatus(u uplink.Status) UplinkStatus {
	s := UplinkStatus{
		Online: u.Online, Problem: u.Problem, Retry: optional(u.Retry), Stuck: len(u.Stuck), MayNotAsk: u.MayNotAsk,
		Skews: a.skews(u.Skews), Silent: u.Silent, SilentReason: u.SilentReason, Token: u.Token, Errors: u.Errors,
	}
	for _, why := range u.Stuck {
		s.Reason = why
	}
	return s
}

func (a *Admin) skews(found []uplink.Skew) []Skew {
	out := []Skew{}
	if len(found) == 0 {
		return out
	}
	names := a.rooms.Roster.Employees()
	for _, s := range found {
		out = append(out, Skew{s.Employee, names[s.Employee].Name, s.At.UTC(), int(s.Ahead / time.Second)})
	}
	return out
}
