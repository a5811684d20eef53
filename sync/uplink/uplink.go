// Package uplink brings punches from the queue to Zeitstrom: each employee's in
// their order, one employee's trouble never in another's way, for as long as
// it takes.
//
// It decides only when to try again and what an answer means for a punch. It
// keeps no punches itself, and nothing it does changes what an employee was told.
package uplink

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// Queue is where the punches are.
type Queue interface {
	Heads() []device.Punch // the oldest pending punch of each employee, oldest first
	Changed() <-chan struct{}
	Deliver(device.Punch) error
	Quarantine(p device.Punch, reason string) error
}

// API is where they go.
type API interface {
	Post(context.Context, device.Punch) error
	Ping(context.Context) error
	Token() (string, error)
}

var _ API = (*zeitstrom.Client)(nil)

// Pauses of the uplink.
const (
	firstRetry = 500 * time.Millisecond
	longest    = 5 * time.Minute
	tokenPause = 3 * time.Minute // between tries with a token that was refused
	tokenWatch = 2 * time.Second // how soon a new token file is noticed
	pingEvery  = 5 * time.Minute // while there is nothing to deliver
	grace      = time.Second     // for the last request when the daemon stops
	storePause = 5 * time.Second // when the outcome of a delivery cannot be stored
	manyInARow = 3               // failures: it is not about one employee any more
)

// Status is what the uplink knows of the way to Zeitstrom.
type Status struct {
	Online  bool      // the last answer was Zeitstrom's, and it took the token
	Problem string    // what is in the way, in words; empty if nothing is
	Since   time.Time // when Online last changed; zero before the first contact
	Retry   time.Time // when it will be tried again; zero if nothing waits
}

// Uplink is the delivery loop.
type Uplink struct {
	queue Queue
	api   API
	log   *slog.Logger

	mu     sync.Mutex
	status Status

	// The rest belongs to Run's goroutine.
	pause   pause                           // of everything
	inARow  int                             // failures since the last answer
	lanes   map[device.EmployeeID]*pause    // of one employee's punches
	contact time.Time                       // the last answer
	token   string                          // the token that was refused
	unsaved map[device.PunchID]func() error // outcomes that the queue could not store yet
}

// pause is a time in which nothing is tried, growing with each failure.
type pause struct {
	failures int
	until    time.Time
	hard     bool // the server asked for it, or a person must act: a new punch does not end it
}

// New makes an uplink; Run starts it.
func New(q Queue, api API, log *slog.Logger) *Uplink {
	return &Uplink{queue: q, api: api, log: log, lanes: map[device.EmployeeID]*pause{}, unsaved: map[device.PunchID]func() error{}}
}

func (u *Uplink) String() string { return "uplink" }

// Status may be called from any goroutine.
func (u *Uplink) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.status
}

// Run delivers until ctx ends. A request that is under way then has a moment to
// be answered; after that it is given up, and its punch stays pending.
func (u *Uplink) Run(ctx context.Context) error {
	requests, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, giveUp) })()
	for ctx.Err() == nil {
		wait := u.round(ctx, requests)
		u.note(func(s *Status) {
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
		}
		timer.Stop()
	}
	return nil
}

// wake ends the pauses that only guess when things are better.
func (u *Uplink) wake() {
	u.pause.cutShort()
	for _, lane := range u.lanes {
		lane.cutShort()
	}
}

// cutShort ends a pause that is not hard. The try that follows was asked for, so
// its failure does not make the next pause longer.
func (p *pause) cutShort() {
	if !p.hard && time.Until(p.until) > 0 {
		p.until = time.Time{}
		p.failures = max(0, p.failures-1)
	}
}

// round tries what is due and returns how long nothing more will be.
func (u *Uplink) round(ctx, requests context.Context) time.Duration {
	u.checkToken()
	for ctx.Err() == nil {
		now := time.Now()
		if wait := u.pause.until.Sub(now); wait > 0 {
			if u.token != "" {
				wait = min(wait, tokenWatch)
			}
			return wait
		}
		heads := u.queue.Heads()
		if len(heads) == 0 {
			if wait := u.contact.Add(pingEvery).Sub(now); wait > 0 {
				return wait
			}
			u.answered(u.api.Ping(requests), device.Punch{})
			continue
		}
		punch, wait := u.due(heads, now)
		if wait > 0 {
			return wait
		}
		if save, answered := u.unsaved[punch.ID]; answered {
			u.stored(punch, save)
			continue
		}
		u.answered(u.api.Post(requests, punch), punch)
	}
	return 0
}

