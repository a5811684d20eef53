package web

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// sampleAdmin is who everybody is on the page of a sample.
const sampleAdmin = "demo"

// Sample serves the page to whoever asks, as an admin, over HTTP and in a frame of the same site: for
// a clock that has nothing but sample data, on an address that only this computer reaches.
func (s *Server) Sample() http.Handler {
	s.accounts.open(s.options.StateDir)
	nobody, err := newAccount(sampleAdmin, Admin, random()) // nobody knows the password, or needs it
	if err := errors.Join(err, s.accounts.set(nobody)); err != nil {
		s.log.Error("the sample has no account", "error", err)
	}
	var mu sync.Mutex
	token := ""
	enter := func(r *http.Request) session {
		mu.Lock()
		defer mu.Unlock()
		u, ok := s.sessions.get(token, automatic(r))
		if !ok {
			token = s.sessions.begin(nobody)
			u, _ = s.sessions.get(token, false)
		}
		return u
	}
	inside := s.withSession(s.inside())
	mux := http.NewServeMux()
	mux.Handle("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, enter(r))))
	}))
	for _, path := range []string{"/language/", "/static/"} {
		mux.Handle(path, s.outside())
	}
	mux.Handle("GET /login", http.RedirectHandler("/", http.StatusSeeOther)) // whoever logs out is in again
	return secured("'self'", http.NewCrossOriginProtection().Handler(bounded(mux)))
}
