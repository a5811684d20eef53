package queue

import (
	"cmp"
	"slices"
	"time"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// OpenDay is a check-in that no check-out followed within the longest shift, as
// far as this clock knows.
type OpenDay struct {
	Employee device.EmployeeID
	CheckIn  time.Time
	Next     device.Punch // the check-in that came instead of a check-out; zero: none yet
}

// OpenDays returns the open days since an instant, oldest first: those that
// somebody's next check-in left open, and those of employees who were last seen
// coming, too long before now.
func (s *Store) OpenDays(now, since time.Time, longestShift time.Duration) ([]OpenDay, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var days []OpenDay
	err := s.view(func(tx *bolt.Tx) error {
		return newestFirst(tx, func(p device.Punch) bool {
			if p.Stamp.Uncertain {
				return true
			}
			if checkin, ok := p.Forgotten(); ok && s.marks[p.ID].State != Dropped {
				days = append(days, OpenDay{p.Employee, checkin, p})
			}
			return p.Claimed || !p.Time.Before(since)
		})
	})
	for e, p := range s.last {
		if p.Intent == device.CheckIn && !p.Stamp.Uncertain && now.Sub(p.Time) > longestShift && !p.Time.Before(since) {
			days = append(days, OpenDay{Employee: e, CheckIn: p.Time})
		}
	}
	slices.SortFunc(days, func(a, b OpenDay) int {
		return cmp.Or(a.CheckIn.Compare(b.CheckIn), cmp.Compare(a.Employee, b.Employee))
	})
	return days, err
}
