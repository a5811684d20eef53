package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// session is somebody who has logged in.
type session struct {
	Name    string
	Role    Role
	CSRF    string
	key     string // that opens it; the reader's cookie
	begun   time.Time
	seen    time.Time
	token   string // of the API, that the admin has brought
	notice  string // for the next page
	problem string
}

// Ends of a session.
const (
	idleEnd     = 30 * time.Minute
	sessionEnd  = 12 * time.Hour
	maxSessions = 5 // of one account
)

// sessions are kept in memory only, by the hash of their token.
type sessions struct {
	mu   sync.Mutex
	open map[[sha256.Size]byte]*session
}

func newSessions() sessions { return sessions{open: map[[sha256.Size]byte]*session{}} }

func random() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// begin returns the token of a new session.
func (s *sessions) begin(a account) string {
	token := random()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tidy()
	var oldest *[sha256.Size]byte
	n := 0
	for k, x := range s.open {
		if x.Name != a.Name {
			continue
		}
		if n++; oldest == nil || x.seen.Before(s.open[*oldest].seen) {
			oldest = &k
		}
	}
	if n >= maxSessions {
		delete(s.open, *oldest)
	}
	now := time.Now()
	s.open[sha256.Sum256([]byte(token))] = &session{Name: a.Name, Role: a.Role, CSRF: random(), begun: now, seen: now}
	return token
}

func (s *sessions) tidy() {
	for k, x := range s.open {
		if time.Since(x.seen) > idleEnd || time.Since(x.begun) > sessionEnd {
			delete(s.open, k)
		}
	}
}

// get returns a copy of the session that a token opens, with what is to be said on
// this page. What a page asks for by itself does not keep the session alive.
func (s *sessions) get(token string, automatic bool) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tidy()
	x, ok := s.open[sha256.Sum256([]byte(token))]
	if !ok {
		return session{}, false
	}
	if !automatic {
		x.seen = time.Now()
	}
	visitor := *x
	visitor.key = token
	return visitor, true
}

// valid reports whether a token opens a session, and does not count as a use of it.
func (s *sessions) valid(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tidy()
	_, ok := s.open[sha256.Sum256([]byte(token))]
	return ok
}

// say leaves words for the next page: what was done, or what is wrong. Heard takes them.
func (s *sessions) say(token, notice, problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.open[sha256.Sum256([]byte(token))]; ok {
		if x.notice, x.problem = notice, problem; problem != "" {
			x.notice = ""
		}
	}
}

func (s *sessions) heard(token string) {
	s.say(token, "", "")
}

// bring keeps an API token for a session.
func (s *sessions) bring(token, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.open[sha256.Sum256([]byte(token))]; ok {
		x.token = secret
	}
}

func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(token)))
}

// endAll ends all sessions.
func (s *sessions) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.open)
}

// endOf ends all sessions of an account.
func (s *sessions) endOf(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, x := range s.open {
		if x.Name == name {
			delete(s.open, k)
		}
	}
}
