package device

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestTerminal(t *testing.T) {
	term, d := newTerminal(t)
	eight := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for i, step := range []struct {
		uid   string
		after time.Duration
		kind  OutcomeKind
		punch PunchID
		at    time.Duration
	}{
		{"A1B2C3D4", 0, CheckedIn, 1, 0},
		{"A1B2C3D4", time.Second, Repeated, 1, 0},
		{"01020304", 2 * time.Second, CheckedIn, 2, 2 * time.Second}, // another employee at once
		{"A1B2C3D4", 29 * time.Second, Repeated, 1, 0},
		{"04112233445566", 29 * time.Second, Repeated, 1, 0}, // her second badge
		{"A1B2C3D4", 30 * time.Second, CheckedOut, 3, 30 * time.Second},
		{"99999999", 31 * time.Second, Unknown, 0, 31 * time.Second},
		{"0A0B0C0D", 31 * time.Second, Blocked, 0, 31 * time.Second},
		{"04112233445566", time.Hour, CheckedIn, 4, time.Hour},
		{"01020304", -time.Hour, CheckedOut, 5, -time.Hour}, // the clock was set back
		{"A1B2C3D4", 15 * time.Hour, CheckedOut, 6, 15 * time.Hour},
		{"A1B2C3D4", 24 * time.Hour, CheckedIn, 7, 24 * time.Hour},
		{"A1B2C3D4", 38*time.Hour + time.Second, CheckedIn, 8, 38*time.Hour + time.Second}, // yesterday is open
	} {
		o := term.Answer(Tap{UID: uid(t, step.uid), Time: eight.Add(step.after)})
		if o.Kind != step.kind || o.Punch.ID != step.punch || !o.Punch.Time.Equal(eight.Add(step.at)) || o.Booked() &&
			!o.Offline {
			t.Errorf("step %d: %s, punch %d at %v; want %s, %d, %v", i+1, o.Kind, o.Punch.ID, o.Punch.Time, step.kind,
				step.punch, step.at)
		}
		if o.Kind == Unknown && o.Claim != 17 {
			t.Errorf("step %d: claim number %d", i+1, o.Claim)
		}
		if o.Kind == Repeated && o.Punch.Intent != CheckIn {
			t.Errorf("step %d: repeats %s", i+1, o.Punch.Intent)
		}
		if since, open := o.Punch.Forgotten(); open != (step.punch == 8) || open &&
			!since.Equal(eight.Add(24*time.Hour)) {
			t.Errorf("step %d: leaves %v open: %v", i+1, since, open)
		}
	}
	if o := term.Answer(Tap{Several: true, Time: eight}); o.Kind != Several {
		t.Errorf("several badges at once: %s", o.Kind)
	}
	if len(d.stored) != 8 {
		t.Errorf("%d punches stored, want 8", len(d.stored))
	}
}

func TestNothingSaysOKBeforeItIsStored(t *testing.T) {
	term, d := newTerminal(t)
	term.Rules.SecondThoughts = 4 * time.Second
	term.Answer(Tap{UID: uid(t, "A1B2C3D4"), Time: time.Now()})
	d.broken = errors.New("no space left on device")
	o := term.Answer(Tap{UID: uid(t, "01020304"), Time: time.Now()})
	if o.Kind != Failed || !errors.Is(o.Err, d.broken) || o.Booked() || d.waiting["ben"] {
		t.Errorf("with a full disk: %+v", o)
	}
	if got, want := d.happened(), "stored checkin(4) failed"; got != want {
		t.Errorf("happened %q, want %q", got, want)
	}
}

