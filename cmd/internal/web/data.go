package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/sheet"
	"timeclock/device"
)

func (s *Server) dataPage(w http.ResponseWriter, r *http.Request) {
	now := time.Now().In(s.admin.Zone())
	s.show(w, r, "data", struct {
		From, To string
		Tables   []string // whole ones
	}{now.AddDate(0, -1, 0).Format(time.DateOnly), now.Format(time.DateOnly), []string{"badges", "journal"}})
}

// downloads are what can be taken as a table.
var downloads = map[string]func(*Server, *http.Request, sheet.Table) error{
	"badges": (*Server).badgeTable, "bookings": (*Server).bookingTable, "journal": (*Server).journalTable,
}

// download answers with a table, as CSV or as a workbook, and notes that it did.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	u, _ := visitor(r)
	what, format := r.FormValue("what"), r.FormValue("format")
	write, known := downloads[what]
	if !known || tableTypes[format] == "" {
		s.refuse(w, r, http.StatusBadRequest, "no_such_download")
		return
	}
	said := what
	if what == "bookings" {
		if _, _, err := s.span(r); err != nil {
			s.sessions.say(u.key, "", s.explain(r, err), &refused{path: r.URL.Path, form: keepable(r.PostForm)})
			http.Redirect(w, r, "/data", http.StatusSeeOther)
			return
		}
		said = fmt.Sprintf("%s from %s to %s", what, r.FormValue("from"), r.FormValue("to"))
	}
	s.admin.Downloaded(u.Name, said)
	s.table(w, what, format, func(t sheet.Table) error { return write(s, r, t) })
}

// table answers with a table.
func (s *Server) table(w http.ResponseWriter, name, format string, write func(sheet.Table) error) {
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=\"%s-%s.%s\"", name,
		time.Now().In(s.admin.Zone()).Format(time.DateOnly), format))
	w.Header().Set("Content-Type", tableTypes[format])
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(slowestTable))
	out, err := newTable(w, format)
	if err == nil {
		err = write(out)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil { // half a table must not look like a whole one
		s.log.Warn("table not sent", "table", name, "error", err)
		panic(http.ErrAbortHandler)
	}
}

// tableTypes are the media types of tables.
var tableTypes = map[string]string{
	"csv":  "text/csv; charset=utf-8",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

func newTable(w io.Writer, format string) (sheet.Table, error) {
	if format == "xlsx" {
		return sheet.NewXLSX(w)
	}
	return sheet.NewCSV(w), nil
}

// slowestTable is how long years of bookings may take, on a small computer.
const slowestTable = 10 * time.Minute

// heads are the names of columns in the reader's language.
func (s *Server) heads(r *http.Request, keys ...string) []string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = s.text(r, key)
	}
	return names
}

func (s *Server) badgeTable(r *http.Request, t sheet.Table) error {
	badges, err := s.admin.Badges(r.Context(), "", admin.None{})
	if err != nil {
		return err
	}
	err = t.Line(s.heads(r, "last_name", "first_name", "personnel_number", "badge", "blocked", "from", "until",
		"origin", "employee_id")...)
	for _, b := range badges {
		first, last := b.Employee.Names()
		blocked := ""
		if b.Blocked {
			blocked = s.text(r, "blocked")
		}
		err = errors.Join(err, t.Line(last, first, b.Employee.Number, b.UID.Hex(), blocked, b.From, b.Until,
			s.text(r, "origin_"+string(b.Origin)), string(b.Employee.ID)))
	}
	return err
}

// span reads the days of a form, both of them included.
func (s *Server) span(r *http.Request) (from, to time.Time, err error) {
	zone := s.admin.Zone()
	from, first := time.ParseInLocation(time.DateOnly, r.FormValue("from"), zone)
	to, last := time.ParseInLocation(time.DateOnly, r.FormValue("to"), zone)
	switch {
	case first != nil || last != nil:
		return from, to, errEmpty
	case to.Before(from):
		return from, to, errBackwards
	}
	return from, to.AddDate(0, 0, 1), nil
}

var errBackwards = errors.New("the last day comes before the first: turn them round")

func (s *Server) bookingTable(r *http.Request, t sheet.Table) error {
	from, to, err := s.span(r)
	if err != nil {
		return err
	}
	err = t.Line(s.heads(r, "number_short", "date", "time", "name", "personnel_number", "direction", "state", "reason",
		"employee_id")...)
	line := func(p admin.Punch) error { return t.Line(s.bookingLine(r, p)...) }
	return errors.Join(err, s.admin.Bookings(from, to, line))
}

func (s *Server) bookingLine(r *http.Request, p admin.Punch) []string {
	v := s.viewOf(r)
	day, at := v.Date(p.Time), p.Time.In(v.Zone).Format(time.TimeOnly)
	if p.Uncertain {
		day, at = "?", "?"
	}
	return []string{
		p.ID.String(), day, at, p.Name, p.Number, s.text(r, "intent_"+string(p.Intent)),
		s.text(r, "state_"+string(p.State)), s.reasonText(r, p), string(p.Employee),
	}
}

