package web

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// cookieName begins with __Host-: only this host sets it, over HTTPS, for all of
// its paths.
const cookieName = "__Host-timeclock"

// handler serves everything.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.greet(s.withSession(s.inside())))
	for _, path := range []string{"/login", "/pair", "/language/", "/static/"} {
		mux.Handle(path, s.outside())
	}
	return secured("'none'", http.NewCrossOriginProtection().Handler(bounded(mux)))
}

// outside are the pages without a session.
func (s *Server) outside() http.Handler {
	open := http.NewServeMux()
	open.HandleFunc("GET /login", s.loginPage)
	open.HandleFunc("POST /login", s.login)
	open.HandleFunc("GET /pair", s.pairPage)
	open.HandleFunc("POST /pair", s.pair)
	open.HandleFunc("POST /language/{language}", s.setLanguage)
	open.Handle("GET /static/", http.FileServerFS(static))
	return open
}

// inside are those with one.
func (s *Server) inside() http.Handler {
	inside := http.NewServeMux()
	for path, page := range map[string]http.HandlerFunc{
		"GET /{$}":                       s.nowPage,
		"GET /in":                        s.inPage,
		"GET /in/roll":                   s.rollPage,
		"GET /badges":                    s.badgesPage,
		"GET /badges/give":               s.adminOnly(s.givePage),
		"GET /badges/import":             s.adminOnly(s.importPage),
		"GET /badges/import/refused.csv": s.adminOnly(s.refusedLines),
		"GET /people":                    s.adminOnly(s.people),
		"GET /unclaimed":                 s.unclaimedPage,
		"GET /bookings":                  s.bookingsPage,
		"GET /days":                      s.daysPage,
		"GET /hints":                     s.hintsPage,
		"GET /device":                    s.devicePage,
		"GET /data":                      s.adminOnly(s.dataPage),
		"GET /data/person":               s.adminOnly(s.personPage),
		"GET /data/council":              s.councilPage,
		"POST /data/download":            s.adminOnly(s.download),
		"POST /data/person":              s.adminOnly(s.findPerson),
		"GET /corrections":               s.correctionsPage,
		"GET /pictures/week.svg":         s.adminOnly(s.weekPicture),
		"GET /display.png":               s.displayPicture,
		"GET /pictures/day.svg":          s.dayPicture,
		"GET /pictures/queue.svg":        s.queuePicture,
		"GET /events":                    s.events,
		"POST /logout":                   s.logout,
		"POST /badges/import/confirm":    s.adminOnly(s.confirmImport),
	} {
		inside.HandleFunc(path, page)
	}
	for path, act := range s.actions() {
		inside.HandleFunc("POST "+path, s.acts(act))
	}
	return inside
}

// actions are what an admin does with forms, by their addresses.
func (s *Server) actions() map[string]act {
	return map[string]act{
		"/badges/add":             {s.addBadge, "/badges/give"},
		"/badges/block":           {s.blockBadge, "/badges"},
		"/badges/remove":          {s.removeBadge, "/badges"},
		"/badges/undo":            {s.undo, "/badges"},
		"/badges/enroll":          {s.enroll, "/badges/give"},
		"/badges/unenroll":        {s.unenroll, "/badges/give"},
		"/badges/sync":            {s.syncBadges, "/badges"},
		"/badges/function":        {s.setFunction, "/badges"},
		"/badges/function/end":    {s.endFunction, "/badges"},
		"/badges/function/enroll": {s.enrollFunction, "/badges/give"},
		"/badges/import":          {s.importBadges, "/badges/import"},
		"/badges/import/numbers":  {s.lookAgain, "/badges/import"},
		"/badges/import/forget":   {s.forgetList, "/badges/import"},
		"/unclaimed/claim":        {s.claim, "/unclaimed"},
		"/bookings/retry":         {s.retry, "/bookings"},
		"/bookings/drop":          {s.drop, "/bookings"},
		"/bookings/time":          {s.setTime, "/bookings"},
		"/corrections/token":      {s.bringToken, "/corrections"},
		"/corrections/times":      {s.correct(s.correctTimes), "/corrections"},
		"/corrections/add":        {s.correct(s.correctAdd), "/corrections"},
		"/corrections/split":      {s.correct(s.correctSplit), "/corrections"},
		"/corrections/merge":      {s.correct(s.correctMerge), "/corrections"},
		"/corrections/delete":     {s.correct(s.correctDelete), "/corrections"},
		"/corrections/comment":    {s.correct(s.correctComment), "/corrections"},
		"/corrections/project":    {s.correct(s.correctProject), "/corrections"},
		"/accounts/add":           {s.addAccount, "/device"},
		"/accounts/remove":        {s.removeAccount, "/device"},
		"/device/examine":         {s.examine, "/device"},
		"/data/erase":             {s.erase, "/data"},
	}
}

