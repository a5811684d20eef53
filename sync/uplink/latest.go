package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

var _ device.Elsewhere = (*Uplink)(nil)

// Reasons for not asking.
var (
	errOffline = errors.New("no way to Zeitstrom")
	errBlind   = errors.New("the token may not read timespans")
	errBusy    = errors.New("earlier questions are not answered yet")
)

// knowledge is what Zeitstrom said of an employee.
type knowledge struct {
	intent device.Intent
	at     time.Time
	asked  time.Time
	err    error
}

// learn asks what an employee did last.
func (u *Uplink) learn(ctx context.Context, e device.EmployeeID, before time.Time) knowledge {
	k := knowledge{asked: time.Now().Round(0)}
	k.intent, k.at, k.err = u.api.Latest(ctx, e, before)
	var problem *zeitstrom.Error
	if k.err == nil {
		u.sees(true)
	} else if errors.As(k.err, &problem) && problem.Kind == zeitstrom.Forbidden {
		u.sees(false)
	}
	return k
}

// Refresh asks what an employee did last, after a correction or for a roll-call: it
// counts at the door, while there is no answer, until they book again.
func (u *Uplink) Refresh(ctx context.Context, e device.EmployeeID) (device.Intent, time.Time, error) {
	k := u.learn(ctx, e, time.Now())
	u.mu.Lock()
	defer u.mu.Unlock()
	switch old, any := u.memory[e]; {
	case k.err != nil:
		delete(u.memory, e) // it may be older than what was changed just now
	case !any || k.asked.After(old.asked):
		u.memory[e] = k
	}
	return k.intent, k.at, k.err
}

// forget forgets what was learned of an employee: they have booked since.
func (u *Uplink) forget(e device.EmployeeID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.memory, e)
}

// Remembered implements device.Elsewhere.
func (u *Uplink) Remembered(e device.EmployeeID) (intent device.Intent, at, asked time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	k := u.memory[e]
	return k.intent, k.at, k.asked
}

// Online implements device.Elsewhere.
func (u *Uplink) Online() bool { return u.Status().Online }

// Latest implements device.Elsewhere. A question that is not answered in time is
// not broken off: that would close the connection that the next one needs.
func (u *Uplink) Latest(ctx context.Context, e device.EmployeeID, before time.Time) (device.Intent, time.Time, error) {
	switch {
	case !u.Online():
		return "", time.Time{}, errOffline
	case u.blindSince(longest):
		return "", time.Time{}, errBlind
	}
	select {
	case u.asking <- struct{}{}:
	default:
		return "", time.Time{}, errBusy
	}
	known := make(chan knowledge, 1)
	go func() {
		defer func() { <-u.asking }()
		known <- u.learn(context.WithoutCancel(ctx), e, before)
	}()
	var k knowledge
	select {
	case k = <-known:
	case <-ctx.Done():
		k.err = fmt.Errorf("it took too long: %w", ctx.Err())
	}
	u.note(func(s *Status) {
		if s.Silent, s.Why = s.Silent+1, ""; k.err == nil {
			s.Silent = 0
		} else {
			s.Why = k.err.Error()
		}
	})
	return k.intent, k.at, k.err
}

// sees notes whether the token may read timespans.
func (u *Uplink) sees(yes bool) {
	u.note(func(s *Status) {
		if !yes {
			u.blinded = time.Now()
			if !s.Blind {
				u.log.Warn("the token may not read timespans: bookings that were sent and not clearly answered wait for a person, and other doors and the app are not asked about")
			}
		}
		s.Blind = !yes
	})
}

// blindSince reports whether the token was found not to read timespans within d.
func (u *Uplink) blindSince(d time.Duration) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.status.Blind && time.Since(u.blinded) < d
}
