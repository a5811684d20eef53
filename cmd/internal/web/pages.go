package web

import (
	"bytes"
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
	punches, err := s.clock.Punches(true)
	if err != nil {
		s.log.Error("bookings not read", "error", err)
	}
	s.show(w, r, "now", struct {
		Status  admin.Status
		Punches []admin.Punch
		Enrols  roster.EnrolState
	}{s.clock.Status(), punches[:min(8, len(punches))], s.enrolment()})
}

func (s *Server) enrolment() roster.EnrolState {
	state, _ := s.clock.Enrol.State()
	return state
}

func (s *Server) inPage(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := bound(r)
	defer cancel()
	ask := r.FormValue("ask") != ""
	people, asked, answered, err := s.clock.WhoIsIn(ctx, ask)
	problem := ""
	switch {
	case err != nil:
		problem = err.Error()
	case ask && answered < len(people):
		problem = s.text(r, "not_all", answered, len(people))
	}
	var in, out []admin.Whereabouts
	for _, p := range people {
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
	}{in, out, time.Now(), asked > 0 && answered > 0, r.FormValue("roll") != ""}, problem)
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
	all, _ := s.clock.Roster.List()
	u, _, _ := s.user(r)
	v := view{User: u, clock: s.clock}
	found := slices.DeleteFunc(all, func(b device.Badge) bool {
		text := strings.ToLower(v.Name(b.Employee.Name) + " " + string(b.Employee.ID) + " " + v.UID(b.UID))
		return !strings.Contains(text, strings.ToLower(q))
	})
	data := badgesData{Query: q, Badges: found[:min(badgesShown, len(found))], Status: s.clock.Status(), Enrols: s.enrolment(), Report: report}
	data.More = len(found) - len(data.Badges)
	s.answer(w, r, status, "badges", data, problem)
}

// importBadges takes over a list, or shows what would become of it.
func (s *Server) importBadges(w http.ResponseWriter, r *http.Request) {
	u, _, _ := s.user(r)
	file, header, err := r.FormFile("file")
	if err != nil {
		s.showBadges(w, r, http.StatusBadRequest, nil, s.text(r, "no_file"))
		return
	}
	defer file.Close()
	o := roster.Options{Numbers: device.Numbers(r.FormValue("numbers")), Replace: r.FormValue("replace") != "", Dry: r.FormValue("do") != "import"}
	if _, err := device.ParseNumbers(string(o.Numbers)); err != nil {
		s.showBadges(w, r, http.StatusBadRequest, nil, err.Error())
		return
	}
	problem := ""
	if o.Replace && !o.Dry && r.FormValue("sure") == "" {
		o.Dry = true // a look first, and the import if nothing goes
		look, err := s.clock.ImportBadges(u.Name, file, o)
		if n := len(look.Removed); n > 0 && err == nil {
			problem = s.text(r, "removes", n)
		} else {
			o.Dry = false
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			s.showBadges(w, r, http.StatusInternalServerError, nil, err.Error())
			return
		}
	}
	report, err := s.clock.ImportBadges(u.Name, file, o)
	out := &importReport{Report: report, Dry: o.Dry, Count: map[string]int{}}
	for _, l := range report.Lines {
		out.Count[string(l.Action)]++
		if len(out.Lines) < 100 && (l.Action == roster.Refused || err == nil) {
			out.Lines = append(out.Lines, l)
		}
	}
	if err != nil {
		s.showBadges(w, r, http.StatusBadRequest, out, header.Filename+": "+err.Error())
		return
	}
	s.showBadges(w, r, http.StatusOK, out, problem)
}

// employee reads the fields employee and name of a form.
func (s *Server) employee(r *http.Request) (device.Employee, error) {
	e, err := s.clock.Employee(r.FormValue("employee"))
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
	action, err := s.clock.AddBadge(who, b, r.FormValue("move") != "")
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
	e, err := s.clock.BlockBadge(who, uid, blocked)
	return s.text(r, "badge_done", uid.Hex(), e.Name), err
}

func (s *Server) removeBadge(r *http.Request, who string) (string, error) {
	uid, err := device.ParseUID(r.FormValue("uid"))
	if err != nil {
		return "", err
	}
	e, err := s.clock.RemoveBadge(who, uid)
	return s.text(r, "badge_removed", uid.Hex(), e.Name), err
}

