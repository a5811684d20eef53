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
	"cmp"
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
	Heads() []device.Undelivered // the next punch of each employee, oldest first
	Changed() <-chan struct{}
	Undelivered() ([]device.Entry, error)     // pending and quarantined ones, in order
	Attempt(device.Punch) error               // on disk before the first sending
	Doubt(device.Punch) error                 // Zeitstrom may have it, or not, whatever was known of it
	Deliver(device.Punch) error               // Zeitstrom has it, also if it was quarantined
	Retry(by string, id device.PunchID) error // back from quarantine
	Quarantine(p device.Punch, reason string) error
}

// API is where they go.
type API interface {
	Post(context.Context, device.Punch) (zeitstrom.Shape, error)
	Question(device.Punch) *zeitstrom.Question
	Record(ctx context.Context, e device.EmployeeID, before time.Time) (zeitstrom.Record, error)
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
	Online  bool                      // the last request got an answer of the API's own
	Problem string                    // what keeps everybody's punches here, in words; empty if nothing does
	Since   time.Time                 // when Online last changed; zero before the first contact
	Retry   time.Time                 // when it will be tried again; zero if nothing waits
	Blind   bool                      // the token may not read timespans: ambiguous punches wait for a person
	Token   bool                      // what is in the way is the token: a person must act
	Stuck   map[device.PunchID]string // punches that wait though others' go on, and why
	Asks    bool                      // taps ask what their employees did last
	Silent  int                       // questions at the door in a row that were not answered in time
	Why     string                    // the last of them was not
	Skews   []Skew                    // employees with a booking that is ahead of this clock
	Errors  [zeitstrom.Kinds]int      // requests that failed since the start, by zeitstrom.Kind
}

// Uplink is the delivery loop, and what Zeitstrom knows.
type Uplink struct {
	queue  Queue
	api    API
	settle time.Duration
	watch  bool
	log    *slog.Logger
	pulse  device.Pulse

	asking chan struct{} // a place for each tap's question
	found  chan struct{} // a question has found something out

	mu      sync.Mutex
	status  Status
	trust   bool                            // taps may ask: a ping was answered since a question at the door failed
	blind   map[device.EmployeeID]time.Time // for whom the token may not read timespans, and when that was found
	people  map[device.EmployeeID]*person
	watched map[device.EmployeeID]bool // whose booking arrived a moment ago
	missed  []device.Punch             // taken for delivered, and not there

	// The rest belongs to Run's goroutine.
	answers    chan answer
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
	return &Uplink{
		queue: q, api: api, settle: o.Settle, watch: o.Watch, log: log,
		asking: make(chan struct{}, questions), found: make(chan struct{}, 1), answers: make(chan answer),
		blind: map[device.EmployeeID]time.Time{}, people: map[device.EmployeeID]*person{}, watched: map[device.EmployeeID]bool{},
		flights: map[*flight]bool{}, lanes: map[device.EmployeeID]*lane{},
		refused: streak{most: sameWords}, barred: streak{most: sameBar},
		shapes: map[zeitstrom.Shape]time.Time{},
	}
}

func (u *Uplink) String() string { return "uplink" }

// Alive returns nil as soon as Run comes round; also while Zeitstrom does not answer.
func (u *Uplink) Alive(ctx context.Context) error { return u.pulse.Beat(ctx) }

// Status may be called from any goroutine.
func (u *Uplink) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.status
	s.Asks, s.Skews = u.trust && len(u.blind) < sameBar, u.skews()
	return s
}

// Online reports whether the last request got an answer of the API's own.
func (u *Uplink) Online() bool { return u.Status().Online }

// Sends implements device.Elsewhere.
func (u *Uplink) Sends() bool {
	s := u.Status()
	return s.Problem == "" && !s.Since.IsZero()
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
		case a := <-u.answers:
			u.answered(a)
		case <-u.found:
			u.act()
		case <-u.pulse.C():
		}
		timer.Stop()
	}
	for len(u.flights) > 0 {
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
	watch := longest
	if u.token != "" || u.bar != "" {
		watch = tokenWatch
	}
	if wait := u.pause.until.Sub(now); wait > 0 {
		return min(wait, watch)
	}
	wait := min(u.ping(ctx, now), watch)
	for fresh := false; ; {
		free, more := u.room(now)
		if free == 0 {
			return min(wait, more)
		}
		head, later := u.due(u.heads, now, free == 1)
		switch {
		case later <= 0:
			u.start(ctx, head)
			fresh = fresh && u.heads != nil // they are forgotten if it could not even be marked
		case fresh:
			return min(wait, later, u.idle(ctx, now))
		default: // those that were next are done or wait: look who is next now
			u.heads, fresh = u.queue.Heads(), true
			u.tidy(u.heads)
		}
	}
}

