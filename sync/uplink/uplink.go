// Package uplink brings punches from the queue to Zeitstrom: each employee's in
// their order, one employee's trouble never in another's way, for as long as
// it takes, and each of them once as far as the API lets anyone know. It also knows
// what Zeitstrom knows of an employee.
//
// The API has no idempotency key, and its documents do not say what a success looks
// like. A punch that was sent and not clearly answered is ambiguous: it is left alone for
// a settling time, since it may still land; then Zeitstrom is asked whether it has it, and
// only if not is it sent again. An answer that may mean success is proven by asking.
//
// What goes wrong with a request is its employee's alone until something shows that it
// is everybody's: a ping that is not answered, no connection, a refused token, a
// server that asks to wait, or the same refusal of one employee after the other.
//
// The package decides when to try and what an answer means for a punch. It
// keeps no punches itself, and nothing it does changes what an employee was told.
package uplink

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// Queue is where the punches are.
type Queue interface {
	Heads() []device.Undelivered // the next punch of each employee, oldest first
	Changed() <-chan struct{}
	Undelivered() ([]device.Entry, error)     // pending and quarantined ones, in order
	Attempt(device.Punch) error               // on disk before the first sending
	MarkAmbiguous(device.Punch) error         // Zeitstrom may have it, or not, whatever was known of it
	Deliver(device.Punch) error               // Zeitstrom has it, also if it was quarantined
	Retry(by string, id device.PunchID) error // back from quarantine
	Quarantine(p device.Punch, reason string) error
}

// API is where they go.
type API interface {
	Post(context.Context, device.Punch) (zeitstrom.Shape, error)
	Question(device.Punch) *zeitstrom.Question
	Record(ctx context.Context, e device.EmployeeID, before time.Time) (zeitstrom.Record, error)
	Month(ctx context.Context, e device.EmployeeID, year int, month time.Month) (device.Month, error)
	Ping(context.Context) error
	Token() (string, error)
}

var _ API = (*zeitstrom.Client)(nil)

// Times and bounds of the uplink.
const (
	firstRetry = 500 * time.Millisecond
	longest    = 5 * time.Minute
	tokenPause = 3 * time.Minute // between tries with a token that was refused
	tokenWatch = 2 * time.Second // how soon a new token file is noticed
	pingEvery  = 5 * time.Minute // while there is nothing to deliver
	heldEvery  = time.Hour       // how often Zeitstrom is asked about quarantined check-ins
	grace      = time.Second     // for the last requests when the daemon stops
	storePause = 5 * time.Second // when the outcome of a delivery cannot be stored
	parallel   = 6               // requests at once, while they are answered promptly
	slow       = 500 * time.Millisecond
	patience   = 2 * time.Second // that punches have with a ping that is not answered
	mostFlying = 64              // requests at once, with those that take longer than slow
	questions  = 4               // taps that wait for Zeitstrom's knowledge at once
)

// Status is what the uplink knows of the way to Zeitstrom.
type Status struct {
	Online       bool                      // the last request got an answer of the API's own
	Problem      string                    // what keeps everybody's punches here, in words; empty if nothing does
	Since        time.Time                 // when Online last changed; zero before the first contact
	Retry        time.Time                 // when it will be tried again; zero if nothing waits
	MayNotAsk    bool                      // the token may not read timespans: ambiguous punches wait for a person
	Token        bool                      // what is in the way is the token: a person must act
	Stuck        map[device.PunchID]string // punches that wait though others' go on, and why
	Asks         bool                      // taps ask what their employees did last
	Silent       int                       // questions at the door in a row that were not answered in time
	SilentReason string                    // the last of them was not
	Skews        []Skew                    // employees with a booking that is ahead of this clock
	Errors       [zeitstrom.Kinds]int      // requests that failed since the start, by zeitstrom.Kind
}

