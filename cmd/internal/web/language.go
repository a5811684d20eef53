package web

import (
	"embed"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/feature/plural"
	tag "golang.org/x/text/language"
)

//go:embed languages
var languageFiles embed.FS

// fallback is the language for whoever speaks none that there is.
const fallback = "en"

// language is everything that the page says in one language: a file in languages. One more file is
// one more language.
type language struct {
	code    string
	tag     tag.Tag
	phrases []phrase // from Messages

	Name    string // of itself, for the switch
	Formats struct{ Date, Time, Moment string }
	Texts   map[string]string
	// Plurals have a text for each plural form that the language has, by CLDR's names: one, few,
	// many, other.
	Plurals map[string]map[string]string
	// Messages are what the clock says in English, with Go's verbs, in this language.
	Messages map[string]string
}

// readLanguage reads a language's file.
func readLanguage(code string) (*language, error) {
	content, err := languageFiles.ReadFile(path.Join("languages", code+".toml"))
	if err != nil {
		return nil, err
	}
	l := &language{code: code}
	if err := toml.Unmarshal(content, l); err != nil {
		return nil, fmt.Errorf("language %s: %w", code, err)
	}
	if l.tag, err = tag.Parse(code); err != nil {
		return nil, fmt.Errorf("language %s: %w", code, err)
	}
	l.phrases, err = newPhrases(l.Messages)
	return l, err
}

// readLanguages reads all of them, by code.
func readLanguages() (map[string]*language, error) {
	files, err := languageFiles.ReadDir("languages")
	if err != nil {
		return nil, err
	}
	all := map[string]*language{}
	for _, f := range files {
		code := strings.TrimSuffix(f.Name(), ".toml")
		if all[code], err = readLanguage(code); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// text is a text of the page.
func (l *language) text(key string, args ...any) (string, error) {
	text, ok := l.Texts[key]
	if !ok {
		return "", fmt.Errorf("language %s has no text for %q", l.code, key)
	}
	if len(args) == 0 {
		return text, nil
	}
	return fmt.Sprintf(text, args...), nil
}

// forms are the plural forms by their names.
var forms = map[plural.Form]string{
	plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many",
	plural.Other: "other",
}

// count is a text about a number of things.
func (l *language) count(key string, n int, args ...any) (string, error) {
	all := l.Plurals[key]
	text, ok := all[forms[plural.Cardinal.MatchPlural(l.tag, n, 0, 0, 0, 0)]]
	if !ok {
		if text, ok = all["other"]; !ok {
			return "", fmt.Errorf("language %s has no plural for %q", l.code, key)
		}
	}
	return fmt.Sprintf(text, append([]any{n}, args...)...), nil
}

// moment is an instant in a zone.
func (l *language) moment(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format(l.Formats.Moment)
}

// languageOf is the one that a browser asks for.
func (s *Server) languageOf(r *http.Request) *language {
	if c, err := r.Cookie("language"); err == nil && s.languages[c.Value] != nil {
		return s.languages[c.Value]
	}
	for want := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		want, _, _ = strings.Cut(strings.TrimSpace(want), ";")
		want, _, _ = strings.Cut(want, "-")
		if l := s.languages[strings.ToLower(want)]; l != nil {
			return l
		}
	}
	return s.languages[fallback]
}

// text is a text in the reader's language.
func (s *Server) text(r *http.Request, key string, args ...any) string {
	text, err := s.languageOf(r).text(key, args...)
	if err != nil {
		s.log.Error("page", "error", err)
	}
	return text
}

// count is a text about a number of things in the reader's language.
func (s *Server) count(r *http.Request, key string, n int, args ...any) string {
	text, err := s.languageOf(r).count(key, n, args...)
	if err != nil {
		s.log.Error("page", "error", err)
	}
	return text
}