func (s *Server) enroll(r *http.Request, who string) (string, error) {
	e, err := s.employee(r)
	if err != nil {
		return "", err
	}
	way := roster.Way(r.FormValue("way"))
	if way != roster.Another && way != roster.Renewed && way != roster.MovedTo {
		return "", errEmpty
	}
	_, err = s.clock.Enroll(who, e, way)
	return "", err
}

func (s *Server) unenroll(r *http.Request, _ string) (string, error) {
	s.clock.Enrol.End(s.enrolment().Number)
	return "", nil
}

func (s *Server) syncBadges(r *http.Request, who string) (string, error) {
	ctx, cancel := bound(r)
	defer cancel()
	m, err := s.clock.SyncBadges(ctx, who, false)
	return s.text(r, "synced", len(m.Added), len(m.Changed), len(m.Removed), len(m.Blocked), len(m.Conflicts)), err
}

func (s *Server) unclaimedPage(w http.ResponseWriter, r *http.Request) {
	badges, lost := s.clock.Unclaimed()
	s.show(w, r, "unclaimed", struct {
		Badges []admin.Unclaimed
		Lost   int
	}{badges, lost})
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
	plan, err := s.clock.Claim(who, device.Badge{UID: uid, Employee: e}, r.FormValue("force") != "", false)
	return s.text(r, "claimed", len(plan), e.Name), err
}

func (s *Server) bookingsPage(w http.ResponseWriter, r *http.Request) {
	state, q := device.State(r.FormValue("state")), strings.ToLower(strings.TrimSpace(r.FormValue("q")))
	open, err := s.clock.Punches(false)
	newest, err2 := s.clock.Punches(true)
	problem := ""
	if err := errors.Join(err, err2); err != nil {
		problem = err.Error()
	}
	// What waits comes first however old it is, and may be among the newest, too.
	slices.Reverse(open)
	seen := map[device.PunchID]bool{}
	u, _, _ := s.user(r)
	v := view{User: u, clock: s.clock}
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
	return s.text(r, "retried", id), s.clock.Retry(who, id)
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
	return s.text(r, "dropped_now", id), s.clock.Drop(who, id, reason)
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
	return s.text(r, "time_set", id), s.clock.SetTime(who, id, at)
}

func (s *Server) daysPage(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := bound(r)
	defer cancel()
	days, err := s.clock.OpenDays(ctx)
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	s.answer(w, r, http.StatusOK, "days", days, problem)
}

func (s *Server) devicePage(w http.ResponseWriter, r *http.Request) {
	if u, _, _ := s.user(r); u.Role == Admin && r.FormValue("examine") != "" {
		s.clock.ExamineNow(r.Context())
	}
	s.show(w, r, "device", struct {
		Status      admin.Status
		Examination admin.Examination
		Settings    []string
		Log         []string
		Accounts    []account
		Fingerprint string
	}{s.clock.Status(), s.clock.Examination(), s.clock.Settings, s.clock.Log(), s.accounts.all(), fingerprint(s.certificate())})
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
	s.clock.Queue.Note(device.Event{Kind: device.EventAccountSet, Why: fmt.Sprintf("%s (%s)", a.Name, a.Role), By: who})
	return s.text(r, "account_set", a.Name), nil
}

func (s *Server) removeAccount(r *http.Request, who string) (string, error) {
	name := r.FormValue("name")
	if err := s.accounts.remove(name); err != nil {
		return "", err
	}
	s.sessions.endOf(name)
	s.clock.Queue.Note(device.Event{Kind: device.EventAccountRemoved, Why: name, By: who})
	return s.text(r, "account_removed", name), nil
}

func (s *Server) displayPicture(w http.ResponseWriter, r *http.Request) {
	if s.Code() != "" { // the picture shows it, and only who stands before the clock may read it
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	picture := s.picture
	s.mu.Unlock()
	w.Header().Set("Content-Type", "image/png")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(picture))
}

func (s *Server) dayPicture(w http.ResponseWriter, r *http.Request) {
	punches, err := s.clock.Punches(true)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	drawDay(w, time.Now().In(s.clock.Style.Zone), punches, s.text(r, "picture_day"))
}

func (s *Server) queuePicture(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "image/svg+xml")
	drawBacklog(w, s.clock.Backlog.Samples(), s.clock.Style.Zone, s.text(r, "picture_queue"))
}
