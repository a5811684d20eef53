package web

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"timeclock/device/durable"
)

// familiar are the computers from which accounts have logged in. Each has tries of its own
// that nobody else can use up, so that strangers cannot lock an admin out.
type familiar struct {
	mu   sync.Mutex
	path string // where they are kept; empty: nowhere yet
	list []acquaintance
}

// acquaintance is an account that has logged in from a computer.
type acquaintance struct {
	Account string     `json:"account"`
	From    netip.Addr `json:"from"`
	At      time.Time  `json:"at"` // last

	tries []time.Time // within the last minute
}

const (
	familiarFile  = "logins.json" // in the state directory
	familiarFor   = 30 * 24 * time.Hour
	familiarTries = 10 // a minute
	maxFamiliar   = 200
)

// open reads those of before a restart. Where there are none that can be read, everybody is
// a stranger, who may log in as well.
func (f *familiar) open(stateDir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path != "" {
		return
	}
	f.path = filepath.Join(stateDir, familiarFile)
	content, err := os.ReadFile(f.path)
	if err != nil || json.Unmarshal(content, &f.list) != nil {
		f.list = nil
	}
	f.tidy()
}

// tidy forgets by age, and the oldest of too many.
func (f *familiar) tidy() {
	f.list = slices.DeleteFunc(f.list, func(a acquaintance) bool { return time.Since(a.At) > familiarFor })
	if extra := len(f.list) - maxFamiliar; extra > 0 {
		slices.SortFunc(f.list, func(a, b acquaintance) int { return a.At.Compare(b.At) })
		f.list = slices.Delete(f.list, 0, extra)
	}
}

// find returns a pair that has logged in; nil if it has not.
func (f *familiar) find(account string, from netip.Addr) *acquaintance {
	f.tidy()
	i := slices.IndexFunc(f.list, func(a acquaintance) bool { return a.Account == account && a.From == from })
	if i < 0 {
		return nil
	}
	return &f.list[i]
}

// knows reports whether any account has logged in from a computer.
func (f *familiar) knows(from netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.list,
		func(a acquaintance) bool { return a.From == from && time.Since(a.At) <= familiarFor })
}

// try counts a try of a pair that is known, and returns how long none is taken.
func (f *familiar) try(account string, from netip.Addr) (wait time.Duration, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.find(account, from)
	if a == nil {
		return 0, false
	}
	now := time.Now()
	a.tries = slices.DeleteFunc(a.tries, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if len(a.tries) >= familiarTries {
		return time.Minute - now.Sub(a.tries[0]), true
	}
	a.tries = append(a.tries, now)
	return 0, true
}

// met notes that an account has logged in from a computer. It is written once a day at most.
func (f *familiar) met(account string, from netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.find(account, from)
	if a != nil {
		a.tries = nil
		if time.Since(a.At) < 24*time.Hour {
			return
		}
		a.At = time.Now()
	} else {
		f.list = append(f.list, acquaintance{Account: account, From: from, At: time.Now()})
		f.tidy()
	}
	if content, err := json.Marshal(f.list); err == nil && f.path != "" {
		_ = durable.WriteFile(f.path, content) // else they are strangers after a restart
	}
}
