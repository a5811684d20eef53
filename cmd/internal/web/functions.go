package web

import (
	"fmt"
	"net/http"
	"strings"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/roster"
)

// functions are those that a function badge can have, beside those of projects.
var functions = []device.Function{device.TakeBreak, device.ShowHours, device.ComeIn, device.GoOut}

// aProject is the choice of a project in a form; its code is another field.
const aProject = "project"

// Function is what people call a function.
func (v view) Function(f device.Function) (string, error) {
	if code := f.Project(); code != "" {
		return v.language.text("of_project", v.ProjectName(code))
	}
	return v.language.text("function_" + string(f))
}

// ProjectName is what people call a project.
func (v view) ProjectName(code string) string {
	if name := v.admin.ProjectName(code); name != code {
		return fmt.Sprintf("%s (%s)", name, code)
	}
	return code
}

// Waits is for whom, or for what, a badge is waited for.
func (v view) Waits(e roster.EnrollState) (string, error) {
	if e.Function != "" {
		return v.Function(e.Function)
	}
	return v.Name(e.For.Name), nil
}

// Details say what was chosen for a booking beside its direction, and what became of its project.
func (v view) Details(p admin.Punch) ([]string, error) {
	var all []string
	var failed error
	add := func(key string, args ...any) {
		text, err := v.language.text(key, args...)
		if err != nil {
			failed = err
		}
		all = append(all, text)
	}
	if p.Break {
		add("function_break")
	}
	if p.Project != "" && !p.Break {
		add("of_project", v.ProjectName(p.Project))
	}
	if p.ProjectState != "" {
		add("project_" + string(p.ProjectState))
	}
	if p.ProjectReason != "" {
		all = append(all, v.language.say(p.ProjectReason))
	}
	for _, h := range p.Hints {
		add("hint_" + h)
	}
	return all, failed
}

// reasonText is why a booking stands where it does, with its details, in one line.
func (s *Server) reasonText(r *http.Request, p admin.Punch) string {
	details, err := s.viewOf(r).Details(p)
	if err != nil {
		s.log.Error("page", "error", err)
	}
	if p.Reason != "" {
		details = append([]string{s.languageOf(r).say(p.Reason)}, details...)
	}
	return strings.Join(details, "; ")
}

// function reads one from a form.
func function(r *http.Request) (device.Function, error) {
	f := r.FormValue("function")
	if f == aProject {
		f += "=" + strings.TrimSpace(r.FormValue("project"))
	}
	return device.ParseFunction(f)
}

func (s *Server) setFunction(r *http.Request, who string) (string, error) {
	f, err := function(r)
	if err != nil {
		return "", err
	}
	uid, err := device.ParseUID(r.FormValue("uid"))
	if err != nil {
		return "", err
	}
	ctx, cancel := bound(r)
	defer cancel()
	_, err = s.admin.SetFunction(ctx, who, admin.FunctionBadge{UID: admin.WholeUID{UID: uid}, Function: f})
	if err != nil {
		return "", err
	}
	name, err := s.viewOf(r).Function(f)
	return s.text(r, "function_set", uid.Hex(), name), err
}

func (s *Server) endFunction(r *http.Request, who string) (string, error) {
	uid, err := device.ParseUID(r.FormValue("uid"))
	if err != nil {
		return "", err
	}
	_, err = s.admin.SetFunction(r.Context(), who, admin.FunctionBadge{UID: admin.WholeUID{UID: uid}})
	return s.text(r, "function_ended", uid.Hex()), err
}

func (s *Server) enrollFunction(r *http.Request, who string) (string, error) {
	f, err := function(r)
	if err != nil {
		return "", err
	}
	ctx, cancel := bound(r)
	defer cancel()
	_, err = s.admin.EnrollFunction(ctx, who, f)
	return "", err
}

func (s *Server) hintsPage(w http.ResponseWriter, r *http.Request) {
	hints, err := s.admin.Hints(r.Context(), "", admin.None{})
	s.answer(w, r, http.StatusOK, "hints", hints, s.explain(r, err))
}
