package web

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Every language has every text, with the same numbers and names in it, and every
// text that a template or a handler asks for is there.
func TestLanguagesAreComplete(t *testing.T) {
	verbs := regexp.MustCompile(`%[a-z]`)
	english, err := texts("en")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range languages {
		words, err := texts(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := slices.Sorted(maps.Keys(words)), slices.Sorted(maps.Keys(english)); !slices.Equal(got, want) {
			t.Errorf("%s has not the keys that English has", name)
		}
		for key, text := range words {
			if text == "" || !slices.Equal(verbs.FindAllString(text, -1), verbs.FindAllString(english[key], -1)) {
				t.Errorf("%s, %s: %q, English %q", name, key, text, english[key])
			}
		}
	}
	asked := regexp.MustCompile(`\bt "([a-z_]+)"|s\.text\(r, "([a-z_]+)"`)
	files, _ := filepath.Glob("templates/*.html")
	for _, file := range append(files, "pages.go", "handler.go") {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range asked.FindAllStringSubmatch(string(content), -1) {
			if key := found[1] + found[2]; english[key] == "" {
				t.Errorf("%s asks for %q", file, key)
			}
		}
	}
	if _, err := loadPages(); err != nil {
		t.Error(err)
	}
}

// Tries become ever slower, never shorter than a second nor longer than minutes, a
// right one forgives them, and nobody locks out others.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limiter
		last := time.Duration(0)
		for n := range 30 {
			if wait := l.try("eve"); n < freeTries && wait > 0 {
				t.Errorf("try %d waits %v", n+1, wait)
			} else if wait > 0 {
				if wait < max(time.Second, last) || wait > longestWait {
					t.Errorf("try %d: %v after %v", n+1, wait, last)
				}
				last = wait
				time.Sleep(wait)
				if l.try("eve") > 0 {
					t.Errorf("after waiting %v it waits on", wait)
				}
			}
		}
		if l.try("anna") > 0 {
			t.Error("somebody else waits, too")
		}
		l.right("eve")
		if l.try("eve") > 0 {
			t.Error("a right try does not forgive")
		}
		for n := range 10 * maxTried { // from everywhere
			l.try(fmt.Sprint("botnet ", n))
		}
		if n := len(l.tries); n > 2*maxTried {
			t.Errorf("%d are remembered", n)
		}
	})
}

// A computer has one address, or for IPv6 a network of them.
func TestClient(t *testing.T) {
	for address, want := range map[string]string{
		"192.168.1.5:4711": "192.168.1.5/32", "[::ffff:192.168.1.5]:1": "192.168.1.5/32",
		"[2001:db8:1:2:3:4:5:6]:443": "2001:db8:1:2::/64", "[fe80::1%eth0]:1": "fe80::/64", "odd": "odd",
	} {
		if got := client(address); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessions{open: map[[32]byte]*session{}}
		used, idle := s.begin(account{Name: "a", Role: Admin}), s.begin(account{Name: "b", Role: Viewer})
		for at := time.Duration(0); at < sessionEnd; at += 20 * time.Minute {
			if u, ok := s.get(used); !ok || u.Name != "a" || u.CSRF == "" {
				t.Fatalf("a session in use ended after %v", at)
			}
			if s.valid(idle) != (at <= idleEnd) {
				t.Fatalf("after %v an idle session is valid: %v", at, s.valid(idle))
			}
			time.Sleep(20 * time.Minute)
		}
		time.Sleep(20 * time.Minute)
		if _, ok := s.get(used); ok {
			t.Error("a session does not end")
		}
		if _, ok := s.get(""); ok {
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
	}{{"", "long enough 1", Admin}, {"x", "short", Admin}, {"x", "long enough 1", "root"}, {"x", strings.Repeat("x", 201), Viewer}, {strings.Repeat("x", 41), "long enough 1", Viewer}, {"Console", "long enough 1", Viewer}, {"a\nb", "long enough 1", Viewer}} {
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
		if x, ok := a.check("anna", "anna has a password"); !ok || x.Role != Admin {
			t.Errorf("%+v, %v", x.Name, ok)
		}
		for name, password := range map[string]string{"anna": "ben has a password", "ben": "", "cem": "anna has a password", "": ""} {
			if _, ok := a.check(name, password); ok {
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
	if anna, _ := a.check("anna", "anna has a password"); !a.current(anna) || a.current(lesser) {
		t.Error("an account is taken for another")
	}
	if err := a.remove("ben"); err != nil || len(open().all()) != 1 {
		t.Errorf("removing a viewer: %v", err)
	}
	content, err := os.ReadFile(path)
	if info, _ := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || strings.Contains(string(content), "password") {
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

func TestPairingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pairing
		code := p.begin()
		if !regexp.MustCompile(`^\d{4} \d{4}$`).MatchString(code) || p.current() != code || p.begin() == code {
			t.Errorf("code %q", code)
		}
		time.Sleep(pairTime)
		if p.current() != "" {
			t.Error("the code does not end")
		}
		code = p.begin()
		for range wrongCodes {
			if p.current() != code {
				t.Error("the code changed too early")
			}
			p.missed()
		}
		if p.current() == code || p.current() == "" {
			t.Error("the code did not change after many wrong ones")
		}
	})
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
