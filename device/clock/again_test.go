package clock

import (
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/queue"
)

// A booking is repaired also if there are as many without a time as after the last repair: one
// that only a person can tell was decided, and another one came.
func TestAnotherUntimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC))
		stranded := b.punch(device.CheckIn)
		b.reboot(time.Minute, time.Unix(0, 0))
		b.with(func(m *machine) { m.synced, m.ahead = true, 0 })
		time.Sleep(5 * time.Second)
		b.with(func(m *machine) { m.synced, m.ahead = false, time.Hour }) // somebody sets the clock
		time.Sleep(5 * time.Second)
		next := b.punch(device.CheckOut)
		if err := b.store.Drop("ada", stranded.ID, "nobody knows"); err != nil {
			t.Fatal(err)
		}
		b.with(func(m *machine) { m.synced, m.ahead = true, 0 })
		time.Sleep(2 * time.Minute)
		if got := b.find(next).State; got != device.Pending {
			t.Errorf("it is %s", got)
		}
	})
}

// late is a queue in which a tap waits for the lock while times are set.
type late struct {
	*queue.Store
	tap func()
}

func (l *late) SetTimes(f device.Fix) (int, error) {
	n, err := l.Store.SetTimes(f)
	l.tap()
	l.tap = func() {}
	return n, err
}

// A tap that was stamped before the time was known, and is stored while others are repaired, is
// repaired as well.
func TestUntimedDuringARepair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC))
		b.punch(device.CheckIn)
		var p device.Punch
		l := &late{b.store, func() {
			p = device.Punch{
				Employee: "a1b2c3d4-e5f6-7890-abcd-000000000009", Intent: device.CheckIn, Time: time.Now(),
				Stamp: device.Stamp{Boot: b.BootID(), Uptime: b.Uptime(), Uncertain: true},
			}
			p, _ = b.store.Append(p, false)
		}}
		c := New(b.machine, l, false, b.clock.log)
		b.with(func(m *machine) { m.synced, m.ahead = true, 0 })
		for range 3 {
			if c.Trust().Trusted {
				c.repair()
			}
		}
		if got := b.find(p).State; got != device.Pending {
			t.Errorf("it is %s", got)
		}
	})
}
