package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/device/devicetest"
	"timeclock/sync/zeitstrom/zeitstromtest"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdpnetwork "github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/xuri/excelize/v2"
)

// startCompany runs the clock of a company of n people, of whom so many have badges, with two weeks
// of their bookings, and its page.
func startCompany(t *testing.T, n, withBadges int) (d *daemon, address string, company *sample, p *place) {
	t.Helper()
	p = newPlace(t)
	company = newSample(n, withBadges, time.Now())
	p.api.server.SetPeople(company.people)
	p.api.server.SetEmployees(append(company.known(), string(employeeOf(0))))
	var err error
	if p.cfg.Clock.Zone, err = time.LoadLocation(sampleZone); err != nil {
		t.Fatal(err)
	}
	p.cfg.Door.Name, p.cfg.Door.Company = sampleDoor, sampleCompany
	p.cfg.Zeitstrom.AdminTokenFile = p.cfg.Zeitstrom.TokenFile
	p.cfg.Terminal.Hints = "de"
	p.api.server.SetProjects([]zeitstromtest.Project{demoProject})
	d, address = startPage(t, p)
	if err := company.fill(d); err != nil {
		t.Fatal(err)
	}
	return d, address, company, p
}

// choose makes bookings of the company's last employee for which something was chosen.
func choose(t *testing.T, d *daemon, company *sample) {
	t.Helper()
	e := company.badges[len(company.badges)-2].Employee.ID
	at := time.Now().Add(-4 * time.Hour)
	for i, detail := range []device.Detail{
		{Function: "project=P-101", Project: "P-101", Hints: device.ShortRest},
		{Function: device.TakeBreak, Project: "P-101", Hints: device.SixAtOnce},
		{Function: "project=P-999", Project: "P-999"},
		{Hints: device.TenHours | device.Break45 | device.Break30},
	} {
		p := device.Punch{
			Employee: e, Intent: []device.Intent{device.CheckIn, device.CheckOut}[i%2],
			Time: at.Add(time.Duration(i) * time.Hour), Detail: detail,
		}
		if _, err := d.queue.Append(p, false); err != nil {
			t.Fatal(err)
		}
	}
}

// look is how a page is looked at.
type look struct {
	width, height    int64
	scheme, language string
}

// allLooks are how pages are looked at: each size with each language, on which the layout hangs, and each
// size with each scheme, on which the colours hang.
var allLooks = []look{
	{1280, 900, "light", "en"}, {1280, 900, "dark", "de"}, {360, 780, "light", "de"}, {360, 780, "dark", "en"},
}

// looking has the browser look so.
func looking(address string, l look) []step {
	return []step{
		chromedp.EmulateViewport(l.width, l.height),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
			})
			return err
		}),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, cdpnetwork.SetCookie, cdpnetwork.SetCookieParams{
				Name: "language", Value: l.language, URL: address,
			})
			return err
		}),
	}
}

// layoutFaults finds what is wrong with how a page is laid out: what is wider than the window, what is cut off, what a
// finger misses on a phone, and a navigation that takes more than a line.
const layoutFaults = `(() => {
  const faults = [], phone = innerWidth < 700;
  const touched = "button, .button, select, summary, nav a, label.check, " +
    "input:not([type=checkbox]):not([type=radio])";
  const name = e => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 40);
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) { faults.push("the page is " + wide + " pixels wide"); }
  for (const e of document.querySelectorAll("body *")) {
    const box = e.getBoundingClientRect();
    if (!box.width || !box.height || e.closest(".skip, pre, thead, svg, option")) { continue; }
    if (box.right > innerWidth + 1) { faults.push("beyond the edge: " + name(e)); }
    const style = getComputedStyle(e);
    const hides = style.overflowX === "hidden" && style.textOverflow !== "ellipsis" && !e.matches("input, select");
    if (hides && e.scrollWidth > e.clientWidth + 1) { faults.push("cut off: " + name(e)); }
    if (phone && e.matches(touched) && box.height < 43.5) { faults.push(box.height + " pixels high: " + name(e)); }
  }
  const tabs = [...document.querySelectorAll(".tabs a")].map(a => a.getBoundingClientRect());
  if (tabs.some(b => Math.abs(b.top - tabs[0].top) > 2)) { faults.push("the navigation has several lines"); }
  const header = document.querySelector("header").getBoundingClientRect();
  if (header.height > 70) { faults.push("the header is " + header.height + " pixels high"); }
  const tight = s => s.scrollWidth > s.parentElement.clientWidth + 1;
  const texts = [...document.querySelectorAll(".tabs a span")].filter(tight);
  if (texts.length) { faults.push("tabs without room for their names: " + texts.map(name)); }
  return JSON.stringify(faults);
})()`

