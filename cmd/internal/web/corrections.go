package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/clock"
)

// desk opens the reader's desk: by the token of their session, or the company's.
func (s *Server) desk(r *http.Request) (*admin.Desk, error) {
	u, _ := visitor(r)
	return s.admin.Desk(u.Name, u.token)
}

// week is the Monday of the week that is asked for, at midnight in the clock's zone.
func (s *Server) week(r *http.Request) time.Time {
	day, err := time.ParseInLocation(time.DateOnly, r.FormValue("week"), s.admin.Zone())
	if err != nil {
		day = time.Now().In(s.admin.Zone())
	}
	day = day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, s.admin.Zone())
}

// span is a timespan of the week that is shown.
type span struct {
	admin.Timespan
	Works  bool            // its employee works now
	IsOpen bool            // it is the open day that was asked for
	Next   *admin.Timespan // the next one of its day; nil: it is the last
}

// correctionsData is what the page of corrections shows.
type correctionsData struct {
	Token      bool // an admin's token is there
	OtherToken bool // another one is to be entered
	OpenDays   []admin.OpenDay
	Employee   device.Employee
	Week       string
	Before     string
	After      string
	Spans      []span
	Worked     string // in the week, hours and minutes
	HistoryOf  string
	History    []admin.Change
	Here       string // the query of this page's address
}

func (s *Server) correctionsPage(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := bound(r)
	defer cancel()
	week := s.week(r)
	d := correctionsData{
		Week: week.Format(time.DateOnly), Before: week.AddDate(0, 0, -7).Format(time.DateOnly),
		After: week.AddDate(0, 0, 7).Format(time.DateOnly), OtherToken: r.FormValue("token") == "other",
	}
	u, _ := visitor(r)
	desk, err := s.desk(r)
	d.Token = err == nil && u.Role == Admin
	var problem error
	if d.Token {
		d.Employee, problem = s.asked(r)
		var unclear *admin.Unclear
		if errors.As(problem, &unclear) { // the choice is in the form, as where one is sent
			r = withRefused(r, &refused{r.URL.Path, r.Form, unclear})
		}
	}
	if d.Employee.ID == "" {
		var err error
		d.OpenDays, err = s.admin.OpenDays(ctx, "", admin.None{})
		problem = errors.Join(problem, err)
	} else {
		problem = errors.Join(problem, s.showWeek(ctx, r, desk, week, &d))
	}
	d.Here = "?" + url.Values{"e": {string(d.Employee.ID)}, "week": {d.Week}}.Encode()
	s.answer(w, r, http.StatusOK, "corrections", d, s.explain(r, problem))
}

// asked is the employee whom the address names, by id, by choice or by words; nobody if it does not.
func (s *Server) asked(r *http.Request) (device.Employee, error) {
	if id, err := device.ParseEmployeeID(r.FormValue("e")); err == nil {
		return s.admin.Employee(r.Context(), "", string(id))
	}
	if r.FormValue("who") == "" && r.FormValue("employee") == "" && r.FormValue("choice") == "" {
		return device.Employee{}, nil
	}
	return s.employee(r)
}

// withRefused is a request of a session that has a refused form.
func withRefused(r *http.Request, form *refused) *http.Request {
	u, _ := visitor(r)
	u.refused = form
	return r.WithContext(context.WithValue(r.Context(), visitorKey{}, u))
}

// showWeek fills in what an employee has worked in a week.
func (s *Server) showWeek(
	ctx context.Context, r *http.Request, desk *admin.Desk, week time.Time, d *correctionsData,
) error {
	spans, err := desk.Week(ctx, d.Employee.ID, week)
	if err != nil {
		return err
	}
	at, _ := time.Parse(time.RFC3339, r.FormValue("at"))
	var worked time.Duration
	for i, t := range spans {
		x := span{Timespan: t, Works: s.admin.Works(t), IsOpen: t.CheckIn.Truncate(time.Second).Equal(at)}
		if i+1 < len(spans) && spans[i+1].Workday == t.Workday && t.Workday != "" {
			x.Next = &spans[i+1]
		}
		if !t.CheckOut.IsZero() {
			worked += t.CheckOut.Sub(t.CheckIn)
		}
		d.Spans = append(d.Spans, x)
	}
	d.Worked = fmt.Sprintf("%d:%02d", int(worked.Hours()), int(worked.Minutes())%60)
	if d.HistoryOf = r.FormValue("history"); d.HistoryOf != "" {
		d.History, err = desk.History(ctx, d.HistoryOf)
	}
	return err
}

// bringToken keeps an admin's token for this session, in memory only, once Zeitstrom has taken it.
func (s *Server) bringToken(r *http.Request, _ string) (string, error) {
	u, _ := visitor(r)
	token := strings.TrimSpace(r.FormValue("token"))
	if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", errEmpty
	}
	desk, err := s.admin.Desk(u.Name, token)
	if err != nil {
		return "", err
	}
	ctx, cancel := bound(r)
	defer cancel()
	if err := desk.Try(ctx); err != nil {
		return "", err
	}
	s.sessions.change(u.key, func(x *session) { x.token = token })
	return s.text(r, "token_kept"), nil
}

