package web

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/cmd/internal/admin"
)

// Every language has what English has, with the same numbers and names in it, and every text that a
// template or a handler asks for is there.
func TestLanguagesAreComplete(t *testing.T) {
	all, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	english := all[fallback]
	for code, l := range all {
		same := func(what, key, text, english string) {
			if verbs := goVerb.FindAllString; text == "" || !slices.Equal(verbs(text, -1), verbs(english, -1)) {
				t.Errorf("%s, %s %s: %q, English %q", code, what, key, text, english)
			}
		}
		if !slices.Equal(slices.Sorted(maps.Keys(l.Texts)), slices.Sorted(maps.Keys(english.Texts))) {
			t.Errorf("%s has not the texts that English has", code)
		}
		if !slices.Equal(slices.Sorted(maps.Keys(l.Plurals)), slices.Sorted(maps.Keys(english.Plurals))) {
			t.Errorf("%s has not the plurals that English has", code)
		}
		for key, text := range l.Texts {
			same("text", key, text, english.Texts[key])
		}
		for key := range l.Plurals {
			others := make([]any, len(goVerb.FindAllString(english.Plurals[key]["other"], -1))-1)
			for i := range others {
				others[i] = "x"
			}
			for n := range 200 { // no language has a form that a smaller number does not need
				text, err := l.count(key, n, others...)
				if strings.Contains(text, "%!") || err != nil {
					t.Errorf("%s, %d of %s: %q, %v", code, n, key, text, err)
				}
			}
		}
		for _, layout := range []string{l.Formats.Date, l.Formats.Time, l.Formats.Moment} {
			if _, err := time.Parse(layout, time.Now().Format(layout)); layout == "" || err != nil {
				t.Errorf("%s writes times as %q", code, layout)
			}
		}
	}
	asked := regexp.MustCompile(`\b[tn] "([a-z_]+)"|(?:s\.text|s\.count|fact)\((?:r, )?"([a-z_]+)"`)
	named := regexp.MustCompile(`"([a-z_]+)"`)
	templates, _ := filepath.Glob("templates/*.html")
	code, _ := filepath.Glob("*.go")
	used := map[string]bool{}
	for _, file := range append(templates, code...) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range named.FindAllStringSubmatch(string(content), -1) {
			used[found[1]] = true
		}
		for _, found := range asked.FindAllStringSubmatch(string(content), -1) {
			key := found[1] + found[2]
			// what ends in _ has something behind it
			if !strings.HasSuffix(key, "_") && english.Texts[key] == "" && english.Plurals[key] == nil {
				t.Errorf("%s asks for %q", file, key)
			}
		}
	}
	computed := regexp.MustCompile(`^(tab|title|role|state|intent|source|origin|sort|way|weak|verdict|action|by|` +
		`remedy|hint|function|project|c_names)_|^badge_(un)?blocked$`)
	for key := range english.Texts {
		if !used[key] && !computed.MatchString(key) {
			t.Errorf("nobody asks for %q", key)
		}
	}
	for key := range english.Plurals {
		if !used[key] {
			t.Errorf("nobody asks for %q", key)
		}
	}
	if _, err := loadTemplates(all); err != nil {
		t.Error(err)
	}
}

// Whatever the page says names what is on the page: no flag, and no command but those for who
// stands at the clock as root. For each remedy of a refusal it has words of its own.
func TestPageSpeaksOfThePage(t *testing.T) {
	refusals, err := os.ReadFile("../../../device/refusal.go")
	if err != nil {
		t.Fatal(err)
	}
	remedies := regexp.MustCompile(`Remedy = "([a-z]+)"`).FindAllSubmatch(refusals, -1)
	if len(remedies) < 7 {
		t.Fatalf("only %d remedies were found", len(remedies))
	}
	flag := regexp.MustCompile("(^|[ (`])-[a-z]{3,}")
	all, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	for code, l := range all {
		for _, r := range remedies {
			if l.Texts["remedy_"+string(r[1])] == "" {
				t.Errorf("%s has no words for the remedy %q", code, r[1])
			}
		}
		for key, text := range l.Texts {
			if flag.MatchString(text) {
				t.Errorf("%s, %s: %q names a flag", code, key, text)
			}
		}
	}
}

// Whoever was put out while their form was still arriving does nothing with it.
func TestSessionEndsWhileAFormArrives(t *testing.T) {
	s := &Server{Gate: &Gate{sessions: sessions{open: map[[32]byte]*session{}}}, admin: admin.New(admin.Rooms{})}
	var err error
	if s.languages, err = readLanguages(); err == nil {
		s.templates, err = loadTemplates(s.languages)
	}
	if err != nil {
		t.Fatal(err)
	}
	token := s.sessions.begin(account{Name: "a", Role: Admin})
	u, _ := s.sessions.get(token, false)
	for _, ended := range []bool{false, true} {
		if ended {
			s.sessions.endOf("a")
		}
		r := httptest.NewRequest(http.MethodPost, "/badges/block", strings.NewReader("csrf="+url.QueryEscape(u.CSRF)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r = r.WithContext(context.WithValue(r.Context(), visitorKey{}, u))
		done := false
		w := httptest.NewRecorder()
		s.withSession(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { done = true })).ServeHTTP(w, r)
		if done == ended || ended && w.Code != http.StatusUnauthorized {
			t.Errorf("ended %v: done %v, %d", ended, done, w.Code)
		}
	}
}

// A session ends when nobody uses it, also if its page goes on asking by itself.
func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessions{open: map[[32]byte]*session{}}
		used, idle := s.begin(account{Name: "a", Role: Admin}), s.begin(account{Name: "b", Role: Viewer})
		left := s.begin(account{Name: "b", Role: Viewer})
		for at := time.Duration(0); at < sessionEnd; at += 20 * time.Minute {
			if u, ok := s.get(used, false); !ok || u.Name != "a" || u.CSRF == "" {
				t.Fatalf("a session in use ended after %v", at)
			}
			if _, ok := s.get(left, true); ok != (at <= idleEnd) {
				t.Fatalf("after %v a page that is left open is valid: %v", at, ok)
			}
			if s.valid(idle) != (at <= idleEnd) {
				t.Fatalf("after %v an idle session is valid: %v", at, s.valid(idle))
			}
			time.Sleep(20 * time.Minute)
		}
		time.Sleep(20 * time.Minute)
		if _, ok := s.get(used, false); ok {
			t.Error("a session does not end")
		}
		if _, ok := s.get("", false); ok {
			t.Error("no token opens a session")
		}
		again := s.begin(account{Name: "a"})
		s.endOf("a")
		if s.valid(again) {
			t.Error("a new password left a session open")
		}
	})
}

func TestAccounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.json")
	open := func() *accounts {
		t.Helper()
		a := &accounts{}
		a.open(filepath.Dir(path))
		if problem := a.problem(); problem != "" {
			t.Fatal(problem)
		}
		return a
	}
	a := open()
	if !a.isFresh() {
		t.Error("there is an admin by default")
	}
	for _, bad := range []struct {
		name, password string
		role           Role
	}{
		{"", "long enough 1", Admin},
		{"x", "short", Admin},
		{"x", "long enough 1", "root"},
		{"x", strings.Repeat("x", 201), Viewer},
		{strings.Repeat("x", 41), "long enough 1", Viewer},
		{"Console", "long enough 1", Viewer},
		{"a\nb", "long enough 1", Viewer},
	} {
		if _, err := newAccount(bad.name, bad.role, bad.password); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	for _, name := range []string{"anna", "ben"} {
		x, err := newAccount(name, map[string]Role{"anna": Admin, "ben": Viewer}[name], name+" has a password")
		if err != nil || a.set(x) != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if x, ok, _ := a.check("anna", "anna has a password", false); !ok || x.Role != Admin {
			t.Errorf("%+v, %v", x.Name, ok)
		}
		for name, password := range map[string]string{
			"anna": "ben has a password", "ben": "", "cem": "anna has a password", "": "",
		} {
			if _, ok, _ := a.check(name, password, false); ok {
				t.Errorf("%q opens %q", password, name)
			}
		}
		a = open()
	}
	if err := a.remove("anna"); err == nil {
		t.Error("the last admin was removed")
	}
	lesser, err := newAccount("anna", Viewer, "anna has a password")
	if err != nil || a.set(lesser) == nil {
		t.Errorf("the last admin became a viewer, %v", err)
	}
	if anna, _, _ := a.check("anna", "anna has a password", false); !a.current(anna) || a.current(lesser) {
		t.Error("an account is taken for another")
	}
	if err := a.remove("ben"); err != nil || len(open().all()) != 1 {
		t.Errorf("removing a viewer: %v", err)
	}
	content, err := os.ReadFile(path)
	if info, _ := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 ||
		strings.Contains(string(content), "password") {
		t.Errorf("the file holds %s, %v", content, err)
	}
}

// Whoever damages the accounts does not become admin by standing at the clock.
func TestDamagedAccounts(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"missing":     os.Remove,
		"empty":       func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"no accounts": func(path string) error { return os.WriteFile(path, []byte("[]"), 0o600) },
		"half":        func(path string) error { return os.Truncate(path, 30) },
		"a directory": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"without a mark": func(path string) error {
			return errors.Join(os.Truncate(path, 30), os.Remove(filepath.Join(filepath.Dir(path), accountsMark)))
		},
	} {
		dir := t.TempDir()
		a := &accounts{}
		a.open(dir)
		x, err := newAccount("anna", Admin, "anna has a password")
		if err := errors.Join(err, a.set(x), damage(filepath.Join(dir, accountsFile))); err != nil {
			t.Fatal(err)
		}
		a = &accounts{}
		a.open(dir)
		if problem := a.problem(); a.isFresh() || !strings.Contains(problem, "web reset") {
			t.Errorf("%s: fresh %v, %q", name, a.isFresh(), problem)
		}
		if a.set(x) == nil {
			t.Errorf("%s: somebody became admin", name)
		}
		if err := a.reset(); err != nil {
			t.Fatal(err)
		}
		a.open(dir)
		if !a.isFresh() || a.problem() != "" || a.set(x) != nil {
			t.Errorf("%s: after the reset: fresh %v, %q", name, a.isFresh(), a.problem())
		}
	}
}

// Where nothing can be saved nobody becomes admin.
func TestAccountsOnADeadDisk(t *testing.T) {
	a := &accounts{}
	a.open(filepath.Join(t.TempDir(), "missing"))
	if a.isFresh() || a.problem() == "" {
		t.Errorf("fresh %v, %q", a.isFresh(), a.problem())
	}
}

// A certificate that a power cut has left half written is made anew; a good one stays.
func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	load := func() string {
		t.Helper()
		c, err := certificate(Options{StateDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return fingerprint(c)
	}
	first := load()
	if load() != first {
		t.Error("a good certificate was replaced")
	}
	if err := os.WriteFile(filepath.Join(dir, "web-cert.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if again := load(); again == first || load() != again {
		t.Error("half a certificate stays")
	}
	if info, err := os.Stat(filepath.Join(dir, "web-key.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
}
