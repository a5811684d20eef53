package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/device/devicetest"
	"timeclock/sync/zeitstrom"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var takePictures = flag.Bool("update", false, "write the pictures of demo and page anew, which the manuals show")

// takePicture writes a picture of what a browser shows.
func takePicture(ctx context.Context, t *testing.T, file string) {
	t.Helper()
	settled := chromedp.Sleep(300 * time.Millisecond) // fonts and pictures
	if err := chromedp.Do(ctx, settled); err != nil {
		t.Fatal(err)
	}
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// output is what a command prints, to be read while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// startDemo runs `timeclock demo` and returns its address and what it prints.
func startDemo(t *testing.T) (address string, out *output) {
	t.Helper()
	out = &output{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int)
	go func() {
		done <- run(ctx, env{args: []string{"demo", "-listen", "127.0.0.1:0"}, stdout: out, stderr: out})
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("the demo ended with %d: %s", code, out)
		}
	})
	if err := devicetest.Until(devicetest.Deadline(t), func() error {
		if found := regexp.MustCompile(`http://[0-9.:]+`).FindString(out.String()); found != "" {
			address = found
			return nil
		}
		return context.DeadlineExceeded
	}); err != nil {
		t.Fatal(err, out)
	}
	return address, out
}

// A clock of one's own finds the simulated Zeitstrom, with its employees; the log is quiet, and nobody
// else reaches the demo.
func TestDemoServesTheAPI(t *testing.T) {
	out := &output{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int)
	go func() {
		args := []string{"demo", "-listen", "127.0.0.1:0", "-api", "127.0.0.1:0"}
		done <- run(ctx, env{args: args, stdout: out, stderr: out})
	}()
	t.Cleanup(func() { cancel(); <-done })
	var address, api []string
	devicetest.Eventually(t, func() error {
		address = regexp.MustCompile(`Open http://([0-9.:]+)/demo`).FindStringSubmatch(out.String())
		api = regexp.MustCompile(`url = "(http://[^"]+)", and the token is (\w+)`).FindStringSubmatch(out.String())
		if address == nil || api == nil {
			return errors.New(out.String())
		}
		return nil
	})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(api[2]), 0o600); err != nil {
		t.Fatal(err)
	}
	client := zeitstrom.New(zeitstrom.Config{URL: api[1], TokenFile: file, Timeout: time.Minute})
	n := 0
	for _, err := range client.Employees(t.Context()) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if n != demoPeople {
		t.Errorf("the API has %d employees", n)
	}
	request := func(host, path string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address[1]+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, path := range []string{"/demo", "/", "/login", "/badges", "/days", "/data", "/corrections"} {
		if got := request(address[1], path); got != http.StatusOK {
			t.Errorf("%s is answered with %d", path, got)
		}
		if got := request("evil.example", path); got != http.StatusForbidden {
			t.Errorf("%s is answered with %d to another site", path, got)
		}
	}
	if lines := strings.Count(out.String(), "\n"); lines != 2 {
		t.Errorf("it prints more than where to find it: %s", out)
	}
	var problems bytes.Buffer
	if code := run(t.Context(), env{
		args: []string{"demo", "-listen", "0.0.0.0:0"}, stdout: &problems, stderr: &problems,
	}); code != 2 || !strings.Contains(problems.String(), "this computer only") {
		t.Errorf("for everybody: %d %s", code, &problems)
	}
}

// Whenever somebody opens the demo, those whose badges it shows are about to come, and others are in.
func TestSampleAtAnyHour(t *testing.T) {
	for hour := range 7 * 24 {
		now := time.Date(2026, 3, 23, hour, 30, 0, 0, time.UTC) // the clocks are put forward in that week
		company := newSample(demoPeople, demoBadges, now)
		last := map[device.EmployeeID]device.Punch{}
		for _, p := range company.past {
			if !p.Time.Before(now) {
				t.Errorf("%v: a booking of %v", now, p.Time)
			}
			last[p.Employee] = p
		}
		for _, b := range company.badges[:atTheDoor] {
			if last[b.Employee.ID].Intent != device.CheckOut {
				t.Errorf("%v: %s is in already", now, b.Employee.Name)
			}
		}
	}
}

