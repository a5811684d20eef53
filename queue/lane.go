package queue

import (
	"cmp"
	"slices"
	"time"

	"timeclock/device"
)

// item is what is kept in memory of a pending punch: there may be many.
type item struct {
	id   device.PunchID
	time int64 // nanoseconds since 1970
	out  bool  // a check-out
}

func (i item) punch(e device.EmployeeID) device.Punch {
	p := device.Punch{ID: i.id, Employee: e, Intent: device.CheckIn, Time: time.Unix(0, i.time)}
	if i.out {
		p.Intent = device.CheckOut
	}
	return p
}

func newItem(p device.Punch) item { return item{p.ID, p.Time.UnixNano(), p.Intent == device.CheckOut} }

// line puts a punch behind those of its employee that are pending.
func (s *Store) line(p device.Punch) {
	s.lanes[p.Employee] = append(s.lanes[p.Employee], newItem(p))
	if p.Stamp.Uncertain {
		s.uncertain[p.ID] = p
	}
}

// lineUp puts a punch among those of its employee that are pending, in their order.
func (s *Store) lineUp(p device.Punch) {
	s.line(p)
	slices.SortFunc(s.lanes[p.Employee], func(a, b item) int { return cmp.Compare(a.id, b.id) })
}

// place returns where a punch stands among those of its employee, -1 if it is not
// pending.
func (s *Store) place(p device.Punch) int {
	return slices.IndexFunc(s.lanes[p.Employee], func(i item) bool { return i.id == p.ID })
}

func (s *Store) inLane(p device.Punch) bool { return s.place(p) >= 0 }

// leave takes a punch out of those of its employee.
func (s *Store) leave(p device.Punch) bool {
	i := s.place(p)
	if i < 0 {
		return false
	}
	lane := slices.Delete(s.lanes[p.Employee], i, i+1)
	if s.lanes[p.Employee] = lane; len(lane) == 0 {
		delete(s.lanes, p.Employee)
	}
	delete(s.uncertain, p.ID)
	return true
}
