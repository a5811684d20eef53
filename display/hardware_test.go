package display

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"

	"periph.io/x/conn/v3/conntest"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/conn/v3/spi/spitest"
)

// The SSD1306 gets each picture over I2C, in the light that is wanted, and is set
// up again after it was unplugged.
func TestOLEDOnI2C(t *testing.T) {
	var bus *i2ctest.Record
	var gone error
	o := NewI2C(func() (i2c.BusCloser, error) {
		if gone != nil {
			return nil, gone
		}
		bus = &i2ctest.Record{}
		return closer{bus}, nil
	})
	picture := english(t).Idle(time.Now(), Facts{})
	if err := o.Draw(picture, Bright); err != nil {
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
	commands := func() string {
		var all []byte
		for _, op := range bus.Ops {
			if op.W[0] == 0 {
				all = append(all, op.W[1:]...)
			}
		}
		bus.Ops = nil
		return fmt.Sprintf("% X", all)
	}
	commands()
	empty := newPicture().VerticalLSB
	for _, step := range []struct {
		light Light
		want  string
	}{{Dim, "81 01"}, {Dark, "AE"}, {Bright, "81 FF"}} {
		img := picture
		if step.light == Dark {
			img = empty
		}
		if err := o.Draw(img, step.light); err != nil {
			t.Fatal(err)
		}
		got := commands()
		if !strings.HasSuffix(got, step.want) || step.light == Bright && !strings.Contains(got, "AF") {
			t.Errorf("light %d: the panel was told %s, want %s", step.light, got, step.want)
		}
	}
	gone = errors.New("no such device")
	o.dev = nil
	if err := o.Draw(picture, Bright); !errors.Is(err, gone) {
		t.Errorf("unplugged: %v", err)
	}
	gone = nil
	if err := o.Draw(picture, Bright); err != nil {
		t.Errorf("plugged in again: %v", err)
	}
}

type closer struct{ *i2ctest.Record }

func (closer) Close() error { return nil }

// The same over SPI, with a reset pulse first.
func TestOLEDOnSPI(t *testing.T) {
	port := &spitest.Record{}
	dc, reset := &wire{}, &wire{}
	o := NewSPI(func() (SPI, error) { return SPI{port, dc, reset}, nil })
	picture := english(t).Idle(time.Now(), Facts{})
	if err := o.Draw(picture, Bright); err != nil {
		t.Fatal(err)
	}
	if got := reset.levels(); got != "Low High" {
		t.Errorf("the reset pin went %s", got)
	}
	var sent []byte
	for _, op := range port.Ops {
		if len(op.W) == Width { // a page of eight rows, not a command
			sent = append(sent, op.W...)
		}
	}
	if !slices.Equal(sent, picture.Pix) {
		t.Errorf("the panel got %d bytes, not the picture's", len(sent))
	}
	dead := errors.New("no bus")
	o = NewSPI(func() (SPI, error) { return SPI{}, dead })
	if err := o.Draw(picture, Bright); !errors.Is(err, dead) {
		t.Errorf("without a bus: %v", err)
	}
	if err := (&OLED{where: "x", bus: closer{}}).failed(closer{},
		conntest.Errorf("nack")); !strings.Contains(err.Error(), "does not answer x: ") {
		t.Errorf("%v", err)
	}
}

// wire records what a pin did, and when.
type wire struct {
	gpiotest.Pin
	mu    sync.Mutex
	edges []string
	last  gpio.Level
	begun time.Time
	fail  error
}

func (w *wire) Out(l gpio.Level) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun.IsZero() {
		w.begun, w.last = time.Now(), !l
	}
	if l != w.last {
		w.last = l
		w.edges = append(w.edges, fmt.Sprintf("%v@%d", l, time.Since(w.begun).Milliseconds()))
	}
	return w.fail
}

// taken returns the edges so far and begins anew.
func (w *wire) taken() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := strings.Join(w.edges, " ")
	w.edges, w.begun = nil, time.Time{}
	return s
}

func (w *wire) levels() string {
	var out []string
	for _, e := range w.edges {
		out = append(out, strings.Split(e, "@")[0])
	}
	return strings.Join(out, " ")
}

func (w *wire) setFail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = err
}

// leds are all four pins.
type leds struct{ buzzer, red, green, blue wire }

func (l *leds) pins(low bool) Pins { return Pins{&l.buzzer, &l.red, &l.green, &l.blue, low} }

// light is what the two LEDs show; the blue one need not be there.
func (l *leds) light() string { return "red " + l.red.taken() + ", green " + l.green.taken() }

