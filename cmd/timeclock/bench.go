package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/doctor"
	"timeclock/reader/mfrc522/mfrc522test"
)

// benchReport goes with a device: what it is, and what was tried on it.
type benchReport struct {
	Passed   bool             `json:"passed"`
	At       time.Time        `json:"at"`
	Host     string           `json:"host"`
	Model    string           `json:"model"`
	Serial   string           `json:"serial"`
	System   string           `json:"system"`
	Version  string           `json:"version"`
	Go       string           `json:"go"`
	Reader   string           `json:"reader"`
	Tried    []trial          `json:"tried"`
	Findings []doctor.Finding `json:"findings"`
}

// trial is what somebody saw, heard or did.
type trial struct {
	What   string `json:"what"`
	Result string `json:"result"` // passed, failed or skipped
	Note   string `json:"note,omitempty"`
}

// testBench is a device on a technician's bench.
type testBench struct {
	*clockwork
	cfg config.Config
	in  *bufio.Reader
	out io.Writer
}

// bench leads through everything that somebody must see, hear and do.
func (c *call) bench(ctx context.Context, cfg config.Config, report string) (err error) {
	// Before root becomes the clock's user, who may not write here.
	files, err := reportFiles(report)
	if err != nil {
		return err
	}
	defer func() {
		for _, f := range files {
			f.Close()
			if err != nil && !errors.Is(err, errSaid) { // there is nothing in it
				os.Remove(f.Name())
			}
		}
	}()
	d, done, err := wire(ctx, &cfg)
	if errors.Is(err, errHeld) {
		return errors.New("the clock is running: stop it first, with `systemctl stop timeclock`, " +
			"so that nobody is booked")
	}
	if err != nil {
		return err
	}
	defer done()
	running, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	for _, p := range []task{d.rooms.Reader, d.rooms.Display, d.rooms.Signal} {
		parts.Go(func() { p.Run(running) })
	}
	defer parts.Wait()
	defer stop()
	b := &testBench{d, cfg, bufio.NewReader(c.stdin), c.stdout}
	r := b.report(ctx)
	if ctx.Err() != nil {
		return errors.New("interrupted: there is no report")
	}
	text := r.String()
	if _, err := io.WriteString(files[1], text); err != nil {
		return err
	}
	if err := json.NewEncoder(files[0]).Encode(r); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "\n%s\nThe report is in %s and %s.\n", text, files[0].Name(), files[1].Name())
	if !r.Passed {
		return errSaid
	}
	return nil
}

