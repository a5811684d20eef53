package uplink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

var _ device.Elsewhere = (*Uplink)(nil)

// Knowledge is what Zeitstrom said of the employees: what they did last, whether it has what this
// clock booked, and for whom it does not say. Its methods may be called from any goroutine.
type Knowledge struct {
	api    API
	watch  bool // ask about employees after their bookings have arrived: they may be deleted soon
	log    *slog.Logger
	asking chan struct{} // a place for each tap's question
	found  chan struct{} // a question has found something out
	// reached is told of each request whether it got an answer of the API's own.
	reached func(own bool)

	mu        sync.Mutex
	trust     bool                            // taps may ask: a ping was answered since a question at the door failed
	barred    map[device.EmployeeID]time.Time // for whom the token may not read timespans, and when that was found
	mayNotAsk bool                            // it was found, and nothing since says otherwise
	people    map[device.EmployeeID]*person
	watched   map[device.EmployeeID]bool // whose booking arrived a moment ago
	missed    []device.Punch             // taken for delivered, and not there
	silent    int                        // questions at the door in a row that were not answered in time
	why       string                     // the last of them was not
	noMonths  time.Time                  // when it was found that the token may not read workmonths; zero: it was not
}

func newKnowledge(api API, watch bool, log *slog.Logger, reached func(bool)) *Knowledge {
	return &Knowledge{
		api: api, watch: watch, log: log, reached: reached,
		asking: make(chan struct{}, questions), found: make(chan struct{}, 1),
		barred: map[device.EmployeeID]time.Time{}, people: map[device.EmployeeID]*person{},
		watched: map[device.EmployeeID]bool{},
	}
}

// tell adds to a status what is known.
func (k *Knowledge) tell(s *Status) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s.MayNotAsk, s.Silent, s.SilentReason = k.mayNotAsk, k.silent, k.why
	s.Asks, s.Skews = k.trust && len(k.barred) < sameBar, k.skews()
}

// Reasons for not asking, or for not believing the answer.
var (
	errOffline   = fmt.Errorf("%w: no way to Zeitstrom", device.ErrNotAsked)
	errMayNotAsk = errors.New("the token may not read timespans")
	errBusy      = errors.New("earlier questions are not answered yet")
	errLags      = errors.New("the answer lacks what was booked here a moment ago")
)

// lookAfter says when, after a booking has arrived, Zeitstrom is asked about the employee:
// only so can a booking that is deleted soon be told from one that is not there yet.
var lookAfter = []time.Duration{5 * time.Second, 35 * time.Second, 65 * time.Second, 2 * time.Minute, 4 * time.Minute}

// Skew is an employee with a booking that is further ahead of this clock than is believed.
type Skew struct {
	Employee device.EmployeeID
	At       time.Time     // of the booking
	Ahead    time.Duration // of this clock, when it was seen
}

// spansBack is from when on the spans of an employee are kept: those of a day, of the day before, and of a
// shift that began the day before that.
const spansBack = 72 * time.Hour

// person returns what is known of an employee. The lock must be held.
func (k *Knowledge) person(e device.EmployeeID) *person {
	p := k.people[e]
	if p == nil {
		p = &person{}
		k.people[e] = p
	}
	return p
}

// learn asks what an employee did last, and takes from the answer all that it says.
func (k *Knowledge) learn(ctx context.Context, e device.EmployeeID, before time.Time) (last, error) {
	asked := time.Now()
	record, err := k.api.Record(ctx, e, before)
	var problem *zeitstrom.Error
	own := err == nil || errors.As(err, &problem) && problem.Own()
	if !errors.Is(err, context.Canceled) {
		k.reached(own)
	}
	k.sees(e, err)
	if err != nil {
		return last{}, err
	}
	l := last{asked: asked}
	l.Intent, l.At = record.Latest()
	l.Spans, l.Asked = record.Spans(before.Add(-spansBack)), before
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.person(e)
	if asked.After(p.heard.asked) {
		p.heard = l
	}
	p.compare(record, asked)
	if missed := p.judge(record, asked); len(missed) > 0 {
		k.missed = append(k.missed, missed...)
		k.signal()
	}
	p.skew = Skew{}
	if at := record.Ahead(); !at.IsZero() {
		p.skew = Skew{e, at, at.Sub(before)}
	}
	return l, nil
}

