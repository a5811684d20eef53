package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"timeclock/device/devicetest"

	"github.com/chromedp/chromedp"
)

// browser starts a headless Chromium. Without one the test is skipped, unless
// the environment asks for it, as CI does.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: it takes a while")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no browser: install chromium")
		}
		t.Skip("SKIPPED: there is no chromium on this computer, so no page was driven in one")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.Flag("no-sandbox", true), chromedp.Flag("disable-gpu", true),
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1160, 760),
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("lang", "en"),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithDeadline(ctx, devicetest.Deadline(t))
	t.Cleanup(stop)
	// The browser lives as long as the context of what is asked of it first.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// step is something a person does with the page, or waits to see on it.
type step = chromedp.Action[chromedp.Void]

// deed is what a person does in a browser, and what they see of it.
type deed struct {
	what string
	do   []step
}

// play does one deed after another. Where one does not come to its end, the test
// says what the page showed instead.
func play(ctx context.Context, t *testing.T, deeds []deed) {
	t.Helper()
	for _, d := range deeds {
		for n, do := range d.do {
			// to say what the page shows
			patient, stop := context.WithDeadline(ctx, devicetest.Deadline(t).Add(-10*time.Second))
			err := chromedp.Do(patient, do)
			stop()
			if err != nil {
				page, _ := chromedp.Run(ctx,
					chromedp.Evaluate[string](`location.href + " " + document.documentElement.outerHTML`))
				t.Fatalf("%s, step %d: %v\n%s", d.what, n+1, err, page)
			}
		}
	}
}

// visiting opens a page. What a click had begun to load may come in between: then
// the browser breaks one of the two off, or never tells that one was loaded.
func visiting(address string) step {
	return func(ctx context.Context, target *chromedp.Target) (v chromedp.Void, err error) {
		for range 3 {
			try, stop := context.WithTimeout(ctx, 20*time.Second)
			v, err = chromedp.Navigate(address)(try, target)
			stop()
			if err == nil || !strings.Contains(err.Error(), "ERR_ABORTED") &&
				!errors.Is(err, context.DeadlineExceeded) {
				break
			}
		}
		return v, err
	}
}

// visible waits until an element can be seen, by its CSS selector or, from a slash
// on, its XPath. (chromedp takes a plain string for a text to search as well, which
// finds "h1" in a hidden token too, and waits for ever until that can be seen.)
func visible(selector string) step {
	if strings.HasPrefix(selector, "/") {
		return chromedp.WaitVisible(selector)
	}
	return chromedp.WaitVisible(chromedp.CSS(selector))
}

// says waits until the page has a text.
func says(text string) step {
	return chromedp.WaitVisible[string](fmt.Sprintf(`//*[contains(normalize-space(.), %q)]`, text))
}

// becomingAdmin makes whoever reads the code on the display the page's admin.
func becomingAdmin(address, code string) deed {
	set := chromedp.SetValue[string]
	return deed{"becoming admin", []step{
		visiting(address), set(`input[name=code]`, code), set(`input[name=password]`, password),
		set(`input[name=again]`, password), chromedp.Click[string](`button.main`), visible(`.tabs`),
	}}
}

// axeCore checks a page for what people with other eyes and hands would stumble
// over. It is not part of this repository: .ci/run fetches it.
func axeCore(t *testing.T) string {
	path := os.Getenv("AXE_CORE")
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("AXE_CORE does not name axe-core's axe.min.js")
		}
		t.Run("accessibility", func(t *testing.T) {
			t.Skip("SKIPPED: accessibility was not checked: AXE_CORE does not name axe-core's axe.min.js")
		})
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// accessible runs axe on the page that a browser shows.
func accessible(ctx context.Context, t *testing.T, axe, page string) {
	t.Helper()
	if axe == "" {
		return
	}
	const ask = `axe.run({resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(` +
		`v => v.id + ": " + v.nodes.map(n => n.html + " " + ` +
		`n.failureSummary).join(" | "))))`
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](axe)); err != nil {
		t.Fatal(page, err)
	}
	found, err := chromedp.Run(ctx, chromedp.Evaluate[string](ask, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(page, err)
	}
	var problems []string
	if err := json.Unmarshal([]byte(found), &problems); err != nil || len(problems) > 0 {
		t.Errorf("%s: %v\n%s", page, err, strings.Join(problems, "\n"))
	}
}
