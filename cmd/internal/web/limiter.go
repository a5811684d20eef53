package web

import (
	"net/netip"
	"sync"
	"time"

	"timeclock/cmd/internal/serve"
)

// limiter makes wrong passwords and codes ever slower: for what is guessed by one computer,
// for all that one computer guesses, and for all that one IPv6 network does. What was wrong
// is forgotten by age only. Who has logged in before does not come here: see familiar.
type limiter struct {
	mu     sync.Mutex
	tries  map[source]*tries
	tidied time.Time
}

// source is where tries come from. The zero one are all newcomers while no more can be
// remembered.
type source struct {
	from netip.Prefix // a computer or a network
	what string       // is guessed: an account's name, or the pairing code; empty: anything
}

type tries struct {
	wrong int
	last  time.Time
	until time.Time // none is taken
}

// Waits after wrong tries: none for the first few, then doubling.
const (
	freeTries    = 3   // of one computer at one account, or at the pairing code
	freeComputer = 20  // of one computer
	freeNetwork  = 100 // of one IPv6 network, or of all newcomers together
	longestWait  = 5 * time.Minute
	forgetAfter  = time.Hour
	maxSources   = 4096 // that are remembered; each takes less than 400 bytes
)

// budget is how many tries a source has before it waits.
type budget struct {
	source
	free int
}

// trial is a try that may be made. It counts as wrong until it is known to be right, so
// that many at once gain nothing. The zero one was counted elsewhere.
type trial struct {
	limiter *limiter
	budgets []budget
}

// try returns how long no try is taken; none if this one may be made.
func (l *limiter) try(what string, from netip.Addr) (time.Duration, trial) {
	computer := netip.PrefixFrom(from.WithZone(""), from.BitLen())
	t := trial{l, []budget{{source{computer, what}, freeTries}, {source{computer, ""}, freeComputer}}}
	if network := serve.Network(from); network != computer {
		t.budgets = append(t.budgets, budget{source{network, ""}, freeNetwork})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tries == nil {
		l.tries = map[source]*tries{}
	}
	now := time.Now()
	if now.Sub(l.tidied) >= time.Second {
		l.tidied = now
		for s, x := range l.tries {
			if now.Sub(x.last) > forgetAfter {
				delete(l.tries, s)
			}
		}
	}
	full := len(l.tries) > maxSources-len(t.budgets)
	for i, b := range t.budgets {
		if l.tries[b.source] == nil && full {
			t.budgets[i] = budget{free: freeNetwork}
		}
		if x := l.tries[t.budgets[i].source]; x != nil && now.Before(x.until) {
			return x.until.Sub(now), trial{}
		}
	}
	for _, b := range t.budgets {
		x := l.tries[b.source]
		if x == nil {
			x = &tries{}
			l.tries[b.source] = x
		}
		x.wrong, x.last = x.wrong+1, now
		if x.wrong >= b.free {
			x.until = now.Add(min(longestWait, time.Second<<min(x.wrong-b.free, 20)))
		}
	}
	return 0, t
}

// right takes back what was counted, and forgives what else this computer got wrong of it.
func (t trial) right() {
	t.void()
	if t.limiter == nil {
		return
	}
	t.limiter.mu.Lock()
	defer t.limiter.mu.Unlock()
	if own := t.budgets[0].source; own.what != "" {
		delete(t.limiter.tries, own)
	}
}

// void takes back what was counted: nothing was tried.
func (t trial) void() {
	if t.limiter == nil {
		return
	}
	t.limiter.mu.Lock()
	defer t.limiter.mu.Unlock()
	for _, b := range t.budgets {
		if x := t.limiter.tries[b.source]; x != nil {
			x.wrong, x.until = max(0, x.wrong-1), time.Time{}
		}
	}
}
