package web

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"

	"github.com/pelletier/go-toml/v2"
)

//go:embed templates
var templateFiles embed.FS

//go:embed languages
var languageFiles embed.FS

// languages are those that the page speaks; the first is for whoever speaks none.
var languages = []string{"en", "de"}

// pages are the words and templates of one language.
type pages struct {
	words     map[string]string
	templates map[string]*template.Template // by name
}

// texts reads what stands in a language's file.
func texts(language string) (map[string]string, error) {
	content, err := languageFiles.ReadFile(path.Join("languages", language+".toml"))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	if err := toml.Unmarshal(content, &out); err != nil {
		return nil, fmt.Errorf("language %s: %w", language, err)
	}
	return out, nil
}

// loadPages reads all templates in all languages.
func loadPages() (map[string]pages, error) {
	names, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	all := map[string]pages{}
	for _, language := range languages {
		words, err := texts(language)
		if err != nil {
			return nil, err
		}
		functions := template.FuncMap{
			"t": func(key string, args ...any) (string, error) {
				text, ok := words[key]
				if !ok {
					return "", fmt.Errorf("language %s has no text for %q", language, key)
				}
				if len(args) == 0 {
					return text, nil
				}
				return fmt.Sprintf(text, args...), nil
			},
			"language": func() string { return language },
		}
		all[language] = pages{words, map[string]*template.Template{}}
		for _, n := range names {
			if n.Name() == "layout.html" {
				continue
			}
			t, err := template.New("layout.html").Funcs(functions).ParseFS(templateFiles, "templates/layout.html",
				"templates/"+n.Name())
			if err != nil {
				return nil, err
			}
			all[language].templates[strings.TrimSuffix(n.Name(), ".html")] = t
		}
	}
	return all, nil
}

// language is the one that a browser asks for.
func language(r *http.Request) string {
	if c, err := r.Cookie("language"); err == nil && slices.Contains(languages, c.Value) {
		return c.Value
	}
	for _, want := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		want, _, _ = strings.Cut(strings.TrimSpace(want), ";")
		want, _, _ = strings.Cut(want, "-")
		if slices.Contains(languages, strings.ToLower(want)) {
			return strings.ToLower(want)
		}
	}
	return languages[0]
}

// view is what every page gets.
type view struct {
	Page    string
	User    session // without a name: nobody has logged in
	Notice  string
	Problem string
	Zone    *time.Location
	Data    any

	admin *admin.Admin
}

// Admin reports whether the reader may change things.
func (v view) Admin() bool { return v.User.Role == Admin }

// Name is an employee's name as the reader may see it.
func (v view) Name(name string) string {
	if v.Admin() {
		return name
	}
	return v.admin.ShortName(name)
}

// UID is a badge's number as the reader may see it.
func (v view) UID(uid device.UID) string {
	if v.Admin() {
		return uid.Hex()
	}
	return uid.String()
}

// When is an instant in the clock's zone.
func (v view) When(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(v.Zone).Format("2006-01-02 15:04:05")
}

// Day is a date in the clock's zone.
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

// Clock is a time of day in the clock's zone.
func (v view) Clock(t time.Time) string { return t.In(v.Zone).Format("15:04") }

// show answers with a page.
func (s *Server) show(w http.ResponseWriter, r *http.Request, name string, data any) {
	s.answer(w, r, http.StatusOK, name, data, "")
}

// answer answers with a page and says what is wrong, if anything.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, name string, data any, problem string) {
	v := view{Page: name, Zone: s.admin.Zone(), Data: data, Problem: problem, admin: s.admin}
	if user, ok := visitor(r); ok {
		v.User, v.Notice, v.Problem = user, user.notice, cmp.Or(problem, user.problem)
		if !automatic(r) {
			s.sessions.heard(user.key)
		}
	}
	var out strings.Builder
	if err := s.pages[language(r)].templates[name].Execute(&out, v); err != nil {
		s.log.Error("page not shown", "page", name, "error", err)
		http.Error(w, "this page cannot be shown; the clock's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write([]byte(out.String()))
}

// text is a text in the reader's language.
func (s *Server) text(r *http.Request, key string, args ...any) string {
	return fmt.Sprintf(s.pages[language(r)].words[key], args...)
}

// explain says what is wrong, in the reader's language as far as it comes from here, with what can be
// done about it on this page.
func (s *Server) explain(r *http.Request, err error) string {
	var refused *device.Refusal
	if err == nil {
		return ""
	}
	if errors.As(err, &refused) {
		return refused.Cause + ": " + s.text(r, "remedy_"+string(refused.Remedy))
	}
	return err.Error()
}

// Tab is a page in the navigation.
type Tab struct{ Name, Path string }

// Tabs are the pages that there are.
func (v view) Tabs() []Tab {
	return []Tab{
		{"now", "/"},
		{"in", "/in"},
		{"badges", "/badges"},
		{"unclaimed", "/unclaimed"},
		{"bookings", "/bookings"},
		{"days", "/days"},
		{"corrections", "/corrections"},
		{"device", "/device"},
	}
}
