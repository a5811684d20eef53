package web

import (
	"bytes"
	"cmp"
	"errors"
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
		Enrolls roster.EnrollState
	}{status, punches, status.Enrollment})
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
		if seen[p.ID] || state != "" && p.State != state || q != "" &&
			!strings.Contains(strings.ToLower(v.Name(p.Name)+" "+string(p.Employee)), q) {
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
	}{
		state, r.FormValue("q"),
		[]device.State{
			device.Pending, device.Ambiguous, device.Held, device.Quarantined, device.Delivered, device.Dropped,
		},
		found[:min(most, len(found))], max(0, len(found)-most),
	}, problem)
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
