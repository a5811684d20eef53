package uplink

import (
	"time"

	"timeclock/device"
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
func (u *Uplink) looksLikeSuccess(h device.Undelivered, l *lane, shape zeitstrom.Shape) {
	at, known := u.shapes[shape]
	proven := known && time.Since(at) < provenFor
	if proven {
		u.credit(h.Punch)
	}
	if proven || u.mayNotAskAbout(h.Employee) { // else nobody can tell
		u.spoke()
		u.accepted()
		u.delivered(h.Punch)
		u.open()
		return
	}
	u.markAmbiguous(h.Punch)
	l.ambiguous, l.unproven = true, &unproven{shape: shape, once: !h.Ambiguous}
	l.asks()
	u.heads = nil
}

// proven notes that an answer meant success.
func (u *Uplink) proven(p *unproven) {
	if p.once {
		u.shapes[p.shape] = time.Now()
	}
	u.accepted()
}
