package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/display"
)

// loginPage is a page with one account, admin, and a form that logs in.
func loginPage(t *testing.T) (*Server, func(from netip.Addr, name, password string) *httptest.ResponseRecorder) {
	t.Helper()
	gate := NewGate(Options{StateDir: t.TempDir()})
	s, err := New(gate, NewMirror(), admin.New(admin.Rooms{Style: display.Style{Zone: time.UTC}}),
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.accounts.open(s.options.StateDir)
	x, err := newAccount("admin", Admin, "correct horse 1")
	if err := errors.Join(err, s.accounts.set(x)); err != nil {
		t.Fatal(err)
	}
	handler := s.handler()
	return s, func(from netip.Addr, name, password string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/login",
			strings.NewReader(url.Values{"name": {name}, "password": {password}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = netip.AddrPortFrom(from, 1).String()
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
}

// Wrong passwords at the page are ever slower to try, the right one among them; another account
// of the same computer is not slowed, and its success forgives nothing.
func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, login := loginPage(t)
		x, err := newAccount("eve", Viewer, "another horse 1")
		if err := errors.Join(err, s.accounts.set(x)); err != nil {
			t.Fatal(err)
		}
		for n := range freeTries + 1 {
			want := http.StatusForbidden
			if n == freeTries {
				want = http.StatusTooManyRequests
			}
			if w := login(eve, "admin", fmt.Sprint("guess number ", n)); w.Code != want {
				t.Errorf("guess %d is answered %d, want %d", n+1, w.Code, want)
			}
		}
		for _, other := range []struct {
			name, password string
			want           int
		}{
			{"admin", "correct horse 1", http.StatusTooManyRequests},
			{"eve", "another horse 1", http.StatusSeeOther},
			{"admin", "one more guess", http.StatusTooManyRequests},
		} {
			w := login(eve, other.name, other.password)
			if w.Code != other.want || w.Code == http.StatusTooManyRequests && (w.Header().Get("Retry-After") == "" ||
				!strings.Contains(w.Body.String(), "wait")) {
				t.Errorf("%s: %d %v %.300s", other.name, w.Code, w.Header(), w.Body)
			}
		}
	})
}

// Of a crowd that logs in at once all but a few are told to come again, at once; an admin who
// has logged in before from this computer waits beside these few.
func TestCrowd(t *testing.T) {
	s, page := loginPage(t)
	s.familiar.met("admin", anna)
	login := func(from netip.Addr, password string) int { return page(from, "admin", password).Code }
	hashing.Lock() // somebody's password is being hashed
	const crowd = 60
	answers, admin := make(chan int, crowd), make(chan int, 1)
	for n := range crowd {
		go func() { answers <- login(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), "guess") }()
	}
	for range crowd - maxWaiting {
		if code := <-answers; code != http.StatusServiceUnavailable {
			t.Errorf("one of many is answered %d", code)
		}
	}
	go func() { admin <- login(anna, "correct horse 1") }()
	if code := login(eve, "correct horse 1"); code != http.StatusServiceUnavailable {
		t.Errorf("one more is answered %d", code)
	}
	hashing.Unlock()
	if code := <-admin; code != http.StatusSeeOther {
		t.Errorf("the admin is answered %d", code)
	}
	for range maxWaiting {
		if code := <-answers; code != http.StatusForbidden {
			t.Errorf("one who waited is answered %d", code)
		}
	}
}
