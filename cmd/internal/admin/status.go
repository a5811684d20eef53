package admin

import (
	"time"

	"timeclock/device"
	"timeclock/queue"
	"timeclock/sync/uplink"
)

// Status is the state of a clock, in the form that scripts read.
type Status struct {
	Version     string `json:"version"`
	Pending     int    `json:"pending"`
	Delivered   int    `json:"delivered"`
	Quarantined int    `json:"quarantined"`
	Unclaimed   int    `json:"unclaimed"`
	Ambiguous   int    `json:"ambiguous"` // of those pending: sent, and not clearly answered
	// Of those pending: check-outs whose check-ins are quarantined, and those that are uncertain.
	Held          int              `json:"held"`
	Uncertain     int              `json:"uncertain"` // of those held: their time is not certain yet
	Stranded      int              `json:"stranded"`  // of those uncertain: only a person can tell their time
	Dropped       int              `json:"dropped"`
	Wrong         []device.PunchID `json:"wrong"`          // whose times are wrong, as later bookings show: to be corrected at Zeitstrom
	OldestPending *time.Time       `json:"oldest_pending"` // of those whose time is certain; null if there is none
	Journal       string           `json:"journal"`        // the hash of the whole journal, to be kept elsewhere
	Badges        int              `json:"badges"`
	Roster        struct {
		Zeitstrom bool       `json:"zeitstrom"` // it follows Zeitstrom
		Compared  *time.Time `json:"compared"`  // null: not yet
		Problem   string     `json:"problem"`
		Conflicts int        `json:"conflicts"`
		Damage    string     `json:"damage"` // what is wrong with the file, and what to do; empty: nothing
		Lost      bool       `json:"lost"`   // badges are missing
	} `json:"roster"`
	Settings struct {
		Problem string `json:"problem"` // why the clock runs on those of its last start; empty: it does not
	} `json:"settings"`
	Storage struct {
		Healthy bool   `json:"healthy"`
		Problem string `json:"problem"`
		Notice  string `json:"notice"` // what happened to the file before the start
	} `json:"storage"`
	Reader struct {
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
	} `json:"reader"`
	Uplink struct {
		Online  bool       `json:"online"`
		Problem string     `json:"problem"`
		Retry   *time.Time `json:"retry"`        // null if nothing waits
		Stuck   int        `json:"stuck"`        // bookings that wait though others' are sent
		Reason  string     `json:"stuck_reason"` // why one of them does
		Blind   bool       `json:"blind"`        // the token may not read timespans
		Skews   []Skew     `json:"skews"`        // employees with a booking that is ahead of this clock
		Silent  int        `json:"silent"`       // questions at the door in a row that were not answered in time
		Why     string     `json:"why"`          // the last of them was not
	} `json:"uplink"`
	Display struct {
		Healthy bool   `json:"healthy"`
		Problem string `json:"problem"`
	} `json:"display"`
	Signal struct {
		Healthy bool   `json:"healthy"`
		Problem string `json:"problem"`
	} `json:"signal"`
	Page struct {
		Address string `json:"address"` // empty: it is not served
		Problem string `json:"problem"`
	} `json:"page"`
	Clock struct {
		Trusted bool   `json:"trusted"`
		Source  string `json:"source"`
	} `json:"clock"`
}

// Skew is an employee with a booking at Zeitstrom that is further ahead of this clock than is
// believed, in the form that scripts read.
type Skew struct {
	Employee device.EmployeeID `json:"employee_id"`
	Name     string            `json:"name"`
	Time     time.Time         `json:"time"`    // of the booking
	Seconds  int               `json:"seconds"` // that it was ahead when it was seen
}

// Noticed says what happened to the queue file before it was opened.
func (c *Clock) Noticed(notice string) {
	c.noticing.Lock()
	defer c.noticing.Unlock()
	c.notice = notice
}

func (c *Clock) theNotice() string {
	c.noticing.Lock()
	defer c.noticing.Unlock()
	return c.notice
}

// Status tells how the clock is.
func (c *Clock) Status() Status {
	s := Status{Version: c.Version, Badges: c.Roster.Len()}
	q := c.Queue.Stats()
	s.Pending, s.Delivered, s.Quarantined = q.Pending, q.Delivered, q.Quarantined
	s.Journal, s.Settings.Problem = q.Journal, c.Refused
	taps, _ := c.Queue.Unclaimed()
	s.Unclaimed = len(taps)
	s.Ambiguous, s.Held, s.Uncertain, s.Dropped = q.Ambiguous, q.Waiting, q.Untimed, q.Dropped
	s.OldestPending = optional(q.OldestPending)
	r := c.Sync.Status()
	s.Roster.Zeitstrom, s.Roster.Compared = c.Sync.Every > 0, optional(r.At)
	s.Roster.Problem, s.Roster.Conflicts = r.Problem, len(r.Merged.Conflicts)
	damage := c.Roster.Damage()
	s.Roster.Damage, s.Roster.Lost = damage.Problem, damage.Lost
	s.Storage.Healthy, s.Storage.Problem, s.Storage.Notice = q.Problem == "", q.Problem, c.theNotice()
	h := c.Reader.Health()
	s.Reader.Healthy, s.Reader.Chip, s.Reader.Problem, s.Reader.Note = h.Healthy, h.Chip, h.Problem, h.Note
	s.Reader.LastRead = optional(h.LastRead)
	s.Reader.Restarts, s.Reader.Reads, s.Reader.Errors = h.Restarts, h.Reads, h.Errors
	s.Reader.Asked, s.Reader.Answered = h.Asked, h.Answered
	u := c.Uplink.Status()
	s.Uplink.Online, s.Uplink.Problem, s.Uplink.Retry, s.Uplink.Blind = u.Online, u.Problem, optional(u.Retry), u.Blind
	s.Uplink.Silent, s.Uplink.Why = u.Silent, u.Why
	s.Uplink.Stuck = len(u.Stuck)
	for _, why := range u.Stuck {
		s.Uplink.Reason = why
	}
	s.Uplink.Skews = c.skews(u.Skews)
	s.Wrong = q.Wrong
	s.Display.Problem, s.Signal.Problem = c.Display.Problem(), c.Signal.Problem()
	s.Display.Healthy, s.Signal.Healthy = s.Display.Problem == "", s.Signal.Problem == ""
	if c.Page != nil {
		s.Page.Address, s.Page.Problem = c.Page.Address(), c.Page.Problem()
	}
	s.Stranded = c.stranded(q)
	trust := c.Clock.Trust()
	s.Clock.Trusted, s.Clock.Source = trust.Trusted, trust.Source
	return s
}

// stranded counts the untimed punches whose time only a person can tell.
func (c *Clock) stranded(q queue.Stats) (n int) {
	if q.Untimed == 0 {
		return 0
	}
	waiting, _ := c.Queue.Undelivered() // what cannot be read shows elsewhere
	for _, e := range waiting {
		if e.Stamp.Uncertain && e.State != device.Quarantined && !c.Clock.Will(e.Punch) {
			n++
		}
	}
	return n
}

func (c *Clock) skews(found []uplink.Skew) []Skew {
	out := []Skew{}
	if len(found) == 0 {
		return out
	}
	names := c.Roster.Names()
	for _, s := range found {
		out = append(out, Skew{s.Employee, names[s.Employee], s.At.UTC(), int(s.Ahead / time.Second)})
	}
	return out
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
