// Package clock knows whether the system's wall clock may be believed, and
// repairs the times of what was booked before it could. A Raspberry Pi has no
// clock of its own: after a power cut it wakes at the time of its last shutdown,
// or in 1970, until a time server or a clock chip has corrected it.
//
// The package sets no clock and asks no time server: that is the system's
// business (systemd-timesyncd, say). It invents nothing: a time that cannot be
// known is left to a person, with the bounds that are known.
package clock

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"timeclock/device"
)

var _ device.Stamper = (*Clock)(nil)

// Kernel is what the operating system says of time.
type Kernel interface {
	// Wall is the system's wall clock.
	Wall() time.Time
	// Uptime is the time since the computer was started (CLOCK_BOOTTIME).
	Uptime() time.Duration
	// BootID names this run of the computer.
	BootID() device.BootID
	// Synchronised says whether a time server corrects the wall clock (adjtimex(2)).
	Synchronised() (bool, error)
	// Offset is how far the wall clock still is from the time server's, as far as the
	// kernel knows (adjtimex(2)).
	Offset() time.Duration
	// ClockChip is the clock chip (RTC); an error if there is none, or none that holds.
	// Its Battery is not for the kernel to know.
	ClockChip() (Chip, error)
}

// Chip is a clock chip (RTC).
type Chip struct {
	Name    string // the kernel's
	OnBoard bool   // a Pi 5's own, which may have no battery
	Cold    bool   // the computer was without power before it started
	Time    time.Time
	Battery Battery
}

// Battery is what is known of the battery of a Pi's own clock chip.
type Battery uint8

// A battery is unknown until the Pi has been without power between two bookings.
const (
	BatteryUnknown Battery = iota
	BatteryHolds           // the chip's time survived that
	BatteryGone            // it did not
)

// Trust says whether wall time may be believed, and who says so.
type Trust struct {
	Trusted bool
	Source  string // in a technician's words, with what to do if it is not
}

// Bounds of what is believed.
const (
	// sameTime is how far two clocks may be apart that show the same time: a
	// system clock drifts by seconds a month against a clock chip.
	sameTime = time.Minute
	// stepped is a change of the wall clock that is not drift.
	stepped = 2 * time.Second
	// lookEvery is how soon trust is noticed.
	lookEvery = time.Second
	// lookAgain is how soon untimed punches are looked at again that could not be repaired.
	lookAgain = time.Minute
	// standsFor is how long a wall clock that was set must run on until it is believed,
	// if nobody but the settings vouches for it: somebody may set it right again.
	standsFor = 2 * time.Minute
)

// release is older than any use of this program.
var release = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// Clock judges the system's wall clock. Its methods may be called from any
// goroutine.
type Clock struct {
	kernel  Kernel
	punches Punches
	always  bool
	log     *slog.Logger

	mu     sync.Mutex
	start  time.Time     // of this run of the computer, as the last clock had it that was believed; zero: none was
	other  time.Time     // as the wall clock has it that is not believed yet
	since  time.Duration // the uptime since when it has that
	chip   Chip          // as it was read last
	booted time.Time     // when the computer was started, by the clock chip
	noChip error         // why there is none to ask

	contrary map[device.PunchID]bool // whose true times contradict those before them

	// What the last repair has left, because nothing could be done about it, and when it is looked
	// at again although there are as many: they may be others. Run's goroutine's.
	left  int
	again time.Duration // of uptime
}

// New makes a clock. With always the system's wall clock is believed without
// asking.
func New(k Kernel, p Punches, always bool, log *slog.Logger) *Clock {
	c := &Clock{kernel: k, punches: p, always: always, log: log, left: -1, contrary: map[device.PunchID]bool{}}
	c.askChip()
	if c.chip.OnBoard {
		c.chip.Battery = c.battery()
	}
	return c
}

// battery judges a Pi's own clock chip by what it shows at the start. If the newest
// booking is of an earlier run of the computer, a chip that shows less has lost its time
// since. One that shows more has kept it, if the computer was without power in between, and
// unless a time server has set it already.
func (c *Clock) battery() Battery {
	newest, _ := c.punches.Timing()
	synchronised, err := c.kernel.Synchronised()
	switch {
	case newest.ID == 0 || newest.Stamp.Boot == c.kernel.BootID():
		return BatteryUnknown
	case c.chip.Time.Before(newest.Time):
		return BatteryGone
	case !c.chip.Cold || synchronised || err != nil:
		return BatteryUnknown
	}
	return BatteryHolds
}

// askChip reads the clock chip, which may take its time: never while somebody waits.
func (c *Clock) askChip() {
	if c.always {
		return
	}
	chip, err := c.kernel.ClockChip()
	booted := chip.Time.Add(-c.kernel.Uptime())
	c.mu.Lock()
	defer c.mu.Unlock()
	chip.Battery = c.chip.Battery
	c.chip, c.booted, c.noChip = chip, booted, err
}