// room is how many more requests may be made now, and when there will be more room if
// there is none. A request that is not answered promptly gives its place away: it may
// be one employee's trouble. While it is not clear whether anybody answers there is
// none, or one.
func (u *Uplink) room(now time.Time) (free int, more time.Duration) {
	way := u.way
	if way == suspect || way == down {
		if left := u.pinged.Add(patience).Sub(now); left > 0 || !u.pinging {
			return 0, min(longest, max(left, slow))
		}
		way = odd // the ping itself is kept waiting
	}
	busy, oldest := 0, now
	for f := range u.flights {
		if f.kind == pinged {
			continue
		}
		if now.Sub(f.began) < slow {
			busy++
			if f.began.Before(oldest) {
				oldest = f.began
			}
		}
	}
	places := parallel
	if way == odd || u.refused.everyone() || u.barred.everyone() {
		places = 1
	}
	free = min(places-busy, mostFlying-len(u.flights))
	if free > 0 {
		return free, 0
	}
	if busy == 0 {
		return 0, longest
	}
	return 0, oldest.Add(slow).Sub(now)
}

// ping asks whether anybody answers, if that is to be known, and returns when it is next.
func (u *Uplink) ping(ctx context.Context, now time.Time) time.Duration {
	switch next := u.contact.Add(pingEvery).Sub(now); {
	case u.pinging:
		return longest
	case u.way == clearly && !u.probe && next > 0:
		return next
	}
	u.pinging, u.probe, u.pinged = true, false, now
	u.ask(answer{kind: pinged}, func(a *answer) { a.err = u.api.Ping(ctx) })
	return longest
}

// idle finds something useful to ask when there is nothing to send, and returns
// when that is due again.
func (u *Uplink) idle(ctx context.Context, now time.Time) time.Duration {
	if now.Sub(u.holders) >= heldEvery {
		u.holders = now
		u.askForHolders(ctx)
	}
	return min(u.look(ctx, now), u.holders.Add(heldEvery).Sub(now))
}

func (u *Uplink) askForHolders(ctx context.Context) {
	undelivered, err := u.queue.Undelivered()
	if err != nil {
		u.log.Error("quarantine cannot be read", "error", err)
		return
	}
	for _, in := range holding(undelivered) {
		question := u.api.Question(in)
		u.ask(answer{kind: holderAsked, Undelivered: device.Undelivered{Punch: in}}, func(a *answer) { a.found, a.err = question.Ask(ctx) })
	}
}

// holding are the quarantined check-ins whose check-outs are held.
func holding(undelivered []device.Entry) (ins []device.Punch) {
	last := map[device.EmployeeID]device.Entry{}
	for _, e := range undelivered {
		if in := last[e.Employee]; e.State == device.Held && in.State == device.Quarantined && in.Intent == device.CheckIn {
			ins = append(ins, in.Punch)
		}
		last[e.Employee] = e
	}
	return ins
}

// start sends a punch, or asks about it first.
func (u *Uplink) start(ctx context.Context, head device.Undelivered) {
	lane := u.lanes[head.Employee]
	head.Ambiguous = lane.ambiguous // the list of heads may be older
	switch {
	case lane.save != nil:
		u.stored(head.Punch, lane.save)
	case head.Ambiguous && !lane.absent || lane.refused != nil:
		lane.busy = true
		if lane.question == nil {
			lane.question = u.api.Question(head.Punch)
		}
		question, kept := lane.question, lane.question.Kept()
		u.ask(answer{kind: asked, Undelivered: head}, func(a *answer) {
			a.found, a.err = question.Ask(ctx)
			a.further = question.Kept() > kept
		})
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
		u.ask(answer{kind: posted, Undelivered: head}, func(a *answer) { a.shape, a.err = u.api.Post(ctx, a.Punch) })
	}
}

// flight is a request that is under way.
type flight struct {
	kind  kind
	began time.Time
}

// ask makes a request in a goroutine of its own.
func (u *Uplink) ask(a answer, request func(*answer)) {
	a.flight = &flight{a.kind, time.Now()}
	u.flights[a.flight] = true
	go func() {
		request(&a)
		u.answers <- a
	}()
}

// checkToken ends the pause of a refused token once the token file changed.
func (u *Uplink) checkToken() {
	refused := cmp.Or(u.token, u.bar)
	if refused == "" {
		return
	}
	if token, err := u.api.Token(); err != nil || token == refused {
		if time.Until(u.pause.until) <= 0 {
			u.token = "" // it is tried again
		}
		return
	}
	u.log.Info("new token found: trying again")
	u.token, u.bar, u.pause, u.probe = "", "", pause{}, true
	u.barred.end()
	for _, lane := range u.lanes {
		if !lane.ambiguous { // those go on settling
			lane.pause = pause{}
		}
	}
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

// open says that nothing is in everybody's way any more, as far as an answer can tell.
func (u *Uplink) open() {
	u.way = clearly
	if u.token != "" || u.bar != "" || u.refused.everyone() {
		return
	}
	if !u.pause.hard || time.Until(u.pause.until) <= 0 {
		u.pause = pause{}
	}
	if time.Until(u.pause.until) > 0 {
		return
	}
	u.note(func(s *Status) { s.Problem, s.Token = "", false })
}

// closed notes what is in everybody's way. It is logged when it is new, not at each try.
func (u *Uplink) closed(problem string, token bool) {
	u.note(func(s *Status) {
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