// The newest knowledge decides, whoever made it; and nobody at the door waits long
// for it.
func TestZeitstromIsAsked(t *testing.T) {
	eight := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	says := func(i Intent, at time.Time) func(context.Context) (Intent, time.Time, error) {
		return func(context.Context) (Intent, time.Time, error) { return i, at, nil }
	}
	never := func(ctx context.Context) (Intent, time.Time, error) {
		<-ctx.Done()
		return "", time.Time{}, ctx.Err()
	}
	here := Punch{ID: 1, Employee: "anna", Intent: CheckIn, Time: eight}
	unsure := func(d *fakes) { d.stamp = func(time.Time) Stamp { return Stamp{Uncertain: true} } }
	for name, tc := range map[string]struct {
		setup  func(*fakes)
		latest func(context.Context) (Intent, time.Time, error)
		want   Intent
		source Source
		asked  int
		silent bool
	}{
		"it agrees":       {nil, says(CheckIn, eight), CheckOut, Zeitstrom, 1, false},
		"left by the app": {nil, says(CheckOut, eight.Add(time.Hour)), CheckIn, Zeitstrom, 1, false},
		"came by the app": {
			func(d *fakes) { d.stored = nil }, says(CheckIn, eight), CheckOut, Zeitstrom, 1, false,
		},
		"knows nobody": {
			func(d *fakes) { d.stored = nil }, says("", time.Time{}), CheckIn, Zeitstrom, 1, false,
		},
		"deleted there":           {nil, says("", time.Time{}), CheckIn, Zeitstrom, 1, false},
		"yesterday is open there": {nil, says(CheckIn, eight.Add(-24*time.Hour)), CheckIn, Zeitstrom, 1, false},
		"it does not answer":      {nil, never, CheckOut, ThisClock, 1, true},
		"it is offline": {
			func(d *fakes) { d.online = false }, says(CheckOut, eight), CheckOut, ThisClock, 0, false,
		},
		"something waits here": {
			func(d *fakes) { d.pending = true }, says(CheckOut, eight), CheckOut, ThisClock, 0, false,
		},
		"the time is not certain": {unsure, says(CheckOut, eight), CheckOut, ThisClock, 0, false},
		"the company says not to": {
			func(d *fakes) { d.asked = -1 }, says(CheckOut, eight), CheckOut, ThisClock, -1, false,
		},
		"remembered, and silence": {
			func(d *fakes) { d.remembered, d.learned = CheckOut, eight.Add(time.Hour) },
			never, CheckIn, Zeitstrom, 1, true,
		},
		"an old memory, and silence": {
			func(d *fakes) { d.remembered, d.learned = CheckOut, eight.Add(-time.Hour) },
			never, CheckOut, ThisClock, 1, true,
		},
		"nobody knows and silence": {func(d *fakes) { d.stored = nil }, never, CheckIn, Nobody, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				term, d := newTerminal(t)
				d.stored, d.online, d.latest = []Punch{here}, true, tc.latest
				if tc.setup != nil {
					tc.setup(d)
				}
				if d.asked < 0 {
					term.Rules.Ask = 0
				}
				began := time.Now()
				o := term.Answer(Tap{UID: uid(t, "A1B2C3D4"), Time: eight.Add(4 * time.Hour)})
				if took := time.Since(began); took > 200*time.Millisecond {
					t.Errorf("the answer took %v", took)
				}
				if b := o.Punch.Basis; o.Punch.Intent != tc.want || b.Source != tc.source || d.asked != tc.asked ||
					b.Silent != tc.silent {
					t.Errorf("%s by %+v, asked %d times; want %s by %q, %d", o.Punch.Intent, b, d.asked, tc.want,
						tc.source, tc.asked)
				}
				if o.Offline == d.online {
					t.Error("whether it is sent at once is told wrongly")
				}
			})
		})
	}
}

// Within one run of the computer the lock-out counts true seconds, whatever the
// wall clock does; across two, nothing is concluded from a time that is not certain.
func TestLockoutWithAWrongClock(t *testing.T) {
	for name, tc := range map[string]struct {
		boot  BootID
		up    time.Duration
		wall  time.Time
		doubt bool
		want  OutcomeKind
	}{
		"stepped by decades, 10 s later":  {BootID{1}, 70 * time.Second, time.Now(), false, Repeated},
		"stepped by decades, 40 s later":  {BootID{1}, 100 * time.Second, time.Now(), false, CheckedOut},
		"stepped back, 40 s later":        {BootID{1}, 100 * time.Second, time.Unix(3, 0), true, CheckedOut},
		"15 hours later":                  {BootID{1}, 15*time.Hour + time.Minute, time.Unix(100, 0), true, CheckedIn},
		"rebooted, the clock is the same": {BootID{2}, 5 * time.Second, time.Unix(60, 0), true, CheckedOut},
		"rebooted, and decades later":     {BootID{2}, 5 * time.Second, time.Now(), false, CheckedOut},
	} {
		term, d := newTerminal(t)
		d.stored = []Punch{{
			ID: 1, Employee: "anna", Intent: CheckIn, Time: time.Unix(60, 0),
			Stamp: Stamp{Boot: BootID{1}, Uptime: time.Minute, Uncertain: true},
		}}
		d.stamp = func(time.Time) Stamp { return Stamp{Boot: tc.boot, Uptime: tc.up, Uncertain: tc.doubt} }
		if o := term.Answer(Tap{UID: uid(t, "A1B2C3D4"), Time: tc.wall}); o.Kind != tc.want || o.Booked() &&
			o.Punch.Stamp != d.stamp(tc.wall) {
			t.Errorf("%s: %s, stamp %+v; want %s", name, o.Kind, o.Punch.Stamp, tc.want)
		}
	}
}

