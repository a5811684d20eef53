package main

import (
	"context"
	"testing"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/display"
)

// running is a running clock, as a command reaches it.
type running struct {
	*admin.Client
	ctx context.Context //nolint:containedctx // as long as a test
}

func dial(ctx context.Context, stateDir string) running { return running{admin.Dial(stateDir), ctx} }

func (r running) Status() (admin.Status, error) { return admin.DoStatus.On(r.ctx, r, admin.None{}) }
func (r running) Health() (admin.Health, error) { return admin.DoHealth.On(r.ctx, r, admin.None{}) }
func (r running) Pair() (admin.Pairing, error)  { return admin.DoPair.On(r.ctx, r, admin.None{}) }

func (r running) Tap(uid device.UID) (admin.Answer, error) {
	return admin.DoTap.On(r.ctx, r, admin.WholeUID{UID: uid})
}

func (r running) Punch(id device.PunchID) (admin.Punch, error) { return admin.DoPunch.On(r.ctx, r, id) }

func (r running) SetTime(id device.PunchID, at time.Time) (admin.Punch, error) {
	return admin.DoSetTime.On(r.ctx, r, admin.TimeOf{Punch: id, Time: at})
}

// status is how a clock of this process is.
func (d *daemon) status(t testing.TB) admin.Status {
	t.Helper()
	s, err := d.admin.Status(t.Context(), "", admin.None{})
	if err != nil {
		t.Error(err)
	}
	return s
}

// facts is what its idle screen tells.
func (d *daemon) facts() display.Facts { return facts(d.admin.Glance()) }

// examine has it look at everything.
func (d *daemon) examine(t *testing.T) admin.Examination {
	t.Helper()
	x, err := d.admin.Examine(t.Context(), "", admin.None{})
	if err != nil {
		t.Error(err)
	}
	return x
}
