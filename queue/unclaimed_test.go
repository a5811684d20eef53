package queue

import (
	"path/filepath"
	"testing"
	"time"

	"timeclock/device"
)

func badge(t *testing.T, hex string) device.UID {
	t.Helper()
	uid, err := device.ParseUID(hex)
	if err != nil {
		t.Fatal(err)
	}
	return uid
}

var eight = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func keep(t *testing.T, s *Store, hex string, after time.Duration) int {
	t.Helper()
	claim, err := s.Keep(device.Tap{UID: badge(t, hex), Time: eight.Add(after)}, 30*time.Second, false)
	if err != nil {
		t.Fatal(err)
	}
	return claim
}

func TestUnclaimedTapsBecomePunches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	for i, step := range []struct {
		uid   string
		after time.Duration
		claim int
	}{
		{"A1B2C3D4", 0, 1},
		{"A1B2C3D4", 10 * time.Second, 1}, // the same tap, as people do when they doubt
		{"01020304", time.Minute, 2},
		{"08020304", 2 * time.Minute, 0}, // a phone: never the same number again
		{"A1B2C3D4", 4 * time.Hour, 1},
		{"A1B2C3D4", 5 * time.Hour, 1},
	} {
		if got := keep(t, s, step.uid, step.after); got != step.claim {
			t.Errorf("step %d: claim number %d, want %d", i+1, got, step.claim)
		}
	}
	s.Close()
	s = open(t, path)
	if taps, lost := s.Unclaimed(); len(taps) != 4 || lost != 0 {
		t.Fatalf("%d unclaimed taps, %d lost; want 4, 0", len(taps), lost)
	}
	plan, err := s.Claim(device.Claim{Badge: badge(t, "A1B2C3D4"), Employee: employee(1), Rules: rules, Dry: true})
	if err != nil || len(plan) != 3 || s.Stats().Pending != 0 {
		t.Fatalf("the plan is %v, %v", plan, err)
	}
	made, err := s.Claim(device.Claim{Badge: badge(t, "A1B2C3D4"), Employee: employee(1), Rules: rules})
	if err != nil || len(made) != 3 {
		t.Fatalf("made %v, %v", made, err)
	}
	for i, want := range []device.Intent{device.CheckIn, device.CheckOut, device.CheckIn} {
		if p := made[i]; p != plan[i] || p.Intent != want ||
			!p.Time.Equal(eight.Add([]time.Duration{0, 4 * time.Hour, 5 * time.Hour}[i])) {
			t.Errorf("punch %d is %+v, planned %+v", i+1, p, plan[i])
		}
	}
	s.Close()
	s = open(t, path)
	if taps, _ := s.Unclaimed(); len(taps) != 1 || s.Stats().Pending != 3 {
		t.Errorf("afterwards %d unclaimed, %+v", len(taps), s.Stats())
	}
	if p, err := s.Append(punch(1, device.CheckOut, eight.Add(9*time.Hour)), false); err != nil || p.ID != 4 {
		t.Errorf("the next punch: %+v, %v", p, err)
	}
	fresh := path + ".fresh"
	s.Close()
	if _, err := Salvage(fresh, func() {}, path); err != nil {
		t.Fatal(err)
	}
	if taps, _ := open(t, fresh).Unclaimed(); len(taps) != 1 || taps[0].UID != badge(t, "01020304") {
		t.Errorf("after salvage %d unclaimed taps: a claimed one must not come back", len(taps))
	}
}

func TestClaimKeepsTheRightDirection(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	if _, err := s.Append(punch(1, device.CheckIn, eight), false); err != nil { // with her old badge
		t.Fatal(err)
	}
	keep(t, s, "A1B2C3D4", 8*time.Hour)
	plan, err := s.Claim(device.Claim{Badge: badge(t, "A1B2C3D4"), Employee: employee(1), Rules: rules, Dry: true})
	if err != nil || len(plan) != 1 || plan[0].Intent != device.CheckOut {
		t.Errorf("after a check-in: %+v, %v", plan, err)
	}
	if _, err := s.Append(punch(1, device.CheckOut, eight.Add(9*time.Hour)), false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(device.Claim{Badge: badge(t, "A1B2C3D4"), Employee: employee(1), Rules: rules}); err == nil {
		t.Error("claimed in front of later bookings")
	}
	if plan, err := s.Claim(device.Claim{
		Badge: badge(t, "A1B2C3D4"), Employee: employee(1), Rules: rules, Force: true,
	}); err != nil || len(plan) != 1 {
		t.Errorf("forced: %v, %v", plan, err)
	}
}

func TestUnclaimedTapsAreBounded(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	s.db.NoSync = true
	numbers := map[int]bool{}
	for i := range maxUnclaimed + 20 {
		uid, _ := device.NewUID([]byte{0x10, 1, byte(i >> 8), byte(i)})
		claim, err := s.Keep(device.Tap{UID: uid, Time: eight.Add(time.Duration(i) * time.Minute)}, 0, false)
		if err != nil || claim < 1 || claim > maxClaim {
			t.Fatalf("claim number %d, %v", claim, err)
		}
		numbers[claim] = true
	}
	if taps, lost := s.Unclaimed(); len(taps) != maxUnclaimed || lost != 20 ||
		!taps[0].Time.Equal(eight.Add(20*time.Minute)) {
		t.Errorf("%d kept, %d lost", len(taps), lost)
	}
}

func FuzzDecodeUnclaimed(f *testing.F) {
	f.Add([]byte(`{"uid":"A1B2C3D4","time":"2026-11-23T08:00:00Z","claim":17}`))
	f.Fuzz(func(t *testing.T, v []byte) {
		if tap, err := decodeUnclaimed(v); err == nil && tap.UID.IsZero() {
			t.Errorf("%q became a tap of no badge", v)
		}
	})
}

var rules = device.Rules{Lockout: 30 * time.Second, LongestShift: 14 * time.Hour}
