package queue

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/device/clock"
)

var (
	bootA = device.BootID{1}
	bootB = device.BootID{2}
)

// early is a punch by a clock that woke in 1970.
func early(n int, intent device.Intent, boot device.BootID, uptime time.Duration) device.Punch {
	p := punch(n, intent, time.Unix(0, 0).Add(uptime))
	p.Stamp = device.Stamp{Boot: boot, Uptime: uptime, Uncertain: true}
	return p
}

func add(t *testing.T, s *Store, p device.Punch) device.Punch {
	t.Helper()
	p, err := s.Append(p, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// kernel is a computer that was started at an instant, and shows the right time.
type kernel struct {
	boot  device.BootID
	start time.Time
}

func (k kernel) Wall() time.Time           { return k.start.Add(k.Uptime()) }
func (kernel) Uptime() time.Duration       { return 20 * time.Hour }
func (k kernel) BootID() device.BootID     { return k.boot }
func (kernel) Synchronised() (bool, error) { return false, nil }
func (kernel) Offset() time.Duration       { return 0 }

func (kernel) ClockChip() (clock.Chip, error) { return clock.Chip{}, errors.New("no clock chip") }

// mend lets a clock that believes that computer repair what it can, once, and returns how much
// that was.
func mend(t *testing.T, s *Store, boot device.BootID, start time.Time) int {
	t.Helper()
	_, before := s.Timing()
	done, stop := context.WithCancel(t.Context())
	stop()
	if err := clock.New(kernel{boot, start}, s, true, slog.New(slog.DiscardHandler)).Run(done); err != nil {
		t.Fatal(err)
	}
	_, left := s.Timing()
	return before - left
}

// judge is a clock of another run of the computer, which knows no time.
func judge(s *Store) *clock.Clock {
	return clock.New(kernel{boot: device.BootID{9}}, s, false, slog.New(slog.DiscardHandler))
}

func headIDs(s *Store) (ids []device.PunchID) {
	for _, h := range s.Heads() {
		ids = append(ids, h.ID)
	}
	return ids
}

// What was booked before the time was known waits, holds up the employee's own
// later bookings and nobody else's, and gets its true time when trust comes, also
// after a restart of the program. Both times are kept.
func TestUncertainTimes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	start := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	in := add(t, s, early(0, device.CheckIn, bootA, 10*time.Second))
	out := add(t, s, early(0, device.CheckOut, bootA, time.Hour))
	later := punch(0, device.CheckIn, start.Add(2*time.Hour))
	later.Stamp = device.Stamp{Boot: bootA, Uptime: 2 * time.Hour}
	later = add(t, s, later)
	other := add(t, s, punch(1, device.CheckIn, start))
	check := func(when string) {
		t.Helper()
		if ids := headIDs(s); !slices.Equal(ids, []device.PunchID{other.ID}) {
			t.Errorf("%s: %v may be delivered, want only punch %d", when, ids, other.ID)
		}
		if st := s.Stats(); st.Pending != 4 || st.Waiting != 2 || st.Untimed != 2 || !st.OldestPending.Equal(start) {
			t.Errorf("%s: %+v", when, st)
		}
		if e, err := s.Find(in.ID); err != nil || e.State != device.Untimed ||
			e.Reason != "its time is not certain yet" {
			t.Errorf("%s: %+v, %v", when, e, err)
		}
		var refusal *device.Refusal
		if err := s.Retry("", in.ID); !errors.As(err, &refusal) || refusal.Remedy != device.SetTimeInstead {
			t.Errorf("%s: a punch without a time may be retried: %v", when, err)
		}
		if n, _ := s.Timing(); n.ID != later.ID {
			t.Errorf("%s: the newest certain punch is %d, want %d", when, n.ID, later.ID)
		}
	}
	check("at first")
	if n := mend(t, s, bootB, start); n != 0 {
		t.Errorf("another boot's start repaired %d", n)
	}
	s.Close()
	s = open(t, path)
	check("after a restart")

	if n := mend(t, s, bootA, start); n != 2 {
		t.Fatalf("%d were repaired", n)
	}
	if n := mend(t, s, bootA, start.Add(time.Hour)); n != 0 {
		t.Errorf("repaired twice: %d", n)
	}
	for range 2 {
		for id, want := range map[device.PunchID]time.Duration{in.ID: 10 * time.Second, out.ID: time.Hour} {
			e, err := s.Find(id)
			if err != nil || !e.Time.Equal(start.Add(want)) || !e.Raw.Equal(time.Unix(0, 0).Add(want)) ||
				e.State == device.Untimed {
				t.Errorf("after the repair: %+v, %v", e, err)
			}
		}
		if ids := headIDs(s); !slices.Equal(ids, []device.PunchID{in.ID, other.ID}) {
			t.Errorf("after the repair %v may be delivered", ids)
		}
		if _, err := s.VerifyJournal(); err != nil {
			t.Error(err)
		}
		s.Close()
		s = open(t, path)
	}
	var repaired []string
	s.Journal(func(e JournalEntry) error {
		if e.Event != nil && e.Event.Kind == "repaired" {
			repaired = append(repaired, e.Event.Reason)
		}
		return nil
	})
	if len(repaired) != 2 || repaired[0] != "the clock showed 1970-01-01T00:00:10Z, it was 2026-11-22T06:00:10Z" {
		t.Errorf("the journal says %q", repaired)
	}
}

// A clock that was stepped back by a few seconds leaves an employee's times in
// order; one that is far off is left for a person.
func TestRepairKeepsOrder(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	add(t, s, punch(0, device.CheckIn, noon))
	add(t, s, punch(1, device.CheckIn, noon.Add(time.Hour)))
	near := add(t, s, early(0, device.CheckOut, bootA, 0))
	far := add(t, s, early(1, device.CheckOut, bootA, time.Second))
	if n := mend(t, s, bootA, noon.Add(-5*time.Second)); n != 1 {
		t.Fatalf("%d were repaired", n)
	}
	if e, _ := s.Find(near.ID); !e.Time.Equal(noon) {
		t.Errorf("the check-out is of %v, before its check-in", e.Time)
	}
	if e, _ := s.Find(far.ID); e.State != device.Untimed {
		t.Errorf("an hour before its check-in: %+v", e)
	}
}

// Across a reboot only bounds are known; a person decides between them.
func TestTimeSetByAPerson(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	eight := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	first := add(t, s, punch(0, device.CheckIn, eight))
	unsure := add(t, s, early(0, device.CheckOut, bootA, time.Minute))
	last := punch(0, device.CheckIn, eight.Add(5*time.Hour))
	last.Stamp = device.Stamp{Boot: bootB, Uptime: time.Hour}
	last = add(t, s, last)
	old := punch(1, device.CheckIn, eight.Add(-24*time.Hour))
	old.Claimed = true // an older tap, claimed later
	add(t, s, old)
	from, to, err := judge(s).Bounds(unsure)
	if err != nil || !from.Equal(first.Time.Add(time.Minute)) || !to.Equal(last.Time.Add(-time.Hour)) {
		t.Errorf("it was between %v and %v, %v", from, to, err)
	}
	for _, bad := range []time.Duration{-time.Second, 5*time.Hour + time.Second} {
		if err := judge(s).SetTime("", unsure.ID, eight.Add(bad)); err == nil {
			t.Errorf("%v after the check-in before it was taken", bad)
		}
	}
	if err := judge(s).SetTime("", first.ID, eight); err == nil {
		t.Error("a certain time was set")
	}
	if err := judge(s).SetTime("", unsure.ID, eight.Add(4*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if e, _ := s.Find(unsure.ID); !e.Time.Equal(eight.Add(4*time.Hour)) || e.State != device.Pending {
		t.Errorf("after that: %+v", e)
	}
	dropped := add(t, s, early(2, device.CheckIn, bootA, 0))
	if err := s.Drop("", dropped.ID, "nobody knows"); err != nil {
		t.Error(err)
	}
}

// An unclaimed tap of an uncertain time is repaired too.
func TestUnclaimedTimes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	eight := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	tap := device.Tap{
		UID: badge(t, "A1B2C3D4"), Time: time.Unix(9, 0),
		Stamp: device.Stamp{Boot: bootA, Uptime: 9 * time.Second, Uncertain: true},
	}
	if _, err := s.Keep(tap, 0, false); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = open(t, path)
	if n := mend(t, s, bootA, eight); n != 1 {
		t.Fatalf("%d were repaired", n)
	}
	s.Close()
	s = open(t, path)
	made, err := s.Claim(device.Claim{Badge: tap.UID, Employee: employee(0), Rules: rules})
	if err != nil || len(made) != 1 || !made[0].Time.Equal(eight.Add(9*time.Second)) || made[0].Stamp.Uncertain {
		t.Errorf("claimed: %+v, %v", made, err)
	}
}

// A punch that waits is not delivered, and can be turned round once; both
// directions stay in the journal.
func TestTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	sent := add(t, s, punch(1, device.CheckIn, at))
	if _, err := s.Turn(sent); err == nil {
		t.Error("a punch that may have been sent was turned round")
	}
	s.Wait(employee(0), true)
	in := add(t, s, punch(0, device.CheckIn, at))
	if ids := headIDs(s); !slices.Equal(ids, []device.PunchID{sent.ID}) {
		t.Errorf("%v may be delivered while somebody thinks", ids)
	}
	out, err := s.Turn(in)
	if err != nil || out.Intent != device.CheckOut || !out.Time.Equal(at) || out.Basis.Intent != device.CheckIn {
		t.Fatalf("Turn = %+v, %v", out, err)
	}
	if _, err := s.Turn(in); err == nil {
		t.Error("turned round twice")
	}
	s.Wait(employee(0), false)
	for range 2 {
		if ids := headIDs(s); !slices.Equal(ids, []device.PunchID{sent.ID, out.ID}) {
			t.Errorf("%v may be delivered, want %d and %d", ids, sent.ID, out.ID)
		}
		if e, err := s.Find(in.ID); err != nil || e.State != device.Dropped ||
			e.Reason != "the employee turned it round: punch 3" {
			t.Errorf("the first direction: %+v, %v", e, err)
		}
		if last, _, _ := s.Last(employee(0)); last.ID != out.ID {
			t.Errorf("last is punch %d", last.ID)
		}
		s.Close()
		s = open(t, path)
	}
	for _, h := range s.Heads() {
		if h.Ambiguous {
			t.Errorf("punch %d is taken for sent", h.ID)
		}
	}
}

// What was known when the direction was decided stays with the punch.
func TestBasisIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	at := time.Unix(1_790_000_000, 0)
	var want []device.Punch
	for _, b := range []device.Basis{
		{},
		{Silent: true},
		{Source: device.ThisClock, Intent: device.CheckIn, Time: at},
		{Source: device.Zeitstrom, Intent: device.CheckOut, Time: at.Add(-time.Hour)},
		{Source: device.ThisClock, Intent: device.CheckOut, Time: at, Silent: true},
	} {
		p := punch(0, device.CheckIn, at)
		p.Basis, p.Stamp = b, device.Stamp{Boot: bootA, Uptime: 77}
		want = append(want, add(t, s, p))
	}
	s.Close()
	s = open(t, path)
	for _, p := range want {
		if e, err := s.Find(p.ID); err != nil || e.Punch != p {
			t.Errorf("stored %+v, read %+v, %v", p, e.Punch, err)
		}
	}
}

