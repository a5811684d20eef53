package clock

import (
	"errors"
	"fmt"
	"time"

	"timeclock/device"
)

// Punches are the bookings of this clock.
type Punches interface {
	// Timing is the newest punch whose time somebody vouched for, and how many punches and
	// unclaimed taps have no certain time.
	Timing() (newest device.Punch, untimed int)
	Undelivered() ([]device.Entry, error)
	Unclaimed() (taps []device.UnclaimedTap, lost int)
	Find(device.PunchID) (device.Entry, error)
	// Backward goes through all punches, newest first, until f returns false.
	Backward(f func(device.Entry) bool) error
	// SetTimes stores times that are certain now.
	SetTimes(device.Fix) (int, error)
}

// repair gives untimed punches and taps their true times, as far as they are known.
func (c *Clock) repair() {
	_, untimed := c.punches.Timing()
	if untimed == 0 || untimed == c.left && c.kernel.Uptime() < c.again {
		return
	}
	n, err := c.repairAll(c.kernel.Wall().Add(-c.kernel.Uptime()))
	if err != nil {
		c.log.Error("times not repaired, trying again", "error", err)
		return
	}
	c.left, c.again = untimed-n, c.kernel.Uptime()+lookAgain
	if n > 0 {
		c.log.Info("times of early taps repaired", "taps", n)
	}
}

// repairAll repairs what is of this run of the computer, which began at start.
func (c *Clock) repairAll(start time.Time) (int, error) {
	fix := device.Fix{Kind: device.EventRepaired}
	taps, _ := c.punches.Unclaimed()
	for _, t := range taps {
		if t.Stamp.Uncertain && c.ofThisRun(t.Stamp) {
			fix.Taps = append(fix.Taps, t.WithTime(start.Add(t.Stamp.Uptime)))
		}
	}
	waiting, err := c.punches.Undelivered()
	if err != nil {
		return 0, err
	}
	first := map[device.EmployeeID]device.PunchID{} // of each employee that can be repaired
	var untimed []device.Punch
	for _, e := range waiting {
		if e.Stamp.Uncertain && e.State != device.Quarantined && c.CanRepair(e.Punch) {
			untimed = append(untimed, e.Punch)
			if first[e.Employee] == 0 {
				first[e.Employee] = e.ID
			}
		}
	}
	before, err := c.before(first)
	if err != nil {
		return 0, err
	}
	for _, p := range untimed {
		c.judge(p, start.Add(p.Stamp.Uptime), before, &fix)
	}
	if len(fix.Punches)+len(fix.Taps) == 0 {
		return 0, nil
	}
	return c.punches.SetTimes(fix)
}

// judge decides which time a punch gets. One that would come long before the employee's punch
// before it stays as it is, for a person.
func (c *Clock) judge(p device.Punch, at time.Time, before map[device.EmployeeID]device.Punch, fix *device.Fix) {
	prev, fixed := before[p.Employee], p.WithTime(at)
	switch early := prev.Time.Sub(at); {
	case early <= 0:
	case early <= device.MaxStep:
		fixed = p.WithTime(prev.Time)
	case prev.Contradicts(fixed): // that one's time is wrong
		fix.Wrong = append(fix.Wrong, prev.ID)
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.contrary[p.ID] = true
		return
	}
	before[p.Employee] = fixed
	fix.Punches = append(fix.Punches, fixed)
}

// before returns the punch of each employee that is nearest before one of theirs, of those that
// vouch for a time.
func (c *Clock) before(first map[device.EmployeeID]device.PunchID) (map[device.EmployeeID]device.Punch, error) {
	found := map[device.EmployeeID]device.Punch{}
	if len(first) == 0 {
		return found, nil
	}
	err := c.punches.Backward(func(e device.Entry) bool {
		if id, wanted := first[e.Employee]; wanted && e.ID < id && vouches(e) {
			found[e.Employee] = e.Punch
			delete(first, e.Employee)
		}
		return len(first) > 0
	})
	return found, err
}

// vouches reports whether a punch says something about the times of those next to
// it: a claimed tap is older than its place says, and a dropped one was none.
func vouches(e device.Entry) bool {
	return !e.Stamp.Uncertain && !e.Claimed && e.State != device.Dropped
}

// around returns the nearest punches before and after one that vouch for a time: all, or those
// of one employee. They are the zero Punch if there are none.
func (c *Clock) around(p device.Punch, of device.EmployeeID) (before, after device.Punch, err error) {
	err = c.punches.Backward(func(e device.Entry) bool {
		switch {
		case e.ID == p.ID, !vouches(e), of != "" && e.Employee != of:
		case e.ID > p.ID:
			after = e.Punch
		default:
			before = e.Punch
			return false
		}
		return true
	})
	return before, after, err
}

