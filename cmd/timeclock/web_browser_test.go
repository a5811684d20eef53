package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"timeclock/device"
	"timeclock/device/devicetest"
	"timeclock/sync/zeitstrom/zeitstromtest"

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
	p.api.server.SetPeople([]zeitstromtest.Employee{{ID: string(employeeOf(13)), FirstName: "Dana", LastName: "Lang"}})
	p.api.server.SetProjects([]zeitstromtest.Project{demoProject})
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
				open("/badges/import"), chromedp.SetUploadFiles(`input[type=file]`, []string{bad}),
				click(`main button.main`), says("is not a UUID"),
				says("nothing was imported: 0 lines are fine, 1 must be mended"),
				see(`a[href="/badges/import/refused.csv"]`),
			},
		},
		{
			"another file: a look",
			[]step{
				click(`form[action="/badges/import/forget"] button`), see(`input[type=file]`),
				chromedp.SetUploadFiles(`input[type=file]`, []string{good}),
				click(`main button.main`), says("What would become of it: good.csv"),
				see(`//td[contains(., "Öztürk, Ben")]`),
				see(`//label[contains(., "also remove 3 badges that are not in the list")]`),
			},
		},
		{"the import", []step{
			click(`form[action="/badges/import/confirm"] button`),
			says("Imported: 2 added, 0 changed, 0 as they were, 0 removed"),
		}},
		{"a badge for a new employee, at the reader", []step{
			open("/badges/give"), keys(`#enrollment input[name=who]`, "lang"),
			click(`//li[@role="option"][contains(., "Lang, Dana")]`), click(`#enrollment button.main`),
			says("Hold the new badge for Dana Lang"), bring("0E0E0E0E"),
			says("Badge 0E0E0E0E belongs to Dana Lang now."),
		}},
		{"a function badge, by its number", []step{
			open("/badges"), set(`#functions select`, "project"), keys(`#functions input[name=project]`, "P-999"),
			keys(`#functions input[name=uid]`, "F0000001"), click(`#functions button.main`),
			says("no project at Zeitstrom has the code P-999: there are P-101"),
			see(`#functions input[name=uid][value="F0000001"]`), set(`#functions input[name=project]`, "P-101"),
			click(`#functions button.main`), says("Badge F0000001 is a function badge now: project Fit-out north (P-101)"),
			see(`#functions button[aria-label="Remove F0000001"]`),
		}},
		{"another one, at the reader", []step{
			set(`#functions select`, "break"), click(`#functions button[formaction]`),
			says("Hold the new badge for break to the reader"), bring("F0000002"),
			says("Badge F0000002 is a function badge now: break"),
		}},
		{"used at the door, and seen on the page", []step{
			open("/"), bring("F0000001"), bring("0E0E0E0E"), see(`//td[contains(., "Fit-out north (P-101)")]`),
		}},
		{"and an ordinary badge again", []step{
			open("/badges"), click(`#functions button[aria-label="Remove F0000002"]`),
			says("Badge F0000002 is an ordinary badge again."),
		}},
		{
			"a lost badge is blocked",
			[]step{
				open("/badges?q=Ben"), click(`button[aria-label="Block 01020304"]`),
				says("Blocked: badge 01020304 of Ben Öztürk"), see(`button[aria-label="Unblock 01020304"]`),
			},
		},
		{"one that was removed by mistake", []step{
			click(`button[aria-label="Remove 01020304"]`), says("Removed: badge 01020304"),
			click(`form[action="/badges/undo"] button`), says("Put back: badge 01020304"), open("/badges?q=ozturk"),
			see(`button[aria-label="Unblock 01020304"]`),
		}},
		{"an unknown badge is given to somebody", []step{
			bring("0F0F0F0F"), open("/unclaimed"), says("0F0F0F0F"),
			keys(`input[name=who]`, "nobody at all"), click(`main button.main`),
			says("No employee is called “nobody at all”"), see(`input[name=who][value="nobody at all"]`),
			set(`input[name=who]`, "ozturk"), click(`main button.main`), says("1 booking made for Ben Öztürk"),
		}},
		{"a booking that Zeitstrom refuses", []step{bring("0A0B0C0D"), says("There are none: every badge")}},
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
		{"an examination", []step{
			open("/device"), click(`#examination button`), says("may read timespans and employees"),
		}},
		{"the roll-call", []step{
			open("/in"), click(`a[href="/in/roll"]`), see(`.roll .box`), says("Zeitstrom was asked"),
		}},
		{"in German, on the same page", []step{click(`footer button[lang=de]`), see(`//h1[.="Anwesenheitsliste"]`)}},
	})
	devicetest.Eventually(t, func() error {
		if st := d.queue.Stats(); st.Pending+st.Quarantined > 0 {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})

	play(ctx, t, []deed{{"logging out", []step{open("/"), click(`header form button`), see(`input[name=password]`)}}})
	accessible(ctx, t, axe, "/login")

	devicetest.Eventually(t, func() error {
		return journalSays(d, "paired: admin set", "badges imported", "badge enrolled", "function badge",
			"function badge", "function badge removed", "badge blocked", "badge removed", "badge added", "badge added",
			"claimed", "taps claimed", "released")
	})
}
