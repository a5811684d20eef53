package zeitstromtest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// monthTarget is what everybody is to work in a month.
const monthTarget = 160 * time.Hour

func (s *Server) getProjects(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.MayNotPlan {
		detail(w, http.StatusForbidden, authTexts[http.StatusForbidden])
		return
	}
	all := []map[string]any{}
	for _, p := range s.Projects {
		all = append(all, map[string]any{
			"id": p.ID, "name": p.Name, "code": p.Code, "color": "#3366cc", "archived": p.Archived,
		})
	}
	page(w, r, all)
}

func (s *Server) getWorkmonths(w http.ResponseWriter, r *http.Request) {
	if s.MayNotPlan {
		detail(w, http.StatusForbidden, authTexts[http.StatusForbidden])
		return
	}
	years, months := strings.Split(r.FormValue("years"), "|"), strings.Split(r.FormValue("months"), "|")
	results := []map[string]any{}
	for _, e := range strings.Split(strings.ToLower(r.FormValue("employee_ids")), "|") {
		worked := time.Duration(0)
		for _, sp := range s.spans {
			at := sp.checkin.UTC()
			if sp.employee == e && !sp.checkout.IsZero() && slices.Contains(years, strconv.Itoa(at.Year())) &&
				slices.Contains(months, strconv.Itoa(int(at.Month()))) {
				worked += sp.checkout.Sub(sp.checkin)
			}
		}
		results = append(results, map[string]any{
			"employee_id": e, "worktime_count": int(worked.Seconds()),
			"target_worktime": int(monthTarget.Seconds()), "incomplete_days_count": 0,
		})
	}
	page(w, r, results)
}

// SetProjects changes Projects while the server is in use.
func (s *Server) SetProjects(projects []Project) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Projects = projects
}

// SetMayNotAssign changes MayNotAssign while the server is in use.
func (s *Server) SetMayNotAssign(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.MayNotAssign = yes
}

// Assign gives a timespan another project, as an admin might.
func (s *Server) Assign(id, project string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp := s.find(id); sp != nil {
		sp.project = project
	}
}

// Worked is a timespan as the server has it.
type Worked struct {
	Timespan
	Project string // its id; empty: none
}

// Worked returns the timespans of an employee, in the order in which they were made.
func (s *Server) Worked(employee string) (all []Worked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.spans {
		if sp.employee == employee {
			all = append(all, Worked{Timespan{sp.id, sp.employee, sp.checkin, sp.checkout}, sp.project})
		}
	}
	return all
}

// Assigned returns how often a project was assigned to each timespan by a request.
func (s *Server) Assigned() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	times := map[string]int{}
	for _, id := range s.assigned {
		times[id]++
	}
	return times
}
