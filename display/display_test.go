package display

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/devices/v3/ssd1306/image1bit"
)

// fakePanel keeps the newest picture; it may hang or fail as real ones do.
type fakePanel struct {
	mu    sync.Mutex
	pix   []byte
	draws int
	fail  error
	hang  time.Duration
}

func (p *fakePanel) String() string { return "panel" }

func (p *fakePanel) Draw(img *image1bit.VerticalLSB) error {
	time.Sleep(p.hang)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draws++
	if p.fail == nil {
		p.pix = slices.Clone(img.Pix)
	}
	return p.fail
}

func (p *fakePanel) shows(img *image1bit.VerticalLSB) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Equal(p.pix, img.Pix)
}

// facts may change while a display asks for them.
type facts struct {
	mu  sync.Mutex
	now Facts
}

func (f *facts) get() Facts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *facts) set(now Facts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = now
}

func (p *fakePanel) drawn() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.draws
}

func start(t *testing.T, log io.Writer, f *facts, panels ...Panel) *Display {
	d := New(f.get, 3*time.Second, slog.New(slog.NewTextHandler(log, nil)), panels...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return d
}

func tapped(name string) device.Outcome {
	return device.Outcome{Kind: device.CheckedIn, Employee: device.Employee{Name: name}, Punch: device.Punch{Time: time.Now()}}
}

func TestAnswerShowsAtOnceAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panel, facts := &fakePanel{}, &facts{}
		d := start(t, io.Discard, facts, panel)
		if !panel.shows(Idle(time.Now(), Facts{})) {
			t.Error("no idle picture at start")
		}
		first, second := tapped("Anna"), tapped("Ben")
		d.Show(first)
		synctest.Wait()
		if !panel.shows(Answer(first)) {
			t.Error("the answer is not shown at once")
		}
		time.Sleep(2 * time.Second)
		d.Show(second) // while the first still shows
		synctest.Wait()
		if !panel.shows(Answer(second)) {
			t.Error("the next answer waits for the first")
		}
		time.Sleep(2900 * time.Millisecond)
		synctest.Wait()
		if !panel.shows(Answer(second)) {
			t.Error("the second answer did not get its whole time")
		}
		facts.set(Facts{Offline: true, Pending: 2})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !panel.shows(Idle(time.Now(), facts.get())) {
			t.Error("no idle picture after the answer")
		}
		draws := panel.drawn()
		time.Sleep(time.Hour)
		if n := panel.drawn() - draws; n != 60 {
			t.Errorf("%d pictures in an idle hour, want one a minute", n)
		}
	})
}

func TestBrokenPanelsHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		good, dead, stuck := &fakePanel{}, &fakePanel{fail: errors.New("no answer")}, &fakePanel{hang: time.Hour}
		d := start(t, &log, &facts{}, dead, stuck, good)
		for range 100 {
			o := tapped("Anna")
			d.Show(o)
			synctest.Wait()
			if !good.shows(Answer(o)) {
				t.Fatal("a good panel waits for a broken one")
			}
			time.Sleep(10 * time.Second)
		}
		if n := strings.Count(log.String(), "does not work"); n != 1 {
			t.Errorf("a dead panel was logged %d times, want once", n)
		}
		dead.mu.Lock()
		dead.fail = nil
		dead.mu.Unlock()
		time.Sleep(time.Minute)
		if !dead.shows(Idle(time.Now(), Facts{})) || !strings.Contains(log.String(), "display works") {
			t.Error("a panel that came back shows nothing")
		}
		time.Sleep(2 * time.Hour)
	})
}

// The SSD1306 gets each picture over I2C, and is set up again after it was
// unplugged.
func TestOLED(t *testing.T) {
	var bus *i2ctest.Record
	var gone error
	o := OLED{Open: func() (i2c.BusCloser, error) {
		if gone != nil {
			return nil, gone
		}
		bus = &i2ctest.Record{}
		return closer{bus}, nil
	}}
	picture := Idle(time.Now(), Facts{})
	if err := o.Draw(picture); err != nil {
		t.Fatal(err)
	}
	var pixels []byte
	for _, op := range bus.Ops {
		if op.Addr == 0x3C && op.W[0] == 0x40 { // data, not a command (data sheet, chapter 8.1.5)
			pixels = append(pixels, op.W[1:]...)
		}
	}
	if !slices.Equal(pixels, picture.Pix) {
		t.Errorf("the panel got %d bytes of pixels, not those of the picture", len(pixels))
	}
	gone = errors.New("no such device")
	o.dev = nil
	if err := o.Draw(picture); !errors.Is(err, gone) {
		t.Errorf("unplugged: %v", err)
	}
	gone = nil
	if err := o.Draw(picture); err != nil {
		t.Errorf("plugged in again: %v", err)
	}
}

type closer struct{ *i2ctest.Record }

func (closer) Close() error { return nil }
