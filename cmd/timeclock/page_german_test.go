package main

import (
	"bytes"
	"fmt"
	"html"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/device/devicetest"
	"timeclock/reader/mfrc522/mfrc522test"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// english finds words that are English, and no German ones. Zeitstrom's own words are quoted, the
// clock's log and settings are shown as they are.
var (
	english = regexp.MustCompile(
		`(?i)\b(the|of|is|not|and|with|for|are|to|this|that|nobody|badge|employee|line|file)\b`)
	asTheyAre = regexp.MustCompile(`(?s)<pre.*?</pre>|<script.*?</script>|<svg.*?</svg>|<footer.*?</footer>|` +
		`<title.*?</title>|placeholder="[^"]*"|<h1>Import.*?</h1>`)
	markup = regexp.MustCompile(`<[^>]*>`)
)

// speaksGerman fails if a page has English in it, but for what is allowed to be.
func speaksGerman(t *testing.T, where, page string, allowed ...string) {
	t.Helper()
	text := html.UnescapeString(markup.ReplaceAllString(asTheyAre.ReplaceAllString(page, " "), " "))
	for _, a := range allowed {
		text = strings.ReplaceAll(text, a, "")
	}
	for _, at := range english.FindAllStringIndex(text, -1) {
		around := strings.Fields(text[max(0, at[0]-60):min(len(text), at[1]+60)])
		t.Errorf("%s: ...%s...", where, strings.Join(around, " "))
	}
}

// With whatever is the matter, a German page is German.
func TestPageIsGerman(t *testing.T) {
	t.Parallel()
	d, address, company, p := startCompany(t, 40, 20)
	choose(t, d, company)
	admin := visit(t, address)
	admin.pair(d.page.Code())
	csrf := admin.csrf()
	admin.post("/language/de", url.Values{"back": {"/"}})
	pages := []string{
		"/", "/in", "/in/roll", "/badges", "/badges?q=nobody+at+all", "/badges/give", "/badges/import", "/unclaimed",
		"/bookings", "/bookings?state=quarantined", "/days", "/hints", "/corrections", "/corrections?who=xyz",
		"/corrections?e=" + string(company.badges[forgetful].Employee.ID), "/device", "/data", "/data/council",
		"/data/person?e=" + string(company.badges[3].Employee.ID),
	}
	const theirs = `Invalid pk "` // Zeitstrom's words
	look := func(what string) {
		t.Helper()
		for _, path := range pages {
			_, page := admin.get(path)
			page = regexp.MustCompile(theirs+`[^<]*does not exist\.`).ReplaceAllString(html.UnescapeString(page), "")
			speaksGerman(t, what+" "+path, page)
		}
	}
	devicetest.Eventually(t, func() error {
		if st := d.queue.Stats(); st.Quarantined != 1 || st.Pending > 0 {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})
	look("all is well:")

	// What an admin does wrong.
	wrong := func(path string, form url.Values, says string) {
		t.Helper()
		form.Set("csrf", csrf)
		_, page := admin.post(path, form)
		if !strings.Contains(html.UnescapeString(page), says) {
			said := regexp.MustCompile(`(?s)role="alert">[^<]*`).FindString(page)
			t.Errorf("%s does not say %q: %s", path, says, said)
		}
		speaksGerman(t, path, page, `Invalid pk "`, "object does not exist", "Not found.")
	}
	hers, his := company.badges[0], company.badges[1]
	uid, id := hers.UID.Hex(), string(hers.Employee.ID)
	wrong("/badges/add", url.Values{"uid": {"08AABBCC"}, "who": {"1002"}}, "beginnt mit 08")
	wrong("/badges/add", url.Values{"uid": {"xx"}, "who": {"1002"}}, "Hex-Ziffern")
	wrong("/badges/add", url.Values{"uid": {uid}, "who": {"1002"}}, "gehört Anna Müller")
	wrong("/badges/add", url.Values{"uid": {uid}, "who": {""}}, "ein Feld des Formulars ist leer")
	wrong("/badges/add", url.Values{"uid": {badgeOf(9).Hex()}, "who": {"müller"}, "until": {"soon"}}, "ist kein Tag")
	wrong("/badges/add", url.Values{"uid": {badgeOf(9).Hex()}, "who": {"xyzzy"}}, "Kein Mitarbeiter heißt „xyzzy“")
	wrong("/badges/function", url.Values{"function": {"break"}, "uid": {uid}}, "ein Funktionsausweis gehört niemandem")
	wrong("/badges/function", url.Values{"function": {"project"}, "project": {"P-999"}, "uid": {badgeOf(98).Hex()}},
		"kein Projekt bei Zeitstrom hat den Code P-999: es gibt P-101")
	wrong("/badges/function", url.Values{"function": {"project"}, "uid": {badgeOf(98).Hex()}}, "ein Projekt hat einen Code")
	wrong("/badges/function/end", url.Values{"uid": {badgeOf(98).Hex()}}, "ist kein Funktionsausweis")
	wrong("/badges/add", url.Values{"uid": {demoFunctions[0].uid}, "who": {"1002"}}, "ist ein Funktionsausweis")
	wrong("/badges/remove", url.Values{"uid": {badgeOf(99).Hex()}}, "steht nicht in der Ausweisliste")
	wrong("/badges/undo", url.Values{}, "rückgängig")
	wrong("/badges/sync", url.Values{}, "0 nicht übernommen")
	wrong("/bookings/retry", url.Values{"punch": {"1"}}, "nichts erneut zu senden")
	wrong("/bookings/drop", url.Values{"punch": {"1"}, "reason": {"x"}}, "lässt sich nicht verwerfen")
	wrong("/bookings/drop", url.Values{"punch": {"1"}}, "bitte sagen, warum")
	wrong("/bookings/time", url.Values{"punch": {"1"}, "at": {"mittags"}}, "ist keine Zeit")
	wrong("/bookings/time", url.Values{"punch": {"1"}, "at": {"2026-03-29T02:30"}}, "gibt es in")
	wrong("/bookings/time", url.Values{"punch": {"1"}, "at": {"2026-03-29T04:30"}}, "ist sicher")
	wrong("/corrections/token", url.Values{"token": {"bad"}}, "nimmt das Token nicht an")
	wrong("/corrections/times", url.Values{"id": {"x"}, "checkin": {"2026-06-01T09:00"}, "reason": {"x"}}, "kennt")
	wrong("/corrections/add", url.Values{"employee": {id}, "checkin": {"2020-06-01T09:00"}, "reason": {"x"}},
		"kein Arbeitstag")
	wrong("/accounts/add", url.Values{"name": {"x"}, "password": {"short"}, "role": {"viewer"}}, "10 bis 200 Zeichen")
	wrong("/accounts/remove", url.Values{"name": {"admin"}}, "der letzte Verwalter")
	wrong("/badges/import/confirm", url.Values{}, "zehn Minuten")
	for list, says := range map[string]string{
		"%PDF-1.7\n": "das ist keine Ausweisliste",
		"":           "die Datei ist leer",
		"Kartennummer;Personalnummer\n01020304;77\nxx;1002": "nichts wurde eingelesen: 0 Zeilen gut, 2 zu verbessern",
		"Kartennummer;Nachname;Vorname\n01020304;X;Y\n":     "niemand bei Zeitstrom heißt Y X",
		"Kartennummer;Personalnummer\n2712847316;1001\n":    "die Ausweisnummern sind dezimal",
		"Kartennummer;employee_id\n01020304;17\n":           "ist keine Id eines Mitarbeiters",
		"Kartennummer;Personalnummer\n01020304;1001\n":      "Einlesen",
	} {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		form.WriteField("csrf", csrf)
		file, err := form.CreateFormFile("file", "liste.csv")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(file, list)
		form.Close()
		_, page := admin.read(admin.Post(address+"/badges/import", form.FormDataContentType(), &body))
		if !strings.Contains(html.UnescapeString(page), says) {
			t.Errorf("%q does not say %q: %s", list, says, page)
		}
		speaksGerman(t, list, page)
	}

	// What the journal says of somebody.
	theirBadge := company.badges[3]
	admin.post("/badges/block", url.Values{"csrf": {csrf}, "uid": {theirBadge.UID.Hex()}, "blocked": {"true"}})
	devicetest.Eventually(t, func() error { // the journal is written a moment later
		_, page := admin.get("/data/person?e=" + string(theirBadge.Employee.ID))
		if !strings.Contains(page, "Ausweis gesperrt") {
			return fmt.Errorf("the block is not on the person's page: %s", page)
		}
		return nil
	})

	// What may happen to a clock.
	p.api.server.Put(zeitstromtest.Timespan{
		ID: "now", Employee: string(his.Employee.ID), CheckIn: time.Now().Add(-time.Hour),
	})
	d.chip.SetBus(mfrc522test.Low)
	p.api.down()
	if _, err := d.queue.Append(device.Punch{Employee: hers.Employee.ID, Intent: device.CheckIn, Time: time.Now()},
		false); err != nil {
		t.Fatal(err)
	}
	devicetest.Eventually(t, func() error {
		if d.rooms.Reader.Health().Problem == "" || d.rooms.Uplink.Status().Problem == "" {
			return fmt.Errorf("%+v, %+v", d.rooms.Reader.Health(), d.rooms.Uplink.Status())
		}
		return nil
	})
	admin.post("/device/examine", url.Values{"csrf": {csrf}})
	look("reader and network are dead:")
	if err := os.WriteFile(rosterPath(p.cfg), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(rosterPath(p.cfg) + ".copy"); err != nil {
		t.Fatal(err)
	}
	d.rooms.Roster.Reload()
	admin.post("/device/examine", url.Values{"csrf": {csrf}})
	look("the badge map is damaged:")
	if status, page := admin.get("/"); status != http.StatusOK || !strings.Contains(page, "Ausweisliste") {
		t.Errorf("%d: %s", status, page)
	}
}
