package zeitstromtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// span is a timespan with its history.
type span struct {
	id, employee      string
	day               string    // id of the workday, if it has one of its own
	checkin, checkout time.Time // zero: open
	project           string
	comment           string
	tags              []any
	history           []map[string]any
}

// workday is the id of the employee's calendar day, in UTC.
func (sp *span) workday() string {
	if sp.day != "" {
		return sp.day
	}
	return sp.checkin.UTC().Format("20060102") + "-0000-4000-8000-" + sp.employee[max(0, len(sp.employee)-12):]
}

// remember keeps what a timespan was before a change.
func (sp *span) remember(why string) {
	sp.history = append(sp.history, map[string]any{
		"id": "h1h1h1h1-h2h2-h3h3-h4h4-h5h5h5h5h5h5", "created_at": time.Now().UTC().Format(time.RFC3339),
		"originator":       "Admin User",
		"previous_checkin": stamp(sp.checkin), "previous_checkout": stamp(sp.checkout), "change_reason": why,
	})
}

// shape is a timespan as the API shows it.
func (sp *span) shape(verbosity string) map[string]any {
	out := map[string]any{
		"id": sp.id, "checkin_time": stamp(sp.checkin), "checkout_time": stamp(sp.checkout),
		"project_id": nil, "employee_comment": sp.comment, "tag_assignments": slices.Concat([]any{}, sp.tags),
	}
	if sp.project != "" {
		out["project_id"] = sp.project
	}
	if verbosity == "detail" {
		out["workday"] = map[string]any{"id": sp.workday(), "date": sp.checkin.UTC().Format(time.DateOnly)}
		out["employee_id"] = sp.employee
		out["checkin"] = map[string]any{"time": stamp(sp.checkin), "source": "app"}
		out["checkout"] = nil
		if !sp.checkout.IsZero() {
			out["checkout"] = map[string]any{"time": stamp(sp.checkout), "source": "app"}
		}
	}
	return out
}

func (s *Server) addSpan(employee string, checkin, checkout time.Time) *span {
	s.made++
	sp := &span{
		id: fmt.Sprintf("e5f6a7b8-c9d0-4234-8fab-%012d", s.made), employee: employee, checkin: checkin,
		checkout: checkout,
	}
	s.spans = append(s.spans, sp)
	return sp
}

// Timespan is a timespan that a test puts there.
type Timespan struct {
	ID, Employee      string
	CheckIn, CheckOut time.Time // CheckOut zero: open
}

// Put adds a timespan and returns the id of its workday.
func (s *Server) Put(t Timespan) (workday string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := s.addSpan(t.Employee, t.CheckIn, t.CheckOut)
	if t.ID != "" {
		sp.id = t.ID
	}
	return sp.workday()
}

// Rename gives a workday the id that somebody's documents have.
func (s *Server) Rename(workday, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.spans {
		if sp.workday() == workday {
			sp.day = id
		}
	}
}

func (s *Server) find(id string) *span {
	for _, sp := range s.spans {
		if sp.id == id {
			return sp
		}
	}
	return nil
}

// timespans serves what lies under timestamps/.
func (s *Server) timespans(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.questions++
	reads := r.Method == http.MethodGet
	if reads && s.WriteOnly || !reads && s.ReadOnly {
		detail(w, http.StatusForbidden, authTexts[http.StatusForbidden])
		return
	}
	switch {
	case path == "workdays/" && reads:
		s.getWorkdays(w, r)
		return
	case path == "workmonths/" && reads:
		s.getWorkmonths(w, r)
		return
	}
	rest, ok := strings.CutPrefix(path, "timespans/")
	id, verb, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	var sp *span
	switch {
	case !ok || rest != "" && !strings.HasSuffix(rest, "/"):
		detail(w, http.StatusNotFound, "Not found.")
		return
	case rest == "" && reads:
		s.listTimespans(w, r)
		return
	case rest == "add-times/" && r.Method == http.MethodPost:
		s.addTimes(w, body)
		return
	case rest == "modify-consecutive-timespans/" && r.Method == http.MethodPost:
		s.replaceSpans(w, body)
		return
	}
	if sp = s.find(id); sp == nil {
		detail(w, http.StatusNotFound, "Not found.")
		return
	}
	switch r.Method + " " + verb {
	case "GET ":
		reply(w, http.StatusOK, sp.shape(r.FormValue("verbosity")))
	case "GET history":
		page(w, r, sp.history)
	case "DELETE ":
		s.forget(sp)
		w.WriteHeader(http.StatusNoContent)
	case "PATCH set-times":
		s.setTimes(w, sp, body)
	case "POST assign-project":
		s.assignProject(w, sp, body)
	case "POST update-tag-assignments":
		s.setTags(w, sp, body)
	case "POST update-employee-comment":
		s.setComment(w, sp, body)
	default:
		detail(w, http.StatusMethodNotAllowed, `Method "`+r.Method+`" not allowed.`)
	}
}

func (s *Server) opened(sp *span) {
	if s.open == nil {
		s.open = map[string]*span{}
	}
	s.open[sp.employee] = sp
}

func (s *Server) forget(sp *span) {
	s.spans = slices.DeleteFunc(s.spans, func(x *span) bool { return x == sp })
	if s.open[sp.employee] == sp {
		delete(s.open, sp.employee)
	}
}

func (s *Server) listTimespans(w http.ResponseWriter, r *http.Request) {
	from, to, err := dateRange(r.FormValue("daterange"))
	verbosity := r.FormValue("verbosity")
	switch {
	case err != nil:
		reply(w, http.StatusBadRequest, map[string][]string{"daterange": {"Enter a valid date range."}})
		return
	case verbosity != "" && !slices.Contains([]string{"detail", "duration", "device"}, verbosity):
		reply(w, http.StatusBadRequest, map[string][]string{"verbosity": {"Select a valid choice."}})
		return
	}
	ids := strings.Split(strings.ToLower(r.FormValue("employee_ids")), "|")
	var found []map[string]any
	for _, sp := range s.spans {
		day := sp.checkin.UTC()
		if day.Before(from) || !day.Before(to) || r.FormValue("employee_ids") != "" &&
			!slices.Contains(ids, sp.employee) {
			continue
		}
		found = append(found, sp.shape(verbosity))
	}
	page(w, r, found)
}

func (s *Server) getWorkdays(w http.ResponseWriter, r *http.Request) {
	from, to, err := dateRange(r.FormValue("daterange"))
	if err != nil {
		reply(w, http.StatusBadRequest, map[string][]string{"daterange": {"Enter a valid date range."}})
		return
	}
	wanted := ""
	if token := r.FormValue("token"); token != "" {
		wanted = "nobody"
		for _, p := range s.People {
			if p.Token == token {
				wanted = strings.ToLower(p.ID)
			}
		}
	}
	days := []map[string]any{}
	byID := map[string]map[string]any{}
	for _, sp := range s.spans {
		if at := sp.checkin.UTC(); at.Before(from) || !at.Before(to) || wanted != "" && sp.employee != wanted {
			continue
		}
		day := byID[sp.workday()]
		if day == nil {
			day = map[string]any{
				"id": sp.workday(), "checkin": stamp(sp.checkin), "work_duration": 0, "break_duration": 0,
			}
			byID[sp.workday()] = day
			days = append(days, day)
		}
		day["checkout"] = stamp(sp.checkout)
		if !sp.checkout.IsZero() {
			day["work_duration"] = day["work_duration"].(int) + int(sp.checkout.Sub(sp.checkin).Seconds())
		}
	}
	page(w, r, days)
}