// Chip returns the clock chip as it was read last, or why there is none.
func (c *Clock) Chip() (Chip, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chip, c.noChip
}

func (c *Clock) String() string { return "clock" }

// Offset is how far the wall clock is from the time server's, as far as the kernel
// knows.
func (c *Clock) Offset() time.Duration { return c.kernel.Offset() }

// Trust judges the wall clock. It is believed if a time server corrects it, or
// has done so since the computer was started, or if it agrees with a clock chip;
// but never if it shows less than what this clock has booked already.
func (c *Clock) Trust() Trust {
	wall := c.kernel.Wall()
	if c.always {
		return c.steady(wall)
	}
	newest, _ := c.punches.Timing()
	if wall.Before(newest.Time) {
		return Trust{Source: fmt.Sprintf("the system clock shows %s, and there is a booking of %s already: "+
			"set the right time (timedatectl), or [clock] trust = \"always\" if the booking is wrong",
			wall.Local().Format(time.DateTime), newest.Time.Local().Format(time.DateTime))}
	}
	if wall.Before(release) {
		return Trust{Source: fmt.Sprintf("the system clock shows %s: is there a time server that the device reaches "+
			"(timedatectl)?", wall.Local().Format(time.DateTime))}
	}
	start := wall.Add(-c.kernel.Uptime())
	c.mu.Lock()
	defer c.mu.Unlock()
	synchronised, err := c.kernel.Synchronised()
	if synchronised {
		c.start = start
		return Trust{true, "synchronised, says the kernel"}
	}
	known := c.start
	// this program was started anew
	if known.IsZero() && newest.Stamp.Boot == c.kernel.BootID() && newest.Stamp.Boot != (device.BootID{}) {
		known = newest.Time.Add(-newest.Stamp.Uptime)
	}
	if !known.IsZero() && start.Sub(known).Abs() < stepped {
		return Trust{true, "it was synchronised since the device was started, and has run on since"}
	}
	switch {
	case c.noChip == nil && start.Sub(c.booted).Abs() < sameTime:
		return Trust{true, "the clock chip (RTC) says the same"}
	case c.noChip == nil:
		shows := c.booted.Add(c.kernel.Uptime())
		return Trust{Source: fmt.Sprintf("not synchronised, and the clock chip (RTC) shows %s: "+
			"is there a time server that the device reaches (timedatectl)?", shows.Local().Format(time.DateTime))}
	case err != nil:
		return Trust{Source: fmt.Sprintf("the kernel does not say whether it is synchronised (%v), and %v", err,
			c.noChip)}
	}
	return Trust{Source: fmt.Sprintf("not synchronised, and %v: is there a time server that the device reaches "+
		"(timedatectl)?", c.noChip)}
}

// steady believes the wall clock as long as it runs on. One that was set is believed if
// a time server corrects it, or once it has run on for a while: until then taps wait for
// their time, by the time since the computer was started.
func (c *Clock) steady(wall time.Time) Trust {
	uptime := c.kernel.Uptime()
	start := wall.Add(-uptime)
	c.mu.Lock()
	defer c.mu.Unlock()
	trust := Trust{true, "always trusted by configuration"}
	if c.start.IsZero() || start.Sub(c.start).Abs() < sameTime {
		c.start, c.other = start, time.Time{}
		return trust
	}
	if c.other.IsZero() || start.Sub(c.other).Abs() >= sameTime {
		c.other, c.since = start, uptime
	}
	if synchronised, err := c.kernel.Synchronised(); uptime-c.since >= standsFor || err == nil && synchronised {
		c.start, c.other = start, time.Time{}
		return trust
	}
	return Trust{Source: fmt.Sprintf("the system clock was set a moment ago, from %s to %s: "+
		"it is believed once it has run on for %v",
		c.start.Add(uptime).Local().Format(time.DateTime), wall.Local().Format(time.DateTime), standsFor)}
}

// Stamp implements device.Stamper. The instant must be of this process, a short
// while ago. If the wall clock was stepped since, it is not certain.
func (c *Clock) Stamp(at time.Time) device.Stamp {
	ago := time.Since(at)
	return device.Stamp{
		Boot:      c.kernel.BootID(),
		Uptime:    c.kernel.Uptime() - ago,
		Uncertain: !c.Trust().Trusted || steppedSince(at, ago),
		Believed:  c.always,
	}
}

// steppedSince reports whether the wall clock was set since an instant that was so
// long ago by the monotonic clock.
func steppedSince(at time.Time, ago time.Duration) bool {
	return time.Now().Round(0).Add(-ago).Sub(at.Round(0)).Abs() >= stepped
}

// Run repairs times as soon as the wall clock is trusted, until ctx ends.
func (c *Clock) Run(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var last Trust
	for {
		if trust := c.Trust(); trust.Trusted != last.Trusted || last.Source == "" {
			c.log.Info("system clock", "trusted", trust.Trusted, "because", trust.Source)
			last = trust
		}
		if last.Trusted {
			c.repair()
		}
		c.askChip()
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}
