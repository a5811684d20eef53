package uplink

import (
	"time"

	"timeclock/sync/zeitstrom"
)

// How an answer is proven that does not name the punch.
const (
	provenFor  = time.Hour        // then a shape in use is proven anew
	denials    = 3                // as often must Zeitstrom say that the punch is not there,
	denialTime = 15 * time.Minute // over so long, before it is sent again
)

// unproven is an answer that may mean success.
type unproven struct {
	shape   zeitstrom.Shape
	once    bool // the punch was sent only once ever: if it is there, this answer meant it
	denials int
	since   time.Time // of the first denial
}

// denied reports whether the punch was denied often enough to be sent again.
func (p *unproven) denied() bool {
	if p.denials++; p.denials == 1 {
		p.since = time.Now()
	}
	return p.denials >= denials && time.Since(p.since) >= denialTime
}

// looksLikeSuccess acts on an answer that does not prove itself. Its shape counts if it
// was proven a short while ago; else Zeitstrom is asked at once.
func (u *Uplink) looksLikeSuccess(a answer, l *lane) {
	at, proven := u.shapes[a.shape]
	u.mu.Lock()
	blind := u.blindTo(a.Employee)
	u.mu.Unlock()
	switch {
	case proven && time.Since(at) < provenFor:
		u.credit(a.Punch)
		fallthrough
	case blind: // nobody can tell
		u.reached(true)
		u.contact = time.Now()
		u.accepted()
		u.delivered(a.Punch)
		u.open()
	default:
		u.doubted(a.Punch)
		l.ambiguous, l.absent, l.question, l.pause = true, false, nil, pause{}
		l.unproven = &unproven{shape: a.shape, once: !a.Ambiguous}
		u.heads = nil
	}
}

// proven notes that an answer meant success.
func (u *Uplink) proven(p *unproven) {
	if p.once {
		u.shapes[p.shape] = time.Now()
	}
	u.accepted()
}
