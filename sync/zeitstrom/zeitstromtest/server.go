// Package zeitstromtest is the Zeitstrom API in memory, for tests and for
// running a whole clock without an account. It keeps state, validates what the
// API's documents say, answers errors in the API's shape, and fails on demand.
//
// A *Server is an http.Handler, to be served over TCP, and an
// http.RoundTripper, for tests in a synctest bubble. What the documents leave
// open is a field. The zero Server works.
package zeitstromtest

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Timestamp is an app timestamp that the server has accepted.
type Timestamp struct {
	Intent   string
	Employee string
	Time     time.Time
}

// Server is the API. Set its fields before its first request.
type Server struct {
	// Token is the one that is accepted; empty: any.
	Token string
	// ReadOnly makes the token one that may not create timestamps nor change
	// timespans, WriteOnly one that may not read timespans (403).
	ReadOnly, WriteOnly bool
	// Employees are those that exist; nil: everybody does.
	Employees []string
	// People are the employees that are listed; they say nothing about who exists.
	People []Employee
	// Projects are those that there are; nil: any code is one. MayNotAssign makes the token one that may
	// not assign them, MayNotPlan one that may neither list them nor read workmonths (403).
	Projects                 []Project
	MayNotAssign, MayNotPlan bool
	// Strict refuses a check-in while the employee is in, and a check-out while
	// not, as the API may or may not do.
	Strict bool
	// Fault says how to fail a request; nil: not at all.
	Fault func(*http.Request) Fault
	// Accepted is called with each timestamp that was accepted.
	Accepted func(Timestamp)

	mu         sync.Mutex
	timestamps []Timestamp
	spans      []*span
	open       map[string]*span // by employee
	requests   int
	questions  int
	made       int // timespans so far
	assigned   []string
}

// Employee is an employee as they are listed.
type Employee struct {
	ID, FirstName, LastName string
	Number                  string // accounting_number; empty: one that is made up, from 1000 on
	External                string // external_id
	Token                   string // physical_token_id
	Archived                bool
}

// Project is a project as it is listed.
type Project struct {
	ID, Name, Code string
	Archived       bool
}

// Timestamps returns the timestamps that the server has accepted, in order.
func (s *Server) Timestamps() []Timestamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.timestamps)
}

// Requests returns how many timestamps were posted to the server, whatever
// became of them.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// SetEmployees changes Employees while the server is in use.
func (s *Server) SetEmployees(ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Employees = ids
}

// SetPeople changes People while the server is in use.
func (s *Server) SetPeople(people []Employee) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.People = people
}

func (s *Server) getEmployees(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []map[string]any{}
	for i, e := range s.People {
		var archived any
		if e.Archived {
			archived = "2026-01-31T12:00:00Z"
		}
		all = append(all, map[string]any{
			"id": e.ID, "archived_at": archived, "first_name": e.FirstName, "last_name": e.LastName,
			"external_id": e.External, "accounting_number": cmp.Or(e.Number, strconv.Itoa(1000+i)), "project_id": nil,
			"physical_token_id": e.Token, "terminal_pin": "4711",
		})
	}
	page(w, r, all)
}

func (s *Server) exists(employee string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Employees == nil || slices.Contains(s.Employees, employee)
}

// Questions returns how often timespans were asked for.
func (s *Server) Questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.questions
}

// Correct moves the times of every timespan of an employee by d, as an admin
// might, and leaves the old ones in their history.
func (s *Server) Correct(employee string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.spans {
		if sp.employee != employee {
			continue
		}
		sp.remember("Corrected")
		sp.checkin = sp.checkin.Add(d)
		if !sp.checkout.IsZero() {
			sp.checkout = sp.checkout.Add(d)
		}
	}
}

// Delete deletes the timespan of an employee that begins or ends at an instant, to the
// second, as an admin might.
func (s *Server) Delete(employee string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at = at.Truncate(time.Second)
	for _, sp := range slices.Clone(s.spans) {
		if sp.employee == employee && (sp.checkin.Equal(at) || sp.checkout.Equal(at)) {
			s.forget(sp)
		}
	}
}

// stamp is a time as the API writes it; nil for none.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// Base is the path under which the API lives.
const Base = "/api/v2/"

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	path, ok := strings.CutPrefix(r.URL.Path, Base)
	if ok && path == "devices/app-timestamps/" && r.Method == http.MethodPost {
		s.mu.Lock()
		s.requests++
		s.mu.Unlock()
	}
	var fault Fault
	if s.Fault != nil {
		fault = s.Fault(r)
	}
	fault.serve(w, func(w http.ResponseWriter) { s.answer(w, r, body) })
}

