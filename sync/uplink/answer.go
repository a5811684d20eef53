package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// flight is a request that is under way.
type flight struct {
	began time.Time
	ping  bool
	// act acts on its answer, in Run's goroutine. Of one that failed err has more; it is
	// context.Canceled if the daemon stops before there is one.
	act func(err error)
	err error
}

// fly makes a request in a goroutine of its own.
func (u *Uplink) fly(f *flight, request func() error) {
	f.began = time.Now()
	u.flights[f] = true
	go func() {
		f.err = request()
		u.landed <- f
	}()
}

// answered acts on an answer: it counts what failed, notes whether it was the API that answered,
// and leaves the rest to whoever has asked.
func (u *Uplink) answered(f *flight) {
	delete(u.flights, f)
	if f.err == nil || errors.Is(f.err, context.Canceled) {
		f.act(f.err)
		return
	}
	e := asError(f.err)
	u.note(func(s *Status) { s.Errors[e.Kind]++ })
	u.reached(e.Own())
	if e.Own() {
		u.contact = time.Now()
	}
	f.act(e)
}

// asError is an error of the API's client; what else failed kept the request from arriving.
func asError(err error) *zeitstrom.Error {
	var e *zeitstrom.Error
	if !errors.As(err, &e) {
		e = &zeitstrom.Error{Kind: zeitstrom.Unreachable, Cause: err}
	}
	return e
}

// spoke notes that the API has answered as was hoped.
func (u *Uplink) spoke() {
	u.reached(true)
	u.contact = time.Now()
}

// everybodys acts on an error that is everybody's trouble, whoever's request it was, and reports
// whether it is one. Reads says that the request only asked.
func (u *Uplink) everybodys(e *zeitstrom.Error, reads bool) bool {
	switch {
	case e.Kind == zeitstrom.NoToken, e.Kind == zeitstrom.Unauthorized && !reads:
		u.badToken(e)
	case e.Kind == zeitstrom.Throttled, e.RetryAfter > 0:
		u.throttled(e)
	case e.Kind == zeitstrom.Unreachable && !e.Sent:
		u.disconnected(e)
	default:
		return false
	}
	return true
}

// posted acts on the answer to a punch that was sent.
func (u *Uplink) posted(h device.Undelivered, shape zeitstrom.Shape, err error) {
	l := u.lanes[h.Employee]
	l.step, l.problem = send, ""
	switch {
	case err == nil && shape != "":
		u.looksLikeSuccess(h, l, shape)
		return
	case err == nil:
		u.spoke()
		u.accepted()
		u.delivered(h.Punch)
		u.open()
		return
	case errors.Is(err, context.Canceled): // the daemon stops before the answer
		u.markAmbiguous(h.Punch)
		return
	}
	e := asError(err)
	throttled := e.Kind == zeitstrom.Throttled || e.RetryAfter > 0
	switch {
	case e.Kind == zeitstrom.NoToken, e.Kind == zeitstrom.Unauthorized:
	case throttled && e.Ambiguous():
		u.isAmbiguous(h, l, e)
	case throttled:
		l.failures++ // others are tried before it
	case e.Kind == zeitstrom.Unreachable && !e.Sent:
		l.fails(e.Error(), 0)
	}
	switch {
	case u.everybodys(e, false):
	case e.Kind == zeitstrom.Refused:
		u.isRefused(h, l, e)
	case e.Kind == zeitstrom.Forbidden:
		u.isBarred(h, l, e)
	case e.Kind == zeitstrom.Incomparable:
		l.incomparable(e)
	default: // it may be about this request or about everything: a ping is to tell
		if u.way == clearly {
			u.way = suspect
		}
		u.heads = nil // they do not know yet
		if e.Ambiguous() {
			u.isAmbiguous(h, l, e)
		} else {
			l.fails(e.Error(), 0)
		}
	}
}

func (l *lane) incomparable(e *zeitstrom.Error) {
	l.problem = fmt.Sprintf("whether it arrived cannot be known: %v", e)
	l.wait(longest)
}

// asked acts on the answer whether Zeitstrom has a punch. Further says that more is known than
// before, though not all.
func (u *Uplink) asked(h device.Undelivered, found, further bool, err error) {
	l := u.lanes[h.Employee]
	l.step, l.problem = ask, ""
	switch {
	case err == nil:
		u.spoke()
		u.sees(h.Employee, nil)
		u.isKnown(h, l, found)
		u.open()
		return
	case errors.Is(err, context.Canceled):
		return
	}
	e := asError(err)
	switch {
	case e.Kind == zeitstrom.NoToken:
	case e.Kind == zeitstrom.Throttled, e.RetryAfter > 0:
		l.failures++
	case e.Kind == zeitstrom.Unreachable && !e.Sent:
		l.fails(e.Error(), 0)
	}
	switch {
	case u.everybodys(e, true):
	case e.Kind == zeitstrom.Refused:
		u.questionRefused(h, l, e)
	case e.Kind == zeitstrom.Forbidden, e.Kind == zeitstrom.Unauthorized:
		u.questionBarred(h, l, e)
	case e.Kind == zeitstrom.Incomparable:
		l.incomparable(e)
	default: // a question can do no harm, and is asked again
		u.heads = nil
		if further {
			l.pause = pause{}
		}
		l.fails(e.Error(), 0)
	}
}

