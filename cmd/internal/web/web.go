// Package web is the admin's page: what the command line can do, in a browser, and
// the pictures that people would rather look at. It is served over HTTPS by the
// daemon, off unless configured, and works without JavaScript but for live
// updates.
//
// Whatever it does it does through cmd/internal/admin, as the command line does. Nobody
// sees anything without a session; there is no default password: the first admin
// is whoever can read the code from the clock's display.
package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/serve"
	"timeclock/display"

	"periph.io/x/devices/v3/ssd1306/image1bit"
)

//go:embed static
var static embed.FS

// Options say how the page is served.
type Options struct {
	Listen            string
	CertFile, KeyFile string // empty: a certificate of its own in StateDir
	StateDir          string
}

// Server serves the page.
type Server struct {
	clock    *admin.Clock
	log      *slog.Logger
	options  Options
	accounts *accounts
	sessions sessions
	pairing  pairing
	logins   limiter
	familiar familiar
	failures failures
	pages    map[string]pages // by language

	mu      sync.Mutex
	cert    tls.Certificate
	address string // where it is served; empty: nowhere yet
	problem string // why it is not
	picture []byte // PNG, of the display
	changed chan struct{}
}

var _ display.Panel = (*Server)(nil)

// New makes a page; Run opens and serves it. A page that cannot be served is no
// reason for the clock not to run.
func New(o Options, clock *admin.Clock, log *slog.Logger) (*Server, error) {
	s := &Server{options: o, clock: clock, log: log, changed: make(chan struct{}), sessions: sessions{open: map[[32]byte]*session{}}, accounts: &accounts{}}
	var err error
	s.pages, err = loadPages()
	return s, err
}

// open loads accounts and certificate and opens the address.
func (s *Server) open(ctx context.Context) (net.Listener, error) {
	s.accounts.open(s.options.StateDir)
	s.familiar.open(s.options.StateDir)
	cert, err := certificate(s.options)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.options.Listen)
	if err != nil {
		return nil, err
	}
	if s.accounts.isFresh() && s.Address() == "" {
		s.pairing.begin()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cert, s.address, s.problem = cert, l.Addr().String(), ""
	return l, nil
}

// Address is where the page is served; empty: nowhere yet.
func (s *Server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// Problem says why the page is not served, or lets nobody in; empty if neither.
func (s *Server) Problem() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.problem, s.accounts.problem())
}

func (s *Server) certificate() tls.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cert
}

// Code is the pairing code that the display shows; empty: none is valid.
func (s *Server) Code() string { return s.pairing.current() }

// Fingerprint is what the display shows beside the code: the first 16 hex digits of the
// certificate's SHA-256. Whoever compares them with the browser's notices a relay in between.
func (s *Server) Fingerprint() string {
	cert := s.certificate()
	if len(cert.Certificate) == 0 {
		return ""
	}
	digits := strings.ReplaceAll(fingerprint(cert), ":", "")
	return strings.Join([]string{digits[:4], digits[4:8], digits[8:12], digits[12:16]}, " ")
}

// Pair begins ten minutes in which whoever knows the code may set an admin's
// password.
func (s *Server) Pair() (admin.Pairing, error) {
	s.accounts.open(s.options.StateDir) // what was in the way may be gone
	if problem := s.accounts.problem(); problem != "" {
		return admin.Pairing{}, errors.New(problem)
	}
	if err := s.accounts.saves(); err != nil {
		return admin.Pairing{}, err
	}
	p := admin.Pairing{Code: s.pairing.begin(), Address: s.Address()}
	if p.Address != "" {
		p.Fingerprint = fingerprint(s.certificate())
	}
	return p, nil
}

// Reset takes all accounts away and begins a pairing: as on a new clock.
func (s *Server) Reset() (admin.Pairing, error) {
	if err := s.accounts.reset(); err != nil {
		return admin.Pairing{}, err
	}
	s.sessions.endAll()
	return s.Pair()
}

func (s *Server) String() string { return "page" }

// Draw implements display.Panel: the page shows what the display shows.
func (s *Server) Draw(p *image1bit.VerticalLSB, _ display.Light) error {
	picture, err := display.PNG(p)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.picture = picture
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// Bounds of what clients may take.
const (
	maxConnections = 128
	maxForm        = 64 << 10
	maxUpload      = 16 << 20
	slowest        = 30 * time.Second // for a request, and for an answer
	tryAgain       = 5 * time.Second  // when the page cannot be served
)

// Run serves until ctx ends. What is in the way is logged when it is new, and tried
// again.
func (s *Server) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		l, err := s.open(ctx)
		if err == nil {
			err = s.serve(ctx, l)
		}
		if ctx.Err() != nil {
			return nil
		}
		s.mu.Lock()
		if s.problem != err.Error() {
			s.log.Error("the page is not served, trying again", "error", err)
		}
		s.problem = err.Error()
		s.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(tryAgain):
		}
	}
	return nil
}

func (s *Server) serve(ctx context.Context, l net.Listener) error {
	s.log.Info("page", "address", l.Addr().String())
	return serve.HTTP(ctx, l, serve.Options{
		Handler: s.handler(), Slowest: slowest, Most: maxConnections, Trusted: s.familiar.knows,
		TLS: &tls.Config{
			Certificates: []tls.Certificate{s.certificate()}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		},
	})
}