// reportFiles makes the report's files, in JSON and as text.
func reportFiles(name string) (files []*os.File, err error) {
	if name == "" {
		name = fmt.Sprintf("timeclock-bench-%s", time.Now().UTC().Format("20060102T150405Z"))
	}
	for _, end := range []string{".json", ".txt"} {
		f, err := os.OpenFile(name+end, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func (b *testBench) report(ctx context.Context) benchReport {
	var host doctor.Host
	name, err := os.Hostname()
	if err != nil {
		name = "?"
	}
	r := benchReport{
		Passed: true, At: time.Now().UTC().Truncate(time.Second), Host: name, Model: host.Model(),
		Serial: host.Serial(), System: host.System(),
		Version: theVersion(), Go: runtime.Version(),
	}
	fmt.Fprintln(b.out, "Answer with Enter for yes, n for no, s to skip. What is shown is repeated until you do.")
	r.Tried = append(r.Tried, b.answers(ctx)...)
	r.Tried = append(r.Tried, b.badge(ctx))
	fmt.Fprintln(b.out, "Examining the rest...")
	if x, err := b.admin.Examine(ctx, admin.Console, admin.None{}); err == nil {
		r.Findings = x.Findings
	}
	r.Reader = b.rooms.Reader.Health().Chip
	for _, t := range r.Tried {
		r.Passed = r.Passed && t.Result != "failed"
	}
	r.Passed = r.Passed && doctor.Worst(r.Findings) != doctor.Fail
	return r
}

// answers shows the answers that differ most, to eyes and ears.
func (b *testBench) answers(ctx context.Context) (all []trial) {
	now := time.Now()
	show := func(kind device.OutcomeKind) device.Outcome {
		return device.Outcome{Kind: kind, Employee: device.Employee{Name: "Test"}, Punch: device.Punch{Time: now}}
	}
	in, out, failed := show(device.CheckedIn), show(device.CheckedOut), show(device.Failed)
	wired := func(pins ...string) bool { return strings.Join(pins, "") != "" }
	s := b.cfg.Signal
	for _, q := range []struct {
		wired bool
		shows device.Outcome
		ask   string
	}{
		{b.cfg.Display.Driver != config.NoDisplay, in, "Does the display welcome Test, upright, in one piece?"},
		{b.cfg.Display.Driver != config.NoDisplay, out, "Does it now say goodbye?"},
		{wired(s.GreenPin), in, "Does green light come on?"},
		{wired(s.RedPin), failed, "Does red light come on?"},
		{wired(s.BuzzerPin), in, "Is there one short sound?"},
		{wired(s.BuzzerPin), out, "Are there two short sounds?"},
	} {
		if q.wired {
			all = append(all, b.ask(ctx, q.ask, q.shows))
		}
	}
	return all
}

// again is how often an answer is repeated.
const again = 4 * time.Second

// ask shows an answer until somebody has said whether it is right.
func (b *testBench) ask(ctx context.Context, question string, o device.Outcome) trial {
	ctx, stop := context.WithCancel(ctx)
	var shown sync.WaitGroup
	shown.Go(func() {
		for ctx.Err() == nil {
			b.rooms.Display.Show(o)
			b.rooms.Signal.Show(o)
			select {
			case <-ctx.Done():
			case <-time.After(again):
			}
		}
	})
	defer shown.Wait()
	defer stop()
	fmt.Fprintf(b.out, "%s ", question)
	line, err := b.in.ReadString('\n')
	t := trial{What: question}
	switch word := strings.ToLower(strings.TrimSpace(line)); {
	case err != nil && word == "":
		t.Result, t.Note = "failed", "nobody answered"
	case word == "" || strings.HasPrefix(word, "y") || strings.HasPrefix(word, "j"):
		t.Result = "passed"
	case strings.HasPrefix(word, "s"):
		t.Result = "skipped"
	default:
		t.Result, t.Note = "failed", strings.TrimSpace(line)
	}
	return t
}

// benchTap is how long somebody has to find a badge.
const benchTap = time.Minute

// badge waits for a badge at the reader. To a simulated one it brings one.
func (b *testBench) badge(ctx context.Context) trial {
	t := trial{What: "A badge is read", Result: "passed"}
	before := b.rooms.Reader.Health()
	fmt.Fprintf(b.out, "Hold a badge to the reader, for %v at most. Nobody is booked.\n", benchTap)
	if b.chip != nil {
		card := &mfrc522test.Card{UID: []byte{1, 2, 3, 4}}
		b.chip.Place(card)
		defer b.chip.Remove(card)
	}
	for end := time.Now().Add(benchTap); ; {
		h := b.rooms.Reader.Health()
		switch {
		case h.Reads > before.Reads:
			t.Note = fmt.Sprintf("%d bad reads before", h.Errors-before.Errors)
			return t
		case ctx.Err() != nil, time.Now().After(end):
			t.Result, t.Note = "failed", "none was: "+h.Problem
			return t
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// String is the report for the delivery note.
func (r benchReport) String() string {
	var s strings.Builder
	verdict := "PASSED"
	if !r.Passed {
		verdict = "FAILED"
	}
	fmt.Fprintf(&s, "Time clock, bench report: %s\n\n", verdict)
	for _, l := range [][2]string{
		{"date", r.At.Format("2006-01-02 15:04 UTC")},
		{"host", r.Host},
		{"board", r.Model},
		{"serial number", r.Serial},
		{"system", r.System},
		{"timeclock", r.Version + ", " + r.Go},
		{"reader", r.Reader},
	} {
		fmt.Fprintf(&s, "%-14s %s\n", l[0], l[1])
	}
	fmt.Fprintln(&s)
	for _, t := range r.Tried {
		fmt.Fprintf(&s, "%-8s %s", t.Result, t.What)
		if t.Note != "" {
			fmt.Fprintf(&s, " (%s)", t.Note)
		}
		fmt.Fprintln(&s)
	}
	fmt.Fprintln(&s)
	printFindings(&s, admin.Examination{Findings: r.Findings})
	return s.String()
}
