package device

import (
	"cmp"
	"slices"
	"time"
)

// OpenDay is a check-in that no check-out followed within the longest shift, or a break that did not end
// within it, as far as this clock knows.
type OpenDay struct {
	Employee EmployeeID
	CheckIn  time.Time // or when the break began
	Break    bool
	Next     Punch // the check-in that came instead of a check-out, or too late; zero: none yet
}

// OpenDays collects the open days since an instant: those that somebody's next check-in left
// open, and those of employees who were last seen coming, too long before now. Add gets the
// punches, newest first.
type OpenDays struct {
	Now, Since   time.Time
	LongestShift time.Duration

	days []OpenDay
	last map[EmployeeID]Punch
	next map[EmployeeID]Punch // that came after the one that is added
}

// Add takes the next older punch, and returns false when older ones change nothing.
func (o *OpenDays) Add(e Entry) bool {
	if o.last == nil {
		o.last, o.next = map[EmployeeID]Punch{}, map[EmployeeID]Punch{}
	}
	recent := e.Claimed || e.Stamp.Uncertain || !e.Time.Before(o.Since)
	if e.State == Dropped {
		return recent
	}
	if last, ok := o.last[e.Employee]; !ok || last.Precedes(e.Punch) {
		o.last[e.Employee] = e.Punch
	}
	if checkin, ok := e.Forgotten(); ok && !e.Stamp.Uncertain {
		o.days = append(o.days, OpenDay{Employee: e.Employee, CheckIn: checkin, Next: e.Punch})
	}
	o.addBreak(e.Punch)
	o.next[e.Employee] = e.Punch
	return recent
}

// addBreak takes a break that did not end in time.
func (o *OpenDays) addBreak(p Punch) {
	next, ended := o.next[p.Employee]
	if !p.OnBreak() || p.Stamp.Uncertain || next.Stamp.Uncertain || p.Time.Before(o.Since) {
		return
	}
	until := o.Now
	if ended {
		until = next.Time
	}
	if until.Sub(p.Time) > o.LongestShift {
		o.days = append(o.days, OpenDay{Employee: p.Employee, CheckIn: p.Time, Break: true, Next: next})
	}
}

// Days returns them, oldest first.
func (o *OpenDays) Days() []OpenDay {
	days := slices.Clone(o.days)
	for e, p := range o.last {
		if p.Intent == CheckIn && !p.Stamp.Uncertain && o.Now.Sub(p.Time) > o.LongestShift && !p.Time.Before(o.Since) {
			days = append(days, OpenDay{Employee: e, CheckIn: p.Time})
		}
	}
	slices.SortFunc(days, func(a, b OpenDay) int {
		return cmp.Or(a.CheckIn.Compare(b.CheckIn), cmp.Compare(a.Employee, b.Employee))
	})
	return days
}