// A dropped punch is none any more: what was known before it counts again.
func TestDroppedIsNotTheLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	eight := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	out := add(t, s, punch(0, device.CheckOut, eight.Add(-15*time.Hour)))
	in := add(t, s, punch(0, device.CheckIn, eight))
	if err := s.Quarantine(in, "no"); err != nil {
		t.Fatal(err)
	}
	if err := s.Drop("", in.ID, "entered twice"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if last, _, _ := s.Last(employee(0)); last.ID != out.ID {
			t.Errorf("last is punch %d, want %d", last.ID, out.ID)
		}
		days := device.OpenDays{
			Now: eight.AddDate(0, 0, 1), Since: eight.AddDate(0, 0, -9), LongestShift: 14 * time.Hour,
		}
		if err := s.Backward(days.Add); len(days.Days()) != 0 || err != nil {
			t.Errorf("open days %v, %v", days.Days(), err)
		}
		s.Close()
		s = open(t, path)
	}
}

// A claimed tap from before is not the last, and no bound for others; and taps are
// claimed in the order in which they were made, though the clock was set back.
func TestClaimsAmongOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	eight := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	at := func(shown, uptime time.Duration) device.Tap {
		return device.Tap{
			UID: badge(t, "A1B2C3D4"), Time: eight.Add(shown), Stamp: device.Stamp{Boot: bootA, Uptime: uptime},
		}
	}
	for _, tap := range []device.Tap{
		at(-3*time.Hour, time.Hour), at(-3*time.Hour-time.Minute, time.Hour+2*time.Minute), at(-time.Hour, 3*time.Hour),
	} {
		if _, err := s.Keep(tap, 0, false); err != nil {
			t.Fatal(err)
		}
	}
	before := add(t, s, punch(1, device.CheckIn, eight.Add(-30*time.Minute)))
	unsure := add(t, s, early(1, device.CheckOut, bootB, time.Minute))
	last := add(t, s, punch(0, device.CheckIn, eight))
	plan, err := s.Claim(device.Claim{Badge: badge(t, "A1B2C3D4"), Employee: employee(0), Rules: rules, Force: true})
	if err != nil || len(plan) != 3 {
		t.Fatalf("claimed %+v, %v", plan, err)
	}
	for i, want := range []time.Duration{-3 * time.Hour, -3*time.Hour + 2*time.Minute, -time.Hour} {
		if !plan[i].Time.Equal(eight.Add(want)) || plan[i].Raw.IsZero() != (i != 1) {
			t.Errorf("tap %d is of %v, shown %v; want %v", i+1, plan[i].Time, plan[i].Raw, want)
		}
	}
	for range 2 {
		if p, _, _ := s.Last(employee(0)); p.ID != last.ID {
			t.Errorf("last is punch %d of %v, want %d", p.ID, p.Time, last.ID)
		}
		if a, b, err := judge(s).Bounds(unsure); !a.Equal(before.Time.Add(time.Minute)) || !b.Equal(last.Time) ||
			err != nil {
			t.Errorf("it was between %v and %v, %v", a, b, err)
		}
		if e, err := s.Find(plan[1].ID); err != nil || e.Punch.Raw.IsZero() || !e.Claimed {
			t.Errorf("stored as %+v, %v", e, err)
		}
		s.Close()
		s = open(t, path)
	}
}

// What a person or the settings said proves nothing about the clock.
func TestNewestIsVouchedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	eight := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	good := add(t, s, punch(0, device.CheckIn, eight))
	believed := punch(1, device.CheckIn, eight.AddDate(10, 0, 0))
	believed.Stamp.Believed = true
	add(t, s, believed)
	typo := add(t, s, early(2, device.CheckIn, bootA, time.Minute))
	if err := judge(s).SetTime("", typo.ID, eight.AddDate(36, 0, 0)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n, _ := s.Timing(); n.ID != good.ID {
			t.Errorf("the newest is punch %d of %v", n.ID, n.Time)
		}
		s.Close()
		s = open(t, path)
	}
}
