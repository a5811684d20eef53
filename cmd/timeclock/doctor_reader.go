package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/reader"
)

// hearing is what a reader did since it was last asked.
type hearing struct {
	Healthy  bool   `json:"healthy"`
	Chip     string `json:"chip"`
	Problem  string `json:"problem"`
	Note     string `json:"note"`
	Reads    int    `json:"reads"`    // badges read
	Errors   int    `json:"errors"`   // badges read badly
	Asked    int    `json:"asked"`    // how often a resting badge was asked whether it is there
	Answered int    `json:"answered"` // how often it said so
}

func (s hearing) since(before hearing) hearing {
	s.Reads -= before.Reads
	s.Errors -= before.Errors
	s.Asked -= before.Asked
	s.Answered -= before.Answered
	return s
}

// listenEvery is how soon it shows that a badge was heard.
const listenEvery = 200 * time.Millisecond

// doctorReader shows how well badges are heard while one is held to the reader.
var doctorReader = command{
	name: "doctor reader", help: "show how well the reader hears a badge that is held to it",
	flags: func(f *flags) action {
		asJSON, lasting := f.json(), f.Duration("for", 10*time.Second, "how `long` to look")
		return func(ctx context.Context, c *call) error {
			cfg, err := c.load()
			if err != nil {
				return err
			}
			return (&listener{c, cfg, *asJSON}).listen(ctx, *lasting)
		}
	},
}

// listener shows how well a reader hears.
type listener struct {
	*call
	cfg  config.Config
	json bool
}

// say tells people something; scripts get the end of it.
func (l *listener) say(format string, args ...any) {
	if !l.json {
		fmt.Fprintf(l.stdout, format, args...)
	}
}

func (l *listener) listen(ctx context.Context, lasting time.Duration) error {
	ask, stop, err := l.hear(ctx)
	if err != nil {
		return err
	}
	defer stop()
	before, err := awaitReader(ask)
	if err != nil {
		return err
	}
	l.say("reader  %s\ngain    %d dB; SPI %d kHz; a look every %v\n", before.Chip, l.cfg.Reader.Gain,
		l.cfg.Reader.SPIKHz, l.cfg.Reader.Poll)
	for _, odd := range []string{before.Note, speedWarning(l.cfg)} {
		if odd != "" {
			l.say("NOTICE  %s\n", odd)
		}
	}
	l.say("\nHold a badge to the reader for %v.\n", lasting)
	start, first, last := time.Now(), before, before
	for second, end := start, start.Add(lasting); time.Now().Before(end) && ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-time.After(min(listenEvery, time.Until(end))):
		}
		read := last.Reads
		if last, err = ask(); err != nil {
			return err
		}
		if read == first.Reads && last.Reads > read {
			l.say("  A badge was heard, after %.1f s.\n", time.Since(start).Seconds())
		}
		if now := time.Now(); now.Sub(second) >= time.Second-listenEvery/2 {
			l.say("%s\n", bar(last.since(before)))
			second, before = now, last
		}
	}
	return l.verdict(last.since(first))
}

// hear asks the running clock, or a reader of its own if none runs.
func (l *listener) hear(ctx context.Context) (ask func() (hearing, error), stop func(), err error) {
	client := admin.Dial(l.cfg.StateDir)
	ask = func() (hearing, error) {
		s, err := admin.DoStatus.On(ctx, client, admin.None{})
		r := s.Reader
		return hearing{r.Healthy, r.Chip, r.Problem, r.Note, r.Reads, r.Errors, r.Asked, r.Answered}, err
	}
	switch runs, err := isRunning(ctx, l.cfg); {
	case err != nil:
		return nil, nil, err
	case runs:
		l.say("The clock is running: a badge that it knows will be booked.\n")
		return ask, func() {}, nil
	}
	return l.ownReader(ctx)
}

// ownReader asks a reader of this process, whose taps book nobody.
func (l *listener) ownReader(ctx context.Context) (ask func() (hearing, error), stop func(), err error) {
	state, err := openState(l.cfg)
	if err != nil {
		return nil, nil, err
	}
	source, _ := readerSource(l.cfg)
	taps := make(chan device.Tap)
	r := reader.New(source, readerOptions(l.cfg), taps, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	go func() {
		for { // nobody is booked here
			select {
			case <-taps:
			case <-ctx.Done():
				return
			}
		}
	}()
	ask = func() (hearing, error) {
		h := r.Health()
		return hearing{h.Healthy, h.Chip, h.Problem, h.Note, h.Reads, h.Errors, h.Asked, h.Answered}, nil
	}
	return ask, func() { cancel(); <-done; state.Close() }, nil
}

// awaitReader gives a reader a moment to start.
func awaitReader(ask func() (hearing, error)) (s hearing, err error) {
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if s, err = ask(); err != nil || s.Healthy {
			return s, err
		}
	}
	return s, fmt.Errorf("the reader does not work: %s", s.Problem)
}

// bar shows a second of answers.
func bar(s hearing) string {
	if s.Asked+s.Reads+s.Errors == 0 {
		return "  ····················  no badge"
	}
	share := s.share()
	full := int(share*20 + 0.5)
	return fmt.Sprintf("  %s%s  %3.0f %%  %d of %d answers, %d bad reads", strings.Repeat("█", full),
		strings.Repeat("·", 20-full), 100*share, s.Answered, s.Asked, s.Errors)
}

// share is how many of the resting badge's answers were heard. The misses by
// which a badge was found to have left, at most three for each that was read,
// are no fault of the antenna.
func (s hearing) share() float64 {
	heard := float64(s.Answered)
	if lost := s.Asked - s.Answered - 3*s.Reads; lost > 0 {
		return heard / (heard + float64(lost))
	}
	if s.Asked == 0 {
		return 0
	}
	return 1
}

// Below these shares a badge is heard too badly.
const (
	goodShare = 0.98
	weakShare = 0.80
)

func (l *listener) verdict(s hearing) error {
	word, advice := "good", "the badge is heard well"
	switch share := s.share(); {
	case s.Asked+s.Reads+s.Errors == 0:
		word, advice = "no badge", "nothing was held to the reader, or it is not heard at all: "+
			"try another badge, the flat side of the antenna, and no metal behind it (the Pi is metal too)"
	case s.Reads == 0 && s.Asked == 0:
		word, advice = "unreadable", "something is there but cannot be read: bring it nearer; "+
			"is there metal behind the antenna, or are there several badges?"
	case share < weakShare:
		word, advice = "weak", "the antenna hears badly: no metal within two centimetres of it, "+
			"a higher gain in [reader], a shorter distance, a supply of 3.3 V that holds"
	case share < goodShare || s.Errors > s.Reads:
		word, advice = "fair", "it works with retries: a higher gain in [reader] or a shorter distance would help"
	}
	if l.json {
		return json.NewEncoder(l.stdout).Encode(struct {
			hearing
			Heard   bool    `json:"heard"`
			Share   float64 `json:"share"`
			Verdict string  `json:"verdict"`
			Advice  string  `json:"advice"`
		}{s, s.Reads+s.Answered > 0, s.share(), word, advice})
	}
	_, err := fmt.Fprintf(l.stdout, "\n%s: %s\n", word, advice)
	return err
}