// due returns the punch to try next, or how long none is to be tried. Those
// that failed before come after those that did not.
func (u *Uplink) due(heads []device.Punch, now time.Time) (next device.Punch, wait time.Duration) {
	wait, fewest := longest, -1
	for _, p := range heads {
		lane := u.lane(p)
		if left := lane.until.Sub(now); left > 0 {
			wait = min(wait, left)
		} else if fewest < 0 || lane.failures < fewest {
			next, fewest = p, lane.failures
		}
	}
	if fewest >= 0 {
		return next, 0
	}
	return next, wait
}

// answered acts on the answer to a punch, or to a ping if it has no ID.
func (u *Uplink) answered(err error, p device.Punch) {
	var e *zeitstrom.Error
	switch {
	case err == nil:
		u.reached()
		if p.ID != 0 {
			u.stored(p, func() error { return u.queue.Deliver(p) })
		}
		return
	case errors.Is(err, context.Canceled):
		return
	case !errors.As(err, &e):
		e = &zeitstrom.Error{Kind: zeitstrom.Unreachable, Cause: err}
	}
	switch e.Kind {
	case zeitstrom.Refused:
		u.reached()
		if p.ID != 0 {
			u.log.Warn("punch refused: in quarantine", "punch", p.ID, "employee", p.Employee, "words", e.Words())
			u.stored(p, func() error { return u.queue.Quarantine(p, e.Words()) })
		}
	case zeitstrom.Unauthorized, zeitstrom.Forbidden, zeitstrom.NoToken:
		u.token, _ = u.api.Token()
		if u.token == "" {
			u.token = "none"
		}
		u.pause = pause{until: time.Now().Add(tokenPause), hard: true}
		u.failed(e)
	case zeitstrom.Throttled:
		u.pause.fail(e.RetryAfter)
		u.pause.hard = true
		u.failed(e)
	default:
		u.unclear(e, p)
	}
}

// unclear is an error that may be about this punch or about everything.
func (u *Uplink) unclear(e *zeitstrom.Error, p device.Punch) {
	u.failed(e)
	u.inARow++
	if p.ID != 0 {
		u.lane(p).fail(0)
	}
	if p.ID == 0 || e.Kind != zeitstrom.Unavailable || e.RetryAfter > 0 || u.inARow >= manyInARow {
		u.pause.fail(e.RetryAfter)
	}
}

func (u *Uplink) lane(p device.Punch) *pause {
	lane := u.lanes[p.Employee]
	if lane == nil {
		lane = &pause{}
		u.lanes[p.Employee] = lane
	}
	return lane
}

// fail makes the pause longer: doubled each time up to five minutes, and
// between half and all of that, so that many clocks do not come back at once.
// What the server asks for counts if it is longer.
func (p *pause) fail(asked time.Duration) {
	p.failures++
	d := longest
	if p.failures < 12 {
		d = min(longest, firstRetry<<(p.failures-1))
	}
	d = d/2 + rand.N(d/2)
	p.hard = asked > d
	p.until = time.Now().Add(max(d, asked))
}

// checkToken ends the pause of a refused token once the token file changed.
func (u *Uplink) checkToken() {
	if u.token == "" {
		return
	}
	if token, err := u.api.Token(); err == nil && token != u.token {
		u.log.Info("new token found: trying again")
		u.token, u.pause = "", pause{}
	}
}

// stored ends a delivery. An outcome that cannot be stored is kept and tried
// again by itself: sending the punch once more would book it twice.
func (u *Uplink) stored(p device.Punch, save func() error) {
	if err := save(); err != nil {
		if u.unsaved[p.ID] == nil {
			u.log.Error("outcome of a delivery not stored, trying again", "punch", p.ID, "error", err)
		}
		u.unsaved[p.ID] = save
		u.lane(p).until = time.Now().Add(storePause)
		return
	}
	delete(u.unsaved, p.ID)
	delete(u.lanes, p.Employee)
}

// reached notes an answer from the API.
func (u *Uplink) reached() {
	u.pause, u.inARow, u.token, u.contact = pause{}, 0, "", time.Now()
	u.note(func(s *Status) {
		if !s.Online {
			u.log.Info("Zeitstrom answers")
			*s = Status{Online: true, Since: time.Now()}
		}
		s.Problem = ""
	})
}

// failed notes what is in the way. It is logged when it is new, not at each try.
func (u *Uplink) failed(e *zeitstrom.Error) {
	problem := e.Error()
	u.note(func(s *Status) {
		if s.Online || s.Since.IsZero() {
			s.Online, s.Since = false, time.Now()
		}
		if s.Problem != problem {
			u.log.Warn("delivery waits", "problem", problem)
		}
		s.Problem = problem
	})
}

func (u *Uplink) note(f func(*Status)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.status)
}
