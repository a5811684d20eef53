package clock

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/queue"
)

// machine is a computer whose clocks are as wrong as they can be. Its uptime goes
// on with the bubble's time.
type machine struct {
	mu sync.Mutex
	state
}

type state struct {
	started time.Time     // when it was started, by the bubble's time
	ahead   time.Duration // of its wall clock, before the bubble's
	boot    device.BootID
	synced  bool
	chip    time.Duration // how far the clock chip is ahead of the bubble's time
	chipErr error
	onBoard bool // it is a Pi 5's own
	cold    bool // there was no power before it was started
}

var errNoChip = errors.New("there is no clock chip (RTC)")

// with changes the machine.
func (m *machine) with(f func(*machine)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

// wake starts the machine anew, with a wall clock that shows this.
func (m *machine) wake(shows time.Time) {
	m.with(func(m *machine) {
		m.started, m.ahead, m.synced = time.Now(), time.Until(shows), false
		m.boot[0]++
	})
}

func (m *machine) get() (s state) {
	m.with(func(m *machine) { s = m.state })
	return s
}

func (m *machine) Wall() time.Time       { return time.Now().Add(m.get().ahead) }
func (m *machine) Uptime() time.Duration { return time.Since(m.get().started) }
func (m *machine) BootID() device.BootID { return m.get().boot }
func (m *machine) Offset() time.Duration { return 0 }

func (m *machine) Synchronised() (bool, error) { return m.get().synced, nil }
func (m *machine) ClockChip() (Chip, error) {
	c := m.get()
	return Chip{Name: "rtc", OnBoard: c.onBoard, Cold: c.cold, Time: time.Now().Add(c.chip)}, c.chipErr
}

// bench is a machine with a queue, at a known true time.
type bench struct {
	*machine
	t     *testing.T
	clock *Clock
	store *queue.Store
	path  string
	stop  func()
}

func newBench(t *testing.T, at time.Time) *bench {
	b := &bench{machine: &machine{state: state{chipErr: errNoChip}}, t: t, path: filepath.Join(t.TempDir(), "queue.db")}
	time.Sleep(time.Until(at)) // a bubble begins in 2000
	b.wake(time.Unix(0, 0))
	b.run()
	t.Cleanup(func() { b.stop() })
	return b
}

// run starts the program.
func (b *bench) run() {
	var err error
	if b.store, err = queue.Open(b.path, nil); err != nil {
		b.t.Fatal(err)
	}
	b.clock = New(b.machine, b.store, false, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.clock.Run(ctx)
	}()
	b.stop = func() { cancel(); <-done; b.store.Close() }
}

// reboot cuts the power; the machine wakes with a clock that shows this.
func (b *bench) reboot(off time.Duration, shows time.Time) {
	b.stop()
	time.Sleep(off)
	b.wake(shows)
	b.run()
}

// punch books now, by what the wall clock shows.
func (b *bench) punch(intent device.Intent) device.Punch {
	b.t.Helper()
	p, err := b.store.Append(device.Punch{
		Employee: "a1b2c3d4-e5f6-7890-abcd-ef1234567890", Intent: intent, Time: b.Wall(),
		Stamp: b.clock.Stamp(time.Now()),
	}, false)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *bench) find(p device.Punch) device.Entry {
	b.t.Helper()
	e, err := b.store.Find(p.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

func (b *bench) trusts(want bool, why string) {
	b.t.Helper()
	if got := b.clock.Trust(); got.Trusted != want || !strings.Contains(got.Source, why) {
		b.t.Errorf("trust is %+v, want %v: %s", got, want, why)
	}
}

var monday = time.Date(2026, 11, 23, 7, 55, 0, 0, time.UTC)

// A Pi that wakes in 1970 books at once, and tells the true times when it knows
// them: from then on also without a time server, and after a restart.
func TestWakesIn1970(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, monday)
		b.trusts(false, "the system clock shows 1970-01-01")
		time.Sleep(20 * time.Second)
		early := b.punch(device.CheckIn)
		time.Sleep(10 * time.Minute)
		b.with(func(m *machine) { m.ahead, m.synced = 0, true })
		time.Sleep(lookEvery)
		synctest.Wait()
		b.trusts(true, "synchronised, says the kernel")
		if e := b.find(early); !e.Time.Equal(monday.Add(20*time.Second)) || e.Raw.Year() != 1970 ||
			e.State != device.Pending {
			t.Errorf("after trust came: %+v", e)
		}
		time.Sleep(4 * time.Hour)
		late := b.punch(device.CheckOut)
		b.with(func(m *machine) { m.synced = false }) // the network is gone for a weekend
		time.Sleep(60 * time.Hour)
		b.trusts(true, "and has run on since")
		b.stop()
		b.run()
		b.trusts(true, "and has run on since")
		if e := b.find(late); e.Stamp.Uncertain || !e.Raw.IsZero() || !e.Time.Equal(late.Time) {
			t.Errorf("a certain time was touched: %+v", e)
		}
		b.with(func(m *machine) { m.ahead = time.Hour }) // somebody turns the hands
		b.trusts(false, "not synchronised, and there is no clock chip")
	})
}

