package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/doctor"
	"timeclock/reader"
)

// doctorAll examines everything: the running clock does, or this process in its place.
func doctorAll(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	cfg, err := loadConfig(c.config)
	if err != nil {
		return err
	}
	if c.bench {
		return c.doctorBench(ctx, cfg)
	}
	clock, stop, err := anyClock(ctx, cfg)
	if err != nil {
		return err
	}
	defer stop()
	x, err := clock.Examine()
	if err != nil {
		return err
	}
	if c.json {
		err = json.NewEncoder(c.stdout).Encode(x)
	} else {
		err = printFindings(c.stdout, x)
	}
	if err == nil && x.Verdict == doctor.Fail {
		return errSaid
	}
	return err
}

// lookTime is what reader and display get to show whether they work.
const lookTime = 3 * time.Second

// anyClock reaches the running clock. If there is none it wires one that books and
// sends nothing, for as long as the command takes.
func anyClock(ctx context.Context, cfg config.Config) (clock *admin.Client, stop func(), err error) {
	clock = admin.Dial(ctx, cfg.StateDir)
	if _, err = clock.Status(); !errors.Is(err, admin.ErrNoDaemon) {
		return clock, func() {}, err
	}
	d, done, err := wire(ctx, &cfg)
	if err != nil {
		return nil, nil, err
	}
	clock = admin.Dial(ctx, cfg.StateDir)
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { d.clock.Reader.Run(ctx) })
	parts.Go(func() { d.clock.Display.Run(ctx) })
	if d.server != nil {
		parts.Go(func() { d.server.Run(ctx) })
	}
	for end := time.Now().Add(lookTime); time.Now().Before(end) && !d.clock.Reader.Health().Healthy; {
		time.Sleep(20 * time.Millisecond)
	}
	return clock, func() { cancel(); parts.Wait(); done() }, nil
}

// wire wires a clock that does not run. Where there was none before it leaves nothing,
// least of all files that the clock to come may not read.
func wire(ctx context.Context, cfg *config.Config) (d *daemon, done func(), err error) {
	remove := func() {}
	if _, err := os.Stat(cfg.StateDir); errors.Is(err, fs.ErrNotExist) {
		dir, err := os.MkdirTemp("", "timeclock-")
		if err != nil {
			return nil, nil, err
		}
		cfg.StateDir, remove = dir, func() { os.RemoveAll(dir) }
	}
	if d, err = newDaemon(ctx, *cfg, slog.New(slog.DiscardHandler), extras{}); err != nil {
		remove()
		return nil, nil, err
	}
	return d, func() { d.Close(); remove() }, nil
}

// printFindings shows what was found, the graver the easier to see.
func printFindings(w io.Writer, x admin.Examination) error {
	words := map[doctor.Verdict]string{doctor.OK: "ok", doctor.Warn: "WARN", doctor.Fail: "FAIL"}
	for _, f := range x.Findings {
		fmt.Fprintf(w, "%-5s %-12s %s\n", words[f.Verdict], f.Check, f.Found)
		if f.Do != "" {
			fmt.Fprintf(w, "%-5s %-12s → %s\n", "", "", f.Do)
		}
	}
	_, err := fmt.Fprintf(w, "\n%d faults, %d warnings\n", doctor.Count(x.Findings, doctor.Fail), doctor.Count(x.Findings, doctor.Warn))
	return err
}

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
func doctorReader(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	cfg, err := loadConfig(c.config)
	if err != nil {
		return err
	}
	ask, stop, err := c.hear(ctx, cfg)
	if err != nil {
		return err
	}
	defer stop()
	before, err := awaitReader(ask)
	if err != nil {
		return err
	}
	if !c.json {
		fmt.Fprintf(c.stdout, "reader  %s\ngain    %d dB; SPI %d kHz; a look every %v\n",
			before.Chip, cfg.Reader.Gain, cfg.Reader.SPIKHz, cfg.Reader.Poll)
		for _, odd := range []string{before.Note, speedWarning(cfg)} {
			if odd != "" {
				fmt.Fprintf(c.stdout, "NOTICE  %s\n", odd)
			}
		}
		fmt.Fprintf(c.stdout, "\nHold a badge to the reader for %v.\n", c.lasting)
	}
	start, first, last := time.Now(), before, before
	for second, end := start, start.Add(c.lasting); time.Now().Before(end) && ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-time.After(min(listenEvery, time.Until(end))):
		}
		read := last.Reads
		if last, err = ask(); err != nil {
			return err
		}
		if !c.json && read == first.Reads && last.Reads > read {
			fmt.Fprintf(c.stdout, "  A badge was heard, after %.1f s.\n", time.Since(start).Seconds())
		}
		if now := time.Now(); !c.json && now.Sub(second) >= time.Second-listenEvery/2 {
			fmt.Fprintln(c.stdout, bar(last.since(before)))
			second, before = now, last
		}
	}
	return c.verdict(last.since(first))
}

// hear asks the running clock, or a reader of its own if none runs.
func (c *call) hear(ctx context.Context, cfg config.Config) (ask func() (hearing, error), stop func(), err error) {
	client := admin.Dial(ctx, cfg.StateDir)
	ask = func() (hearing, error) {
		s, err := client.Status()
		r := s.Reader
		return hearing{r.Healthy, r.Chip, r.Problem, r.Note, r.Reads, r.Errors, r.Asked, r.Answered}, err
	}
	if _, err := client.Status(); err == nil {
		if !c.json {
			fmt.Fprintln(c.stdout, "The clock is running: a badge that it knows will be booked.")
		}
		return ask, func() {}, nil
	} else if !errors.Is(err, admin.ErrNoDaemon) {
		return nil, nil, err
	}
	state, err := openState(cfg)
	if err != nil {
		return nil, nil, err
	}
	source, _ := readerSource(cfg)
	taps := make(chan device.Tap)
	r := reader.New(source, readerOptions(cfg), taps, slog.New(slog.DiscardHandler))
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
	return fmt.Sprintf("  %s%s  %3.0f %%  %d of %d answers, %d bad reads", strings.Repeat("█", full), strings.Repeat("·", 20-full), 100*share, s.Answered, s.Asked, s.Errors)
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

func (c *call) verdict(s hearing) error {
	word, advice := "good", "the badge is heard well"
	switch share := s.share(); {
	case s.Asked+s.Reads+s.Errors == 0:
		word, advice = "no badge", "nothing was held to the reader, or it is not heard at all: "+
			"try another badge, the flat side of the antenna, and no metal behind it (the Pi is metal too)"
	case s.Reads == 0 && s.Asked == 0:
		word, advice = "unreadable", "something is there but cannot be read: bring it nearer; is there metal behind the antenna, or are there several badges?"
	case share < weakShare:
		word, advice = "weak", "the antenna hears badly: no metal within two centimetres of it, a higher gain in [reader], a shorter distance, a supply of 3.3 V that holds"
	case share < goodShare || s.Errors > s.Reads:
		word, advice = "fair", "it works with retries: a higher gain in [reader] or a shorter distance would help"
	}
	if c.json {
		return json.NewEncoder(c.stdout).Encode(struct {
			hearing
			Heard   bool    `json:"heard"`
			Share   float64 `json:"share"`
			Verdict string  `json:"verdict"`
			Advice  string  `json:"advice"`
		}{s, s.Reads+s.Answered > 0, s.share(), word, advice})
	}
	_, err := fmt.Fprintf(c.stdout, "\n%s: %s\n", word, advice)
	return err
}
