package device

import (
	"encoding/hex"
	"strings"
	"time"
)

// BootID is the kernel's name for one run of the computer
// (/proc/sys/kernel/random/boot_id); zero: not known.
type BootID [16]byte

// ParseBootID reads a boot id as the kernel writes it, a UUID; anything else is
// the zero BootID.
func ParseBootID(s string) (id BootID) {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(s), "-", ""))
	if err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}

// Stamp is when something happened, in a form that stays true when the wall
// clock is not: time since the computer was started. The zero Stamp stands
// beside a time that is certain.
type Stamp struct {
	Boot      BootID
	Uptime    time.Duration // since the start of Boot (CLOCK_BOOTTIME)
	Uncertain bool          // the wall clock was not to be trusted
	Believed  bool          // nobody vouched for the time: the settings said to believe it, or a person set it
}

// since returns how long after an earlier moment a later one came: by uptime
// within one run of the computer, else by wall clocks that are certain. It is not
// known if there is neither.
func since(later time.Time, l Stamp, earlier time.Time, e Stamp) (d time.Duration, known bool) {
	switch {
	case l.Boot != BootID{} && l.Boot == e.Boot:
		return l.Uptime - e.Uptime, true
	case l.Uncertain || e.Uncertain:
		return 0, false
	}
	return later.Sub(earlier), true
}

// Since returns how long after a punch a tap came, if that is known.
func (t Tap) Since(p Punch) (time.Duration, bool) { return since(t.Time, t.Stamp, p.Time, p.Stamp) }

// MaxStep is how far a wall clock that was corrected a little may be set back: then an
// employee's times are kept in order. If two times of one run of the computer contradict
// each other by more than that, one of them is wrong.
const MaxStep = time.Minute

// Contradicts reports whether a punch has a time by which it came later than a newer one
// of the same run of the computer: the wall clock was wrong when one of them was made.
func (p Punch) Contradicts(newer Punch) bool {
	if p.Stamp.Boot != newer.Stamp.Boot || p.Stamp.Boot == (BootID{}) || p.Stamp.Uncertain || newer.Stamp.Uncertain {
		return false
	}
	back := p.Time.Add(newer.Stamp.Uptime - p.Stamp.Uptime).Sub(newer.Time)
	return p.Time.After(newer.Time) && back > MaxStep
}

// after keeps an employee's times in order: behind the punch before it, if the wall
// clock was set back a little while the computer ran, and behind what it follows, if that
// was made by another clock that is a little ahead. What the clock showed is kept.
func (t Tap) after(before, p Punch) Punch {
	d, known := t.Since(before)
	switch {
	case p.Stamp.Uncertain:
	case known && d >= 0 && !before.Stamp.Uncertain && p.Time.Before(before.Time) && !before.Contradicts(p):
		p.Raw, p.Time = p.Time, before.Time.Add(d)
	case p.Basis.Source == Zeitstrom && !p.Basis.Time.Before(p.Time.Truncate(time.Second)):
		p.Raw, p.Time = p.Time, p.Basis.Time.Add(time.Second)
	}
	return p
}

// SinceTap returns how long after an earlier tap a tap came, if that is known.
func (t Tap) SinceTap(e Tap) (time.Duration, bool) { return since(t.Time, t.Stamp, e.Time, e.Stamp) }

// WithTime gives a punch whose time was not certain its true one. What the clock had shown
// stays with it.
func (p Punch) WithTime(at time.Time) Punch {
	p.Raw, p.Time, p.Stamp.Uncertain = p.Time, at, false
	return p
}

// WithTime is the same for a tap that is kept.
func (t UnclaimedTap) WithTime(at time.Time) UnclaimedTap {
	t.Raw, t.Time, t.Stamp.Uncertain = t.Time, at, false
	return t
}

// Precedes reports whether a punch is a claimed tap from before another punch, though its ID
// is higher.
func (p Punch) Precedes(other Punch) bool {
	return p.Claimed && !p.Stamp.Uncertain && !other.Stamp.Uncertain && p.Time.Before(other.Time)
}

// Fix is what is known by now of times that were not certain.
type Fix struct {
	Punches []Punch        // with their true times
	Taps    []UnclaimedTap // with their true times
	Wrong   []PunchID      // whose times are wrong, as these show
	Kind    EventKind      // what the journal says of the punches: EventRepaired or EventTimeSet
	By      string
}
