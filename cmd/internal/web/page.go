package web

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
)

//go:embed templates
var templateFiles embed.FS

// loadTemplates reads all templates, in each language.
func loadTemplates(languages map[string]*language) (map[string]map[string]*template.Template, error) {
	names, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	all := map[string]map[string]*template.Template{}
	for code, l := range languages {
		functions := template.FuncMap{
			"t": l.text, "n": l.count, "say": l.say, "without": without,
			"language": func() string { return code },
		}
		all[code] = map[string]*template.Template{}
		for _, n := range names {
			if n.Name() == "layout.html" {
				continue
			}
			t, err := template.New("layout.html").Funcs(functions).ParseFS(templateFiles, "templates/layout.html",
				"templates/"+n.Name())
			if err != nil {
				return nil, err
			}
			all[code][strings.TrimSuffix(n.Name(), ".html")] = t
		}
	}
	return all, nil
}

// view is what every page gets.
type view struct {
	Page    string
	Path    string  // of this page, with its query: where the language switch comes back to
	User    session // without a name: nobody has logged in
	Notice  string
	Problem string
	Zone    *time.Location
	Data    any

	ctx       context.Context //nolint:containedctx // of the request that the page answers
	language  *language
	languages map[string]*language
	admin     *admin.Admin
}

// Admin reports whether the reader may change things.
func (v view) Admin() bool { return v.User.Role == Admin }

// Door is what this clock is called.
func (v view) Door() admin.Door { return v.admin.Door() }

// Name is an employee's name as the reader may see it.
func (v view) Name(name string) string {
	if v.Admin() {
		return name
	}
	return v.admin.ShortName(name)
}

// Listed is an employee's name as lists have it, as far as the reader may see it.
func (v view) Listed(e device.Employee) string {
	if v.Admin() {
		return e.Listed()
	}
	return v.admin.ShortName(e.Name)
}

// UID is a badge's number as the reader may see it.
func (v view) UID(uid device.UID) string {
	if v.Admin() {
		return uid.Hex()
	}
	return uid.String()
}

// When is an instant in the clock's zone.
func (v view) When(t time.Time) string { return v.language.moment(t, v.Zone) }

// Today is the time of day of an instant of today, and else what When says.
func (v view) Today(t time.Time) string {
	now := time.Now().In(v.Zone)
	year, month, day := t.In(v.Zone).Date()
	if y, m, d := now.Date(); y == year && m == month && d == day {
		return v.Clock(t)
	}
	return v.When(t)
}

// Clock is a time of day in the clock's zone.
func (v view) Clock(t time.Time) string { return t.In(v.Zone).Format(v.language.Formats.Time) }

// Date is a day in the clock's zone, or one that is written as 2026-12-31.
func (v view) Date(day any) string {
	switch day := day.(type) {
	case time.Time:
		return day.In(v.Zone).Format(v.language.Formats.Date)
	case string:
		if t, err := time.Parse(time.DateOnly, day); err == nil {
			return t.Format(v.language.Formats.Date)
		}
	}
	return ""
}

// Day is a day of the clock's zone for an address or a form's field.
func (v view) Day(t time.Time) string { return t.In(v.Zone).Format(time.DateOnly) }

// Local is an instant as a form's field has it.
func (v view) Local(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(v.Zone).Format("2006-01-02T15:04:05")
}

// Instant is an instant for a form's hidden field.
func (v view) Instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Languages are those that there are, by their codes.
func (v view) Languages() map[string]*language { return v.languages }

// Was is what a field of a form had when the form was refused.
func (v view) Was(action, field string) string { return v.WasOf(action, "", "", field) }

// WasOf is Was for one of several forms that do the same: that whose field key has a value.
func (v view) WasOf(action, key, value, field string) string {
	if x := v.User.refused; x != nil && x.path == action && x.form.Get(key) == value {
		return x.form.Get(field)
	}
	return ""
}

// Because is the reason that was given for a correction of a timespan, when it was refused.
func (v view) Because(action, id string) string { return v.WasOf(action, "id", id, "reason") }

// Refused reports whether a form about a timespan was refused, other than that of its times.
func (v view) Refused(id string) bool {
	x := v.User.refused
	return x != nil && x.path != "/corrections/times" && x.form.Get("id") == id
}

// person is what a form needs to ask for an employee.
type person struct {
	view
	action, key, value string
}

// Person is the question for an employee in a form.
func (v view) Person(action string) person { return person{v, action, "", ""} }

// PersonOf is Person for one of several forms that do the same.
func (v view) PersonOf(action, key, value string) person { return person{v, action, key, value} }

// Was is what a field of the form had when it was refused.
func (p person) Was(field string) string { return p.WasOf(p.action, p.key, p.value, field) }

// Choice is whom the words may have meant, when the form was refused for that.
func (p person) Choice() *admin.Unclear {
	if x := p.User.refused; x != nil && x.path == p.action && x.form.Get(p.key) == p.value {
		return x.unclear
	}
	return nil
}

