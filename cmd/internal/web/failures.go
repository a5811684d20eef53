package web

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// failures tell the log of wrong names, passwords and codes: of the first, and then of all
// that came within a minute in one line. Strangers do not fill the log.
type failures struct {
	mu    sync.Mutex
	quiet *time.Timer // runs until the next line; nil: none was wrong lately
	count int
	from  map[netip.Addr]bool
}

const (
	failuresEvery = time.Minute
	maxFailing    = 100 // computers that are counted
)

// add counts a wrong name, password or code.
func (f *failures) add(log *slog.Logger, from netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.quiet == nil {
		log.Warn("wrong name, password or code at the page", "address", from)
		f.quiet, f.from = time.AfterFunc(failuresEvery, func() { f.tell(log) }), map[netip.Addr]bool{}
		return
	}
	if f.count++; len(f.from) < maxFailing {
		f.from[from] = true
	}
}

// tell says what came since.
func (f *failures) tell(log *slog.Logger) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.quiet = nil; f.count == 0 {
		return
	}
	log.Warn("more wrong names, passwords or codes at the page", "count", f.count, "computers", len(f.from), "within",
		failuresEvery)
	f.count = 0
	f.quiet, f.from = time.AfterFunc(failuresEvery, func() { f.tell(log) }), map[netip.Addr]bool{}
}