// looked acts on the answer to a question about an employee, not about one of their next punches.
func (u *Uplink) looked(who device.EmployeeID, err error) {
	switch {
	case err == nil:
		u.spoke()
		u.open()
	case errors.Is(err, context.Canceled):
	case !u.everybodys(asError(err), true):
		u.sees(who, err)
	}
}

// isKnown acts on an answer whether Zeitstrom has a punch.
func (u *Uplink) isKnown(h device.Undelivered, l *lane, found bool) {
	switch {
	case found:
		u.log.Info("punch found at Zeitstrom", "punch", h.ID)
		if l.unproven != nil {
			u.proven(l.unproven)
		}
		u.delivered(h.Punch)
	case l.refused != nil:
		u.quarantine(h.Punch, l, l.refused.Words())
	case l.unproven != nil && l.unproven.denied():
		l.unproven = nil
		l.sends()
	case l.unproven != nil:
		l.question = nil
		l.fails("Zeitstrom's answer looked like success, and the booking is not there", 0)
	default:
		l.sends()
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
func (u *Uplink) isRefused(h device.Undelivered, l *lane, e *zeitstrom.Error) {
	u.open()
	if h.Ambiguous || len(e.Fields) == 0 {
		l.refused = e
		l.asks()
		return
	}
	u.quarantine(h.Punch, l, e.Words())
}

// questionRefused acts on a refusal of the question itself.
func (u *Uplink) questionRefused(h device.Undelivered, l *lane, e *zeitstrom.Error) {
	u.open()
	if l.refused != nil && !h.Ambiguous {
		u.quarantine(h.Punch, l, l.refused.Words())
		return
	}
	u.log.Warn("Zeitstrom refuses to say whether it has a booking; asking again later", "punch", h.ID, "words",
		e.Words())
	l.fails(fmt.Sprintf("Zeitstrom refuses to say whether it has the booking: %s", e.Words()), 0)
	l.hard = true
}

// quarantine takes a refused punch out, unless everybody is refused alike. It is the
// punch's own fault if others were accepted since it was first refused.
func (u *Uplink) quarantine(p device.Punch, l *lane, words string) {
	l.refused, l.step = nil, send
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
	u.closed(fmt.Sprintf("Zeitstrom refuses one employee after the other with the same words, so the fault is not "+
		"theirs; nothing is put into quarantine: %s", words), false)
}

// isBarred acts on a 403 to a post: the token may not post, or not for this employee. It
// is the employee's alone if others are accepted.
func (u *Uplink) isBarred(h device.Undelivered, l *lane, e *zeitstrom.Error) {
	l.fails(e.Error(), 0)
	l.wait(tokenPause)
	u.heads = nil
	u.barred.add(h.Employee, "")
	if !u.barred.everyone() && u.othersWait(h.Employee) {
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

// questionBarred acts on a token that may not read timespans, or is not taken for that: what was refused
// or looked like success counts as that, and what is ambiguous waits for a person.
func (u *Uplink) questionBarred(h device.Undelivered, l *lane, e *zeitstrom.Error) {
	u.sees(h.Employee, e)
	switch {
	case l.refused != nil && !h.Ambiguous:
		u.quarantine(h.Punch, l, l.refused.Words())
	case l.unproven != nil: // nobody can tell
		u.accepted()
		u.delivered(h.Punch)
	default:
		l.problem = fmt.Sprintf("whether it arrived is not known: %v", e)
		l.wait(longest)
	}
	u.open()
}

// isAmbiguous notes that a punch was sent and not clearly answered: it may still land.
func (u *Uplink) isAmbiguous(h device.Undelivered, l *lane, e *zeitstrom.Error) {
	u.markAmbiguous(h.Punch)
	l.step, l.ambiguous, l.question, l.problem = ask, true, nil, e.Error()
	l.failures++
	l.wait(max(u.settle, e.RetryAfter))
}

// markAmbiguous tells the queue that a punch is ambiguous. Attempt has put on disk what is needed after
// a crash, so nothing is lost if it cannot take that in.
func (u *Uplink) markAmbiguous(p device.Punch) {
	if err := u.queue.MarkAmbiguous(p); err != nil {
		u.log.Error("not noted that a punch is ambiguous", "punch", p.ID, "error", err)
	}
}

// stored ends a delivery. An outcome that cannot be stored is kept and tried
// again by itself: sending the punch once more would book it twice.
func (u *Uplink) stored(p device.Punch, outcome func() error) {
	l := u.lanes[p.Employee]
	err := outcome()
	if err == nil || errors.Is(err, device.ErrNotPending) { // a person may have decided about it in the meantime
		delete(u.lanes, p.Employee)
		return
	}
	if l.outcome == nil {
		u.log.Error("outcome of a delivery not stored, trying again", "punch", p.ID, "error", err)
	}
	l.step, l.outcome = save, outcome
	l.wait(storePause)
}
