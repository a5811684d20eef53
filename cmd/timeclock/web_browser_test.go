package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"timeclock/device"
	"timeclock/device/devicetest"

	"github.com/chromedp/chromedp"
)

// An admin does with the page what admins do, in a real browser.
func TestPageInBrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	axe := axeCore(t)
	p := newPlace(t)
	d, address := startPage(t, p)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const header = "Ausweis;Mitarbeiter-ID;Name\n"
	bad := write("bad.csv", header+"01020304;nobody;Ben\n")
	good := write("good.csv", header+"01020304;"+string(employeeOf(11))+";Ben Öztürk\n0A0B0C0D;"+string(employeeOf(12))+
		";Cem Kaya\n")
	p.api.server.SetEmployees([]string{string(employeeOf(0)), string(employeeOf(11)), string(employeeOf(13))})
	bring := func(hex string) step {
		return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			uid, err := device.ParseUID(hex)
			if err == nil {
				_, err = d.rooms.Bring(ctx, uid)
			}
			return err
		})
	}
	click, see := chromedp.Click[string], visible
	keys, set := chromedp.SendKeys[string], chromedp.SetValue[string]
	open := func(path string) step { return visiting(address + path) }
	code := d.page.Code()
	play(ctx, t, []deed{
		{"the first visit asks for the code on the display", []step{open("/"), see(`input[name=code]`)}},
		{
			"a wrong code",
			[]step{
				keys(`input[name=code]`, "1234 5678"), keys(`input[name=password]`, password),
				keys(`input[name=again]`, password), click(`button.main`), says("not the code on the display"),
			},
		},
		{
			"the right one",
			[]step{
				keys(`input[name=code]`, code), keys(`input[name=password]`, password),
				keys(`input[name=again]`, password), click(`button.main`), says("Last bookings"),
			},
		},
		{
			"out and in again",
			[]step{
				click(`header form button`), keys(`input[name=name]`, "admin"), keys(`input[name=password]`, password),
				click(`button.main`), says("Last bookings"),
			},
		},
		{"somebody taps, and the page shows it by itself", []step{bring(badgeOf(0).Hex()), see(`//td[.="Anna"]`)}},
		{
			"an import with an error",
			[]step{
				open("/badges"), chromedp.SetUploadFiles(`input[type=file]`, []string{bad}),
				click(`button[value=import]`), says("is not a UUID"), says("nothing imported"),
			},
		},
		{
			"a look",
			[]step{
				open("/badges"), chromedp.SetUploadFiles(`input[type=file]`, []string{good}),
				click(`button[value=look]`), says("What would become of it"), says("2 added"),
			},
		},
		{
			"the import",
			[]step{
				open("/badges"), chromedp.SetUploadFiles(`input[type=file]`, []string{good}),
				click(`button[value=import]`), says("Imported"), says("2 added"),
			},
		},
		{"a file as the whole truth, which would remove a badge", []step{
			open("/badges"), chromedp.SetUploadFiles(`input[type=file]`, []string{good}), click(`input[name=replace]`),
			click(`button[value=import]`),
			says("would be removed"), says("What would become of it"),
		}},
		{"a badge for a new employee, at the reader", []step{
			open("/badges"), set(`#enrollment input[name=employee]`, string(employeeOf(13))),
			set(`#enrollment input[name=name]`, "Dana Lang"), click(`#enrollment button.main`),
			says("Hold the new badge for Dana Lang"), bring("0E0E0E0E"),
			says("Badge 0E0E0E0E belongs to Dana Lang now."),
		}},
		{
			"a lost badge is blocked",
			[]step{
				open("/badges?q=Ben"), click(`button[aria-label="Block 01020304"]`),
				says("Done: badge 01020304 of Ben Öztürk"), see(`button[aria-label="Unblock 01020304"]`),
			},
		},
		{"an unknown badge is given to somebody", []step{
			bring("0F0F0F0F"), open("/unclaimed"), says("0F0F0F0F"),
			set(`input[name=employee]`, string(employeeOf(11))), set(`input[name=name]`, "Ben Öztürk"),
			click(`button.main`),
			says("Bookings made: 1, for Ben Öztürk"),
		}},
		{"a booking that Zeitstrom refuses", []step{bring("0A0B0C0D"), says("There are none.")}},
	})
	var refused device.Entry
	devicetest.Eventually(t, func() error {
		list, err := d.queue.Undelivered()
		if err != nil || len(list) != 1 || list[0].State != device.Quarantined {
			return fmt.Errorf("%+v, %w", list, err)
		}
		refused = list[0]
		return nil
	})
	p.api.server.SetEmployees(nil)
	play(ctx, t, []deed{
		{
			"sent again",
			[]step{
				open("/bookings?state=quarantined"), says("object does not exist"),
				click(fmt.Sprintf(`button[aria-label="Send again %d"]`, refused.ID)),
				says(fmt.Sprintf("Booking %d is sent again.", refused.ID)),
			},
		},
		{"an examination", []step{open("/device"), click(`#examination a`), says("may read timespans and employees")}},
		{
			"the roll-call",
			[]step{open("/in?roll=1&ask=1"), says("3 are in"), see(`td.tick`), says("Zeitstrom was asked")},
		},
		{"in German", []step{click(`footer button[lang=de]`), says("Letzte Buchungen")}},
	})
	devicetest.Eventually(t, func() error {
		if st := d.queue.Stats(); st.Pending+st.Quarantined > 0 {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})

	speak := func(language string) {
		play(ctx, t, []deed{
			{
				"in " + language,
				[]step{click(`footer button[lang=` + language + `]`), see(`html[lang=` + language + `]`)},
			},
		})
	}
	for _, language := range []string{"en", "de"} {
		speak(language)
		for _, path := range []string{
			"/", "/in", "/in?roll=1", "/badges", "/unclaimed", "/bookings", "/days", "/device",
		} {
			play(ctx, t, []deed{{language + " " + path, []step{open(path), see("h1")}}})
			accessible(ctx, t, axe, path)
		}
	}
	speak("en")
	if *takePictures {
		for name, path := range map[string]string{"page-now.png": "/", "page-badges.png": "/badges"} {
			play(ctx, t, []deed{{name, []step{chromedp.EmulateViewport(1160, 900), open(path), see("h1")}}})
			takePicture(ctx, t, name)
		}
	}
	// On a phone nothing is wider than the screen.
	for _, path := range []string{"/", "/badges", "/bookings", "/device"} {
		play(ctx, t, []deed{{path + " on a phone", []step{chromedp.EmulateViewport(360, 740), open(path), see("h1")}}})
		if wide, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth`)); err != nil ||
			wide > 360 {
			t.Errorf("%s is %d pixels wide on a phone, %v", path, wide, err)
		}
	}
	play(ctx, t, []deed{{"logging out", []step{open("/"), click(`header form button`), see(`input[name=password]`)}}})
	accessible(ctx, t, axe, "/login")

	devicetest.Eventually(t, func() error {
		return journalSays(d, "paired: admin set", "badges imported", "badge enrolled", "badge blocked", "badge added",
			"claimed", "taps claimed", "released")
	})
}
