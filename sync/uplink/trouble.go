package uplink

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"timeclock/sync/zeitstrom"
)

// Everybody's trouble.

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
func (u *Uplink) throttled(e *zeitstrom.Error) {
	u.pause.fail(e.RetryAfter)
	u.pause.hard = true
	u.heads = nil
	u.closed(e.Error(), false)
}

// disconnected pauses everything: nothing was sent, so it is nobody's own.
func (u *Uplink) disconnected(e *zeitstrom.Error) {
	u.way = suspect
	u.heads = nil
	if time.Until(u.pause.until) <= 0 { // several may fail of one outage
		u.pause.fail(0)
	}
	u.closed(e.Error(), false)
}

// pingAnswered acts on a ping: it tells whether what failed before is everybody's trouble.
func (u *Uplink) pingAnswered(err error) {
	u.pinging = false
	switch {
	case err == nil:
		u.spoke()
		u.setTrust(true)
		u.open()
		return
	case errors.Is(err, context.Canceled):
		return
	}
	e := asError(err)
	switch {
	case e.Kind == zeitstrom.Unauthorized, e.Kind == zeitstrom.NoToken:
		u.badToken(e)
		return
	case e.Kind == zeitstrom.Throttled, e.RetryAfter > 0:
		u.throttled(e)
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
