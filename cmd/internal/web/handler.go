package web

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"timeclock/cmd/internal/serve"
)

// cookieName begins with __Host-: only this host sets it, over HTTPS, for all of
// its paths.
const cookieName = "__Host-timeclock"

// handler serves everything.
func (s *Server) handler() http.Handler {
	open := http.NewServeMux() // without a session
	open.HandleFunc("GET /login", s.loginPage)
	open.HandleFunc("POST /login", s.login)
	open.HandleFunc("GET /pair", s.pairPage)
	open.HandleFunc("POST /pair", s.pair)
	open.HandleFunc("POST /language/{language}", setLanguage)
	open.Handle("GET /static/", http.FileServerFS(static))

	inside := http.NewServeMux()
	for path, page := range map[string]http.HandlerFunc{
		"GET /{$}":                s.nowPage,
		"GET /in":                 s.inPage,
		"GET /badges":             s.badgesPage,
		"GET /unclaimed":          s.unclaimedPage,
		"GET /bookings":           s.bookingsPage,
		"GET /days":               s.daysPage,
		"GET /device":             s.devicePage,
		"GET /corrections":        s.correctionsPage,
		"GET /pictures/week.svg":  s.adminOnly(s.weekPicture),
		"GET /display.png":        s.displayPicture,
		"GET /pictures/day.svg":   s.dayPicture,
		"GET /pictures/queue.svg": s.queuePicture,
		"GET /events":             s.events,
		"POST /logout":            s.logout,
	} {
		inside.HandleFunc(path, page)
	}
	for path, act := range map[string]func(*http.Request, string) (string, error){
		"POST /badges/add":          s.addBadge,
		"POST /badges/block":        s.blockBadge,
		"POST /badges/remove":       s.removeBadge,
		"POST /badges/enroll":       s.enroll,
		"POST /badges/unenroll":     s.unenroll,
		"POST /badges/sync":         s.syncBadges,
		"POST /unclaimed/claim":     s.claim,
		"POST /bookings/retry":      s.retry,
		"POST /bookings/drop":       s.drop,
		"POST /bookings/time":       s.setTime,
		"POST /corrections/token":   s.bringToken,
		"POST /corrections/times":   s.correct(s.correctTimes),
		"POST /corrections/split":   s.correct(s.correctSplit),
		"POST /corrections/comment": s.correct(s.correctComment),
		"POST /corrections/project": s.correct(s.correctProject),
		"POST /accounts/add":        s.addAccount,
		"POST /accounts/remove":     s.removeAccount,
	} {
		inside.HandleFunc(path, s.acts(act))
	}
	inside.HandleFunc("POST /badges/import", s.adminOnly(s.importBadges))

	mux := http.NewServeMux()
	mux.Handle("/", s.greet(s.withSession(inside)))
	for _, path := range []string{"/login", "/pair", "/language/", "/static/"} {
		mux.Handle(path, open)
	}
	return secured(http.NewCrossOriginProtection().Handler(bounded(mux)))
}

// secured sets the headers that OWASP's secure headers project asks for.
func secured(next http.Handler) http.Handler {
	headers := map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
			"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		"Strict-Transport-Security":    "max-age=31536000",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cross-Origin-Embedder-Policy": "require-corp",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
		"Cache-Control":                "no-store",
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for k, v := range headers {
			w.Header().Set(k, v)
		}
		next.ServeHTTP(w, r)
	})
}

// bounded refuses bodies that are larger than any form.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := int64(maxForm)
		if r.URL.Path == "/badges/import" {
			most = maxUpload + maxForm
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		next.ServeHTTP(w, r)
	})
}

// visitorKey is under which a request has who has logged in.
type visitorKey struct{}

// visitor returns who has logged in.
func visitor(r *http.Request) (u session, ok bool) {
	u, ok = r.Context().Value(visitorKey{}).(session)
	return u, ok
}

// greet looks up, once for each request, who has logged in.
func (s *Server) greet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie(cookieName); err == nil {
			if u, ok := s.sessions.get(c.Value, automatic(r)); ok {
				r = r.WithContext(context.WithValue(r.Context(), visitorKey{}, u))
			}
		}
		next.ServeHTTP(w, r)
	})
}

// automatic reports whether a page asks by itself: to show what is new, say.
func automatic(r *http.Request) bool {
	return r.Header.Get("Automatic") != "" || r.URL.Query().Has("automatic")
}

