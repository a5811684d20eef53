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

// after keeps an employee's times in order when the wall clock was set back while
// the computer ran: then the time since the punch before it counts.
func (t Tap) after(before, p Punch) Punch {
	d, known := t.Since(before)
	if known && d >= 0 && !p.Stamp.Uncertain && !before.Stamp.Uncertain && p.Time.Before(before.Time) {
		p.Raw, p.Time = p.Time, before.Time.Add(d)
	}
	return p
}

// SinceTap returns how long after an earlier tap a tap came, if that is known.
func (t Tap) SinceTap(e Tap) (time.Duration, bool) { return since(t.Time, t.Stamp, e.Time, e.Stamp) }