// journalTable has the journal's own words, so that it can be compared with its checksum.
func (s *Server) journalTable(r *http.Request, t sheet.Table) error {
	err := t.Line("punch_id", "employee_id", "intent", "time", "state", "exception", "why", "by", "hash")
	return errors.Join(err, s.admin.Journal(r.Context(), func(l admin.JournalLine) error {
		return t.Line(l.Punch.String(), string(l.Employee), string(l.Intent), l.Time.UTC().Format(time.RFC3339),
			string(l.State), string(l.Kind), l.Reason, l.By, l.Hash)
	}))
}

// findPerson leads to everything about the employee whom a form names.
func (s *Server) findPerson(w http.ResponseWriter, r *http.Request) {
	u, _ := visitor(r)
	e, err := s.employee(r)
	if err != nil {
		form := &refused{path: r.URL.Path, form: keepable(r.PostForm)}
		errors.As(err, &form.unclear)
		s.sessions.say(u.key, "", s.explain(r, err), form)
		http.Redirect(w, r, "/data", http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, "/data/person?"+url.Values{"e": {string(e.ID)}}.Encode(), http.StatusSeeOther)
}

func (s *Server) personPage(w http.ResponseWriter, r *http.Request) {
	u, _ := visitor(r)
	id, err := device.ParseEmployeeID(r.FormValue("e"))
	if err != nil {
		http.Redirect(w, r, "/data", http.StatusSeeOther)
		return
	}
	p, err := s.admin.Personal(r.Context(), u.Name, id)
	if format := r.FormValue("format"); err == nil && tableTypes[format] != "" {
		s.table(w, "person", format, func(t sheet.Table) error { return s.personTable(r, p, t) })
		return
	}
	s.answer(w, r, http.StatusOK, "person", struct {
		admin.Personal
		Policy admin.Policy
	}{p, s.admin.Policy()}, s.explain(r, err))
}

// personTable is everything about a person, a fact to a line.
func (s *Server) personTable(r *http.Request, p admin.Personal, t sheet.Table) error {
	v := s.viewOf(r)
	err := t.Line(s.heads(r, "what", "time", "value", "reason")...)
	fact := func(key, at, value, reason string) {
		err = errors.Join(err, t.Line(s.text(r, key), at, value, reason))
	}
	fact("name", "", p.Employee.Name, "")
	fact("employee_id", "", string(p.Employee.ID), "")
	fact("personnel_number", "", p.Employee.Number, "")
	fact("external_id", v.When(p.Listed), p.External, "")
	for _, b := range p.Badges {
		fact("badge", b.From+" – "+b.Until, b.UID.Hex(), s.text(r, "origin_"+string(b.Origin)))
	}
	for _, b := range p.Bookings {
		fact("booking", v.When(b.Time), s.text(r, "intent_"+string(b.Intent))+", "+s.text(r, "state_"+string(b.State)),
			s.reasonText(r, b))
	}
	for _, e := range p.Events {
		fact("journal_entry", v.When(e.Time), s.languageOf(r).say(string(e.Kind)),
			strings.TrimSpace(s.languageOf(r).say(without(p.Employee.ID, e.Reason))+" "+e.By))
	}
	return err
}

// without takes out of a reason of the journal which employee it is about, for pages about that one.
func without(id device.EmployeeID, reason string) string {
	return strings.TrimSuffix(strings.NewReplacer(
		"everything about "+string(id), "", " for "+string(id), "", " of "+string(id), "", string(id)+": ", "",
	).Replace(reason), ": ")
}

func (s *Server) erase(r *http.Request, who string) (string, error) {
	id, err := device.ParseEmployeeID(r.FormValue("e"))
	if err != nil || r.FormValue("sure") == "" {
		return "", errEmpty
	}
	x, err := s.admin.Erase(r.Context(), who, id)
	s.sessions.forgetRemoved(id)
	switch {
	case err != nil:
		return "", err
	case x.Bookings == 0:
		return s.count(r, "erased", x.Badges), nil
	}
	return s.count(r, "erased_but", x.Bookings, s.viewOf(r).Date(x.Until)), nil
}

// councilPage says what the clock keeps, for whoever watches over that: made from its settings.
func (s *Server) councilPage(w http.ResponseWriter, r *http.Request) {
	p := s.admin.Policy()
	viewers, admins := 0, 0
	for _, a := range s.accounts.all() {
		if a.Role == Admin {
			admins++
		} else {
			viewers++
		}
	}
	server := &url.URL{Host: p.Server}
	if u, err := url.Parse(p.Server); err == nil {
		server = u
	}
	s.show(w, r, "council", struct {
		admin.Policy
		Host            string // of the API
		Encrypted       bool   // what goes there
		Admins, Viewers int
		At              time.Time
	}{p, server.Host, server.Scheme == "https", admins, viewers, time.Now()})
}
