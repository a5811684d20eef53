package uplink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

var _ device.Elsewhere = (*Uplink)(nil)

// Reasons for not asking, or for not believing the answer.
var (
	errOffline = fmt.Errorf("%w: no way to Zeitstrom", device.ErrNotAsked)
	errBlind   = errors.New("the token may not read timespans")
	errBusy    = errors.New("earlier questions are not answered yet")
	errLags    = errors.New("the answer lacks what was booked here a moment ago")
)

// Bounds of what is concluded from an answer that lacks a booking of this clock.
const (
	// replicas is how long Zeitstrom may take until it tells everywhere what it was told.
	replicas = 5 * time.Minute
	// twice is how far two answers must be apart that lack what an earlier one had.
	twice = 30 * time.Second
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

// person is what Zeitstrom said of an employee.
type person struct {
	known    knowledge    // what was asked for last, other than for a tap
	newest   device.Punch // of this clock, at Zeitstrom
	arrived  time.Time
	seen     bool      // an answer had it
	missing  time.Time // since when answers lack it; zero: they do not
	gone     bool      // it was deleted or changed: answers count though they lack it
	looks    int       // made since it arrived
	next     time.Time // when the next look is due; zero: none is
	credited []credit  // that count as delivered only for the look of the answer
	skew     Skew
}

// credit is a booking that counts as delivered only for the look of the answer.
type credit struct {
	device.Punch
	at time.Time
}

// mostCredits bounds what is remembered of one employee.
const mostCredits = 100

// knowledge is what Zeitstrom said that an employee did last.
type knowledge struct {
	intent device.Intent
	at     time.Time
	asked  time.Time
}

// person returns what is known of an employee. The lock must be held.
func (u *Uplink) person(e device.EmployeeID) *person {
	p := u.people[e]
	if p == nil {
		p = &person{}
		u.people[e] = p
	}
	return p
}

// learn asks what an employee did last, and takes from the answer all that it says.
func (u *Uplink) learn(ctx context.Context, e device.EmployeeID, before time.Time) (knowledge, error) {
	asked := time.Now()
	record, err := u.api.Record(ctx, e, before)
	var problem *zeitstrom.Error
	own := err == nil || errors.As(err, &problem) && problem.Own()
	if !errors.Is(err, context.Canceled) {
		u.reached(own)
	}
	u.sees(e, err)
	if err != nil {
		return knowledge{}, err
	}
	k := knowledge{asked: asked}
	k.intent, k.at = record.Latest()
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.person(e)
	p.compare(record, asked)
	if missed := p.judge(record, asked); len(missed) > 0 {
		u.missed = append(u.missed, missed...)
		u.signal()
	}
	p.skew = Skew{}
	if at := record.Ahead(); !at.IsZero() {
		p.skew = Skew{e, at, at.Sub(before)}
	}
	return k, nil
}

// judge takes away the credits about which an answer says something, and returns those that
// it lacks.
func (p *person) judge(record zeitstrom.Record, asked time.Time) (missed []device.Punch) {
	p.credited = slices.DeleteFunc(p.credited, func(c credit) bool {
		if asked.Before(c.at) {
			return false
		}
		if !record.Has(c.Punch) {
			missed = append(missed, c.Punch)
		}
		return true
	})
	return missed
}

// compare looks for the newest booking of this clock in an answer.
func (p *person) compare(record zeitstrom.Record, asked time.Time) {
	switch {
	case p.newest.ID == 0 || asked.Before(p.arrived):
	case record.Has(p.newest):
		p.seen, p.missing = true, time.Time{}
	case p.seen && p.missing.IsZero():
		p.missing = asked
		if next := asked.Add(twice); !p.next.IsZero() && p.next.After(next) {
			p.next = next
		}
	case p.seen && asked.Sub(p.missing) >= twice:
		p.gone = true
	}
}

// lags reports whether an answer has not caught up with what was booked here.
func (p *person) lags(k knowledge, last device.Punch) bool {
	return last.ID != 0 && !p.gone && k.at.Before(last.Time.Truncate(time.Second)) && k.asked.Sub(last.Time) < replicas
}

// Refresh asks what an employee did last, after a correction or for a roll-call: it
// counts at the door, while there is no answer, until they book again.
func (u *Uplink) Refresh(ctx context.Context, e device.EmployeeID) (device.Intent, time.Time, error) {
	k, err := u.learn(ctx, e, time.Now())
	u.mu.Lock()
	defer u.mu.Unlock()
	switch p := u.person(e); {
	case err != nil:
		p.known = knowledge{} // it may be older than what was changed just now
	case k.asked.After(p.known.asked):
		p.known = k
	}
	return k.intent, k.at, err
}

// Corrected says that somebody changed an employee's hours through this clock: what
// Zeitstrom says counts from now on, though it lacks what was booked here.
func (u *Uplink) Corrected(e device.EmployeeID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.person(e)
	p.gone, p.credited = true, nil
}

// forget forgets what was learned of an employee: they have booked since.
func (u *Uplink) forget(e device.EmployeeID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.person(e)
	*p = person{credited: p.credited, skew: p.skew}
}

// expect notes that a booking of this clock is at Zeitstrom: answers have it from now on.
func (u *Uplink) expect(punch device.Punch) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.person(punch.Employee)
	*p = person{newest: punch, arrived: time.Now(), credited: p.credited, skew: p.skew}
	if u.watch && (time.Since(punch.Time) < replicas || len(p.credited) > 0) {
		p.next = p.arrived.Add(lookAfter[0])
		u.watched[punch.Employee] = true
	}
}

