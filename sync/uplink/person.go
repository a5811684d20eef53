package uplink

import (
	"slices"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// Bounds of what is concluded from an answer that lacks a booking of this clock.
const (
	// replicas is how long Zeitstrom may take until it tells everywhere what it was told.
	replicas = 5 * time.Minute
	// twice is how far two answers must be apart that lack what an earlier one had.
	twice = 30 * time.Second
)

// person is what Zeitstrom said of an employee.
type person struct {
	known    last         // what was asked for last, other than for a tap
	heard    last         // the last answer of all, whatever was booked since
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

// last is what Zeitstrom said that an employee did last.
type last struct {
	device.Known
	asked time.Time
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
func (p *person) lags(l last, mine device.Punch) bool {
	return mine.ID != 0 && !p.gone && l.At.Before(mine.Time.Truncate(time.Second)) && l.asked.Sub(mine.Time) < replicas
}
