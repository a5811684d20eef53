package uplink

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// answer is what came of a request.
type answer struct {
	device.Undelivered
	kind    kind
	flight  *flight
	found   bool
	further bool            // the question was not answered, but more is known than before
	shape   zeitstrom.Shape // of an answer that does not prove itself
	err     error
}

type kind uint8

const (
	pinged      kind = iota
	posted           // the punch was sent
	asked            // whether Zeitstrom has the punch
	holderAsked      // whether Zeitstrom has a quarantined check-in
	looked           // what an employee did last
)

// answered acts on an answer.
func (u *Uplink) answered(a answer) {
	delete(u.flights, a.flight)
	lane := u.lanes[a.Employee]
	switch a.kind {
	case pinged:
		u.pinging = false
	case posted, asked:
		lane.busy, lane.problem = false, ""
	}
	if errors.Is(a.err, context.Canceled) {
		if a.kind == posted { // the daemon stops before the answer
			u.doubted(a.Punch)
		}
		return
	}
	var e *zeitstrom.Error
	switch {
	case a.err == nil:
		u.clear(a, lane)
		return
	case !errors.As(a.err, &e):
		e = &zeitstrom.Error{Kind: zeitstrom.Unreachable, Cause: a.err}
	}
	u.note(func(s *Status) { s.Errors[e.Kind]++ })
	u.reached(e.Own())
	if e.Own() {
		u.contact = time.Now()
	}
	if a.kind == pinged {
		u.verdict(e)
		return
	}
	reads := a.kind != posted
	switch {
	case e.Kind == zeitstrom.NoToken, e.Kind == zeitstrom.Unauthorized && !reads:
		u.badToken(e)
	case e.Kind == zeitstrom.Throttled, e.RetryAfter > 0:
		u.throttled(a, lane, e)
	case e.Kind == zeitstrom.Unreachable && !e.Sent:
		u.disconnected(a, lane, e)
	case a.kind == looked || a.kind == holderAsked:
		u.sees(a.Employee, e)
	case e.Kind == zeitstrom.Refused:
		u.isRefused(a, lane, e)
	case e.Kind == zeitstrom.Forbidden && !reads:
		u.isBarred(a, lane, e)
	case e.Kind == zeitstrom.Forbidden, e.Kind == zeitstrom.Unauthorized:
		u.isBlind(a, lane, e)
	case e.Kind == zeitstrom.Incomparable:
		lane.problem = "whether it arrived cannot be known: " + e.Error()
		lane.wait(longest)
	default:
		u.unclear(a, lane, e)
	}
}

// clear acts on a request that succeeded.
func (u *Uplink) clear(a answer, l *lane) {
	if a.kind == posted && a.shape != "" {
		u.looksLikeSuccess(a, l)
		return
	}
	u.reached(true)
	u.contact = time.Now()
	switch {
	case a.kind == pinged:
		u.setTrust(true)
	case a.kind == posted:
		u.accepted()
		u.delivered(a.Punch)
	case a.kind == asked:
		u.sees(a.Employee, nil)
		u.isKnown(a, l)
	case a.kind == holderAsked && a.found:
		u.log.Info("quarantined check-in found at Zeitstrom: its check-out goes on", "punch", a.ID)
		if err := u.queue.Deliver(a.Punch); err != nil {
			u.log.Error("check-out not released", "punch", a.ID, "error", err)
		}
	}
	u.open()
}

// isKnown acts on an answer whether Zeitstrom has a punch.
func (u *Uplink) isKnown(a answer, l *lane) {
	switch {
	case a.found:
		u.log.Info("punch found at Zeitstrom", "punch", a.ID)
		if l.unproven != nil {
			u.proven(l.unproven)
		}
		u.delivered(a.Punch)
	case l.refused != nil:
		u.quarantine(a.Punch, l, l.refused.Words())
	case l.unproven != nil:
		l.absent = l.unproven.denied()
		if l.question = nil; l.absent {
			l.unproven, l.pause = nil, pause{}
			return
		}
		l.fails("Zeitstrom's answer looked like success, and the booking is not there", 0)
	default:
		l.absent, l.pause, l.problem = true, pause{}, ""
	}
}

