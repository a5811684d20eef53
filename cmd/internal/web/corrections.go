package web

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
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

func (s *Server) correctionsPage(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := bound(r)
	defer cancel()
	type data struct {
		Token      bool // an admin's token is there
		OtherToken bool // another one is to be entered
		OpenDays   []admin.OpenDay
		People     []admin.Whereabouts
		Employee   device.Employee
		Week       string
		Before     string
		After      string
		Spans      []admin.Timespan
		HistoryOf  string
		History    []admin.Change
	}
	week := s.week(r)
	d := data{
		Week: week.Format(time.DateOnly), Before: week.AddDate(0, 0, -7).Format(time.DateOnly),
		After: week.AddDate(0, 0, 7).Format(time.DateOnly),
	}
	d.OtherToken = r.FormValue("token") == "other"
	problem := ""
	fail := func(err error) {
		if err != nil && problem == "" {
			problem = err.Error()
		}
	}
	var err error
	d.OpenDays, err = s.admin.OpenDays(ctx, "", admin.None{})
	fail(err)
	everybody, err := s.admin.WhoIsIn(ctx, false)
	d.People = everybody.People
	fail(err)
	u, _ := visitor(r)
	desk, err := s.desk(r)
	d.Token = err == nil && u.Role == Admin
	if id, noID := device.ParseEmployeeID(r.FormValue("e")); d.Token && noID == nil {
		d.Employee, err = s.admin.Employee(ctx, "", string(id))
		fail(err)
		d.Spans, err = desk.Week(ctx, id, week)
		fail(err)
		if d.HistoryOf = r.FormValue("history"); d.HistoryOf != "" {
			d.History, err = desk.History(ctx, d.HistoryOf)
			fail(err)
		}
	}
	s.answer(w, r, http.StatusOK, "corrections", d, problem)
}

// bringToken keeps an admin's token for this session, in memory only.
func (s *Server) bringToken(r *http.Request, _ string) (string, error) {
	u, _ := visitor(r)
	token := strings.TrimSpace(r.FormValue("token"))
	if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", errEmpty
	}
	s.sessions.bring(u.key, token)
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
		ctx, cancel := boundAct(r)
		defer cancel()
		done, err := change(ctx, r, desk)
		switch {
		case err != nil:
			return "", err
		case done.Pending > 0:
			return s.text(r, "still_pending", done.Pending), nil
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

func (s *Server) correctTimes(ctx context.Context, r *http.Request, d *admin.Desk) (admin.Done, error) {
	in, err := s.instant(r, "checkin")
	if err != nil {
		return admin.Done{}, err
	}
	out, err := s.local(r, "checkout")
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
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	drawWeek(w, week, time.Now(), spans, s.text(r, "picture_week"), strings.Split(s.text(r, "weekdays"), " "))
}

// drawWeek shows a person's week: a row for each day, a bar for each timespan, and
// an open end where nobody checked out.
func drawWeek(w io.Writer, week, now time.Time, spans []admin.Timespan, title string, weekdays []string) {
	const row, left, width = 26, 90, pictureWidth
	height := 7*row + 30
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" font-family="system-ui, `+
		`sans-serif" font-size="11"><title>%s</title>`, width, height, html.EscapeString(title))
	fmt.Fprint(w, `<g fill="#667788">`)
	x := func(t, day time.Time) float64 {
		share := min(1, max(0, t.Sub(day).Hours()/day.AddDate(0, 0, 1).Sub(day).Hours()))
		return left + share*(width-left-10)
	}
	for hour := 0; hour <= 24; hour += 3 {
		at := left + float64(hour)/24*(width-left-10)
		fmt.Fprintf(w, `<line stroke="#99a" stroke-width=".4" x1="%.0f" y1="4" x2="%.0f" y2="%d"/><text x="%.0f" `+
			`y="%d" text-anchor="middle">%02d</text>`, at, at, 7*row, at, height-8, hour)
	}
	for i := range 7 {
		day := week.AddDate(0, 0, i)
		next := day.AddDate(0, 0, 1)
		fmt.Fprintf(w, `<text x="4" y="%d">%s %s</text>`, i*row+18, html.EscapeString(weekdays[i]),
			day.Format("02.01."))
		for _, t := range spans {
			end, colour := t.CheckOut, "#2a9d5c"
			if end.IsZero() {
				colour, end = "#c2571a", t.CheckIn.Add(30*time.Minute)
				if now.Sub(t.CheckIn) < 14*time.Hour {
					end = now
				}
			}
			if !t.CheckIn.Before(next) || !end.After(day) {
				continue
			}
			from, to := x(t.CheckIn, day), x(end, day)
			fmt.Fprintf(w, `<rect fill="%s" x="%.1f" y="%d" width="%.1f" height="%d" rx="3"/>`, colour, from, i*row+6,
				max(2, to-from), row-10)
		}
	}
	fmt.Fprint(w, "</g></svg>")
}
