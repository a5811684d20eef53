package device

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

var claimed = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func unclaimedTap(after time.Duration) UnclaimedTap {
	return UnclaimedTap{Tap: Tap{Time: claimed.Add(after), Stamp: Stamp{Uptime: after}}}
}

// Taps of a badge that belonged to nobody become the punches that they would have been.
func TestClaimPlan(t *testing.T) {
	rules := Rules{Lockout: time.Minute, LongestShift: 14 * time.Hour}
	const who = EmployeeID("a1b2c3d4-e5f6-7890-abcd-000000000001")
	come := Punch{ID: 1, Employee: who, Intent: CheckIn, Time: claimed.Add(-time.Hour)}
	inOut := []Intent{CheckIn, CheckOut}
	gone := come
	gone.Intent = CheckOut
	for name, tc := range map[string]struct {
		taps []time.Duration
		last Punch
		want []Intent
	}{
		"in and out":             {[]time.Duration{0, 9 * time.Hour}, Punch{}, inOut},
		"tapped twice":           {[]time.Duration{0, 30 * time.Second, 9 * time.Hour}, Punch{}, inOut},
		"a day too long":         {[]time.Duration{0, 15 * time.Hour}, Punch{}, []Intent{CheckIn, CheckIn}},
		"nobody tapped":          {nil, Punch{}, nil},
		"behind their check-in":  {[]time.Duration{0}, come, []Intent{CheckOut}},
		"behind their check-out": {[]time.Duration{0}, gone, []Intent{CheckIn}},
	} {
		t.Run(name, func(t *testing.T) {
			var taps []UnclaimedTap
			for _, after := range tc.taps {
				taps = append(taps, unclaimedTap(after))
			}
			plan, err := Claim{Employee: who, Rules: rules}.Plan(taps, tc.last, false)
			if err != nil {
				t.Fatal(err)
			}
			var got []Intent
			for i, p := range plan {
				if got = append(got, p.Intent); p.Employee != who || i == 0 && !p.Time.Equal(claimed) {
					t.Errorf("%+v", p)
				}
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

// Bookings before others of the employee are not made, unless somebody says so.
func TestClaimBeforeLaterBookings(t *testing.T) {
	taps := []UnclaimedTap{unclaimedTap(0)}
	c := Claim{Employee: "a1b2c3d4-e5f6-7890-abcd-000000000001", Rules: Rules{LongestShift: 14 * time.Hour}}
	_, err := c.Plan(taps, Punch{}, true)
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Remedy != ClaimAnyway {
		t.Errorf("it is refused with %v", err)
	}
	c.Force = true
	if plan, err := c.Plan(taps, Punch{}, true); err != nil || len(plan) != 1 {
		t.Errorf("%v, %v", plan, err)
	}
}

// A day is open if the next check-in came too late to be a check-out, or nothing came for too long.
func TestOpenDays(t *testing.T) {
	const forgot, gone, left, old = EmployeeID("forgot"), EmployeeID("gone"), EmployeeID("left"), EmployeeID("old")
	at := func(day, hour int) time.Time { return claimed.AddDate(0, 0, day).Add(time.Duration(hour) * time.Hour) }
	in := func(id PunchID, e EmployeeID, t time.Time) Entry {
		return Entry{Punch: Punch{ID: id, Employee: e, Intent: CheckIn, Time: t}}
	}
	again := in(9, forgot, at(1, 0))
	again.Basis = Basis{Source: ThisClock, Intent: CheckIn, Time: at(0, 0)}
	out := in(8, left, at(0, 8))
	out.Intent = CheckOut
	dropped := in(7, left, at(1, 0))
	dropped.State = Dropped
	o := OpenDays{Now: at(1, 2), Since: at(-1, 0), LongestShift: 14 * time.Hour}
	for _, e := range []Entry{
		again, out, dropped, in(3, gone, at(0, 1)), in(2, left, at(0, 0)), in(1, forgot, at(0, 0)),
	} {
		if !o.Add(e) {
			t.Errorf("%+v ends it", e)
		}
	}
	if o.Add(in(0, old, at(-2, 0))) {
		t.Error("what is older goes on")
	}
	var got []EmployeeID
	for _, d := range o.Days() {
		got = append(got, d.Employee)
	}
	if want := []EmployeeID{forgot, gone}; !reflect.DeepEqual(got, want) {
		t.Errorf("open are the days of %v, want %v", got, want)
	}
	if d := o.Days()[0]; !d.CheckIn.Equal(at(0, 0)) || d.Next.ID != again.ID {
		t.Errorf("%+v", d)
	}
}