// credit notes a booking that counts as delivered only for the look of the answer.
func (u *Uplink) credit(punch device.Punch) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.person(punch.Employee)
	p.credited = append(p.credited[max(0, len(p.credited)-mostCredits+1):], credit{punch, time.Now()})
}

// look asks about an employee whose booking arrived a moment ago, if one is due, and
// returns when the next one is.
func (u *Uplink) look(ctx context.Context, now time.Time) time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	wait := longest
	for e := range u.watched {
		p := u.people[e]
		if p.next.IsZero() || u.blindTo(e) || now.Sub(p.newest.Time) >= replicas && len(p.credited) == 0 {
			p.next = time.Time{}
			delete(u.watched, e)
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
		u.ask(answer{kind: looked, Undelivered: device.Undelivered{Punch: device.Punch{Employee: e}}}, func(a *answer) {
			_, _, a.err = u.Refresh(ctx, e)
		})
		return 0
	}
	return wait
}

// Remembered implements device.Elsewhere.
func (u *Uplink) Remembered(e device.EmployeeID, last device.Punch) (intent device.Intent, at time.Time, known bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.person(e)
	k := p.known
	return k.intent, k.at, k.asked.After(last.Time) && !p.lags(k, last)
}

// Latest implements device.Elsewhere. A question that is not answered in time is
// not broken off: that would close the connection that the next one needs.
func (u *Uplink) Latest(ctx context.Context, e device.EmployeeID, last device.Punch, before time.Time) (device.Intent, time.Time, error) {
	if err := u.mayAsk(e, last); err != nil {
		return "", time.Time{}, err
	}
	select {
	case u.asking <- struct{}{}:
	default:
		return "", time.Time{}, errBusy
	}
	type result struct {
		knowledge
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-u.asking }()
		k, err := u.learn(context.WithoutCancel(ctx), e, before)
		var problem *zeitstrom.Error
		if err != nil && !(errors.As(err, &problem) && problem.Own()) {
			u.setTrust(false)
			u.signal()
		}
		done <- result{k, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		r.err = fmt.Errorf("it took too long: %w", ctx.Err())
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if r.err == nil && u.person(e).lags(r.knowledge, last) {
		r.err = errLags
	}
	s := &u.status
	if s.Silent, s.Why = s.Silent+1, ""; r.err == nil || errors.Is(r.err, errLags) {
		s.Silent = 0
	} else {
		s.Why = r.err.Error()
	}
	return r.intent, r.at, r.err
}

// mayAsk says why no tap may ask about an employee.
func (u *Uplink) mayAsk(e device.EmployeeID, last device.Punch) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case !u.trust:
		return errOffline
	case u.blindTo(e):
		return errBlind
	}
	if p := u.person(e); p.newest.ID != last.ID && last.ID != 0 { // it was delivered before the program was started
		p.newest, p.arrived, p.seen, p.missing = last, time.Time{}, false, time.Time{}
	}
	return nil
}

// setTrust says whether taps may ask.
func (u *Uplink) setTrust(yes bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.trust = yes
}

// signal tells Run that a question has found something out.
func (u *Uplink) signal() {
	select {
	case u.found <- struct{}{}:
	default:
	}
}

// act does what questions have found out: whether somebody is to be pinged, and which
// punches were wrongly taken for delivered.
func (u *Uplink) act() {
	u.mu.Lock()
	missed := u.missed
	u.missed, u.probe = nil, u.probe || !u.trust
	u.mu.Unlock()
	for _, p := range missed {
		u.log.Warn("a booking was taken for delivered and is not at Zeitstrom: it is looked for again", "punch", p.ID)
		clear(u.shapes)
		if err := u.queue.Doubt(p); err != nil {
			u.log.Error("booking not taken back, trying again", "punch", p.ID, "error", err)
			u.mu.Lock()
			u.missed = append(u.missed, p)
			u.mu.Unlock()
			time.AfterFunc(storePause, u.signal)
		}
	}
	u.heads = nil
}

// sees notes what a question says about the token: whether it may read timespans.
func (u *Uplink) sees(e device.EmployeeID, err error) {
	var problem *zeitstrom.Error
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case err == nil:
		clear(u.blind)
		u.status.Blind = false
	case errors.As(err, &problem) && (problem.Kind == zeitstrom.Forbidden || problem.Kind == zeitstrom.Unauthorized):
		u.blind[e] = time.Now()
		if !u.status.Blind {
			u.log.Warn("the token may not read timespans: bookings that were sent and not clearly answered wait for a person, " +
				"whether an answer means success cannot be checked, and other doors and the app are not asked about")
		}
		u.status.Blind = true
	}
}

// blindTo reports whether the token was found a short while ago not to read an employee's
// timespans, or those of two, which is everybody's. The lock must be held.
func (u *Uplink) blindTo(e device.EmployeeID) bool {
	if len(u.blind) >= sameBar {
		for _, at := range u.blind {
			if time.Since(at) < longest {
				return true
			}
		}
	}
	at, blind := u.blind[e]
	return blind && time.Since(at) < longest
}

// skews lists the bookings that are still ahead. The lock must be held.
func (u *Uplink) skews() (all []Skew) {
	for _, p := range u.people {
		if p.skew.At.After(time.Now()) {
			all = append(all, p.skew)
		}
	}
	slices.SortFunc(all, func(a, b Skew) int { return cmp.Compare(a.Employee, b.Employee) })
	return all
}
