package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"sync"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
)

// session is somebody who has logged in.
type session struct {
	Name    string
	Role    Role
	CSRF    string
	key     string // that opens it; the reader's cookie
	begun   time.Time
	seen    time.Time
	token   string   // of the API, that the admin has brought
	notice  string   // for the next page
	problem string   // likewise
	refused *refused // likewise: the form that has the problem
	removed *removed // what can be put back
	upload  *upload  // a list that is looked at
}

// refused is a form that was sent in vain: it is shown again as it was.
type refused struct {
	path    string
	form    url.Values
	unclear *admin.Unclear // whom its words may mean; nil: that was not the matter
}

// removed is a badge that can be put back for a while.
type removed struct {
	Badge device.Badge
	at    time.Time
}

// keptFor is how long a removed badge can be put back, and a list is kept for a second look.
const keptFor = 10 * time.Minute

// Removed is the badge that was removed last, while it can be put back; nil: there is none.
func (s session) Removed() *removed {
	if s.removed == nil || time.Since(s.removed.at) >= keptFor {
		return nil
	}
	return s.removed
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

// change changes a session, if it is still open.
func (s *sessions) change(token string, f func(*session)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.open[sha256.Sum256([]byte(token))]; ok {
		f(x)
	}
}

// say leaves words for the next page: what was done, or what is wrong with which form.
func (s *sessions) say(token, notice, problem string, form *refused) {
	s.change(token, func(x *session) {
		if x.notice, x.problem, x.refused = notice, problem, form; problem != "" {
			x.notice = ""
		}
	})
}

func (s *sessions) heard(token string) { s.say(token, "", "", nil) }

// keep keeps a list for a while. All of them together take no more than one: older ones go.
func (s *sessions) keep(token string, u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine, ok := s.open[sha256.Sum256([]byte(token))]
	if !ok {
		return
	}
	mine.upload = u
	for {
		total, oldest := 0, mine
		for _, x := range s.open {
			if x.upload == nil {
				continue
			}
			total += len(x.upload.content)
			if x.upload.at.Before(oldest.upload.at) {
				oldest = x
			}
		}
		if total <= maxUpload || oldest == mine {
			break
		}
		oldest.upload = nil
	}
	serial := u.Serial // the timer does not hold the list
	time.AfterFunc(keptFor, func() {
		s.change(token, func(x *session) {
			if x.upload != nil && x.upload.Serial == serial {
				x.upload = nil
			}
		})
	})
}

func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(token)))
}

// forgetRemoved forgets what could be put back of an employee.
func (s *sessions) forgetRemoved(id device.EmployeeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.open {
		if x.removed != nil && x.removed.Badge.Employee.ID == id {
			x.removed = nil
		}
	}
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