// CanRepair reports whether an untimed punch gets its time by itself: it is of this run of the
// computer, and does not contradict those before it.
func (c *Clock) CanRepair(p device.Punch) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ofThisRun(p.Stamp) && !c.contrary[p.ID]
}

func (c *Clock) ofThisRun(s device.Stamp) bool {
	return s.Boot == c.kernel.BootID() && s.Boot != device.BootID{}
}

// Bounds returns between which instants an untimed punch was made, by the nearest punches before
// and after it that vouch for a time, whoever made them; a zero time if nothing is known on that
// side.
func (c *Clock) Bounds(p device.Punch) (notBefore, notAfter time.Time, err error) {
	if !p.Stamp.Uncertain {
		return p.Time, p.Time, nil
	}
	before, after, err := c.around(p, "")
	if err != nil {
		return notBefore, notAfter, err
	}
	if before.ID != 0 {
		notBefore = before.Time
		if p.Stamp.Boot == before.Stamp.Boot {
			notBefore = notBefore.Add(p.Stamp.Uptime - before.Stamp.Uptime)
		} else { // the computer was started anew in between
			notBefore = notBefore.Add(p.Stamp.Uptime)
		}
	}
	switch boot := c.kernel.BootID(); {
	case after.ID != 0 && after.Stamp.Boot == p.Stamp.Boot:
		notAfter = after.Time.Add(p.Stamp.Uptime - after.Stamp.Uptime)
	case after.ID != 0:
		notAfter = after.Time.Add(-after.Stamp.Uptime)
	case p.Stamp.Boot != boot && c.Trust().Trusted:
		notAfter = c.kernel.Wall().Add(-c.kernel.Uptime())
	}
	return notBefore, notAfter, nil
}

// SetTime gives an untimed punch the time that a person says. It must lie between the bounds
// that are known, and between the employee's punches before and after it. Refusals show times in
// the zone of at.
func (c *Clock) SetTime(by string, id device.PunchID, at time.Time) error {
	e, err := c.punches.Find(id)
	if err != nil {
		return err
	}
	p := e.Punch
	if !p.Stamp.Uncertain || e.State == device.Dropped || e.State == device.Quarantined {
		return fmt.Errorf("the time of punch %d is certain: correct the booking at Zeitstrom", id)
	}
	if c.CanRepair(p) {
		return errors.New("the clock gives it its true time by itself, as soon as a time server is reached; " +
			"where there is none, set the system clock and [clock] trust = \"always\"")
	}
	if err := c.within(p, at); err != nil {
		return err
	}
	if err := c.inOrder(p, at); err != nil {
		return err
	}
	p.Stamp.Believed = true
	n, err := c.punches.SetTimes(device.Fix{Punches: []device.Punch{p.WithTime(at)}, Kind: device.EventTimeSet, By: by})
	if err == nil && n == 0 { // somebody was faster
		err = fmt.Errorf("punch %d: %w", id, device.ErrNotPending)
	}
	return err
}

// within refuses a time that cannot be.
func (c *Clock) within(p device.Punch, at time.Time) error {
	from, to, err := c.Bounds(p)
	shown := func(t time.Time) string { return t.In(at.Location()).Format(time.DateTime) }
	switch {
	case err != nil:
		return err
	case !to.IsZero() && from.After(to): // they contradict each other: one of the clocks was wrong
	case at.Before(from.Truncate(time.Second)):
		return fmt.Errorf("it was not before %s: the clock had booked others by then", shown(from))
	case !to.IsZero() && at.After(to):
		return fmt.Errorf("it was not after %s: the device was started anew then", shown(to))
	case at.After(time.Now()) && c.Trust().Trusted:
		return errors.New("that is in the future")
	}
	return nil
}

// inOrder refuses a time that would change the order of an employee's punches.
func (c *Clock) inOrder(p device.Punch, at time.Time) error {
	before, after, err := c.around(p, p.Employee)
	shown := func(t time.Time) string { return t.In(at.Location()).Format(time.DateTime) }
	switch {
	case err != nil:
		return err
	case at.Before(before.Time.Truncate(time.Second)):
		return fmt.Errorf("the employee's booking before it, punch %d, is of %s", before.ID, shown(before.Time))
	case after.ID != 0 && at.After(after.Time):
		return fmt.Errorf("the employee's booking after it, punch %d, is of %s", after.ID, shown(after.Time))
	}
	return nil
}