// Uplink is the delivery loop, and what Zeitstrom knows.
type Uplink struct {
	*Knowledge
	queue  Queue
	api    API
	settle time.Duration
	log    *slog.Logger
	pulse  device.Pulse

	mu     sync.Mutex
	status Status

	// The rest belongs to Run's goroutine.
	landed     chan *flight
	flights    map[*flight]bool
	pause      pause                // of everything
	heads      []device.Undelivered // as they were when the queue was last asked
	lanes      map[device.EmployeeID]*lane
	way        way
	probe      bool                          // a ping is wanted
	pinging    bool                          // a ping is under way
	pinged     time.Time                     // when the last one was sent
	contact    time.Time                     // the last answer of the API's own
	holders    time.Time                     // when Zeitstrom was last asked about quarantined check-ins
	token      string                        // the token that was refused
	refused    streak                        // employees whose punches were refused with the same words
	barred     streak                        // employees for whom the token may not post
	bar        string                        // that token, while it is taken for everybody's trouble
	deliveries int                           // since the start
	shapes     map[zeitstrom.Shape]time.Time // of answers that were proven to mean success, and when
}

// way is what is known of the way to Zeitstrom.
type way uint8

const (
	suspect way = iota // what failed may be everybody's: a ping is to tell, and until then nothing is sent
	odd                // somebody answers a ping, but not as the API does: one request at a time
	down               // nobody answers
	clearly            // somebody has answered as the API does
)

// Options are what an uplink is to do.
type Options struct {
	Settle time.Duration // how long an ambiguous punch is left alone before Zeitstrom is asked about it
	Watch  bool          // ask about employees after their bookings have arrived: they may be deleted soon
}

// New makes an uplink; Run starts it.
func New(q Queue, api API, o Options, log *slog.Logger) *Uplink {
	u := &Uplink{
		queue: q, api: api, settle: o.Settle, log: log, landed: make(chan *flight),
		flights: map[*flight]bool{}, lanes: map[device.EmployeeID]*lane{},
		refused: streak{most: sameWords}, barred: streak{most: sameBar},
		shapes: map[zeitstrom.Shape]time.Time{},
	}
	u.Knowledge = newKnowledge(api, o.Watch, log, u.reached)
	return u
}

func (u *Uplink) String() string { return "uplink" }

// Alive returns nil as soon as Run comes round; also while Zeitstrom does not answer.
func (u *Uplink) Alive(ctx context.Context) error { return u.pulse.Beat(ctx) }

// Status may be called from any goroutine.
func (u *Uplink) Status() Status {
	u.mu.Lock()
	s := u.status
	u.mu.Unlock()
	u.tell(&s)
	return s
}

// Online reports whether the last request got an answer of the API's own.
func (u *Uplink) Online() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.status.Online
}

// Sends implements device.Elsewhere.
func (u *Uplink) Sends() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.status.Problem == "" && !u.status.Since.IsZero()
}

// Run delivers until ctx ends. Requests that are under way then have a moment to
// be answered; after that they are given up, and their punches stay pending.
func (u *Uplink) Run(ctx context.Context) error {
	requests, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, giveUp) })()
	u.holders = time.Now()
	for ctx.Err() == nil {
		wait := u.fill(requests)
		u.note(func(s *Status) {
			s.Stuck = u.stuck()
			s.Retry = time.Time{}
			if s.Problem != "" {
				s.Retry = time.Now().Add(wait)
			}
		})
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-u.queue.Changed():
			u.wake()
		case f := <-u.landed:
			u.answered(f)
		case <-u.found:
			u.act()
		case <-u.pulse.C():
		}
		timer.Stop()
	}
	for len(u.flights) > 0 {
		u.answered(<-u.landed)
	}
	return nil
}

// reached notes whether a request got an answer of the API's own. It may be called from
// any goroutine.
func (u *Uplink) reached(yes bool) {
	u.note(func(s *Status) {
		if s.Online == yes && !s.Since.IsZero() {
			return
		}
		s.Online, s.Since = yes, time.Now()
		if yes {
			u.log.Info("Zeitstrom answers")
		}
	})
}

func (u *Uplink) note(f func(*Status)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.status)
}