// secured sets the headers that OWASP's secure headers project asks for. Frames are the sites that
// may show the page within theirs.
func secured(frames string, next http.Handler) http.Handler {
	headers := map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors " + frames,
		"Strict-Transport-Security":    "max-age=31536000",
		"X-Content-Type-Options":       "nosniff",
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
		if frames == "'none'" { // for browsers that know no frame-ancestors
			w.Header().Set("X-Frame-Options", "DENY")
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
			s.refuse(w, r, http.StatusUnauthorized, "log_in_first")
			return
		case u.Role != Admin && r.Method != http.MethodGet && r.URL.Path != "/logout": // before anything of it is read
			s.refuse(w, r, http.StatusForbidden, "admins_may")
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if subtle.ConstantTimeCompare([]byte(r.FormValue("csrf")), []byte(u.CSRF)) != 1 {
				s.refuse(w, r, http.StatusForbidden, "foreign_form")
				return
			}
			if !s.sessions.valid(u.key) { // it has ended while the form was arriving
				s.refuse(w, r, http.StatusUnauthorized, "log_in_first")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// refuse answers with why something is not done.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, key string) {
	s.answer(w, r, status, "refused", nil, s.text(r, key))
}

func (s *Server) adminOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if u, _ := visitor(r); u.Role != Admin {
			s.refuse(w, r, http.StatusForbidden, "admins_may")
			return
		}
		next(w, r)
	}
}

// act is something that an admin can do, and the page that says what became of it.
type act struct {
	do   func(r *http.Request, who string) (notice string, err error)
	back string
}

// acts makes a handler of it. What could not be done can be tried again: the form comes back as it
// was.
func (s *Server) acts(a act) http.HandlerFunc {
	return s.adminOnly(func(w http.ResponseWriter, r *http.Request) {
		u, _ := visitor(r)
		notice, err := a.do(r, u.Name)
		var form *refused
		if err != nil {
			form = &refused{path: r.URL.Path, form: keepable(r.PostForm)}
			errors.As(err, &form.unclear)
		}
		s.sessions.say(u.key, notice, s.explain(r, err), form)
		back := a.back
		if q := r.FormValue("back"); strings.HasPrefix(q, "?") {
			back += q
		}
		http.Redirect(w, r, back, http.StatusSeeOther)
	})
}

// setLanguage changes it, and comes back to where the reader was.
func (s *Server) setLanguage(w http.ResponseWriter, r *http.Request) {
	code, back := r.PathValue("language"), r.FormValue("back")
	if s.languages[code] == nil {
		http.NotFound(w, r)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: "language", Value: code, Path: "/", MaxAge: 365 * 24 * 3600, Secure: true,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	if u, err := url.Parse(back); err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(back, "/") ||
		strings.HasPrefix(back, "//") || strings.Contains(back, "\\") {
		back = "/"
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
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
var errEmpty = errors.New("a field of the form is empty: fill it in and send it again")

// bound bounds what a form may make the clock wait for.
func bound(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), slowest-5*time.Second)
}

// boundAct bounds a change that was begun: it goes on when the browser goes away.
func boundAct(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), slowest-5*time.Second)
}
