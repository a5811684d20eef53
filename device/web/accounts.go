package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"timeclock/device"
	"timeclock/device/control"

	"golang.org/x/crypto/argon2"
)

// Role is what somebody may do.
type Role string

// The roles. Viewers see names as the display shows them, and no whole UID.
const (
	Admin  Role = "admin"
	Viewer Role = "viewer"
)

// account is somebody who may log in.
type account struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	Salt []byte `json:"salt"`
	Hash []byte `json:"hash"` // argon2id
}

// Parameters of argon2id, as OWASP's password storage cheat sheet has them for
// little memory: the smallest Pi has 512 MB.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	hashBytes    = 32
	minPassword  = 10 // characters
	maxPassword  = 200
	maxAccounts  = 50
)

// hashing lets one password be hashed at a time: each takes memory.
var hashing sync.Mutex

func hash(password string, salt []byte) []byte {
	hashing.Lock()
	defer hashing.Unlock()
	return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, hashBytes)
}

func newAccount(name string, role Role, password string) (account, error) {
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword || n > maxPassword:
		return account{}, fmt.Errorf("a password has %d to %d characters", minPassword, maxPassword)
	case name == "" || utf8.RuneCountInString(name) > 40 || strings.ContainsFunc(name, unicode.IsControl):
		return account{}, errors.New("a name has 1 to 40 characters")
	case strings.EqualFold(name, control.Console): // the command line is called so in the journal
		return account{}, errors.New("this name is taken")
	case role != Admin && role != Viewer:
		return account{}, errors.New("there is no such role")
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	return account{name, role, salt, hash(password, salt)}, nil
}

// accounts are those who may log in, in one file of the state directory. That there ever
// were some is noted in another one: whoever damages the accounts does not become admin.
type accounts struct {
	path string

	mu     sync.Mutex
	list   []account
	broken string // why nobody may log in or become admin by standing at the clock; empty: they may
	fresh  bool   // there never were any
}

// Files in the state directory.
const (
	accountsFile = "accounts.json"
	accountsMark = "accounts.mark" // there were accounts
)

// open reads the accounts, once: again as long as they cannot be read.
func (a *accounts) open(stateDir string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.path != "" && a.broken == "" {
		return
	}
	a.path = filepath.Join(stateDir, accountsFile)
	_, noMark := os.Stat(a.mark())
	content, err := os.ReadFile(a.path)
	var list []account
	if err == nil {
		err = json.Unmarshal(content, &list)
	}
	const reset = "`sudo timeclock web reset` lets somebody who stands at the clock become admin anew"
	a.broken, a.fresh = "", false
	switch {
	case errors.Is(err, fs.ErrNotExist) && errors.Is(noMark, fs.ErrNotExist):
		if err := a.saves(); err != nil {
			a.broken = err.Error()
			return
		}
		a.fresh = true
	case errors.Is(err, fs.ErrNotExist):
		a.broken = "the accounts of this page are gone: " + reset
	case err != nil, !slices.ContainsFunc(list, func(x account) bool { return x.Role == Admin }):
		a.broken = "the accounts of this page are damaged: " + reset
	default:
		a.list = list
		if noMark != nil { // version 0.9 made none
			device.WriteFile(a.mark(), nil)
		}
	}
}

// saves reports whether an account could be saved.
func (a *accounts) saves() error {
	try := a.mark() + ".try"
	if err := device.WriteFile(try, make([]byte, 16<<10)); err != nil {
		return fmt.Errorf("nobody can become admin while nothing can be saved: %w", err)
	}
	return os.Remove(try)
}

func (a *accounts) mark() string { return filepath.Join(filepath.Dir(a.path), accountsMark) }

// problem says why nobody may log in; empty if they may.
func (a *accounts) problem() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.broken
}

// isFresh reports whether there never was an account, so that the first to stand at the clock
// may become admin.
func (a *accounts) isFresh() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fresh
}

// Reset takes all accounts away, and what is left of damaged ones: as on a new clock.
func Reset(stateDir string) error {
	for _, name := range []string{accountsFile, accountsMark} {
		if err := os.RemoveAll(filepath.Join(stateDir, name)); err != nil {
			return err
		}
	}
	return nil
}

// reset takes all accounts away.
func (a *accounts) reset() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := Reset(filepath.Dir(a.path)); err != nil {
		return err
	}
	a.list, a.fresh, a.broken, a.path = nil, true, "", ""
	return nil
}

var errLastAdmin = errors.New("the last admin stays one")

// AccountNames returns the names of those who have an account on the page of the clock
// with a state directory, as far as they can be read.
func AccountNames(stateDir string) []string {
	var list []account
	if content, err := os.ReadFile(filepath.Join(stateDir, accountsFile)); err == nil {
		json.Unmarshal(content, &list)
	}
	var names []string
	for _, x := range list {
		names = append(names, x.Name)
	}
	return names
}

// current reports whether an account is still as it was.
func (a *accounts) current(x account) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.list, func(y account) bool {
		return y.Name == x.Name && y.Role == x.Role && slices.Equal(y.Salt, x.Salt)
	})
}

func (a *accounts) all() []account {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list)
}

// set adds an account, or replaces the one of that name.
func (a *accounts) set(x account) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != "" {
		return errors.New(a.broken)
	}
	next := slices.DeleteFunc(slices.Clone(a.list), func(old account) bool { return old.Name == x.Name })
	next = append(next, x)
	if len(next) > maxAccounts {
		return fmt.Errorf("there are %d accounts already", maxAccounts)
	}
	if len(a.list) > 0 && !slices.ContainsFunc(next, func(x account) bool { return x.Role == Admin }) {
		return errLastAdmin
	}
	return a.replace(next)
}

// remove takes an account away, but not the last admin's.
func (a *accounts) remove(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := slices.DeleteFunc(slices.Clone(a.list), func(old account) bool { return old.Name == name })
	if !slices.ContainsFunc(next, func(x account) bool { return x.Role == Admin }) {
		return errLastAdmin
	}
	return a.replace(next)
}

func (a *accounts) replace(next []account) error {
	content, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := errors.Join(device.WriteFile(a.mark(), nil), device.WriteFile(a.path, content)); err != nil {
		return err
	}
	a.list, a.fresh = next, false
	return nil
}

// check returns the account that a password opens. Whether the name exists does
// not show in the time that it takes.
func (a *accounts) check(name, password string) (account, bool) {
	a.mu.Lock()
	x := account{Salt: make([]byte, 16), Hash: make([]byte, hashBytes)}
	i := slices.IndexFunc(a.list, func(x account) bool { return x.Name == name })
	if i >= 0 {
		x = a.list[i]
	}
	a.mu.Unlock()
	if len(password) > 4*maxPassword {
		return account{}, false
	}
	same := subtle.ConstantTimeCompare(hash(password, x.Salt), x.Hash) == 1
	return x, same && i >= 0
}

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