// withSession lets in who has logged in. Whatever changes something needs the
// token that only this session's pages have.
func (s *Server) withSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, ok := visitor(r)
		switch {
		case !ok && r.Method == http.MethodGet && r.URL.Path == "/":
			to := "/login"
			if s.pairing.begun() && s.accounts.isFresh() {
				to = "/pair"
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		case !ok && r.Method == http.MethodGet:
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		case !ok:
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		case u.Role != Admin && r.Method != http.MethodGet && r.URL.Path != "/logout": // before anything of it is read
			http.Error(w, "only an admin may do this", http.StatusForbidden)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if subtle.ConstantTimeCompare([]byte(r.FormValue("csrf")), []byte(u.CSRF)) != 1 {
				http.Error(w, "this form is not of your session: go back, load the page again and retry",
					http.StatusForbidden)
				return
			}
			if !s.sessions.valid(u.key) { // it has ended while the form was arriving
				http.Error(w, "log in first", http.StatusUnauthorized)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) adminOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if u, _ := visitor(r); u.Role != Admin {
			http.Error(w, "only an admin may do this", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

// acts makes a handler of something that an admin can do: the page where it came
// from then says what became of it.
func (s *Server) acts(do func(r *http.Request, who string) (notice string, err error)) http.HandlerFunc {
	return s.adminOnly(func(w http.ResponseWriter, r *http.Request) {
		u, _ := visitor(r)
		notice, err := do(r, u.Name)
		s.sessions.say(u.key, notice, s.explain(r, err))
		back := "/" + strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 2)[0]
		if back == "/accounts" {
			back = "/device"
		}
		if q := r.FormValue("back"); strings.HasPrefix(q, "?") {
			back += q
		}
		http.Redirect(w, r, back, http.StatusSeeOther)
	})
}

func setLanguage(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name: "language", Value: r.PathValue("language"), Path: "/", MaxAge: 365 * 24 * 3600, Secure: true,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) { s.show(w, r, "login", nil) }

// slow refuses a try while earlier ones were wrong.
func (s *Server) slow(w http.ResponseWriter, r *http.Request, page string, data any, wait time.Duration) {
	seconds := int(wait/time.Second) + 1
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	s.answer(w, r, http.StatusTooManyRequests, page, data, s.text(r, "slow", seconds))
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
		s.answer(w, r, http.StatusServiceUnavailable, "login", nil, problem)
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
	s.show(w, r, "pair", s.pairData())
}

// pairData is what the page on which somebody becomes admin shows: whether a code is valid,
// or will be soon.
func (s *Server) pairData() (state struct{ Open, Paused bool }) {
	state.Open, state.Paused = s.Code() != "", s.pairing.paused()
	return state
}

// theCode is what the limiter knows the pairing code by; no account is called so.
const theCode = "\x00code"

// pair makes whoever can read the code from the display an admin.
func (s *Server) pair(w http.ResponseWriter, r *http.Request) {
	if s.Code() == "" {
		s.answer(w, r, http.StatusForbidden, "pair", s.pairData(), "")
		return
	}
	from := serve.Client(r.RemoteAddr)
	wait, trial := s.logins.try(theCode, from)
	if wait > 0 {
		s.slow(w, r, "pair", s.pairData(), wait)
		return
	}
	code := r.FormValue("code")
	refuse := func(status int, problem string) { s.answer(w, r, status, "pair", s.pairData(), problem) }
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
		refuse(http.StatusBadRequest, err.Error())
		return
	}
	s.sessions.endOf(a.Name)
	s.admin.Paired(a.Name)
	s.enter(w, r, a)
}

// events tells a page when there is something new, until it goes away.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	u, _ := visitor(r)
	for {
		_, changed := s.mirror.now()
		out.SetWriteDeadline(time.Now().Add(slowest))
		if _, err := fmt.Fprint(w, "data: now\n\n"); err != nil || out.Flush() != nil {
			return
		}
		if !s.sessions.valid(u.key) {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-time.After(10 * time.Second): // and now and then
		}
	}
}

// errEmpty says that a form has a field without a value that can be used.
var errEmpty = errors.New("nothing done: a field of the form is empty, fill it in and send it again")

// bound bounds what a form may make the clock wait for.
func bound(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), slowest-5*time.Second)
}

// boundAct bounds a change that was begun: it goes on when the browser goes away.
func boundAct(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), slowest-5*time.Second)
}
