// Package uplink brings punches from the queue to Zeitstrom: each employee's in
// their order, one employee's trouble never in another's way, for as long as
// it takes, and each of them once as far as the API lets anyone know.
//
// The API has no idempotency key. A punch that was sent and not clearly
// answered is ambiguous: it is left alone for a settling time, since it may
// still land; then Zeitstrom is asked whether it has it, and only if not is it
// sent again.
//
// The package decides when to try and what an answer means for a punch. It
// keeps no punches itself, and nothing it does changes what an employee was told.
package uplink

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// Queue is where the punches are.
type Queue interface {
	Heads() []device.Pending // the next punch of each employee, oldest first
	Changed() <-chan struct{}
	Eager(bool)                       // new punches will be sent at once
	Attempt(device.Punch) error       // on disk before the first sending
	Doubt(device.Punch)               // sent, and not clearly answered
	Deliver(device.Punch) error       // Zeitstrom has it
	Retry(device.PunchID) error       // back from quarantine
	Release(device.Punch) error       // a quarantined check-in is there after all
	Holders() ([]device.Punch, error) // quarantined check-ins whose check-outs are held
	Quarantine(p device.Punch, reason string) error
}

// API is where they go.
type API interface {
	Post(context.Context, device.Punch) error
	Has(context.Context, device.Punch) (bool, error)
	Latest(ctx context.Context, e device.EmployeeID, before time.Time) (device.Intent, time.Time, error)
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
	manyInARow = 3               // failures or refusals: it is not about one employee any more
	parallel   = 6               // requests at once, while all is well
	questions  = 4               // taps that wait for Zeitstrom's knowledge at once
)

// Status is what the uplink knows of the way to Zeitstrom.
type Status struct {
	Online  bool                 // the last answer was Zeitstrom's, and it took the token
	Problem string               // what is in the way, in words; empty if nothing is
	Since   time.Time            // when Online last changed; zero before the first contact
	Retry   time.Time            // when it will be tried again; zero if nothing waits
	Blind   bool                 // the token may not read timespans: ambiguous punches wait for a person
	Token   bool                 // what is in the way is the token: a person must act
	Silent  int                  // questions at the door in a row that were not answered in time
	Why     string               // the last of them was not
	Errors  [zeitstrom.Kinds]int // requests that failed since the start, by zeitstrom.Kind
}

// Uplink is the delivery loop.
type Uplink struct {
	queue  Queue
	api    API
	settle time.Duration
	log    *slog.Logger
	pulse  device.Pulse

	asking chan struct{} // a place for each tap's question

	mu      sync.Mutex
	status  Status
	blinded time.Time // when Blind was last found
	memory  map[device.EmployeeID]knowledge

	// The rest belongs to Run's goroutine.
	answers chan answer
	flying  int
	pause   pause            // of everything
	heads   []device.Pending // as they were when the queue was last asked
	lanes   map[device.EmployeeID]*lane
	inARow  int       // failures since the last clear answer
	contact time.Time // the last clear answer
	holders time.Time // when Zeitstrom was last asked about quarantined check-ins
	token   string    // the token that was refused
	streak  streak
}

// New makes an uplink; Run starts it. Settle is how long an ambiguous punch is
// left alone before Zeitstrom is asked about it.
func New(q Queue, api API, settle time.Duration, log *slog.Logger) *Uplink {
	return &Uplink{queue: q, api: api, settle: settle, log: log, answers: make(chan answer), lanes: map[device.EmployeeID]*lane{}, asking: make(chan struct{}, questions), memory: map[device.EmployeeID]knowledge{}}
}

func (u *Uplink) String() string { return "uplink" }

// Alive returns nil as soon as Run comes round; also while Zeitstrom does not answer.
func (u *Uplink) Alive(ctx context.Context) error { return u.pulse.Beat(ctx) }

// Status may be called from any goroutine.
func (u *Uplink) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.status
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
		case a := <-u.answers:
			u.answered(a)
		case <-u.pulse.C():
		}
		timer.Stop()
	}
	for u.flying > 0 {
		u.answered(<-u.answers)
	}
	return nil
}

// wake ends the pauses that only guess when things are better.
func (u *Uplink) wake() {
	u.heads = nil
	u.pause.cutShort()
	for _, lane := range u.lanes {
		lane.cutShort()
	}
}

