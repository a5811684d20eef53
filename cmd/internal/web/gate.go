package web

import (
	"cmp"
	"crypto/tls"
	"errors"
	"strings"
	"sync"

	"timeclock/cmd/internal/admin"
)

// Gate is who may log in at the page, and where that is: accounts, sessions, pairing and
// certificate.
type Gate struct {
	options  Options
	accounts accounts
	sessions sessions
	pairing  pairing

	mu      sync.Mutex
	cert    tls.Certificate
	address string // where the page is served; empty: nowhere yet
	problem string // why it is not
}

var _ admin.Page = (*Gate)(nil)

// NewGate makes a gate; the page opens it.
func NewGate(o Options) *Gate { return &Gate{options: o, sessions: newSessions()} }

// Address is where the page is served; empty: nowhere yet.
func (g *Gate) Address() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.address
}

// Problem says why the page is not served, or lets nobody in; empty if neither.
func (g *Gate) Problem() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return cmp.Or(g.problem, g.accounts.problem())
}

func (g *Gate) certificate() tls.Certificate {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cert
}

// Code is the pairing code that the display shows; empty: none is valid.
func (g *Gate) Code() string { return g.pairing.current() }

// Fingerprint is what the display shows beside the code: the first 16 hex digits of the
// certificate's SHA-256. Whoever compares them with the browser's notices a relay in between.
func (g *Gate) Fingerprint() string {
	digits := strings.ReplaceAll(fingerprint(g.certificate()), ":", "")
	if digits == "" {
		return ""
	}
	return strings.Join([]string{digits[:4], digits[4:8], digits[8:12], digits[12:16]}, " ")
}

// Pair begins ten minutes in which whoever knows the code may set an admin's
// password.
func (g *Gate) Pair() (admin.Pairing, error) {
	g.accounts.open(g.options.StateDir) // what was in the way may be gone
	if problem := g.accounts.problem(); problem != "" {
		return admin.Pairing{}, errors.New(problem)
	}
	if err := g.accounts.saves(); err != nil {
		return admin.Pairing{}, err
	}
	p := admin.Pairing{Code: g.pairing.begin(), Address: g.Address()}
	if p.Address != "" {
		p.Fingerprint = fingerprint(g.certificate())
	}
	return p, nil
}

// Reset takes all accounts away and begins a pairing: as on a new clock.
func (g *Gate) Reset() (admin.Pairing, error) {
	if err := g.accounts.reset(); err != nil {
		return admin.Pairing{}, err
	}
	g.sessions.endAll()
	return g.Pair()
}

// opened notes where the page is served now.
func (g *Gate) opened(cert tls.Certificate, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cert, g.address, g.problem = cert, address, ""
}

// failed notes why the page is not served, and reports whether that is new.
func (g *Gate) failed(problem string) (isNew bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	isNew = g.problem != problem
	g.problem = problem
	return isNew
}
