package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"timeclock/device/devicetest"
	"timeclock/queue"
	"timeclock/sync/zeitstrom/zeitstromtest"

	"github.com/chromedp/chromedp"
)

// journalSays compares what the admin has done with what the journal has of it; the
// newest of it comes a moment later.
func journalSays(d *daemon, want ...string) error {
	var did []string
	err := d.queue.Journal(func(e queue.JournalEntry) error {
		if e.Event != nil && e.Event.By == "admin" {
			did = append(did, string(e.Event.Kind))
		}
		return nil
	})
	if err == nil && !slices.Equal(did, want) {
		err = fmt.Errorf("the journal says %q, want %q", did, want)
	}
	return err
}

// An admin closes a forgotten check-out, splits, comments and assigns on the page, by
// a token that is kept for the session only; whoever has none changes nothing.
func TestCorrectionsInBrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	axe := axeCore(t)
	p := newPlace(t)
	p.cfg.Clock.Zone = time.UTC
	d, address := startPage(t, p)
	monday := time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)
	e := string(employeeOf(0))
	p.api.server.Put(zeitstromtest.Timespan{
		ID: "span-1", Employee: e, CheckIn: monday, CheckOut: monday.Add(9 * time.Hour),
	})
	p.api.server.Put(zeitstromtest.Timespan{ID: "span-2", Employee: e, CheckIn: monday.AddDate(0, 0, 1)})
	week := address + "/corrections?e=" + e + "&week=2026-06-03"

	admin := visit(t, address)
	admin.pair(d.page.Code())
	csrf := admin.csrf()
	if _, body := admin.post("/corrections/times",
		url.Values{
			"csrf": {csrf}, "id": {"span-1"}, "checkin": {"2026-06-01T09:00"}, "reason": {"why not"},
		}); !strings.Contains(body,
		"changes nobody&#39;s hours") {
		t.Errorf("without an admin's token: %s", body)
	}
	if status, _ := admin.get("/pictures/week.svg?e=" + e); status != http.StatusNotFound {
		t.Errorf("the picture without a token: %d", status)
	}

	click, see, set := chromedp.Click[string], visible, chromedp.SetValue[string]
	within := func(id, css string) string { return fmt.Sprintf(`[id=%q] %s`, id, css) }
	play(ctx, t, []deed{
		{
			"log in",
			[]step{
				visiting(address + "/login"), set(`input[name=name]`, "admin"), set(`input[name=password]`, password),
				click(`button.main`), says("Health"),
			},
		},
		{
			"bring a token",
			[]step{
				visiting(address + "/corrections"), set(`input[name=token]`, "bad"), click(`#token button`),
				see(`//p[@role="alert"]`), set(`input[name=token]`, "good"), click(`#token button`),
				says("It is kept until you log out."),
			},
		},
		{
			"a week",
			[]step{
				visiting(week), says("2026-06-01 08:00 – 17:00"),
				says("2026-06-02 08:00 – still open"), see(`img[src^="/pictures/week.svg"]`),
			},
		},
		{
			"close a forgotten check-out",
			[]step{
				set(within("span-2", `input[name=checkout]`), "2026-06-02T16:30"),
				set(within("span-2", `form[action="/corrections/times"] input[name=reason]`), "as agreed"),
				click(within("span-2", `form[action="/corrections/times"] button`)), says("Corrected."),
				says("2026-06-02 08:00 – 16:30"),
			},
		},
		{"its history", []step{click(within("span-2", `p a`)), see(`//td[.="Admin User"]`)}},
		{
			"a comment",
			[]step{
				click(within("span-1", `summary`)), set(within("span-1", `input[name=comment]`), "late train"),
				set(within("span-1", `form[action="/corrections/comment"] input[name=reason]`), "as agreed"),
				click(within("span-1", `form[action="/corrections/comment"] button`)), says("Corrected."),
				click(within("span-1", `summary`)), see(`input[value="late train"]`),
			},
		},
		{
			"a project",
			[]step{
				set(within("span-1", `input[name=code]`), "P-101"),
				set(within("span-1", `form[action="/corrections/project"] input[name=reason]`), "as agreed"),
				click(within("span-1", `form[action="/corrections/project"] button`)),
				says("Corrected."), click(within("span-1", `summary`)),
				see(within("span-1", `form[action="/corrections/project"] .hint`)),
			},
		},
		{
			"split",
			[]step{
				set(within("span-1", `input[name=at]`), "2026-06-01T12:00"),
				set(within("span-1", `form[action="/corrections/split"] input[name=reason]`), "as agreed"),
				click(within("span-1", `form[action="/corrections/split"] button`)),
				says("2026-06-01 08:00 – 12:00"), says("2026-06-01 12:00 – 17:00"),
			},
		},
		{
			"something that Zeitstrom refuses",
			[]step{
				set(within("span-2", `input[name=checkout]`), "2026-06-02T06:00"),
				set(within("span-2", `form[action="/corrections/times"] input[name=reason]`), "as agreed"),
				click(within("span-2", `form[action="/corrections/times"] button`)),
				says("Check-out must not be before check-in."),
			},
		},
	})
	accessible(ctx, t, axe, "/corrections")
	if broken, err := chromedp.Run(ctx,
		chromedp.Evaluate[int](`Array.from(document.images).filter(i => i.complete && i.naturalWidth == `+
			`0).length`)); err != nil || broken > 0 {
		t.Errorf("%d pictures are broken, %v", broken, err)
	}

	// What waits here and contradicts a correction is told.
	p.api.server.SetEmployees([]string{string(employeeOf(1))})
	p.tap(t, d, 0)
	devicetest.Eventually(t, func() error {
		if st := d.queue.Stats(); st.Quarantined != 1 {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})
	admin.post("/corrections/token", url.Values{"csrf": {csrf}, "token": {"good"}})
	if _, body := admin.post("/corrections/times",
		url.Values{
			"csrf": {csrf}, "id": {"span-2"}, "checkin": {"2026-06-02T08:15"}, "reason": {"late train"},
		}); !strings.Contains(body,
		"this clock has 1 booking of this employee that Zeitstrom does not have") {
		t.Errorf("with a booking in quarantine: %s", body)
	}
	want := []string{
		"paired: admin set", "times corrected", "comment set", "project assigned", "timespan split", "times corrected",
	}
	devicetest.Eventually(t, func() error { return journalSays(d, want...) })
}