func TestTrustByClockChip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, monday)
		chip := func(f func(*machine)) {
			b.with(f)
			time.Sleep(lookEvery) // it is not read while somebody waits
			synctest.Wait()
		}
		chip(func(m *machine) { m.ahead, m.chip, m.chipErr = 0, 3*time.Second, nil })
		b.trusts(true, "the clock chip (RTC) says the same")
		chip(func(m *machine) { m.chip = -time.Hour })
		b.trusts(false, "the clock chip (RTC) shows 2026-11-23")
		// A chip whose battery is empty begins anew, and the system with it.
		chip(func(m *machine) { m.ahead = time.Until(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); m.chip = m.ahead })
		b.trusts(false, "the system clock shows 2000-01-01")
		chip(func(m *machine) { m.ahead, m.chip = 0, 0 })
		b.punch(device.CheckIn)
		chip(func(m *machine) { m.ahead, m.chip = -time.Minute, -time.Minute })
		b.trusts(false, "there is a booking of 2026-11-23")
	})
}

// Never earlier than what was booked, whoever says so; and a clock that was set
// back loses no order: the times come out right once it has caught up.
func TestNeverEarlierThanABooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, monday)
		b.with(func(m *machine) { m.ahead, m.synced = 30*time.Second, true })
		in := b.punch(device.CheckIn)
		b.with(func(m *machine) { m.ahead = 0 }) // the time server corrects it
		b.trusts(false, "there is a booking of")
		time.Sleep(10 * time.Second)
		out := b.punch(device.CheckOut)
		if e := b.find(out); e.State != device.Untimed {
			t.Errorf("booked by a clock that went back: %+v", e)
		}
		time.Sleep(21 * time.Second)
		synctest.Wait()
		b.trusts(true, "synchronised")
		if e := b.find(out); !e.Time.Equal(in.Time) || e.State != device.Pending {
			t.Errorf("the check-out is of %v, the check-in of %v", e.Time, in.Time)
		}
	})
}

// Across a reboot nothing is invented: the punch waits with its bounds.
func TestBoundsAcrossAReboot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, monday)
		b.with(func(m *machine) { m.ahead, m.synced = 0, true })
		b.punch(device.CheckIn)
		bounds := func(p device.Punch) (string, string) {
			t.Helper()
			from, to, err := b.clock.Bounds(p)
			if err != nil {
				t.Fatal(err)
			}
			return from.UTC().Format(time.DateTime), to.UTC().Format(time.DateTime)
		}
		const unknown = "0001-01-01 00:00:00"
		b.reboot(time.Hour, time.Unix(0, 0)) // at 8:55
		time.Sleep(5 * time.Minute)
		lost := b.punch(device.CheckOut)
		time.Sleep(time.Hour)
		if from, to := bounds(lost); from != "2026-11-23 08:00:00" || to != unknown {
			t.Errorf("before the next reboot it was between %s and %s", from, to)
		}
		b.reboot(time.Hour, time.Unix(0, 0)) // at 11:00
		time.Sleep(time.Minute)
		b.with(func(m *machine) { m.ahead, m.synced = 0, true })
		time.Sleep(time.Hour)
		synctest.Wait()
		for range 2 {
			if from, to := bounds(lost); from != "2026-11-23 08:00:00" || to != "2026-11-23 11:00:00" {
				t.Errorf("it was between %s and %s", from, to)
			}
			if e := b.find(lost); e.State != device.Untimed || !e.Raw.IsZero() {
				t.Errorf("something was invented: %+v", e)
			}
			b.punch(device.CheckIn) // a certain one after it changes nothing
		}
	})
}

