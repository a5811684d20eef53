package uplink

import (
	"context"
	"errors"
	"fmt"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// answer is what came of a request.
type answer struct {
	device.Pending
	kind  kind
	found bool
	err   error
}

type kind uint8

const (
	pinged      kind = iota
	posted           // the punch was sent
	asked            // whether Zeitstrom has the punch
	holderAsked      // whether Zeitstrom has a quarantined check-in
)

// answered acts on an answer.
func (u *Uplink) answered(a answer) {
	u.flying--
	lane := u.lanes[a.Employee]
	if a.kind == posted || a.kind == asked {
		lane.busy = false
	}
	if errors.Is(a.err, context.Canceled) {
		if a.kind == posted { // the daemon stops before the answer
			u.queue.Doubt(a.Punch)
		}
		return
	}
	var e *zeitstrom.Error
	switch {
	case a.err == nil:
		u.reached()
		u.clear(a, lane)
		return
	case !errors.As(a.err, &e):
		e = &zeitstrom.Error{Kind: zeitstrom.Unreachable, Cause: a.err}
	}
	u.note(func(s *Status) { s.Errors[e.Kind]++ })
	switch e.Kind {
	case zeitstrom.Refused:
		u.reached()
		u.refused(a, lane, e)
	case zeitstrom.Forbidden:
		if a.kind == asked || a.kind == holderAsked {
			if e.Words() != "" { // in the API's own shape: it answers, and takes the token
				u.reached()
			}
			u.blind(a, lane)
			return
		}
		u.badToken(e, lane)
	case zeitstrom.Unauthorized, zeitstrom.NoToken:
		u.badToken(e, lane)
	case zeitstrom.Throttled:
		lane.comesLater()
		u.pause.fail(e.RetryAfter)
		u.pause.hard = true
		u.failed(e.Error(), false)
	default:
		u.unclear(a, lane, e)
	}
}

// clear acts on a request that succeeded.
func (u *Uplink) clear(a answer, l *lane) {
	deliver := func() error { return u.queue.Deliver(a.Punch) }
	switch {
	case a.kind == posted:
		u.streak.delivered()
		u.stored(a.Punch, deliver)
	case a.kind == asked && a.found:
		u.log.Info("punch found at Zeitstrom", "punch", a.ID)
		u.stored(a.Punch, deliver)
	case a.kind == asked && l.refused != nil:
		u.quarantine(a.Punch, l, l.refused.Words())
	case a.kind == asked:
		l.absent, l.pause = true, pause{}
	case a.kind == holderAsked && a.found:
		u.log.Info("quarantined check-in found at Zeitstrom: its check-out goes on", "punch", a.ID)
		if err := u.queue.Release(a.Punch); err != nil {
			u.log.Error("check-out not released", "punch", a.ID, "error", err)
		}
	}
	if a.kind == asked || a.kind == holderAsked {
		u.sees(true)
	}
}

// refused acts on a 400 or 422 of the API. If the words are not about one of the
// punch's fields, or the punch may have arrived before, Zeitstrom is asked first:
// "already checked in" may speak of this very punch.
func (u *Uplink) refused(a answer, l *lane, e *zeitstrom.Error) {
	switch {
	case a.kind == asked && l.refused != nil && !a.Ambiguous: // not even the question is taken
		u.quarantine(a.Punch, l, l.refused.Words())
		return
	case a.kind == asked:
		u.log.Warn("Zeitstrom refuses to say whether it has a booking; asking again later", "punch", a.ID, "words", e.Words())
		l.fail(0)
		l.hard = true
		return
	case a.kind != posted:
		return
	}
	if a.Ambiguous || len(e.Fields) == 0 {
		l.refused, l.pause = e, pause{}
		return
	}
	u.quarantine(a.Punch, l, e.Words())
}

// quarantine takes a refused punch out, unless everybody is refused alike.
func (u *Uplink) quarantine(p device.Punch, l *lane, words string) {
	l.refused = nil
	if u.streak.blames(p, l, words) {
		u.log.Warn("punch refused: in quarantine", "punch", p.ID, "employee", p.Employee, "words", words)
		u.stored(p, func() error { return u.queue.Quarantine(p, words) })
		return
	}
	for _, id := range u.streak.release() {
		if err := u.queue.Retry(id); err != nil {
			u.log.Error("punch not taken back from quarantine", "punch", id, "error", err)
		}
	}
	l.failures++ // others are tried before it
	u.pause.wait(longest)
	u.failed(fmt.Sprintf("Zeitstrom refuses one employee after the other with the same words, so the fault is not theirs; nothing is put into quarantine: %s", words), false)
}

// blind acts on a token that may not read timespans.
func (u *Uplink) blind(a answer, l *lane) {
	u.sees(false)
	switch {
	case a.kind == asked && l.refused != nil && !a.Ambiguous:
		u.quarantine(a.Punch, l, l.refused.Words())
	case a.kind == asked:
		l.wait(longest)
	}
}

// badToken pauses everything until the token file changes.
func (u *Uplink) badToken(e *zeitstrom.Error, l *lane) {
	l.comesLater()
	if u.token, _ = u.api.Token(); u.token == "" {
		u.token = "none"
	}
	u.pause.wait(tokenPause)
	u.failed(e.Error(), true)
}

// unclear acts on an error that may be about this request or about everything.
func (u *Uplink) unclear(a answer, l *lane, e *zeitstrom.Error) {
	u.failed(e.Error(), false)
	u.inARow++
	u.heads = nil // they do not know yet
	switch {
	case a.kind == posted && e.Ambiguous():
		u.queue.Doubt(a.Punch)
		l.ambiguous, l.absent = true, false
		l.failures++
		l.wait(max(u.settle, e.RetryAfter))
	case a.kind == posted || a.kind == asked:
		l.fail(0)
	}
	if a.kind == pinged || e.Kind != zeitstrom.Unavailable || e.RetryAfter > 0 || u.inARow >= manyInARow {
		u.pause.fail(e.RetryAfter)
	}
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

// streak is a row of refusals with the same words.
type streak struct {
	words      string
	employees  map[device.EmployeeID]bool
	punches    []device.PunchID // put into quarantine since it began
	everyone   bool
	deliveries int
}

// delivered ends a streak: somebody was accepted.
func (s *streak) delivered() {
	*s = streak{deliveries: s.deliveries + 1}
}

// blames reports whether a refusal is the punch's own fault: it is not if it is
// one of several in a row with the same words, unless others were accepted
// since this one was first refused.
func (s *streak) blames(p device.Punch, l *lane, words string) bool {
	if l.refusedAfter >= 0 && l.refusedAfter < s.deliveries {
		return true
	}
	l.refusedAfter = s.deliveries
	if s.employees == nil || words != s.words {
		*s = streak{words: words, employees: map[device.EmployeeID]bool{}, deliveries: s.deliveries}
	}
	s.employees[p.Employee] = true
	if len(s.employees) >= manyInARow {
		s.everyone = true
	}
	if !s.everyone {
		s.punches = append(s.punches, p.ID)
	}
	return !s.everyone
}

// release returns the punches that were blamed before it was clear that
// everybody is refused.
func (s *streak) release() []device.PunchID {
	ids := s.punches
	s.punches = nil
	return ids
}