// answer answers a request as the API does.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	path, ok := strings.CutPrefix(r.URL.Path, Base)
	switch problem := s.authorize(r); {
	case problem != 0:
		detail(w, problem, authTexts[problem])
	case ok && strings.HasPrefix(path, "timestamps/"):
		s.timespans(w, r, strings.TrimPrefix(path, "timestamps/"), body)
	case ok && path == "employees/employees/" && r.Method == http.MethodGet:
		s.getEmployees(w, r)
	case ok && path == "projects/projects/" && r.Method == http.MethodGet:
		s.getProjects(w, r)
	case !ok || path != "devices/app-timestamps/":
		detail(w, http.StatusNotFound, "Not found.")
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST, OPTIONS")
		detail(w, http.StatusMethodNotAllowed, `Method "`+r.Method+`" not allowed.`)
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		detail(w, http.StatusUnsupportedMediaType, `Unsupported media type "`+r.Header.Get("Content-Type")+
			`" in request.`)
	case s.ReadOnly:
		detail(w, http.StatusForbidden, authTexts[http.StatusForbidden])
	default:
		s.postTimestamp(w, body)
	}
}

var authTexts = map[int]string{
	http.StatusUnauthorized: "Invalid token.",
	http.StatusForbidden:    "You do not have permission to perform this action.",
}

func (s *Server) authorize(r *http.Request) int {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Token ")
	if !ok || token == "" || s.Token != "" && token != s.Token {
		return http.StatusUnauthorized
	}
	return 0
}

func detail(w http.ResponseWriter, status int, text string) {
	reply(w, status, map[string]string{"detail": text})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (s *Server) postTimestamp(w http.ResponseWriter, body []byte) {
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		detail(w, http.StatusBadRequest, "JSON parse error - "+err.Error())
		return
	}
	faults := map[string][]string{}
	text := func(field string) string {
		v, ok := in[field]
		if !ok {
			faults[field] = []string{"This field is required."}
		}
		t, _ := v.(string)
		return t
	}
	ts := Timestamp{Intent: text("intent"), Employee: strings.ToLower(text("employee_id"))}
	var err error
	if ts.Time, err = time.Parse(time.RFC3339, text("time")); err != nil && faults["time"] == nil {
		faults["time"] = []string{"Datetime has wrong format. Use one of these formats instead: " +
			"YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."}
	}
	if ts.Intent != "checkin" && ts.Intent != "checkout" && faults["intent"] == nil {
		faults["intent"] = []string{`"` + ts.Intent + `" is not a valid choice.`}
	}
	switch {
	case faults["employee_id"] != nil:
	case !uuid.MatchString(ts.Employee):
		faults["employee_id"] = []string{"Must be a valid UUID."}
	case !s.exists(ts.Employee):
		faults["employee_id"] = []string{`Invalid pk "` + ts.Employee + `" - object does not exist.`}
	}
	if len(faults) > 0 {
		reply(w, http.StatusBadRequest, faults)
		return
	}
	s.mu.Lock()
	refusal := s.book(ts)
	if refusal == "" {
		s.timestamps = append(s.timestamps, ts)
	}
	s.mu.Unlock()
	if refusal != "" {
		reply(w, http.StatusBadRequest, map[string][]string{"non_field_errors": {refusal}})
		return
	}
	if s.Accepted != nil {
		s.Accepted(ts)
	}
	reply(w, http.StatusCreated, map[string]string{
		"intent": ts.Intent, "employee_id": ts.Employee, "time": ts.Time.UTC().Format(time.RFC3339),
	})
}

// Book makes a booking as the app or another door does; Timestamps does not have it.
func (s *Server) Book(ts Timestamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book(ts)
}

func (s *Server) book(ts Timestamp) (refusal string) {
	open := s.open[ts.Employee]
	switch {
	case s.Strict && open != nil && ts.Intent == "checkin":
		return "Employee is already checked in."
	case s.Strict && open == nil && ts.Intent == "checkout":
		return "Employee is not checked in."
	case ts.Intent == "checkin":
		s.opened(s.addSpan(ts.Employee, ts.Time, time.Time{}))
	case open != nil && !ts.Time.Before(open.checkin): // one that landed late ends nothing that began later
		open.checkout = ts.Time
		delete(s.open, ts.Employee)
	default:
		s.addSpan(ts.Employee, ts.Time, ts.Time)
	}
	return ""
}

// dateRange reads YYYY-MM-DD|YYYY-MM-DD; none is everything.
func dateRange(s string) (from, to time.Time, err error) {
	if s == "" {
		return time.Time{}, time.Unix(1<<40, 0), nil
	}
	a, b, _ := strings.Cut(s, "|")
	if from, err = time.Parse(time.DateOnly, a); err != nil {
		return from, to, err
	}
	to, err = time.Parse(time.DateOnly, b)
	return from, to.AddDate(0, 0, 1), err
}

// page answers the part of a list that was asked for.
func page(w http.ResponseWriter, r *http.Request, all []map[string]any) {
	limit, err := strconv.Atoi(r.FormValue("limit"))
	if err != nil || limit < 1 || limit > 1000 {
		limit = 100
	}
	offset, _ := strconv.Atoi(r.FormValue("offset"))
	offset = min(max(0, offset), len(all))
	results := all[offset:min(offset+limit, len(all))]
	if results == nil {
		results = []map[string]any{}
	}
	reply(w, http.StatusOK, map[string]any{"count": len(all), "results": results})
}
