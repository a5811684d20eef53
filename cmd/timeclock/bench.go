package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/doctor"
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
	clock admin.Route
	cfg   config.Config
	in    *bufio.Reader
	out   io.Writer

	forgotten bool // nobody answers any more
}

// bench leads through everything that somebody must see, hear and do. A clock that runs books nobody
// meanwhile.
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
	clock, stop, err := anyClock(ctx, cfg)
	if err != nil {
		return err
	}
	defer stop()
	b := &testBench{clock: clock, cfg: cfg, in: bufio.NewReader(c.stdin), out: c.stdout}
	defer admin.DoTry.On(context.WithoutCancel(ctx), clock, admin.Trial{End: true})
	r, err := b.report(ctx)
	if ctx.Err() != nil {
		return errors.New("interrupted: there is no report")
	}
	if err != nil {
		return err
	}
	text := r.String()
	if err := errors.Join(json.NewEncoder(files[0]).Encode(r), write(files[1], text), r.draw(files[2])); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "\n%s\nThe report is in %s, %s and, as a picture for the delivery note, %s.\n", text,
		files[0].Name(), files[1].Name(), files[2].Name())
	if !r.Passed {
		return errSaid
	}
	return nil
}

func write(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

// reportFiles makes the report's files: in JSON, as text, and as a picture.
func reportFiles(name string) (files []*os.File, err error) {
	if name == "" {
		name = fmt.Sprintf("timeclock-bench-%s", time.Now().UTC().Format("20060102T150405Z"))
	}
	for _, end := range []string{".json", ".txt", ".svg"} {
		f, err := os.OpenFile(name+end, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			for _, f := range files {
				f.Close()
				os.Remove(f.Name())
			}
			if errors.Is(err, fs.ErrExist) {
				err = fmt.Errorf("%s is there already: move it, or name another report", name+end)
			}
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func (b *testBench) report(ctx context.Context) (r benchReport, err error) {
	var host doctor.Host
	name, err := os.Hostname()
	if err != nil {
		name = "?"
	}
	r = benchReport{
		Passed: true, At: time.Now().UTC().Truncate(time.Second), Host: name,
		Model: cmp.Or(host.Model(), "no Pi"), Serial: cmp.Or(host.Serial(), "none"), System: host.System(),
		Version: theVersion(), Go: runtime.Version(),
	}
	if _, err := admin.DoTry.On(ctx, b.clock, admin.Trial{}); err != nil {
		return r, err
	}
	// An examination may take longer than a clock stays on the bench by itself.
	defer b.repeat(ctx, admin.Trial{})()
	fmt.Fprintln(b.out, "Answer with Enter for yes, n for no, s to skip. What is shown is repeated until you do.")
	r.Tried = b.answers(ctx)
	if b.forgotten {
		return r, errForgotten
	}
	r.Tried = append(r.Tried, b.badge(ctx))
	fmt.Fprintln(b.out, "Examining the rest...")
	x, err := admin.DoExamine.On(ctx, b.clock, admin.None{})
	if err != nil {
		return r, err
	}
	r.Findings = onBench(x.Findings)
	s, err := admin.DoTry.On(ctx, b.clock, admin.Trial{})
	r.Reader = s.Chip
	for _, t := range r.Tried {
		r.Passed = r.Passed && t.Result != "failed"
	}
	r.Passed = r.Passed && doctor.Worst(r.Findings) != doctor.Fail
	return r, err
}

// repeat tries something again and again, which keeps the clock on the bench, until the function that it
// returns is called.
func (b *testBench) repeat(ctx context.Context, t admin.Trial) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	var trying sync.WaitGroup
	trying.Go(func() {
		for ctx.Err() == nil {
			admin.DoTry.On(ctx, b.clock, t)
			select {
			case <-ctx.Done():
			case <-time.After(again):
			}
		}
	})
	return func() { stop(); trying.Wait() }
}

// onBench leaves out what only matters at the door: people, bookings, updates. A bench may have no network,
// or another one; but where Zeitstrom is reached, its word on the token counts.
func onBench(all []doctor.Finding) []doctor.Finding {
	door := []string{"badges", "bookings", "projects", "updates", "zone", "page"}
	all = slices.DeleteFunc(slices.Clone(all), func(f doctor.Finding) bool { return slices.Contains(door, f.Check) })
	for i, f := range all {
		if f.Verdict == doctor.Fail && slices.Contains([]string{"dns", "proxy", "tls"}, f.Check) {
			all[i].Verdict, all[i].Do = doctor.Warn, "nothing, if this bench has another network than the door"
		}
	}
	return all
}

// answers shows the answers that differ most, to eyes and ears.
func (b *testBench) answers(ctx context.Context) (all []trial) {
	const in, out, failed = device.CheckedIn, device.CheckedOut, device.Failed
	wired := func(pins ...string) bool { return strings.Join(pins, "") != "" }
	s := b.cfg.Signal
	for _, q := range []struct {
		wired bool
		shows device.OutcomeKind
		ask   string
	}{
		{b.cfg.Display.Driver != config.NoDisplay, in, "Does the display welcome Test, upright, in one piece?"},
		{b.cfg.Display.Driver != config.NoDisplay, out, "Does it now say goodbye?"},
		{wired(s.GreenPin), in, "Does green light come on?"},
		{wired(s.RedPin), failed, "Does red light come on?"},
		{wired(s.BuzzerPin), in, "Is there one short sound?"},
		{wired(s.BuzzerPin), out, "Are there two short sounds?"},
	} {
		if q.wired && !b.forgotten {
			all = append(all, b.ask(ctx, q.ask, q.shows))
		}
	}
	return all
}

// again is how often an answer is repeated.
const again = 4 * time.Second

// answerTime is how long somebody has to answer: a clock that is forgotten here goes on booking.
const answerTime = 10 * time.Minute

// errForgotten says that nobody answers any more.
var errForgotten = errors.New("nobody has answered for ten minutes: there is no report, and the clock books again")

// line reads an answer.
func (b *testBench) line(ctx context.Context) (string, error) {
	waits, stop := context.WithTimeout(ctx, answerTime)
	defer stop()
	text, err := awaited(waits, func() (string, error) { return b.in.ReadString('\n') })
	b.forgotten = errors.Is(err, context.DeadlineExceeded)
	return text, err
}

// ask shows an answer until somebody has said whether it is right.
func (b *testBench) ask(ctx context.Context, question string, shows device.OutcomeKind) trial {
	defer b.repeat(ctx, admin.Trial{Show: shows})()
	fmt.Fprintf(b.out, "%s ", question)
	line, err := b.line(ctx)
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

// badge waits for a badge at the reader. To a simulated one it is brought.
func (b *testBench) badge(ctx context.Context) trial {
	t := trial{What: "A badge is read", Result: "failed"}
	fmt.Fprintf(b.out, "Hold a badge to the reader, for %v at most. Nobody is booked.\n", benchTap)
	before, err := admin.DoTry.On(ctx, b.clock, admin.Trial{Bring: true})
	for end := time.Now().Add(benchTap); err == nil; time.Sleep(50 * time.Millisecond) {
		var now admin.Tried
		now, err = admin.DoTry.On(ctx, b.clock, admin.Trial{})
		if now.Reads > before.Reads {
			t.Result, t.Note = "passed", fmt.Sprintf("%d bad reads before", now.Errors-before.Errors)
			return t
		}
		if ctx.Err() != nil || time.Now().After(end) {
			t.Note = "none was: " + now.Problem
			return t
		}
	}
	t.Note = err.Error()
	return t
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