// Every page, as people see it: large and small, by day and night, in both languages, in a company of
// 300. Nothing is cut off, nothing is too small, and everybody can use it.
func TestPageWalk(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	axe := axeCore(t)
	d, address, company, p := startCompany(t, 300, 280)
	choose(t, d, company)
	p.tap(t, d, 0)
	if _, err := d.rooms.Bring(t.Context(), badgeOf(77)); err != nil {
		t.Fatal(err)
	}
	devicetest.Eventually(t, func() error {
		if st := d.queue.Stats(); st.Pending > 0 || st.Quarantined != 1 {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})
	forgot := company.badges[forgetful].Employee.ID
	list := filepath.Join(t.TempDir(), "list.csv")
	const lines = "Kartennummer;Personalnummer\n04112233;1001\n04112234;9999\n"
	if err := os.WriteFile(list, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	pages := []string{
		"/", "/in", "/in/roll", "/badges", "/badges?q=muller&sort=badge", "/badges/give", "/badges/import",
		"/unclaimed", "/bookings", "/bookings?state=quarantined", "/days", "/hints", "/corrections",
		"/corrections?who=anna",
		"/corrections?e=" + string(forgot), "/device", "/data", "/data/council", "/data/person?e=" + string(forgot),
	}
	click := chromedp.Click[string]
	play(ctx, t, []deed{
		becomingAdmin(address, d.page.Code()),
		{"choose a list", []step{
			visiting(address + "/badges/import"), chromedp.SetUploadFiles(`input[type=file]`, []string{list}),
			click(`main button.main`), visible("#report"),
		}},
	})
	for _, l := range allLooks {
		play(ctx, t, []deed{{fmt.Sprint(l), looking(address, l)}})
		for _, page := range pages {
			where := fmt.Sprint(l, " ", page)
			play(ctx, t, []deed{{where, []step{visiting(address + page), visible("h1")}}})
			accessible(ctx, t, axe, where)
			found, err := chromedp.Run(ctx, chromedp.Evaluate[string](layoutFaults))
			at, atErr := chromedp.Run(ctx, chromedp.Evaluate[string](
				`document.documentElement.lang + " " + location.pathname + location.search`))
			if at != l.language+" "+page || atErr != nil {
				t.Errorf("%s: the browser shows %s, %v", where, at, atErr)
			}
			var faults []string
			if err := json.Unmarshal([]byte(found), &faults); err != nil {
				t.Fatal(where, err)
			}
			if err != nil || len(faults) > 0 {
				t.Errorf("%s: %v\n%s", where, err, strings.Join(faults, "\n"))
			}
			if *takePictures && l == allLooks[0] && (page == "/" || page == "/badges") {
				takePicture(ctx, t, map[string]string{"/": "page-now.png", "/badges": "page-badges.png"}[page])
			}
		}
	}
}

// A box of badges and a personnel list from Excel: five clicks from an empty clock to 300 badges that
// book, by somebody who has never heard of a UUID.
func TestThreeHundredBadges(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	p := newPlace(t)
	company := newSample(300, 1, time.Now())
	p.api.server.SetPeople(company.people)
	d, address := startPage(t, p)
	list := filepath.Join(t.TempDir(), "Personalliste.xlsx")
	book := excelize.NewFile()
	rows := [][]any{{"Personal-Nr.", "Nachname", "Vorname", "Abteilung", "Kartennummer"}}
	for i, person := range company.people {
		rows = append(rows, []any{1001 + i, person.LastName, person.FirstName, "Lager", sampleBadge(i).Hex()})
	}
	for i, row := range rows {
		if err := book.SetSheetRow("Sheet1", fmt.Sprint("A", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	if err := book.SaveAs(list); err != nil {
		t.Fatal(err)
	}
	play(ctx, t, []deed{becomingAdmin(address, d.page.Code())})
	clicks := 0
	click := func(selector string) step {
		clicks++
		return chromedp.Click[string](selector)
	}
	choose := func(file string) step {
		clicks++ // that opens the browser's own window
		return chromedp.SetUploadFiles(`input[type=file]`, []string{file})
	}
	play(ctx, t, []deed{
		{"to the badges", []step{click(`.tabs a[href="/badges"]`), visible(`.section`)}},
		{"to the import", []step{click(`.section a[href="/badges/import"]`), visible(`input[type=file]`)}},
		{"choose the list", []step{choose(list)}},
		{"see what would become of it", []step{
			click(`main button.main`), says("What would become of it: Personalliste.xlsx"),
		}},
		{"import it", []step{
			click(`form[action="/badges/import/confirm"] button`),
			says("Imported: 300 added, 0 changed, 0 as they were, 0 removed"),
		}},
	})
	if clicks > 5 {
		t.Errorf("it took %d clicks", clicks)
	}
	for i, person := range company.people {
		b, known := d.rooms.Roster.Lookup(sampleBadge(i))
		if !known || string(b.Employee.ID) != person.ID || b.Employee.Number != person.Number {
			t.Fatalf("badge %d is %+v, of %+v", i, b, person)
		}
	}
}

// Without JavaScript a name that fits several is a question, with the form as it was.
func TestPickerWithoutScript(t *testing.T) {
	d, address, _, p := startCompany(t, 60, 3)
	p.api.server.SetPeople(append([]zeitstromtest.Employee{
		{ID: string(employeeOf(41)), FirstName: "Anna", LastName: "Schmidt", Number: "0815"},
		{ID: string(employeeOf(42)), FirstName: "Anna", LastName: "Schmidt", Number: "0816"},
		{ID: string(employeeOf(43)), FirstName: "Anna", LastName: "Schmidt", Number: "0817", Archived: true},
	}, newSample(60, 3, time.Now()).people...))
	admin := visit(t, address)
	admin.pair(d.page.Code())
	form := url.Values{
		"csrf": {admin.csrf()}, "uid": {badgeOf(80).Hex()}, "who": {"anna schmidt"}, "until": {"2027-12-31"},
	}
	status, page := admin.post("/badges/add", form)
	choice := regexp.MustCompile(`<input type="radio" name="choice" value="([^"]+)"> <span>([^<]+)`)
	radios := choice.FindAllStringSubmatch(page, -1)
	if status != http.StatusOK || len(radios) != 2 || radios[0][2] != "Schmidt, Anna · 0815" ||
		!strings.Contains(page, `value="2027-12-31"`) || !strings.Contains(page, `value="anna schmidt"`) {
		t.Fatalf("%d %q: %s", status, radios, page)
	}
	form.Set("choice", radios[1][1])
	form.Set("asked", "anna schmidt")
	form.Set("who", "0815") // who types somebody else has not chosen that one
	if _, page = admin.post("/badges/add", form); !strings.Contains(page, "belongs to Anna Schmidt (added)") {
		t.Errorf("other words: %s", page)
	}
	if b, _ := d.rooms.Roster.Lookup(badgeOf(80)); b.Employee.ID != employeeOf(41) {
		t.Errorf("%+v", b)
	}
	form.Set("uid", badgeOf(81).Hex())
	form.Set("who", "anna schmidt")
	if _, page = admin.post("/badges/add", form); !strings.Contains(page, "belongs to Anna Schmidt (added)") {
		t.Errorf("after the choice: %s", page)
	}
	if b, _ := d.rooms.Roster.Lookup(badgeOf(81)); b.Employee.ID != employeeOf(42) || b.Until != "2027-12-31" {
		t.Errorf("%+v", b)
	}
	if _, page = admin.get("/people?q=schmidt"); strings.Contains(page, "0817") || !strings.Contains(page, "0815") {
		t.Errorf("somebody who has left is offered: %s", page)
	}
}

// Sixty people who are in are one sheet of A4, each on it with a box to tick.
func TestRollCallIsOneSheet(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	p := newPlace(t)
	company := newSample(60, 60, time.Now())
	company.past = nil
	for _, b := range company.badges {
		company.past = append(company.past, device.Punch{
			Employee: b.Employee.ID, Intent: device.CheckIn, Time: time.Now().Add(-time.Hour),
		})
	}
	p.cfg.Door.Name, p.cfg.Door.Company = sampleDoor, sampleCompany
	d, address := startPage(t, p)
	if err := company.fill(d); err != nil {
		t.Fatal(err)
	}
	play(ctx, t, []deed{
		becomingAdmin(address, d.page.Code()),
		{"the roll-call", []step{visiting(address + "/in/roll"), visible(`.sheet`)}},
	})
	n, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll(".roll li .box").length`))
	if err != nil || n != 60 {
		t.Errorf("%d boxes, %v", n, err)
	}
	sheet, err := chromedp.Run(ctx, chromedp.PrintToPDF(func(p *page.PrintToPDFParams) {
		p.PreferCSSPageSize = new(true)
	}))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(sheet, -1)); n != 1 {
		t.Errorf("it takes %d pages", n)
	}
	if *takePictures {
		takePicture(ctx, t, "page-roll.png")
	}
}
