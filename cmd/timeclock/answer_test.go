package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/roster"
	"timeclock/display"
	"timeclock/queue"
	"timeclock/reader"
	"timeclock/reader/mfrc522"
	"timeclock/reader/mfrc522/mfrc522test"

	"periph.io/x/devices/v3/ssd1306/image1bit"
)

// maxAnswer is how long an employee may wait for the answer, 99 times of 100,
// the disk's own time apart.
const maxAnswer = 100 * time.Millisecond

// door watches what is shown at a door.
type door struct {
	style   display.Style
	answers chan device.Outcome
	drawn   chan drawing
}

type drawing struct {
	pix []byte
	at  time.Time
}

func newDoor(style display.Style) *door {
	return &door{style, make(chan device.Outcome, 100), make(chan drawing, 1000)}
}

func (d *door) Show(o device.Outcome) { d.answers <- o }

func (d *door) String() string { return "door" }

func (d *door) Draw(p *image1bit.VerticalLSB, _ display.Light) error {
	d.drawn <- drawing{p.Pix, time.Now()}
	return nil
}

// shown returns the next answer and when a panel got its picture.
func (d *door) shown() (device.Outcome, time.Time) {
	o := <-d.answers
	want := d.style.Answer(o).Pix
	for p := range d.drawn {
		if bytes.Equal(p.pix, want) {
			return o, p.at
		}
	}
	panic("not reached")
}

// TestRushHour lets sixty people tap in a minute: each is answered on the
// display while the one before still reads.
func TestRushHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const people = 60
		dir := t.TempDir()
		log := slog.New(slog.DiscardHandler)
		store, err := queue.Open(filepath.Join(dir, "queue.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		badges := roster.Open(filepath.Join(dir, "roster.csv"))
		p := &place{}
		p.cfg.Display.Language, p.cfg.Display.Names, p.cfg.Clock.Zone = "de", "full", time.UTC
		style, err := styleOf(p.cfg)
		if err != nil {
			t.Fatal(err)
		}
		at := newDoor(style)
		chip := &mfrc522test.Chip{}
		taps := make(chan device.Tap, people)
		rd := reader.New(reader.Source{
			Fatal: mfrc522.Fatal, Open: func() (reader.Chip, error) { return mfrc522.New(chip, mfrc522.Opts{}) },
		}, reader.Options{Poll: 40 * time.Millisecond}, taps, log)
		show := display.New(style, display.Care{AnswerTime: 3 * time.Second},
			func() display.Facts { return display.Facts{} }, log, at)
		terminal := &device.Terminal{
			Roster: badges, Queue: store, Clock: clock.New(clock.System{}, store, true, log), Elsewhere: alone{},
			Office: roster.NewEnrollment(badges), Screen: audience{at, show},
			Rules: device.Rules{Zone: time.UTC, Lockout: 30 * time.Second, LongestShift: shift}, Log: log, Taps: taps,
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, run := range []func(context.Context) error{rd.Run, terminal.Run, show.Run} {
			running.Go(func() { run(ctx) })
		}
		defer running.Wait()
		defer cancel()
		time.Sleep(time.Second)
		began := time.Now()
		for n := range people {
			if _, err := badges.Add(device.Badge{
				UID: badgeOf(n), Employee: device.Employee{ID: employeeOf(n), Name: fmt.Sprint("Employee ", n)},
			}, false); err != nil {
				t.Fatal(err)
			}
			card := &mfrc522test.Card{UID: badgeOf(n).Bytes()}
			chip.Place(card)
			placed := time.Now()
			o, shown := at.shown()
			if o.Kind != device.CheckedIn || o.Employee.ID != employeeOf(n) || shown.Sub(placed) > maxAnswer {
				t.Fatalf("employee %d was answered %s for %s after %v", n, o.Kind, o.Employee.ID, shown.Sub(placed))
			}
			time.Sleep(300 * time.Millisecond) // the badge is held for a moment
			chip.Remove(card)
			time.Sleep(time.Until(began.Add(time.Duration(n+1) * time.Second)))
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("sixty people took %v", took)
		}
	})
}

// alone is a clock without a network.
type alone struct{}

func (alone) Sends() bool { return false }

func (alone) Remembered(device.EmployeeID, device.Punch) (k device.Known, counts bool) {
	return k, false
}

func (alone) Latest(context.Context, device.EmployeeID, device.Punch, time.Time) (k device.Known, err error) {
	return k, device.ErrNotAsked
}

func (alone) Heard(device.EmployeeID) (k device.Known) { return k }

func (alone) Month(context.Context, device.EmployeeID, time.Time) (m device.Month, err error) {
	return m, device.ErrNotAsked
}