// stillness has the browser ask for reduced motion: what moves may be missed by a click.
func stillness(ctx context.Context, target *chromedp.Target) (v chromedp.Void, err error) {
	_, err = cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	return v, err
}

// A person taps badges on the demo's page, breaks things and mends them.
func TestDemoInBrowser(t *testing.T) {
	t.Parallel()
	demoLockout, demoAnswer = 15*time.Second, 30*time.Second
	ctx := browser(t)
	address, out := startDemo(t)
	const (
		annaIn  = `#received tr[data-name="Anna Müller"][data-intent="checkin"]`
		annaOut = `#received tr[data-name="Anna Müller"][data-intent="checkout"]`
		joergIn = `#received tr[data-name="Jörg Weiß"][data-intent="checkin"]`
	)
	click, see, gone := chromedp.Click[string], visible, chromedp.WaitNotPresent[string]
	shows := func(text string) step { return see(`#display[alt*="` + text + `"]`) }
	defer func() {
		if t.Failed() {
			t.Log(out)
		}
	}()
	play(ctx, t, []deed{
		{"open the page", []step{stillness, visiting(address + "/demo"), shows(":")}},
		{"tap a badge", []step{click(`[data-uid="04A100005D6E80"]`), shows("Welcome, Anna Müller"), see(annaIn)}},
		{"tap it again", []step{
			see(`[data-uid="04A100005D6E80"]:not(.held)`), click(`[data-uid="04A100005D6E80"]`),
			shows("Already booked, Anna Müller"),
		}},
		{"tap an unknown badge", []step{click(`[data-uid="9C44E201"]`), shows("Unknown badge")}},
		{"cut the network and tap", []step{
			click(`[data-switch="network"]`), click(`[data-uid="04A100015D6E80"]`), shows("Welcome, Jörg Weiß"),
			see(`//p[@id="pending" and contains(., "not there yet: 1")]`),
			gone(joergIn),
		}},
		{"mend the network", []step{click(`[data-switch="network"]`), see(joergIn)}},
		{"choose a break", []step{click(`[data-uid="5AF00001"]`), shows("Break: your badge, please")}},
		{"take it", []step{
			see(`[data-uid="04A100015D6E80"]:not(.held)`), click(`[data-uid="04A100015D6E80"]`),
			shows("Break, Jörg Weiß: since"),
		}},
		{"kill the reader", []step{click(`[data-switch="reader"]`), see(`#reader.dead`)}},
	})
	tap := func() { // each has its line, also without an answer; a badge on its way could be missed by the click
		answers := func() int {
			return len(regexp.MustCompile(`Anna Müller: |no answer: `).FindAllString(out.String(), -1))
		}
		n := answers()
		play(ctx, t, []deed{{"tap a badge", []step{
			see(`[data-uid="04A100005D6E80"]:not(.held)`), click(`[data-uid="04A100005D6E80"]`),
		}}})
		devicetest.Eventually(t, func() error {
			if answers() == n {
				return errors.New("no line for a tap")
			}
			return nil
		})
	}
	tap()
	if !strings.Contains(out.String(), "no answer: the reader is dead") {
		t.Error("a dead reader answers")
	}
	play(ctx, t, []deed{
		{"mend the reader", []step{gone(annaOut), click(`[data-switch="reader"]`), see(`#reader:not(.dead)`)}},
	})
	// The reader needs a moment to come back, and the lock-out one to pass. Then the badge
	// books the other way.
	devicetest.Eventually(t, func() error {
		if tap(); !strings.Contains(out.String(), "Goodbye, Anna Müller") {
			return errors.New("nobody is booked out")
		}
		return nil
	})
	play(ctx, t, []deed{{"the booking arrives", []step{see(annaOut)}}})
	if *takePictures {
		play(ctx, t, []deed{{"a larger window", []step{
			chromedp.EmulateViewport(1440, 900), chromedp.Evaluate[chromedp.Void](`scrollTo(0, 0)`),
		}}})
		takePicture(ctx, t, "demo.png")
	}
	for _, line := range []string{
		"Welcome, Anna Müller", "Unknown badge", "Welcome, Jörg Weiß", "Goodbye, Anna Müller",
	} {
		if n := strings.Count(out.String(), line); n != 1 {
			t.Errorf("%q was printed %d times, want once:\n%s", line, n, out)
		}
	}
}
