package queue

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"timeclock/device"
)

// A claimed tap, and what joins, show that an earlier booking has a wrong time, as a tap does.
func TestContradictedByClaimAndJoin(t *testing.T) {
	wrong := punch(1, device.CheckIn, eight.Add(48*time.Hour))
	wrong.Stamp = device.Stamp{Boot: bootA, Uptime: time.Hour}
	tap := device.Tap{UID: badge(t, "A1B2C3D4"), Time: eight, Stamp: device.Stamp{Boot: bootA, Uptime: 2 * time.Hour}}

	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	wrong = add(t, s, wrong)
	_, err := s.Keep(tap, 0, false)
	must(t, err)
	_, err = s.Claim(device.Claim{Badge: tap.UID, Employee: employee(1), Rules: rules, Force: true})
	must(t, err)
	if got := s.Stats().Wrong; !slices.Equal(got, []device.PunchID{wrong.ID}) {
		t.Errorf("after the claim %v are wrong, want %d", got, wrong.ID)
	}

	recovered := filepath.Join(t.TempDir(), "recovered.db")
	s = open(t, recovered)
	add(t, s, wrong)
	must(t, s.Close())
	s, err = Interim(filepath.Join(t.TempDir(), "queue.db"), 1000, nil)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	later := punch(1, device.CheckOut, eight)
	later.Stamp = tap.Stamp
	add(t, s, later)
	must(t, s.Join(recovered))
	if got := s.Stats().Wrong; len(got) != 1 {
		t.Errorf("after the join %v are wrong, want one", got)
	}
}

// An untimed punch that comes back from quarantine still waits for its time.
func TestRetryUntimed(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	p := punch(1, device.CheckIn, time.Unix(100, 0))
	p.Stamp.Uncertain = true
	p = add(t, s, p)
	must(t, s.Quarantine(p, "nobody knows whether it was confirmed"))
	must(t, s.Retry("ada", p.ID))
	if _, untimed := s.Timing(); len(s.Heads()) != 0 || untimed != 1 || stateOf(s, p) != device.Untimed {
		t.Errorf("%d untimed, to be sent: %v, %s", untimed, s.Heads(), stateOf(s, p))
	}
	n, err := s.SetTimes(device.Fix{Punches: []device.Punch{p.WithTime(eight)}, Kind: device.EventTimeSet})
	if err != nil || n != 1 || len(s.Heads()) != 1 {
		t.Errorf("%d got their time, %v; to be sent: %v", n, err, s.Heads())
	}
}