// listing is what is known of the company's employees.
type listing struct {
	At      time.Time // when Zeitstrom has listed them; zero: never
	Problem string    // why it has not within the hour
}

// Listing says whether employees can be found by name.
func (p person) Listing() listing {
	at, problem := p.admin.Listed(p.ctx)
	return listing{at, problem}
}

// Names reports whether the form takes a name for somebody who cannot be found by one.
func (p person) Names() bool { return p.action != "/corrections" }

// Tab is a page in the navigation, with those that belong to it.
type Tab struct {
	Name, Path string
	Below      []Tab
}

var tabs = []Tab{
	{"now", "/", nil},
	{"in", "/in", nil},
	{"badges", "/badges", []Tab{
		{"badges", "/badges", nil},
		{"give", "/badges/give", nil},
		{"import", "/badges/import", nil},
		{"unclaimed", "/unclaimed", nil},
	}},
	{"bookings", "/bookings", []Tab{
		{"bookings", "/bookings", nil},
		{"days", "/days", nil},
		{"hints", "/hints", nil},
		{"corrections", "/corrections", nil},
	}},
	{"data", "/data", []Tab{{"data", "/data", nil}, {"council", "/data/council", nil}}},
	{"device", "/device", nil},
}

// Tabs are the pages that there are.
func (v view) Tabs() []Tab {
	all := slices.Clone(tabs)
	for i := range all {
		if all[i].Name == "data" && !v.Admin() { // a viewer may see what is kept, and not take it home
			all[i] = Tab{"council", "/data/council", nil}
		}
	}
	return all
}

// Has reports whether a page is this one, or belongs to it.
func (t Tab) Has(page string) bool {
	return t.Name == page || slices.ContainsFunc(t.Below, func(b Tab) bool { return b.Name == page })
}

// Section are the pages that belong together with this one.
func (v view) Section() []Tab {
	for _, t := range v.Tabs() {
		if t.Has(v.Page) {
			return slices.DeleteFunc(slices.Clone(t.Below), func(b Tab) bool {
				return !v.Admin() && (b.Name == "give" || b.Name == "import") ||
					b.Name == "hints" && !v.admin.GivesHints()
			})
		}
	}
	return nil
}

// show answers with a page.
func (s *Server) show(w http.ResponseWriter, r *http.Request, name string, data any) {
	s.answer(w, r, http.StatusOK, name, data, "")
}

// viewOf is what its reader may see.
func (s *Server) viewOf(r *http.Request) view {
	v := view{
		ctx: r.Context(), Path: r.URL.RequestURI(), Zone: s.admin.Zone(), language: s.languageOf(r),
		languages: s.languages, admin: s.admin,
	}
	if user, ok := visitor(r); ok {
		v.User, v.Notice, v.Problem = user, user.notice, user.problem
	}
	return v
}

// answer answers with a page and says what is wrong, if anything.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, name string, data any, problem string) {
	v := s.viewOf(r)
	v.Page, v.Data, v.Problem = name, data, cmp.Or(problem, v.Problem)
	if v.User.Name != "" && !automatic(r) {
		s.sessions.heard(v.User.key)
	}
	var out strings.Builder
	if err := s.templates[v.language.code][name].Execute(&out, v); err != nil {
		s.log.Error("page not shown", "page", name, "error", err)
		http.Error(w, "this page cannot be shown; the clock's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(out.String()))
}

// explain says what is wrong, in the reader's language, with what can be done about it on this page.
func (s *Server) explain(r *http.Request, err error) string {
	if err == nil {
		return ""
	}
	l := s.languageOf(r)
	var unclear *admin.Unclear
	var refused *device.Refusal
	switch {
	case errors.As(err, &unclear):
		return s.unclear(r, unclear)
	case errors.As(err, &refused):
		return l.say(refused.Cause) + ": " + s.text(r, "remedy_"+string(refused.Remedy))
	}
	return l.say(err.Error())
}

// unclear says whom words may mean. The form says who they are.
func (s *Server) unclear(r *http.Request, u *admin.Unclear) string {
	switch {
	case len(u.People) > 0:
		return s.text(r, "several_fit", u.Words)
	case u.Left:
		return s.text(r, "has_left", u.Words)
	case u.Problem != "":
		return s.text(r, "nobody_fits", u.Words) + " " + s.text(r, "not_listed", s.languageOf(r).say(u.Problem))
	}
	return s.text(r, "nobody_fits", u.Words)
}

// secretFields are those of forms that are not kept for a second try.
var secretFields = []string{"csrf", "password", "again", "token"}

// keepable is a form without its secrets.
func keepable(form url.Values) url.Values {
	kept := url.Values{}
	for field, values := range form {
		if !slices.Contains(secretFields, field) {
			kept[field] = values
		}
	}
	return kept
}