// correct makes a handler of a change of hours.
func (s *Server) correct(
	change func(context.Context, *http.Request, *admin.Desk) (admin.Done, error),
) func(*http.Request, string) (string, error) {
	return func(r *http.Request, _ string) (string, error) {
		desk, err := s.desk(r)
		if err != nil {
			return "", err
		}
		why, err := reason(r)
		if err != nil {
			return "", err
		}
		ctx, cancel := boundAct(r)
		defer cancel()
		done, err := change(ctx, r, desk.Because(why))
		switch {
		case err != nil:
			return "", err
		case done.Pending > 0:
			return s.count(r, "still_pending", done.Pending), nil
		}
		return s.text(r, "corrected"), nil
	}
}

// local reads a time of a form, in the clock's zone; zero if it is empty. One that
// was not changed is the instant that it was, in the hour that comes twice, too.
func (s *Server) local(r *http.Request, field string) (time.Time, error) {
	text := r.FormValue(field)
	if text == "" {
		return time.Time{}, nil
	}
	zone := s.admin.Zone()
	if was, err := time.Parse(time.RFC3339, r.FormValue(field+"_was")); err == nil &&
		strings.HasPrefix(was.In(zone).Format("2006-01-02T15:04:05"), text) {
		return was, nil
	}
	return clock.ParseLocal(text, zone)
}

// instant reads a time that a form must have.
func (s *Server) instant(r *http.Request, field string) (time.Time, error) {
	at, err := s.local(r, field)
	if err == nil && at.IsZero() {
		err = errEmpty
	}
	return at, err
}

// times reads the check-in and the check-out of a form; without a check-out, the zero time.
func (s *Server) times(r *http.Request) (in, out time.Time, err error) {
	if in, err = s.instant(r, "checkin"); err == nil {
		out, err = s.local(r, "checkout")
	}
	return in, out, err
}

func (s *Server) correctTimes(ctx context.Context, r *http.Request, d *admin.Desk) (admin.Done, error) {
	in, out, err := s.times(r)
	if err != nil {
		return admin.Done{}, err
	}
	return d.SetTimes(ctx, r.FormValue("id"), in, out)
}

func (s *Server) correctSplit(ctx context.Context, r *http.Request, d *admin.Desk) (admin.Done, error) {
	at, err := s.instant(r, "at")
	if err != nil {
		return admin.Done{}, err
	}
	return d.Split(ctx, r.FormValue("id"), at)
}

func (s *Server) correctComment(ctx context.Context, r *http.Request, d *admin.Desk) (admin.Done, error) {
	return d.Comment(ctx, r.FormValue("id"), strings.TrimSpace(r.FormValue("comment")))
}

func (s *Server) correctProject(ctx context.Context, r *http.Request, d *admin.Desk) (admin.Done, error) {
	return d.Assign(ctx, r.FormValue("id"), admin.Project{Code: strings.TrimSpace(r.FormValue("code"))})
}

func (s *Server) correctAdd(ctx context.Context, r *http.Request, d *admin.Desk) (admin.Done, error) {
	e, err := device.ParseEmployeeID(r.FormValue("employee"))
	if err != nil {
		return admin.Done{}, err
	}
	in, out, err := s.times(r)
	if err != nil {
		return admin.Done{}, err
	}
	badges, err := s.admin.Badges(ctx, "", admin.None{})
	if err != nil {
		return admin.Done{}, err
	}
	workday, err := d.FindWorkday(ctx, e, in, badges)
	if err != nil {
		return admin.Done{}, err
	}
	return d.Add(ctx, e, workday, in, out)
}

func (s *Server) correctMerge(ctx context.Context, r *http.Request, d *admin.Desk) (admin.Done, error) {
	return d.Merge(ctx, []string{r.FormValue("id"), r.FormValue("with")})
}

func (s *Server) correctDelete(ctx context.Context, r *http.Request, d *admin.Desk) (admin.Done, error) {
	if r.FormValue("sure") == "" {
		return admin.Done{}, errEmpty
	}
	return d.Delete(ctx, r.FormValue("id"))
}

func (s *Server) weekPicture(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := bound(r)
	defer cancel()
	desk, err := s.desk(r)
	id, noID := device.ParseEmployeeID(r.FormValue("e"))
	if err != nil || noID != nil {
		http.NotFound(w, r)
		return
	}
	week := s.week(r)
	spans, err := desk.Week(ctx, id, week)
	if err != nil {
		http.Error(w, s.explain(r, err), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	newCanvas(r).drawWeek(w, weekOf{
		monday: week, spans: spans, works: s.admin.Works, title: s.text(r, "picture_week"),
		days: strings.Split(s.text(r, "weekdays"), " "),
	})
}