func startSignal(t *testing.T, pins Pins, quiet device.Hours, log *strings.Builder) *Signal {
	s := NewSignal(pins, nil, quiet, time.UTC, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return s
}

// Every kind of answer sounds and shines otherwise; sound alone tells them apart,
// and so do two LEDs alone.
func TestPatternsDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l leds
		var log strings.Builder
		s := startSignal(t, l.pins(false), device.Hours{}, &log)
		same := map[string]string{ // these are one to the employee
			"checkin-older": "checkin-open", "checkin-turns": "checkin", "checkin-no-name": "checkin",
			"checkout-turns": "checkout",
			"repeated-out":   "repeated", "repeated-unsure": "repeated", "unknown-claim": "unknown",
			"unknown-long": "unknown",
			"back":         "checkin", "back-project": "checkin", "hints-rest": "checkin", "back-never": "checkin-open",
			"today": "checkout", "hints": "checkout", "today-offline": "checkout-offline",
			"stands-in": "repeated", "stands-out": "repeated", "stands-break": "repeated",
			"hours-month": "hours", "hours-off": "hours", "hours-unknown": "hours",
			"project-switched": "project", "not-chosen": "taken-back", "tried": "chosen",
		}
		sounds, lights := map[string]string{}, map[string]string{}
		for name, o := range answers("Anna") {
			if same[name] != "" {
				continue
			}
			l.buzzer.taken()
			l.light()
			s.Show(o)
			time.Sleep(10 * time.Second)
			sound, light := l.buzzer.taken(), l.light()
			if strings.Count(sound, "High") == 0 || strings.Count(sound, "High") != strings.Count(sound, "Low")-1 {
				t.Errorf("%s sounds %q", name, sound)
			}
			if other, twice := sounds[sound]; twice {
				t.Errorf("%s and %s sound alike: %s", name, other, sound)
			}
			if other, twice := lights[light]; twice {
				t.Errorf("%s and %s shine alike: %s", name, other, light)
			}
			sounds[sound], lights[light] = name, name
			_, shinesGreen, _ := strings.Cut(light, "green")
			good, bad := strings.HasPrefix(name, "check"), name == "unknown" || name == "blocked" || name == "failed"
			if isGreen := strings.Contains(shinesGreen, "High"); good && !isGreen || bad && isGreen {
				t.Errorf("%s shines %s", name, light)
			}
		}
		if log.Len() > 0 {
			t.Error(log.String())
		}
	})
}

func TestSignalEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l leds
		var log strings.Builder
		s := startSignal(t, l.pins(false), device.Hours{From: 22 * time.Hour, To: 23 * time.Hour}, &log)
		in, out := answers("")["checkin"], answers("")["checkout"]
		l.buzzer.taken()
		s.Show(out)
		time.Sleep(5 * time.Second)
		if got, want := l.buzzer.taken(), "Low@0 High@0 Low@80 High@160 Low@240"; got != want {
			t.Errorf("going sounds %s, want %s", got, want)
		}
		// The next answer ends the one before, and an update is none.
		s.Show(out)
		time.Sleep(100 * time.Millisecond)
		in.Update = true
		s.Show(in)
		in.Update = false
		time.Sleep(10 * time.Millisecond)
		s.Show(in)
		time.Sleep(5 * time.Second)
		if got, want := l.buzzer.taken(), "Low@0 High@0 Low@80 High@110 Low@190"; got != want {
			t.Errorf("two in a row sound %s, want %s", got, want)
		}
		l.light()
		time.Sleep(22*time.Hour + time.Minute) // in the quiet hours there is only light
		s.Show(in)
		time.Sleep(5 * time.Second)
		if sound, light := l.buzzer.taken(), l.light(); strings.Contains(sound, "High") ||
			!strings.Contains(light, "High") {
			t.Errorf("in quiet hours: sound %q, light %q", sound, light)
		}
		l.buzzer.setFail(errors.New("no such pin"))
		s.Show(in)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := strings.Count(log.String(), "no such pin"); n != 1 {
			t.Errorf("a broken pin was logged %d times: %s", n, log.String())
		}
		if p := s.Problem(); p != "no such pin" {
			t.Errorf("the problem is %q", p)
		}
	})
}

// Modules that are switched by low level; and what is not wired is not used.
func TestSignalLow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l leds
		var log strings.Builder
		s := startSignal(t, Pins{Buzzer: &l.buzzer, Low: true}, device.Hours{}, &log)
		l.buzzer.taken()
		s.Show(device.Outcome{Kind: device.CheckedIn})
		time.Sleep(5 * time.Second)
		if got, want := l.buzzer.taken(), "High@0 Low@0 High@80"; got != want {
			t.Errorf("coming sounds %s, want %s", got, want)
		}
	})
}
