package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// limiter makes wrong passwords and codes ever slower, for each client and account of
// its own: nobody locks out others.
type limiter struct {
	mu    sync.Mutex
	tries map[string]*tries
}

type tries struct {
	wrong int
	until time.Time
}

// Waits after wrong tries: none for the first few, then doubling.
const (
	freeTries   = 3
	longestWait = 5 * time.Minute
	maxTried    = 1000 // clients and accounts that are remembered
)

// try counts a try as wrong before it is known to be right, so that many at once
// gain nothing. It returns how long none is taken; none if this one may be made.
func (l *limiter) try(who string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tries == nil {
		l.tries = map[string]*tries{}
	}
	t := l.tries[who]
	if t == nil {
		if len(l.tries) >= maxTried { // the ones that may try again are forgotten first
			for k, old := range l.tries {
				if time.Until(old.until) <= 0 || len(l.tries) >= 2*maxTried {
					delete(l.tries, k)
				}
			}
		}
		t = &tries{}
		l.tries[who] = t
	}
	if wait := time.Until(t.until); wait > 0 {
		return wait
	}
	if t.wrong++; t.wrong >= freeTries {
		t.until = time.Now().Add(min(longestWait, time.Second<<min(t.wrong-freeTries, 20)))
	}
	return 0
}

// right forgives the tries of who was right.
func (l *limiter) right(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.tries, who)
}

// session is somebody who has logged in.
type session struct {
	Name    string
	Role    Role
	CSRF    string
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
// this page.
func (s *sessions) get(token string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tidy()
	x, ok := s.open[sha256.Sum256([]byte(token))]
	if !ok {
		return session{}, false
	}
	x.seen = time.Now()
	return *x, true
}

// valid reports whether a token opens a session, and does not count as a use of it.
func (s *sessions) valid(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tidy()
	_, ok := s.open[sha256.Sum256([]byte(token))]
	return ok
}

// say leaves words for the next page; heard takes them.
func (s *sessions) say(token, notice string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.open[sha256.Sum256([]byte(token))]; ok {
		if x.notice, x.problem = notice, ""; err != nil {
			x.notice, x.problem = "", err.Error()
		}
	}
}

func (s *sessions) heard(token string) {
	s.say(token, "", nil)
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

// pairing is the time in which the display shows a code with which somebody who
// stands before it may become admin.
type pairing struct {
	mu    sync.Mutex
	code  string
	until time.Time
	wrong int
}

const (
	pairTime   = 10 * time.Minute
	wrongCodes = 10 // after so many another code is shown
)

// begin makes a new code.
func (p *pairing) begin() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.code, p.until, p.wrong = newCode(), time.Now().Add(pairTime), 0
	return p.code
}

func newCode() string {
	var b [8]byte
	rand.Read(b[:])
	n := binary.BigEndian.Uint64(b[:])
	return fmt.Sprintf("%04d %04d", n/10000%10000, n%10000)
}

// missed counts a wrong code; after too many another one is shown for the rest of
// the time.
func (p *pairing) missed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wrong++; p.wrong%wrongCodes == 0 {
		p.code = newCode()
	}
}

// current returns the code, empty if there is none.
func (p *pairing) current() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !time.Now().Before(p.until) {
		return ""
	}
	return p.code
}

func (p *pairing) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.code = ""
}