// Refresh asks what an employee did last, after a correction or for a roll-call: it
// counts at the door, while there is no answer, until they book again.
func (k *Knowledge) Refresh(ctx context.Context, e device.EmployeeID) (device.Intent, time.Time, error) {
	l, err := k.learn(ctx, e, time.Now())
	k.mu.Lock()
	defer k.mu.Unlock()
	switch p := k.person(e); {
	case err != nil:
		p.known = last{} // it may be older than what was changed just now
	case l.asked.After(p.known.asked):
		p.known = l
	}
	return l.Intent, l.At, err
}

// Corrected says that somebody changed an employee's hours through this clock: what
// Zeitstrom says counts from now on, though it lacks what was booked here.
func (k *Knowledge) Corrected(e device.EmployeeID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.person(e)
	p.gone, p.credited = true, nil
}

// forget forgets what was learned of an employee: they have booked since.
func (k *Knowledge) forget(e device.EmployeeID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.person(e)
	*p = person{credited: p.credited, skew: p.skew, heard: p.heard}
}

// expect notes that a booking of this clock is at Zeitstrom: answers have it from now on.
func (k *Knowledge) expect(punch device.Punch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.person(punch.Employee)
	*p = person{newest: punch, arrived: time.Now(), credited: p.credited, skew: p.skew, heard: p.heard}
	if k.watch && (time.Since(punch.Time) < replicas || len(p.credited) > 0) {
		p.next = p.arrived.Add(lookAfter[0])
		k.watched[punch.Employee] = true
	}
}

// credit notes a booking that counts as delivered only for the look of the answer.
func (k *Knowledge) credit(punch device.Punch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.person(punch.Employee)
	p.credited = append(p.credited[max(0, len(p.credited)-mostCredits+1):], credit{punch, time.Now()})
}

// nextLook returns an employee whose booking arrived a moment ago and who is to be asked about now;
// or, if there is none, when the next one is.
func (k *Knowledge) nextLook(now time.Time) (e device.EmployeeID, wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	wait = longest
	for e := range k.watched {
		p := k.people[e]
		if p.next.IsZero() || k.barredFrom(e) || now.Sub(p.newest.Time) >= replicas && len(p.credited) == 0 {
			p.next = time.Time{}
			delete(k.watched, e)
			continue
		}
		if left := p.next.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		p.next = time.Time{}
		if p.looks++; p.looks < len(lookAfter) {
			p.next = p.arrived.Add(lookAfter[p.looks])
		}
		return e, 0
	}
	return "", wait
}

// Remembered implements device.Elsewhere.
func (k *Knowledge) Remembered(e device.EmployeeID, mine device.Punch) (known device.Known, counts bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.person(e)
	return p.known.Known, p.known.asked.After(mine.Time) && !p.lags(p.known, mine)
}

// Heard implements device.Elsewhere.
func (k *Knowledge) Heard(e device.EmployeeID) device.Known {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.person(e).heard.Known
}

// Month implements device.Elsewhere. A token that may not read workmonths is not asked again for an hour.
func (k *Knowledge) Month(ctx context.Context, e device.EmployeeID, day time.Time) (device.Month, error) {
	k.mu.Lock()
	barred := !k.noMonths.IsZero() && time.Since(k.noMonths) < monthsAgain
	k.mu.Unlock()
	if barred {
		return device.Month{}, errNoMonths
	}
	m, err := k.api.Month(ctx, e, day.Year(), day.Month())
	var problem *zeitstrom.Error
	if errors.As(err, &problem) && (problem.Kind == zeitstrom.Forbidden || problem.Status == http.StatusNotFound) {
		k.mu.Lock()
		k.noMonths = time.Now()
		k.mu.Unlock()
	}
	return m, err
}

// monthsAgain is how long a token that may not read workmonths is not asked for them.
const monthsAgain = time.Hour