// delivered ends a delivery: Zeitstrom has the punch.
func (u *Uplink) delivered(p device.Punch) {
	u.expect(p)
	u.stored(p, func() error { return u.queue.Deliver(p) })
}

// accepted ends what was taken for everybody's trouble: somebody was accepted.
func (u *Uplink) accepted() {
	u.deliveries++
	u.bar = ""
	u.refused.end()
	u.barred.end()
}

// isRefused acts on a 400 or 422 of the API. If the words are not about one of the
// punch's fields, or the punch may have arrived before, Zeitstrom is asked first:
// "already checked in" may speak of this very punch.
func (u *Uplink) isRefused(a answer, l *lane, e *zeitstrom.Error) {
	u.open()
	switch {
	case a.kind == asked && l.refused != nil && !a.Ambiguous: // not even the question is taken
		u.quarantine(a.Punch, l, l.refused.Words())
	case a.kind == asked:
		u.log.Warn("Zeitstrom refuses to say whether it has a booking; asking again later", "punch", a.ID, "words", e.Words())
		l.fails("Zeitstrom refuses to say whether it has the booking: "+e.Words(), 0)
		l.hard = true
	case a.Ambiguous || len(e.Fields) == 0:
		l.refused, l.pause, l.question = e, pause{}, nil
	default:
		u.quarantine(a.Punch, l, e.Words())
	}
}

// quarantine takes a refused punch out, unless everybody is refused alike. It is the
// punch's own fault if others were accepted since it was first refused.
func (u *Uplink) quarantine(p device.Punch, l *lane, words string) {
	l.refused = nil
	own := l.refusedAfter >= 0 && l.refusedAfter < u.deliveries
	if !own {
		l.refusedAfter = u.deliveries
		u.refused.add(p.Employee, words)
	}
	if own || !u.refused.everyone() {
		u.log.Warn("punch refused: in quarantine", "punch", p.ID, "employee", p.Employee, "words", words)
		if !own {
			u.refused.punches = append(u.refused.punches, p.ID)
		}
		u.stored(p, func() error { return u.queue.Quarantine(p, words) })
		return
	}
	for _, id := range u.refused.release() {
		if err := u.queue.Retry("", id); err != nil {
			u.log.Error("punch not taken back from quarantine", "punch", id, "error", err)
		}
	}
	l.failures++
	u.refused.wait(longest)
	u.closed("Zeitstrom refuses one employee after the other with the same words, so the fault is not theirs; "+
		"nothing is put into quarantine: "+words, false)
}

// isBarred acts on a 403 to a post: the token may not post, or not for this employee. It
// is the employee's alone if others are accepted.
func (u *Uplink) isBarred(a answer, l *lane, e *zeitstrom.Error) {
	l.fails(e.Error(), 0)
	l.wait(tokenPause)
	u.heads = nil
	u.barred.add(a.Employee, "")
	if !u.barred.everyone() && u.othersWait(a.Employee) {
		return
	}
	u.barred.wait(tokenPause)
	u.bar = u.currentToken()
	u.closed(e.Error(), true)
}

// othersWait reports whether anybody else's punch is there to try.
func (u *Uplink) othersWait(e device.EmployeeID) bool {
	for _, h := range u.queue.Heads() {
		if h.Employee != e {
			return true
		}
	}
	return false
}

// isBlind acts on a token that may not read timespans, or is not taken for that: what was refused or looked like
// success counts as that, and what is ambiguous waits for a person.
func (u *Uplink) isBlind(a answer, l *lane, e *zeitstrom.Error) {
	u.sees(a.Employee, e)
	switch {
	case l.refused != nil && !a.Ambiguous:
		u.quarantine(a.Punch, l, l.refused.Words())
	case l.unproven != nil: // nobody can tell
		u.accepted()
		u.delivered(a.Punch)
	default:
		l.problem = "whether it arrived is not known: " + e.Error()
		l.wait(longest)
	}
	u.open()
}