// fill starts requests for all that is due, and returns how long nothing more
// will be.
func (u *Uplink) fill(ctx context.Context) time.Duration {
	u.checkToken()
	now := time.Now()
	if wait := u.pause.until.Sub(now); wait > 0 {
		if u.token != "" {
			wait = min(wait, tokenWatch)
		}
		return wait
	}
	for fresh := false; u.flying < u.room(); {
		head, wait := u.due(u.heads, now)
		switch {
		case wait <= 0:
			u.start(ctx, head)
		case fresh:
			return min(wait, u.idle(ctx, now, len(u.heads)))
		default: // those that were next are done or wait: look who is next now
			u.heads, fresh = u.queue.Heads(), true
			u.tidy(u.heads)
		}
	}
	return longest // an answer ends the wait
}

// room is how many requests may be under way: one at a time until it is clear
// that somebody answers.
func (u *Uplink) room() int {
	if u.inARow > 0 || !u.Status().Online || u.streak.everyone {
		return 1
	}
	return parallel
}

// idle finds something useful to ask when there is nothing to send, and returns
// when that is due again.
func (u *Uplink) idle(ctx context.Context, now time.Time, heads int) time.Duration {
	if u.flying > 0 {
		return longest
	}
	if now.Sub(u.holders) >= heldEvery {
		u.holders = now
		u.askForHolders(ctx)
	}
	next := u.holders.Add(heldEvery).Sub(now)
	if heads > 0 && !u.contact.IsZero() { // at the start it is good to know who answers
		return next
	}
	if now.Sub(u.contact) >= pingEvery {
		u.ask(answer{kind: pinged}, func(a *answer) { a.err = u.api.Ping(ctx) })
		return longest
	}
	return min(next, u.contact.Add(pingEvery).Sub(now))
}

func (u *Uplink) askForHolders(ctx context.Context) {
	holders, err := u.queue.Holders()
	if err != nil {
		u.log.Error("quarantine cannot be read", "error", err)
		return
	}
	for _, in := range holders {
		u.ask(answer{kind: holderAsked, Pending: device.Pending{Punch: in}}, func(a *answer) { a.found, a.err = u.api.Has(ctx, in) })
	}
}

// start sends a punch, or asks about it first.
func (u *Uplink) start(ctx context.Context, head device.Pending) {
	lane := u.lanes[head.Employee]
	head.Ambiguous = lane.ambiguous // the list of heads may be older
	switch {
	case lane.save != nil:
		u.stored(head.Punch, lane.save)
	case head.Ambiguous && !lane.absent || lane.refused != nil:
		lane.busy = true
		u.ask(answer{kind: asked, Pending: head}, func(a *answer) { a.found, a.err = u.api.Has(ctx, a.Punch) })
	default:
		if err := u.queue.Attempt(head.Punch); err != nil {
			u.heads = nil // somebody may have dropped it in the meantime
			if !errors.Is(err, device.ErrNotPending) {
				u.log.Error("nothing is sent while the disk takes no writes", "error", err)
				lane.until = time.Now().Add(storePause)
			}
			return
		}
		lane.busy = true
		u.forget(head.Employee)
		u.ask(answer{kind: posted, Pending: head}, func(a *answer) { a.err = u.api.Post(ctx, a.Punch) })
	}
}

// ask makes a request in a goroutine of its own.
func (u *Uplink) ask(a answer, request func(*answer)) {
	u.flying++
	go func() {
		request(&a)
		u.answers <- a
	}()
}

// checkToken ends the pause of a refused token once the token file changed.
func (u *Uplink) checkToken() {
	if u.token == "" {
		return
	}
	if token, err := u.api.Token(); err == nil && token != u.token {
		u.log.Info("new token found: trying again")
		u.token, u.pause = "", pause{}
		for _, lane := range u.lanes {
			if !lane.ambiguous { // those go on settling
				lane.pause = pause{}
			}
		}
	}
}

// reached notes a clear answer from the API.
func (u *Uplink) reached() {
	u.pause, u.inARow, u.token, u.contact = pause{}, 0, "", time.Now()
	u.queue.Eager(true)
	u.note(func(s *Status) {
		if !s.Online {
			u.log.Info("Zeitstrom answers")
			s.Online, s.Since = true, time.Now()
		}
		s.Problem, s.Token = "", false
	})
}

// failed notes what is in the way. It is logged when it is new, not at each try.
func (u *Uplink) failed(problem string, token bool) {
	u.queue.Eager(false)
	u.note(func(s *Status) {
		if s.Online || s.Since.IsZero() {
			s.Online, s.Since = false, time.Now()
		}
		if s.Problem != problem {
			u.log.Warn("delivery waits", "problem", problem)
		}
		s.Problem, s.Token = problem, token
	})
}

func (u *Uplink) note(f func(*Status)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.status)
}
