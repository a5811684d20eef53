package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"timeclock/device/devicetest"

	"github.com/chromedp/chromedp"
)

var takePictures = flag.Bool("update", false, "write the picture of the demo anew")

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

// A person taps badges on the demo's page, breaks things and mends them.
func TestDemoInBrowser(t *testing.T) {
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
		{"open the page", []step{visiting(address), shows(":")}},
		{"tap a badge", []step{click(`[data-uid="5A1F3C7E"]`), shows("Welcome, Anna Müller"), see(annaIn)}},
		{"tap it again", []step{click(`[data-uid="5A1F3C7E"]`), shows("Already booked, Anna Müller")}},
		{"tap an unknown badge", []step{click(`[data-uid="9C44E201"]`), shows("Unknown badge")}},
		{"cut the network and tap", []step{
			click(`[data-switch="network"]`), click(`[data-uid="04A21B7C5D6E80"]`), shows("Welcome, Jörg Weiß"),
			see(`//p[@id="pending" and contains(., "1 saved on the clock")]`),
			gone(joergIn),
		}},
		{"mend the network", []step{click(`[data-switch="network"]`), see(joergIn)}},
		{"kill the reader", []step{
			click(`[data-switch="reader"]`), see(`#reader.dead`), chromedp.Sleep(time.Second),
			click(`[data-uid="5A1F3C7E"]`), gone(annaOut),
		}},
		{"mend the reader", []step{click(`[data-switch="reader"]`), see(`#reader:not(.dead)`)}},
	})
	// After the lock-out the badge books the other way. The reader needs a
	// moment to come back, so the badge may be tapped more than once.
	if err := devicetest.Until(devicetest.Deadline(t), func() error {
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return chromedp.Do(short, click(`[data-uid="5A1F3C7E"]`), see(annaOut))
	}); err != nil {
		t.Fatalf("tap after the lock-out: %v\n%s", err, out)
	}
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if *takePictures {
		if err := os.WriteFile("demo.png", picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"Welcome, Anna Müller", "Unknown badge", "Welcome, Jörg Weiß", "Goodbye, Anna Müller"} {
		if n := strings.Count(out.String(), line); n != 1 {
			t.Errorf("%q was printed %d times, want once:\n%s", line, n, out)
		}
	}
}
