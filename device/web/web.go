// Package web is the admin's page: what the command line can do, in a browser, and
// the pictures that people would rather look at. It is served over HTTPS by the
// daemon, off unless configured, and works without JavaScript but for live
// updates.
//
// Whatever it does it does through device/control, as the command line does. Nobody
// sees anything without a session; there is no default password: the first admin
// is whoever can read the code from the clock's display.
package web

import (
	"context"
	"crypto/tls"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"timeclock/device/control"
	"timeclock/display"

	"golang.org/x/net/netutil"
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
	clock    *control.Clock
	log      *slog.Logger
	listener net.Listener
	cert     tls.Certificate
	accounts *accounts
	sessions sessions
	pairing  pairing
	logins   limiter
	pages    map[string]pages // by language

	mu      sync.Mutex
	picture []byte // PNG, of the display
	changed chan struct{}
}

var _ display.Panel = (*Server)(nil)

// New opens the address and loads certificate and accounts; Run serves.
func New(o Options, clock *control.Clock, log *slog.Logger) (*Server, error) {
	s := &Server{clock: clock, log: log, changed: make(chan struct{}), sessions: sessions{open: map[[32]byte]*session{}}}
	var err error
	if s.pages, err = loadPages(); err != nil {
		return nil, err
	}
	if s.accounts, err = openAccounts(filepath.Join(o.StateDir, "accounts.json")); err != nil {
		return nil, err
	}
	if s.cert, err = certificate(o); err != nil {
		return nil, fmt.Errorf("certificate of the page: %w", err)
	}
	if s.listener, err = net.Listen("tcp", o.Listen); err != nil {
		return nil, fmt.Errorf("the page: %w: choose another [web] listen", err)
	}
	if !s.accounts.hasAdmin() {
		s.pairing.begin()
	}
	return s, nil
}

// Address is where the page is served.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close gives the address back, if Run has not.
func (s *Server) Close() error { return s.listener.Close() }

// Code is the pairing code that the display shows; empty: none is valid.
func (s *Server) Code() string { return s.pairing.current() }

// Pair begins ten minutes in which whoever knows the code may set an admin's
// password.
func (s *Server) Pair() control.Pairing {
	return control.Pairing{Code: s.pairing.begin(), Fingerprint: fingerprint(s.cert), Address: s.Address()}
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

// Bounds of what a client may take.
const (
	maxConnections = 64
	maxHeader      = 16 << 10
	maxForm        = 64 << 10
	maxUpload      = 64 << 20
	slowest        = 30 * time.Second // for a request, and for an answer
)

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	srv := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       slowest,
		WriteTimeout:      slowest,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // every passer-by could fill the log
		BaseContext:       func(net.Listener) context.Context { return ctx },       // ends event streams
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	s.log.Info("page", "address", s.Address())
	l := tls.NewListener(netutil.LimitListener(s.listener, maxConnections), &tls.Config{
		Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	})
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
