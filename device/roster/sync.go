package roster

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"timeclock/device"
)

// Sync keeps the badge map as Zeitstrom has it.
type Sync struct {
	Roster  *Roster
	People  *People
	Numbers device.Numbers               // how badge numbers are written there
	Every   time.Duration                // 0: only when it is asked for
	Tapped  func() func(device.UID) bool // knows the badges that were tapped and belong to nobody
	Done    func(Merged)                 // called when a comparison by schedule has changed something; may be nil
	Log     *slog.Logger

	mu     sync.Mutex
	status SyncStatus
}

// SyncStatus says when the badge map was last compared with Zeitstrom.
type SyncStatus struct {
	At      time.Time     // of the last try; zero: none yet
	Problem string        // why it failed; empty if it did not
	Remedy  device.Remedy // what can be done about that; mostly empty
	Merged  Merged        // what the last one that succeeded did
}

func (s *Sync) String() string { return "badge map from Zeitstrom" }

// Status may be called from any goroutine.
func (s *Sync) Status() SyncStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Run compares now and then until ctx ends: twenty clocks should not all ask at
// once, so the first time is some moment within the first minute, and the pause
// varies by a tenth.
func (s *Sync) Run(ctx context.Context) error {
	if s.Every == 0 {
		return nil
	}
	wait := rand.N(min(time.Minute, s.Every))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		m, err := s.Now(ctx, false)
		if err != nil {
			s.Log.Error("badge map not compared with Zeitstrom, trying again later", "error", err)
		} else if n := len(m.Added) + len(m.Changed) + len(m.Removed) + len(m.Blocked); n > 0 {
			s.Log.Info("badge map as Zeitstrom has it", "added", len(m.Added), "changed", len(m.Changed), "removed",
				len(m.Removed), "blocked", len(m.Blocked), "conflicts", len(m.Conflicts))
			if s.Done != nil {
				s.Done(m)
			}
		}
		wait = s.Every - s.Every/20 + rand.N(s.Every/10+1)
	}
}

// Now compares at once.
func (s *Sync) Now(ctx context.Context, force bool) (Merged, error) {
	var m Merged
	err := s.People.Ask(ctx)
	if err == nil {
		m, err = s.Roster.Merge(s.People.All(), s.Numbers, s.Tapped(), force)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.At, s.status.Problem, s.status.Remedy = time.Now(), "", ""
	var refused *device.Refusal
	switch {
	case errors.As(err, &refused):
		s.status.Problem, s.status.Remedy = refused.Cause, refused.Remedy
	case err != nil:
		s.status.Problem = err.Error()
	default:
		s.status.Merged = m
	}
	return m, err
}
