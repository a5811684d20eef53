// Package web is the admin's page: what the command line can do, in a browser, and
// the pictures that people would rather look at. It is served over HTTPS by the
// daemon, off unless configured, and works without JavaScript but for live
// updates.
//
// Whatever it does it does through cmd/internal/admin, as the command line does; it knows no queue
// and no Zeitstrom. Nobody sees anything without a session; there is no default password: the
// first admin is whoever can read the code from the clock's display.
package web

import (
	"context"
	"crypto/tls"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/cmd/internal/serve"
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
	*Gate
	admin    *admin.Admin
	log      *slog.Logger
	logins   limiter
	familiar familiar
	failures failures

	languages map[string]*language                     // by code
	templates map[string]map[string]*template.Template // by code and page

	mirror *Mirror
}

// New makes a page behind a gate, with a mirror of the display; Run opens and serves it. A page
// that cannot be served is no reason for the clock not to run.
func New(g *Gate, m *Mirror, a *admin.Admin, log *slog.Logger) (*Server, error) {
	s := &Server{Gate: g, mirror: m, admin: a, log: log}
	var err error
	if s.languages, err = readLanguages(); err == nil {
		s.templates, err = loadTemplates(s.languages)
	}
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
	s.opened(cert, l.Addr().String())
	return l, nil
}

func (s *Server) String() string { return "page" }

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
		if s.failed(err.Error()) {
			s.log.Error("the page is not served, trying again", "error", err)
		}
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
			Certificates: []tls.Certificate{s.certificate()}, MinVersion: tls.VersionTLS12,
			NextProtos: []string{"http/1.1"},
		},
	})
}
