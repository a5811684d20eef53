package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/roster"
)

// ways are the ways to get a badge, as they are offered.
var ways = []roster.Way{roster.Another, roster.Renewed, roster.MovedTo}

// enrolledFor is how long the page says that a badge was given out.
const enrolledFor = 2 * time.Minute

func (s *Server) givePage(w http.ResponseWriter, r *http.Request) {
	enrolls := s.status(r).Enrollment
	if !enrolls.Waiting && time.Since(enrolls.Until) > enrolledFor {
		enrolls = roster.EnrollState{}
	}
	s.show(w, r, "give", struct {
		Enrolls roster.EnrollState
		Ways    []roster.Way
	}{enrolls, ways})
}

// people answers a picker while somebody types.
func (s *Server) people(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := bound(r)
	defer cancel()
	found, err := s.admin.FindPeople(ctx, "", admin.Lookup{Words: r.FormValue("q")})
	type option struct {
		ID   device.EmployeeID `json:"id"`
		Text string            `json:"text"`
		Hint string            `json:"hint"`
	}
	var answer struct {
		People []option `json:"people"`
		Note   string   `json:"note"`
	}
	answer.People = []option{}
	for _, p := range found.People {
		o := option{ID: p.ID, Text: p.Listed(), Hint: p.Number}
		if p.Badges > 0 {
			o.Hint = strings.TrimSpace(o.Hint + " " + s.count(r, "badges_owned", p.Badges))
		}
		answer.People = append(answer.People, o)
	}
	switch {
	case err != nil:
		answer.Note = s.explain(r, err)
	case found.More > 0:
		answer.Note = s.count(r, "more_fit", found.More)
	case len(found.People) == 0:
		answer.Note = s.unclear(r, &admin.Unclear{Words: r.FormValue("q"), Candidates: found})
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

// employee is the one whom a form names: one that was picked, or else words.
func (s *Server) employee(r *http.Request) (device.Employee, error) {
	who := strings.TrimSpace(r.FormValue("who"))
	picked, choice := r.FormValue("employee"), r.FormValue("choice")
	switch {
	case picked != "":
		who = picked
	case choice != "" && who == r.FormValue("asked"): // other words mean somebody else
		who = choice
	}
	if who == "" {
		return device.Employee{}, errEmpty
	}
	ctx, cancel := bound(r)
	defer cancel()
	e, err := s.admin.Employee(ctx, "", who)
	return admin.Named(e, r.FormValue("name")), err
}

// badge is the one whose UID and employee a form names.
func (s *Server) badge(r *http.Request) (device.Badge, error) {
	uid, err := device.ParseUID(r.FormValue("uid"))
	if err != nil {
		return device.Badge{}, err
	}
	e, err := s.employee(r)
	return device.Badge{UID: uid, Employee: e}, err
}

func (s *Server) addBadge(r *http.Request, who string) (string, error) {
	b, err := s.badge(r)
	if err != nil {
		return "", err
	}
	b.From, b.Until = r.FormValue("from"), r.FormValue("until")
	action, err := s.admin.AddBadge(r.Context(), who, admin.NewBadge{Badge: b, Move: r.FormValue("move") != ""})
	if err != nil {
		return "", err
	}
	return s.text(r, "badge_given", b.UID.Hex(), b.Employee.Name, s.text(r, "action_"+string(action))), nil
}

func (s *Server) enroll(r *http.Request, who string) (string, error) {
	way := roster.Way(r.FormValue("way"))
	if way != roster.Another && way != roster.Renewed && way != roster.MovedTo {
		return "", errEmpty
	}
	e, err := s.employee(r)
	if err != nil {
		return "", err
	}
	_, err = s.admin.Enroll(r.Context(), who, admin.Enroll{Who: string(e.ID), Name: e.Name, Way: way})
	return "", err
}

func (s *Server) unenroll(r *http.Request, who string) (string, error) {
	_, err := s.admin.EndEnrollment(r.Context(), who, 0)
	return "", err
}
