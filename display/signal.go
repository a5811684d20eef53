package display

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"timeclock/device"

	"periph.io/x/conn/v3/gpio"
)

var _ device.Screen = (*Signal)(nil)

// Pins are what sound and light are wired to; nil: not wired. An RGB LED is wired
// to three of them, two single ones to red and green.
type Pins struct {
	Buzzer           gpio.PinOut // an active one, which sounds as long as it has power
	Red, Green, Blue gpio.PinOut
	Low              bool // they are on at low level
}

// Signal tells answers by sound and light, each by its own pattern.
type Signal struct {
	pins  Pins
	quiet device.Hours // in which there is only light
	zone  *time.Location
	log   *slog.Logger
	next  chan device.Outcome
	found error // why a pin is missing

	mu      sync.Mutex
	problem string // why the last change was not made; empty if it was
}

// NewSignal makes sound and light of pins. Found says why one that should be there
// is missing; the others work without it.
func NewSignal(pins Pins, found error, quiet device.Hours, zone *time.Location, log *slog.Logger) *Signal {
	return &Signal{pins: pins, found: found, quiet: quiet, zone: zone, log: log, next: make(chan device.Outcome, 1)}
}

// Problem says why sound or light do not work; empty if they do.
func (s *Signal) Problem() string {
	if s.found != nil {
		return s.found.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

func (s *Signal) String() string { return "sound and light" }

// Show implements device.Screen.
func (s *Signal) Show(o device.Outcome) {
	if o.Update {
		return
	}
	for {
		select {
		case s.next <- o:
			return
		default:
		}
		select { // one that was not even begun
		case <-s.next:
		default:
		}
	}
}

// Run plays answers until ctx ends; the next one ends the one before.
func (s *Signal) Run(ctx context.Context) error {
	defer s.set(0, false)
	s.set(0, false)
	var steps []tone
	for {
		var wait <-chan time.Time
		if len(steps) > 0 {
			s.set(steps[0].light, steps[0].sound)
			wait = time.After(steps[0].lasts)
		} else {
			s.set(0, false)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wait:
			steps = steps[1:]
		case o := <-s.next:
			steps = pattern(o)
			s.set(0, false) // so that two alike are two
		}
	}
}

// colour is a mix of three lights.
type colour uint8

const (
	red colour = 1 << iota
	green
	blue
	yellow = red | green
	cyan   = green | blue
)

// tone is a part of a pattern.
type tone struct {
	lasts time.Duration
	light colour
	sound bool
}

// Lengths of the parts of a pattern, and of the light after it.
const (
	short = 80 * time.Millisecond
	long  = 320 * time.Millisecond
	gap   = 80 * time.Millisecond
	after = 700 * time.Millisecond
)

// pattern is how an answer sounds and shines.
func pattern(o device.Outcome) []tone {
	rhythm, light := rhythmOf(o)
	var steps []tone
	for _, c := range rhythm {
		switch c {
		case '.':
			steps = append(steps, tone{short, light, true}, tone{gap, 0, false})
		case '-':
			steps = append(steps, tone{long, light, true}, tone{gap, 0, false})
		default:
			steps = append(steps, tone{gap, 0, false})
		}
	}
	return append(steps, tone{after, light, false})
}

// Rhythm is how an answer sounds: a dot is a short sound, a dash a long one, a space a pause.
func Rhythm(o device.Outcome) string {
	rhythm, _ := rhythmOf(o)
	return rhythm
}

// rhythmOf is rhythm and light of an answer. Coming is one short sound and going two; that a
// function was used, and what is special about a booking, follow them; whatever is no booking has a long
// sound before a second short one, or goes on for long. The light keeps the rhythm, so that it says as much
// alone.
func rhythmOf(o device.Outcome) (rhythm string, light colour) {
	_, open := o.Forgotten()
	switch o.Kind {
	case device.CheckedIn, device.CheckedOut:
		rhythm, light = ".", green
		if o.Kind == device.CheckedOut {
			rhythm = ".."
		}
		if o.TakenBack {
			return "-..", green
		}
		if o.Function != "" {
			rhythm += " .-"
		}
		switch {
		case open:
			rhythm, light = rhythm+" ...", yellow
		case o.Punch.Stamp.Uncertain:
			rhythm, light = rhythm+" --", cyan
		case o.Offline:
			rhythm, light = rhythm+" -", cyan
		}
		return rhythm, light
	case device.Chosen:
		if o.Next.Function == "" {
			return "-..", green
		}
		return ".-", blue
	case device.HoursShown:
		return ".-.", green
	case device.Tried:
		return ".--", blue
	case device.Enrolled:
		return "...", green
	case device.NotEnrolled:
		return "-.-", red
	case device.Repeated:
		return "-", yellow
	case device.Several:
		return "-.", yellow
	case device.Unknown:
		return "--", red
	case device.Blocked:
		return "---", red
	}
	return "........", red
}

// set switches sound and light. A pin that does not work is logged when that is
// new, and holds up nothing.
func (s *Signal) set(light colour, sound bool) {
	sound = sound && !s.quiet.Contains(time.Now().In(s.zone))
	problem := ""
	for _, p := range []struct {
		pin gpio.PinOut
		on  bool
	}{
		{s.pins.Buzzer, sound},
		{s.pins.Red, light&red != 0},
		{s.pins.Green, light&green != 0},
		{s.pins.Blue, light&blue != 0},
	} {
		if p.pin == nil {
			continue
		}
		if err := p.pin.Out(gpio.Level(p.on != s.pins.Low)); err != nil {
			problem = err.Error()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if problem != "" && problem != s.problem {
		s.log.Error("sound and light do not work, the clock goes on without", "error", problem)
	}
	s.problem = problem
}
