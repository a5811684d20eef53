package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/roster"
)

// badgesShown bounds a page; the search finds the others.
const badgesShown = 200

func (s *Server) badgesPage(w http.ResponseWriter, r *http.Request) {
	s.showBadges(w, r, http.StatusOK, nil, "")
}

// badgesData is what the page of badges shows.
type badgesData struct {
	Query   string
	Badges  []device.Badge
	More    int
	Status  admin.Status
	Enrolls roster.EnrollState
	Report  *importReport
}

type importReport struct {
	roster.Report
	Dry   bool
	Count map[string]int
	Lines []roster.Line // the refused ones, or the first ones
}

func (s *Server) showBadges(w http.ResponseWriter, r *http.Request, status int, report *importReport, problem string) {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	all, err := s.admin.Badges(r.Context(), "", admin.None{})
	if err != nil {
		problem = s.explain(r, err)
	}
	u, _ := visitor(r)
	v := view{User: u, admin: s.admin}
	found := slices.DeleteFunc(all, func(b device.Badge) bool {
		text := strings.ToLower(v.Name(b.Employee.Name) + " " + string(b.Employee.ID) + " " + v.UID(b.UID))
		return !strings.Contains(text, strings.ToLower(q))
	})
	clock := s.status(r)
	data := badgesData{
		Query: q, Badges: found[:min(badgesShown, len(found))], Status: clock, Enrolls: clock.Enrollment,
		Report: report,
	}
	data.More = len(found) - len(data.Badges)
	s.answer(w, r, status, "badges", data, problem)
}

// importBadges takes over a list, or shows what would become of it.
func (s *Server) importBadges(w http.ResponseWriter, r *http.Request) {
	u, _ := visitor(r)
	l, name, err := badgeList(r)
	switch {
	case errors.Is(err, errNoFile):
		s.showBadges(w, r, http.StatusBadRequest, nil, s.text(r, "no_file"))
		return
	case err != nil:
		s.showBadges(w, r, http.StatusBadRequest, nil, s.explain(r, err))
		return
	}
	problem := ""
	if l.Replace && !l.Dry && r.FormValue("sure") == "" { // a look first, and the import if nothing goes
		look := l
		look.Dry = true
		report, err := s.admin.ImportBadges(r.Context(), u.Name, look)
		if n := len(report.Removed); n > 0 && err == nil {
			problem, l.Dry = s.text(r, "removes", n), true
		}
	}
	report, err := s.admin.ImportBadges(r.Context(), u.Name, l)
	out := &importReport{Report: report, Dry: l.Dry, Count: map[string]int{}}
	for _, l := range report.Lines {
		out.Count[string(l.Action)]++
		if len(out.Lines) < 100 && (l.Action == roster.Refused || err == nil) {
			out.Lines = append(out.Lines, l)
		}
	}
	if err != nil {
		s.showBadges(w, r, http.StatusBadRequest, out, name+": "+s.explain(r, err))
		return
	}
	s.showBadges(w, r, http.StatusOK, out, problem)
}

// errNoFile says that a form came without its file.
var errNoFile = errors.New("no file")

// badgeList reads the form of an import.
func badgeList(r *http.Request) (l admin.BadgeList, name string, err error) {
	file, header, err := r.FormFile("file")
	if err != nil {
		return l, "", errNoFile
	}
	defer file.Close()
	if l.File, err = io.ReadAll(file); err != nil {
		return l, "", err
	}
	l.Replace, l.Dry = r.FormValue("replace") != "", r.FormValue("do") != "import"
	l.Numbers, err = device.ParseNumbers(r.FormValue("numbers"))
	return l, header.Filename, err
}

// employee reads the fields employee and name of a form.
func (s *Server) employee(r *http.Request) (device.Employee, error) {
	e, err := s.admin.Employee(r.Context(), "", r.FormValue("employee"))
	if name := strings.TrimSpace(r.FormValue("name")); name != "" && err == nil {
		e.Name = name
	}
	return e, err
}

func (s *Server) addBadge(r *http.Request, who string) (string, error) {
	uid, err := device.ParseUID(r.FormValue("uid"))
	if err != nil {
		return "", err
	}
	e, err := s.employee(r)
	if err != nil {
		return "", err
	}
	b := device.Badge{UID: uid, Employee: e, From: r.FormValue("from"), Until: r.FormValue("until")}
	action, err := s.admin.AddBadge(r.Context(), who, admin.NewBadge{Badge: b, Move: r.FormValue("move") != ""})
	return fmt.Sprintf("%s: %s → %s", action, uid.Hex(), e.Name), err
}

func (s *Server) blockBadge(r *http.Request, who string) (string, error) {
	uid, err := device.ParseUID(r.FormValue("uid"))
	if err != nil {
		return "", err
	}
	blocked, err := strconv.ParseBool(r.FormValue("blocked"))
	if err != nil {
		return "", errEmpty
	}
	e, err := s.admin.BlockBadge(r.Context(), who, admin.Block{Badge: admin.WholeUID{UID: uid}, Blocked: blocked})
	return s.text(r, "badge_done", uid.Hex(), e.Name), err
}

func (s *Server) removeBadge(r *http.Request, who string) (string, error) {
	uid, err := device.ParseUID(r.FormValue("uid"))
	if err != nil {
		return "", err
	}
	e, err := s.admin.RemoveBadge(r.Context(), who, admin.WholeUID{UID: uid})
	return s.text(r, "badge_removed", uid.Hex(), e.Name), err
}

func (s *Server) enroll(r *http.Request, who string) (string, error) {
	way := roster.Way(r.FormValue("way"))
	if way != roster.Another && way != roster.Renewed && way != roster.MovedTo {
		return "", errEmpty
	}
	_, err := s.admin.Enroll(r.Context(), who, admin.Enroll{
		Who: r.FormValue("employee"), Name: r.FormValue("name"), Way: way,
	})
	return "", err
}

func (s *Server) unenroll(r *http.Request, who string) (string, error) {
	_, err := s.admin.EndEnrollment(r.Context(), who, 0)
	return "", err
}

func (s *Server) syncBadges(r *http.Request, who string) (string, error) {
	ctx, cancel := bound(r)
	defer cancel()
	m, err := s.admin.SyncBadges(ctx, who, false)
	return s.text(r, "synced", len(m.Added), len(m.Changed), len(m.Removed), len(m.Blocked), len(m.Conflicts)), err
}

func (s *Server) unclaimedPage(w http.ResponseWriter, r *http.Request) {
	unclaimed, err := s.admin.UnclaimedBadges(r.Context(), "", admin.None{})
	s.answer(w, r, http.StatusOK, "unclaimed", unclaimed, s.explain(r, err))
}

func (s *Server) claim(r *http.Request, who string) (string, error) {
	uid, err := device.ParseUID(r.FormValue("uid"))
	if err != nil {
		return "", err
	}
	e, err := s.employee(r)
	if err != nil {
		return "", err
	}
	plan, err := s.admin.Claim(r.Context(), who, admin.Claim{
		Badge: device.Badge{UID: uid, Employee: e}, Force: r.FormValue("force") != "",
	})
	return s.text(r, "claimed", len(plan), e.Name), err
}
