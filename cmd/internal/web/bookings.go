package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/roster"
)

// bookingsShown is how many bookings the list has at most.
const bookingsShown = 300

// bookingStates are those that can be looked for.
var bookingStates = []device.State{
	device.Pending, device.Ambiguous, device.Held, device.Quarantined, device.Delivered, device.Dropped,
}

// bookingsData is what the list of bookings shows.
type bookingsData struct {
	Query    string
	State    device.State
	From, To string // days; empty: any
	Filtered bool
	States   []device.State
	Punches  []admin.Punch
	More     int
	Here     string // the query of this page's address
}

func (s *Server) bookingsPage(w http.ResponseWriter, r *http.Request) {
	d := bookingsData{
		Query: strings.TrimSpace(r.FormValue("q")), State: device.State(r.FormValue("state")), States: bookingStates,
		From: r.FormValue("from"), To: r.FormValue("to"),
	}
	d.Filtered = d.Query != "" || d.State != "" || d.From != "" || d.To != ""
	d.Here = "?" + url.Values{"q": {d.Query}, "state": {string(d.State)}, "from": {d.From}, "to": {d.To}}.Encode()
	open, err := s.admin.Punches(r.Context(), "", admin.Which{})
	which := admin.Which{All: true}
	if from, err := time.ParseInLocation(time.DateOnly, d.From, s.admin.Zone()); err == nil {
		which.Since = from
	}
	newest, err2 := s.admin.Punches(r.Context(), "", which)
	// What waits comes first however old it is, and may be among the newest, too.
	slices.Reverse(open)
	seen := map[device.PunchID]bool{}
	fits := s.bookingFilter(r, d)
	var found []admin.Punch
	for _, p := range append(open, newest...) {
		if seen[p.ID] || !fits(p) {
			continue
		}
		seen[p.ID] = true
		found = append(found, p)
	}
	d.Punches, d.More = found[:min(bookingsShown, len(found))], max(0, len(found)-bookingsShown)
	s.answer(w, r, http.StatusOK, "bookings", d, s.explain(r, errors.Join(err, err2)))
}

// bookingFilter reports whether a booking is one that is looked for.
func (s *Server) bookingFilter(r *http.Request, d bookingsData) func(admin.Punch) bool {
	v, asked := s.viewOf(r), roster.Ask(d.Query)
	return func(p admin.Punch) bool {
		day := v.Day(p.Time)
		e := device.Employee{ID: p.Employee, Name: p.Name, Number: p.Number}
		switch {
		case d.State != "" && p.State != d.State, d.From != "" && day < d.From, d.To != "" && day > d.To:
			return false
		}
		return d.Query == "" || v.fits(asked, e) || p.ID.String() == d.Query
	}
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

var errNoReason = errors.New("say why: the reason is kept in this clock's journal")

// maxReason is how many characters a reason has at most.
const maxReason = 200

var errLongReason = fmt.Errorf("a reason is one line of %d characters at most", maxReason)

// reason reads why something is done.
func reason(r *http.Request) (string, error) {
	why := strings.TrimSpace(r.FormValue("reason"))
	switch {
	case why == "":
		return "", errNoReason
	case utf8.RuneCountInString(why) > maxReason || strings.ContainsFunc(why, unicode.IsControl):
		return "", errLongReason
	}
	return why, nil
}

func (s *Server) drop(r *http.Request, who string) (string, error) {
	id, err := punchID(r)
	if err != nil {
		return "", err
	}
	why, err := reason(r)
	if err != nil {
		return "", err
	}
	_, err = s.admin.Drop(r.Context(), who, admin.Drop{Punch: id, Reason: why})
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