// badToken pauses everything until the token file changes.
func (u *Uplink) badToken(e *zeitstrom.Error) {
	u.token = u.currentToken()
	u.pause.wait(tokenPause)
	u.closed(e.Error(), true)
}

// currentToken is the token that there is now, "none" if there is none.
func (u *Uplink) currentToken() string {
	token, _ := u.api.Token()
	return cmp.Or(token, "none")
}

// throttled pauses everything for as long as the server asks.
func (u *Uplink) throttled(a answer, l *lane, e *zeitstrom.Error) {
	switch {
	case a.kind == posted && e.Ambiguous():
		u.doubt(a, l, e)
	case a.kind == posted || a.kind == asked:
		l.failures++ // others are tried before it
	}
	u.pause.fail(e.RetryAfter)
	u.pause.hard = true
	u.heads = nil
	u.closed(e.Error(), false)
}

// disconnected pauses everything: nothing was sent, so it is nobody's own.
func (u *Uplink) disconnected(a answer, l *lane, e *zeitstrom.Error) {
	u.way = suspect
	u.heads = nil
	if a.kind == posted || a.kind == asked {
		l.fails(e.Error(), 0)
	}
	if time.Until(u.pause.until) <= 0 { // several may fail of one outage
		u.pause.fail(0)
	}
	u.closed(e.Error(), false)
}

// unclear acts on an error that may be about this request or about everything. If it was a
// post, a ping is to tell; a question can do no harm, and is asked again.
func (u *Uplink) unclear(a answer, l *lane, e *zeitstrom.Error) {
	if u.way == clearly && a.kind == posted {
		u.way = suspect
	}
	u.heads = nil // they do not know yet
	if a.kind == posted && e.Ambiguous() {
		u.doubt(a, l, e)
		return
	}
	if a.further {
		l.pause = pause{}
	}
	l.fails(e.Error(), 0)
}

// doubt notes that a punch was sent and not clearly answered: it may still land.
func (u *Uplink) doubt(a answer, l *lane, e *zeitstrom.Error) {
	u.doubted(a.Punch)
	l.ambiguous, l.absent, l.question, l.problem = true, false, nil, e.Error()
	l.failures++
	l.wait(max(u.settle, e.RetryAfter))
}

// doubted tells the queue that a punch is ambiguous. Attempt has put on disk what is needed after
// a crash, so nothing is lost if it cannot take that in.
func (u *Uplink) doubted(p device.Punch) {
	if err := u.queue.Doubt(p); err != nil {
		u.log.Error("not noted that a punch is ambiguous", "punch", p.ID, "error", err)
	}
}

// verdict acts on a ping that failed: it tells whether what failed before is everybody's
// trouble.
func (u *Uplink) verdict(e *zeitstrom.Error) {
	switch {
	case e.Kind == zeitstrom.Unauthorized, e.Kind == zeitstrom.NoToken:
		u.badToken(e)
		return
	case e.Kind == zeitstrom.Throttled, e.RetryAfter > 0:
		u.throttled(answer{}, nil, e)
		return
	case e.Own():
		u.setTrust(true)
		u.open()
		return
	}
	// Somebody may answer who takes no such question, as a server that stands in for the API.
	u.way = down
	answers := e.Status >= http.StatusBadRequest && e.Status < http.StatusInternalServerError
	if answers || e.Kind == zeitstrom.Unreachable && e.Sent {
		u.way = odd
		u.setTrust(answers)
	} else {
		u.setTrust(false)
	}
	u.pause.fail(0)
	u.closed(e.Error(), false)
}

// stored ends a delivery. An outcome that cannot be stored is kept and tried
// again by itself: sending the punch once more would book it twice.
func (u *Uplink) stored(p device.Punch, save func() error) {
	l := u.lanes[p.Employee]
	err := save()
	if err == nil || errors.Is(err, device.ErrNotPending) { // a person may have decided about it in the meantime
		delete(u.lanes, p.Employee)
		return
	}
	if l.save == nil {
		u.log.Error("outcome of a delivery not stored, trying again", "punch", p.ID, "error", err)
	}
	l.save = save
	l.wait(storePause)
}
