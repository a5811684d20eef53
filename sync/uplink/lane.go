package uplink

import (
	"math/rand/v2"
	"slices"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// pause is a time in which nothing is tried, growing with each failure.
type pause struct {
	failures int
	until    time.Time
	hard     bool // the server asked for it, something must settle or a person must act: a new punch does not end it
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

// wait is a pause of a known length.
func (p *pause) wait(d time.Duration) {
	p.hard, p.until = true, time.Now().Add(d)
}

// cutShort ends a pause that is not hard. The try that follows was asked for, so
// its failure does not make the next pause longer.
func (p *pause) cutShort() {
	if !p.hard && time.Until(p.until) > 0 {
		p.until = time.Time{}
		p.failures = max(0, p.failures-1)
	}
}

// step is what is done next about a punch, when its pause is over.
type step uint8

const (
	send step = iota // it is posted
	ask              // Zeitstrom is asked whether it has it
	save             // what is known of it is stored: the queue could not yet
	busy             // nothing: a request is under way
)

// lane is what is known of an employee's next punch.
type lane struct {
	pause
	punch     device.PunchID
	step      step
	ambiguous bool
	problem   string // what its last request failed of

	question *zeitstrom.Question // whether Zeitstrom has it, as far as it was answered
	refused  *zeitstrom.Error    // the refusal that asking is to settle
	unproven *unproven           // the answer that asking is to prove
	outcome  func() error        // that is to be saved

	refusedAfter int // how many deliveries there had been when it was first refused; -1: it was not
}

func newLane(h device.Undelivered) *lane {
	l := &lane{punch: h.ID, ambiguous: h.Ambiguous, refusedAfter: -1}
	if h.Ambiguous {
		l.step = ask
	}
	return l
}

// fails makes the lane's pause longer and notes why.
func (l *lane) fails(problem string, asked time.Duration) {
	l.problem = problem
	l.fail(asked)
}

// asks has Zeitstrom asked about the punch at once, from the beginning.
func (l *lane) asks() { l.step, l.question, l.pause = ask, nil, pause{} }

// sends has the punch sent at once.
func (l *lane) sends() { l.step, l.pause, l.problem = send, pause{}, "" }

// moves reports whether something is under way that the queue's state must not end.
func (l *lane) moves() bool { return l.step == busy || l.step == save }

// tidy makes the lanes those of the punches that are next now.
func (u *Uplink) tidy(heads []device.Undelivered) {
	for _, h := range heads {
		l := u.lanes[h.Employee]
		if l != nil && (l.moves() || l.punch == h.ID && l.ambiguous == h.Ambiguous) {
			continue
		}
		l = newLane(h)
		if h.Ambiguous { // since when is not known: after a restart, say
			l.wait(u.settle)
		}
		u.lanes[h.Employee] = l
	}
	for e, l := range u.lanes { // a person may have decided about what was in trouble
		if l.problem != "" && !l.moves() &&
			!slices.ContainsFunc(heads, func(h device.Undelivered) bool { return h.Employee == e }) {
			delete(u.lanes, e)
		}
	}
	if len(u.lanes) > 2*len(heads)+100 {
		for e, l := range u.lanes {
			if l.step != busy && time.Since(l.until) > longest {
				delete(u.lanes, e)
			}
		}
	}
}

// stuck says which punches wait though others' go on, and why.
func (u *Uplink) stuck() map[device.PunchID]string {
	var stuck map[device.PunchID]string
	for _, l := range u.lanes {
		if l.problem == "" {
			continue
		}
		if stuck == nil {
			stuck = map[device.PunchID]string{}
		}
		stuck[l.punch] = l.problem
	}
	return stuck
}

// due returns the punch to try next, or how long none is to be tried. Those
// that failed before come after those that did not, and do not take the last place.
func (u *Uplink) due(
	heads []device.Undelivered, now time.Time, last bool,
) (next device.Undelivered, wait time.Duration) {
	wait, fewest := longest, -1
	for _, h := range heads {
		lane := u.lanes[h.Employee]
		if lane == nil || lane.step == busy || lane.punch != h.ID && lane.step != save {
			continue
		}
		until := lane.until
		for _, s := range []*streak{&u.refused, &u.barred} {
			if s.holds(h.Employee) && s.until.After(until) {
				until = s.until
			}
		}
		if left := until.Sub(now); left > 0 {
			wait = min(wait, left)
		} else if fewest < 0 || lane.failures < fewest {
			next, fewest = h, lane.failures
		}
	}
	switch {
	case fewest < 0:
		return next, wait
	case fewest > 0 && last && len(u.flights) > 0:
		return next, min(wait, slow)
	}
	return next, 0
}
