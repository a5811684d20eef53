// Package serve serves HTTP to a network with strangers in it: connections are bounded, in
// all, for each computer, and for each IPv6 network, and end when they are slow or idle. It
// does not know who may see what; that is the handlers' business.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Options bound what clients may take.
type Options struct {
	Handler http.Handler
	// Slowest is how long a request, and an answer, may take; 0: as long as they like.
	Slowest time.Duration
	// Most is how many connections there may be.
	Most int
	// Trusted reports whether a computer is known: it has a few connections of its own, that
	// strangers cannot take away. Nil: none is.
	Trusted func(netip.Addr) bool
	// TLS, if set, encrypts.
	TLS *tls.Config
}

// Bounds of connections.
const (
	perComputer = 10 // a browser takes six
	perNetwork  = 40 // of IPv6: a computer has as many addresses as it likes there
	reserved    = 20 // for the computers that are known, beside the others' most
	headerTime  = 5 * time.Second
	idleTime    = 10 * time.Second
	maxHeader   = 16 << 10 // bytes
)

// HTTP serves until ctx ends, and then returns nil.
func HTTP(ctx context.Context, l net.Listener, o Options) error {
	srv := &http.Server{
		Handler: o.Handler, ReadHeaderTimeout: headerTime, ReadTimeout: o.Slowest, WriteTimeout: o.Slowest,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // every passer-by could fill the log
		BaseContext: func(net.Listener) context.Context { return ctx },       // ends event streams
	}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	l = &listener{Listener: l, options: o, from: map[netip.Prefix]int{}}
	if o.TLS != nil {
		l = tls.NewListener(l, o.TLS)
	}
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) || ctx.Err() == nil {
		return err
	}
	return nil
}

// Client is the computer at the other end of a request or connection, as net/http and net
// write its address. What is no address is the zero one.
func Client(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// Network is the IPv6 network of a computer, in which it has as many addresses as it likes.
// An IPv4 address stands for itself.
func Network(a netip.Addr) netip.Prefix {
	if a.Is6() {
		network, err := a.WithZone("").Prefix(64)
		if err == nil {
			return network
		}
	}
	return single(a)
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a.WithZone(""), a.BitLen()) }

// listener lets nobody take all connections.
type listener struct {
	net.Listener
	options Options

	mu   sync.Mutex
	open int
	from map[netip.Prefix]int // by computer, and by network
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := Client(c.RemoteAddr().String())
		if l.enters(from) {
			return &conn{Conn: c, left: sync.OnceFunc(func() { l.leaves(from) })}, nil
		}
		c.Close()
	}
}

func (l *listener) enters(from netip.Addr) bool {
	trusted := l.options.Trusted != nil && l.options.Trusted(from)
	l.mu.Lock()
	defer l.mu.Unlock()
	most := l.options.Most
	if trusted {
		most += reserved
	}
	network := Network(from)
	crowded := network != single(from) && l.from[network] >= perNetwork
	if l.open >= most || l.from[single(from)] >= perComputer || crowded && !trusted {
		return false
	}
	l.count(from, 1)
	return true
}

func (l *listener) leaves(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(from, -1)
}

func (l *listener) count(from netip.Addr, n int) {
	l.open += n
	for _, who := range keys(from) {
		if l.from[who] += n; l.from[who] <= 0 {
			delete(l.from, who)
		}
	}
}

func keys(from netip.Addr) []netip.Prefix {
	if network := Network(from); network != single(from) {
		return []netip.Prefix{single(from), network}
	}
	return []netip.Prefix{single(from)}
}

type conn struct {
	net.Conn
	left func()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.left()
	return c.Conn.Close()
}