func TestAlways(t *testing.T) {
	c := New(&machine{}, nil, true, nil)
	if trust, s := c.Trust(), c.Stamp(time.Now()); !trust.Trusted || s.Uncertain || !s.Believed {
		t.Errorf("%+v, %+v", trust, s)
	}
}

// A wall clock that is set between the tap and its stamp makes the time doubtful,
// forwards and backwards, however well the clock is synchronised by then.
func TestSteppedSinceTheTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Round(0)
		for was, want := range map[time.Duration]bool{
			-time.Second:                       false, // a second ago, by both clocks
			-time.Second - stepped + 1:         false,
			-time.Second - stepped:             true,
			-time.Hour:                         true,
			-time.Second + stepped:             true,
			time.Hour:                          true,
			-56*365*24*time.Hour - time.Second: true,
		} {
			if got := steppedSince(now.Add(was), time.Second); got != want {
				t.Errorf("a tap of %v by the wall clock, a second ago: stepped %v", was, got)
			}
		}
	})
}

// Whether a Pi 5 has a battery shows when it has been without power.
func TestBattery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, monday)
		battery := func(want Battery) {
			t.Helper()
			c := New(b.machine, b.store, false, slog.New(slog.DiscardHandler))
			if chip, err := c.Chip(); err != nil || chip.Battery != want {
				t.Errorf("%+v, %v; want %v", chip, err, want)
			}
		}
		b.with(func(m *machine) { m.onBoard, m.chipErr, m.synced, m.ahead = true, nil, true, 0 })
		battery(BatteryUnknown) // nothing is booked
		b.punch(device.CheckIn)
		battery(BatteryUnknown) // it was not started anew
		time.Sleep(time.Hour)
		b.wake(time.Now())
		battery(BatteryUnknown) // by a restart, in which it had power
		b.with(func(m *machine) { m.cold = true })
		battery(BatteryHolds)
		b.with(func(m *machine) { m.synced = true })
		battery(BatteryUnknown) // a time server may have set it
		b.with(func(m *machine) { m.synced, m.chip = false, -24*365*50*time.Hour })
		battery(BatteryGone)
		b.with(func(m *machine) { m.onBoard = false })
		battery(BatteryUnknown) // one that was wired says itself that it lost its power
	})
}

// With trust = "always" a wall clock that jumps is not believed until it has run on for a
// while, or a time server corrects it: a tap meanwhile gets its time when that is clear.
func TestJump(t *testing.T) {
	for name, tc := range map[string]struct {
		lasts  time.Duration // of the jump; 0: for ever
		synced bool
		after  time.Duration // of the tap, after the jump began
		want   time.Duration // how far its time is ahead in the end
		doubt  bool
	}{
		"a tap in the jump":             {time.Minute, false, 10 * time.Second, 0, true},
		"a tap after it":                {time.Minute, false, 90 * time.Second, 0, false},
		"it was meant":                  {0, false, 10 * time.Second, 400 * 24 * time.Hour, true},
		"it was meant, and is believed": {0, false, 3 * time.Minute, 400 * 24 * time.Hour, false},
		"a time server did it":          {0, true, 10 * time.Second, 400 * 24 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &machine{}
				m.started = time.Now()
				m.boot[0]++
				store, err := queue.Open(filepath.Join(t.TempDir(), "queue.db"), nil)
				if err != nil {
					t.Fatal(err)
				}
				c := New(m, store, true, slog.New(slog.DiscardHandler))
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); c.Run(ctx) }()
				defer func() { cancel(); <-done; store.Close() }()
				time.Sleep(time.Hour)
				m.with(func(m *machine) { m.ahead, m.synced = 400*24*time.Hour, tc.synced })
				if tc.lasts > 0 {
					time.AfterFunc(tc.lasts, func() { m.with(func(m *machine) { m.ahead = 0 }) })
				}
				time.Sleep(tc.after)
				synctest.Wait()
				tapped := time.Now()
				stamp := c.Stamp(tapped)
				if stamp.Uncertain != tc.doubt {
					t.Errorf("uncertain: %v", stamp.Uncertain)
				}
				p, err := store.Append(device.Punch{
					Employee: "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
					Intent:   device.CheckIn, Time: m.Wall(), Stamp: stamp,
				}, false)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				e, err := store.Find(p.ID)
				if ahead := e.Time.Sub(tapped); err != nil || e.Stamp.Uncertain || (ahead-tc.want).Abs() > time.Second {
					t.Errorf("in the end it is %v ahead: %+v, %v", ahead, e.Stamp, err)
				}
			})
		})
	}
}