// A badge may be used from its first day to its last, by the company's calendar.
func TestBadgeDays(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	for at, want := range map[string]OutcomeKind{
		"2026-11-30T22:59:59Z": Blocked,
		"2026-11-30T23:00:00Z": CheckedIn, // the first of December
		"2026-12-31T22:59:59Z": CheckedIn,
		"2026-12-31T23:00:00Z": Blocked,
		"":                     CheckedIn, // nobody knows the day
	} {
		term, d := newTerminal(t)
		term.Rules.Zone = berlin
		b := d.badges[uid(t, "A1B2C3D4")]
		b.From, b.Until = "2026-12-01", "2026-12-31"
		d.badges[b.UID] = b
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			d.stamp = func(time.Time) Stamp { return Stamp{Uncertain: true} }
		}
		if o := term.Answer(Tap{UID: b.UID, Time: when}); o.Kind != want {
			t.Errorf("at %q: %s, want %s", at, o.Kind, want)
		}
	}
}

// A wall clock that is set back a little while the computer runs leaves an employee's times
// in order; what it showed is kept. One that was wrong by far drags nobody along.
func TestSteppedBack(t *testing.T) {
	eight := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for back, follows := range map[time.Duration]bool{
		45 * time.Second: true, 10 * time.Minute: false, 400 * 24 * time.Hour: false,
	} {
		term, d := newTerminal(t)
		d.stored = []Punch{{
			ID: 1, Employee: "anna", Intent: CheckIn, Time: eight, Stamp: Stamp{Boot: BootID{1}, Uptime: time.Hour},
		}}
		d.stamp = func(time.Time) Stamp { return Stamp{Boot: BootID{1}, Uptime: time.Hour + 40*time.Second} }
		shown := eight.Add(40*time.Second - back)
		o := term.Answer(Tap{UID: uid(t, "A1B2C3D4"), Time: shown})
		want, raw := shown, time.Time{}
		if follows {
			want, raw = eight.Add(40*time.Second), shown
		}
		if o.Kind != CheckedOut || !o.Punch.Time.Equal(want) || !o.Punch.Raw.Equal(raw) {
			t.Errorf("back by %v: %s at %v, shown %v", back, o.Kind, o.Punch.Time, o.Punch.Raw)
		}
		if d.stored[0].Contradicts(o.Punch) == follows {
			t.Errorf("back by %v: whether the one before is wrong is told wrongly", back)
		}
	}
}

// What was booked by another clock that is a little ahead comes before what follows it.
func TestFollowsAClockThatIsAhead(t *testing.T) {
	eight := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for ahead, want := range map[time.Duration]time.Duration{
		-time.Minute: 0, -time.Second: 0, 0: time.Second, 90 * time.Second: 91 * time.Second,
	} {
		term, d := newTerminal(t)
		d.online = true
		d.latest = func(context.Context) (Intent, time.Time, error) { return CheckIn, eight.Add(ahead), nil }
		shown := eight.Add(300 * time.Millisecond)
		o := term.Answer(Tap{UID: uid(t, "A1B2C3D4"), Time: shown})
		moved := want > 0
		if o.Kind != CheckedOut || moved && (!o.Punch.Time.Equal(eight.Add(want)) || !o.Punch.Raw.Equal(shown)) ||
			!moved && !o.Punch.Time.Equal(shown) {
			t.Errorf("%v ahead: %s at %v, shown %v", ahead, o.Kind, o.Punch.Time, o.Punch.Raw)
		}
	}
}
