package web

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/roster"
)

func (s *Server) nowPage(w http.ResponseWriter, r *http.Request) {
	const shown = 8
	punches, err := s.admin.Punches(r.Context(), "", admin.Which{All: true, Most: shown})
	if err != nil {
		s.log.Error("bookings not read", "error", err)
	}
	status := s.status(r)
	s.show(w, r, "now", struct {
		Status  admin.Status
		Punches []admin.Punch
		Enrols  roster.EnrolState
	}{status, punches, status.Enrolment})
}

// status is how the clock is.
func (s *Server) status(r *http.Request) admin.Status {
	status, err := s.admin.Status(r.Context(), "", admin.None{})
	if err != nil {
		s.log.Error("status not read", "error", err)
	}
	return status
}

func (s *Server) inPage(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := bound(r)
	defer cancel()
	ask := r.FormValue("ask") != ""
	all, err := s.admin.WhoIsIn(ctx, ask)
	problem := s.explain(r, err)
	if err == nil && ask && all.Answered < len(all.People) {
		problem = s.text(r, "not_all", all.Answered, len(all.People))
	}
	var in, out []admin.Whereabouts
	for _, p := range all.People {
		if p.In {
			in = append(in, p)
		} else {
			out = append(out, p)
		}
	}
	s.answer(w, r, http.StatusOK, "in", struct {
		In, Out []admin.Whereabouts
		At      time.Time
		Asked   bool
		Roll    bool // a list to be printed, and to be ticked off
	}{in, out, time.Now(), all.Asked > 0 && all.Answered > 0, r.FormValue("roll") != ""}, problem)
}

// badgesShown bounds a page; the search finds the others.
const badgesShown = 200

func (s *Server) badgesPage(w http.ResponseWriter, r *http.Request) {
	s.showBadges(w, r, http.StatusOK, nil, "")
}

// badgesData is what the page of badges shows.
type badgesData struct {
	Query  string
	Badges []device.Badge
	More   int
	Status admin.Status
	Enrols roster.EnrolState
	Report *importReport
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
		Query: q, Badges: found[:min(badgesShown, len(found))], Status: clock, Enrols: clock.Enrolment, Report: report,
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
	_, err := s.admin.Enroll(r.Context(), who, admin.Enrol{Who: r.FormValue("employee"), Name: r.FormValue("name"), Way: way})
	return "", err
}

func (s *Server) unenroll(r *http.Request, who string) (string, error) {
	_, err := s.admin.EndEnrolment(r.Context(), who, 0)
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
	plan, err := s.admin.Claim(r.Context(), who, admin.Claim{Badge: device.Badge{UID: uid, Employee: e}, Force: r.FormValue("force") != ""})
	return s.text(r, "claimed", len(plan), e.Name), err
}

func (s *Server) bookingsPage(w http.ResponseWriter, r *http.Request) {
	state, q := device.State(r.FormValue("state")), strings.ToLower(strings.TrimSpace(r.FormValue("q")))
	open, err := s.admin.Punches(r.Context(), "", admin.Which{})
	newest, err2 := s.admin.Punches(r.Context(), "", admin.Which{All: true})
	problem := s.explain(r, errors.Join(err, err2))
	// What waits comes first however old it is, and may be among the newest, too.
	slices.Reverse(open)
	seen := map[device.PunchID]bool{}
	u, _ := visitor(r)
	v := view{User: u, admin: s.admin}
	var found []admin.Punch
	for _, p := range append(open, newest...) {
		if seen[p.ID] || state != "" && p.State != state || q != "" && !strings.Contains(strings.ToLower(v.Name(p.Name)+" "+string(p.Employee)), q) {
			continue
		}
		seen[p.ID] = true
		found = append(found, p)
	}
	const most = 300
	s.answer(w, r, http.StatusOK, "bookings", struct {
		State   device.State
		Query   string
		States  []device.State
		Punches []admin.Punch
		More    int
	}{state, r.FormValue("q"), []device.State{device.Pending, device.Ambiguous, device.Held, device.Quarantined, device.Delivered, device.Dropped}, found[:min(most, len(found))], max(0, len(found)-most)}, problem)
}