var errNoMonths = errors.New("the token may not read workmonths")

// Latest implements device.Elsewhere. A question that is not answered in time is
// not broken off: that would close the connection that the next one needs.
func (k *Knowledge) Latest(
	ctx context.Context, e device.EmployeeID, mine device.Punch, before time.Time,
) (device.Known, error) {
	if err := k.mayAsk(e, mine); err != nil {
		return device.Known{}, err
	}
	select {
	case k.asking <- struct{}{}:
	default:
		return device.Known{}, errBusy
	}
	type result struct {
		last
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-k.asking }()
		l, err := k.learn(context.WithoutCancel(ctx), e, before)
		var problem *zeitstrom.Error
		if err != nil && !(errors.As(err, &problem) && problem.Own()) {
			k.setTrust(false)
			k.signal()
		}
		done <- result{l, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		r.err = fmt.Errorf("it took too long: %w", ctx.Err())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if r.err == nil && k.person(e).lags(r.last, mine) {
		r.err = errLags
	}
	if k.silent, k.why = k.silent+1, ""; r.err == nil || errors.Is(r.err, errLags) {
		k.silent = 0
	} else {
		k.why = r.err.Error()
	}
	return r.Known, r.err
}

// mayAsk says why no tap may ask about an employee.
func (k *Knowledge) mayAsk(e device.EmployeeID, mine device.Punch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case !k.trust:
		return errOffline
	case k.barredFrom(e):
		return errMayNotAsk
	}
	if p := k.person(e); p.newest.ID != mine.ID && mine.ID != 0 { // it was delivered before the program was started
		p.newest, p.arrived, p.seen, p.missing = mine, time.Time{}, false, time.Time{}
	}
	return nil
}

// setTrust says whether taps may ask.
func (k *Knowledge) setTrust(yes bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trust = yes
}

// signal tells Run that a question has found something out.
func (k *Knowledge) signal() {
	select {
	case k.found <- struct{}{}:
	default:
	}
}

// findings returns the punches that were wrongly taken for delivered, and whether somebody is to
// be pinged: a question at the door got no answer of the API's own.
func (k *Knowledge) findings() (missed []device.Punch, ping bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	missed, k.missed = k.missed, nil
	return missed, !k.trust
}

// missedStill keeps one that could not be taken back, until later.
func (k *Knowledge) missedStill(p device.Punch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.missed = append(k.missed, p)
	time.AfterFunc(storePause, k.signal)
}

// sees notes what a question says about the token: whether it may read timespans.
func (k *Knowledge) sees(e device.EmployeeID, err error) {
	var problem *zeitstrom.Error
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		clear(k.barred)
		k.mayNotAsk = false
	case errors.As(err, &problem) && (problem.Kind == zeitstrom.Forbidden || problem.Kind == zeitstrom.Unauthorized):
		k.barred[e] = time.Now()
		if !k.mayNotAsk {
			k.log.Warn("the token may not read timespans: bookings that were sent and not clearly answered wait " +
				"for a person, whether an answer means success cannot be checked, and other doors and the app are " +
				"not asked about")
		}
		k.mayNotAsk = true
	}
}

// mayNotAskAbout is barredFrom for whoever does not hold the lock.
func (k *Knowledge) mayNotAskAbout(e device.EmployeeID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.barredFrom(e)
}

// barredFrom reports whether the token was found a short while ago not to read an employee's
// timespans, or those of two, which is everybody's. The lock must be held.
func (k *Knowledge) barredFrom(e device.EmployeeID) bool {
	if len(k.barred) >= sameBar {
		for _, at := range k.barred {
			if time.Since(at) < longest {
				return true
			}
		}
	}
	at, barred := k.barred[e]
	return barred && time.Since(at) < longest
}

// skews lists the bookings that are still ahead. The lock must be held.
func (k *Knowledge) skews() (all []Skew) {
	for _, p := range k.people {
		if p.skew.At.After(time.Now()) {
			all = append(all, p.skew)
		}
	}
	slices.SortFunc(all, func(a, b Skew) int { return cmp.Compare(a.Employee, b.Employee) })
	return all
}
