package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"timeclock/cmd/internal/serve"
)

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) { s.show(w, r, "login", nil) }

// slow refuses a try while earlier ones were wrong.
func (s *Server) slow(w http.ResponseWriter, r *http.Request, page string, data any, wait time.Duration) {
	seconds := int(wait/time.Second) + 1
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	s.answer(w, r, http.StatusTooManyRequests, page, data, s.count(r, "slow", seconds))
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	name, from := r.FormValue("name"), serve.Client(r.RemoteAddr)
	if utf8.RuneCountInString(name) > maxName { // nobody is called so, and nothing of it is kept
		s.failures.add(s.log, from)
		s.answer(w, r, http.StatusForbidden, "login", nil, s.text(r, "wrong"))
		return
	}
	wait, known := s.familiar.try(name, from)
	var trial trial
	if !known {
		wait, trial = s.logins.try(name, from)
	}
	if wait > 0 {
		s.slow(w, r, "login", nil, wait)
		return
	}
	if problem := s.accounts.problem(); problem != "" {
		s.answer(w, r, http.StatusServiceUnavailable, "login", nil, s.languageOf(r).say(problem))
		return
	}
	a, right, err := s.accounts.check(name, r.FormValue("password"), known)
	switch {
	case err != nil:
		trial.void()
		w.Header().Set("Retry-After", "5")
		s.answer(w, r, http.StatusServiceUnavailable, "login", nil, s.text(r, "busy"))
		return
	case !right:
		s.failures.add(s.log, from)
		s.answer(w, r, http.StatusForbidden, "login", nil, s.text(r, "wrong"))
		return
	}
	trial.right()
	s.enter(w, r, a)
}

// enter begins a session.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, a account) {
	s.log.Info("logged in at the page", "name", a.Name, "role", string(a.Role))
	s.familiar.met(a.Name, serve.Client(r.RemoteAddr))
	token := s.sessions.begin(a)
	if !s.accounts.current(a) { // removed, or with another password, while this one was checked
		s.sessions.end(token)
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: token, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	u, _ := visitor(r)
	s.sessions.end(u.key)
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (s *Server) pairPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, "pair", s.pairData("admin"))
}

// pairData is what the page on which somebody becomes admin shows: whether a code is valid,
// or will be soon.
func (s *Server) pairData(name string) any {
	return struct {
		Open, Paused bool
		Fresh        bool   // there is no account yet: a start begins with a code
		Name         string // that was entered
	}{s.Code() != "", s.pairing.paused(), s.accounts.isFresh(), name}
}

// theCode is what the limiter knows the pairing code by; no account is called so.
const theCode = "\x00code"

// pair makes whoever can read the code from the display an admin.
func (s *Server) pair(w http.ResponseWriter, r *http.Request) {
	if s.Code() == "" {
		s.answer(w, r, http.StatusForbidden, "pair", s.pairData(r.FormValue("name")), "")
		return
	}
	from := serve.Client(r.RemoteAddr)
	wait, trial := s.logins.try(theCode, from)
	if wait > 0 {
		s.slow(w, r, "pair", s.pairData(r.FormValue("name")), wait)
		return
	}
	code := r.FormValue("code")
	refuse := func(status int, problem string) {
		s.answer(w, r, status, "pair", s.pairData(r.FormValue("name")), problem)
	}
	switch err := s.pairing.check(code); {
	case errors.Is(err, errWrongCode):
		s.failures.add(s.log, from)
		refuse(http.StatusForbidden, s.text(r, "pair_wrong"))
		return
	case err != nil:
		refuse(http.StatusForbidden, "")
		return
	}
	trial.right()
	if r.FormValue("password") != r.FormValue("again") {
		refuse(http.StatusBadRequest, s.text(r, "differ"))
		return
	}
	a, err := newAccount(r.FormValue("name"), Admin, r.FormValue("password"))
	if err == nil {
		err = s.pairing.redeem(code, func() error { return s.accounts.set(a) })
	}
	switch {
	case errors.Is(err, errNoCode), errors.Is(err, errWrongCode): // somebody else was faster
		refuse(http.StatusForbidden, "")
		return
	case err != nil:
		refuse(http.StatusBadRequest, s.explain(r, err))
		return
	}
	s.sessions.endOf(a.Name)
	s.admin.Paired(a.Name)
	s.enter(w, r, a)
}