// punchID reads the field punch of a form.
func punchID(r *http.Request) (device.PunchID, error) {
	id, err := strconv.ParseUint(r.FormValue("punch"), 10, 64)
	return device.PunchID(id), err
}

func (s *Server) retry(r *http.Request, who string) (string, error) {
	id, err := punchID(r)
	if err != nil {
		return "", err
	}
	_, err = s.admin.Retry(r.Context(), who, id)
	return s.text(r, "retried", id), err
}

func (s *Server) drop(r *http.Request, who string) (string, error) {
	id, err := punchID(r)
	if err != nil {
		return "", err
	}
	reason := strings.TrimSpace(r.FormValue("reason"))
	if reason == "" {
		return "", errors.New(s.text(r, "why_drop"))
	}
	_, err = s.admin.Drop(r.Context(), who, admin.Drop{Punch: id, Reason: reason})
	return s.text(r, "dropped_now", id), err
}

func (s *Server) setTime(r *http.Request, who string) (string, error) {
	id, err := punchID(r)
	if err != nil {
		return "", err
	}
	at, err := s.instant(r, "at")
	if err != nil {
		return "", err
	}
	_, err = s.admin.SetTime(r.Context(), who, admin.TimeOf{Punch: id, Time: at})
	return s.text(r, "time_set", id), err
}

func (s *Server) daysPage(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := bound(r)
	defer cancel()
	days, err := s.admin.OpenDays(ctx, "", admin.None{})
	s.answer(w, r, http.StatusOK, "days", days, s.explain(r, err))
}

func (s *Server) devicePage(w http.ResponseWriter, r *http.Request) {
	problem := ""
	if u, _ := visitor(r); u.Role == Admin && r.FormValue("examine") != "" {
		_, err := s.admin.Examine(r.Context(), u.Name, admin.None{})
		problem = s.explain(r, err)
	}
	log, err := s.admin.NewestLog(r.Context(), "", admin.None{})
	s.answer(w, r, http.StatusOK, "device", struct {
		Status      admin.Status
		Examination admin.Examination
		Settings    []string
		Log         []string
		Accounts    []account
		Fingerprint string
	}{
		s.status(r), s.admin.Examination(), s.admin.Settings(), log, s.accounts.all(), fingerprint(s.certificate()),
	}, cmp.Or(problem, s.explain(r, err)))
}

func (s *Server) addAccount(r *http.Request, who string) (string, error) {
	a, err := newAccount(strings.TrimSpace(r.FormValue("name")), Role(r.FormValue("role")), r.FormValue("password"))
	if err == nil {
		err = s.accounts.set(a)
	}
	if err != nil {
		return "", err
	}
	s.sessions.endOf(a.Name)
	s.admin.AccountSet(who, a.Name, string(a.Role))
	return s.text(r, "account_set", a.Name), nil
}

func (s *Server) removeAccount(r *http.Request, who string) (string, error) {
	name := r.FormValue("name")
	if err := s.accounts.remove(name); err != nil {
		return "", err
	}
	s.sessions.endOf(name)
	s.admin.AccountRemoved(who, name)
	return s.text(r, "account_removed", name), nil
}

func (s *Server) displayPicture(w http.ResponseWriter, r *http.Request) {
	if s.Code() != "" { // the picture shows it, and only who stands before the clock may read it
		http.NotFound(w, r)
		return
	}
	picture, _ := s.mirror.now()
	w.Header().Set("Content-Type", "image/png")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(picture))
}

func (s *Server) dayPicture(w http.ResponseWriter, r *http.Request) {
	punches, err := s.admin.Punches(r.Context(), "", admin.Which{All: true})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	drawDay(w, time.Now().In(s.admin.Zone()), punches, s.text(r, "picture_day"))
}

func (s *Server) queuePicture(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "image/svg+xml")
	drawBacklog(w, s.admin.Backlog(), s.admin.Zone(), s.text(r, "picture_queue"))
}
