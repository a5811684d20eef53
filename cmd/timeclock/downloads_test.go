package main

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/device/devicetest"

	"github.com/xuri/excelize/v2"
)

// An admin takes tables home, in the language of the page, and the journal says so. Nothing in them is
// a formula.
func TestDownloads(t *testing.T) {
	t.Parallel()
	d, address, company, _ := startCompany(t, 30, 20)
	if _, err := d.rooms.Roster.Add(device.Badge{
		UID: badgeOf(7), Employee: device.Employee{ID: employeeOf(7), Name: "=cmd|' /C calc'!A0"},
	}, false); err != nil {
		t.Fatal(err)
	}
	admin := visit(t, address)
	admin.pair(d.page.Code())
	csrf := admin.csrf()
	admin.post("/language/de", url.Values{"back": {"/"}})
	today := time.Now()
	kinds := map[string]string{
		"csv":  "text/csv; charset=utf-8",
		"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	}
	get := func(what, format string) string {
		t.Helper()
		resp, err := admin.PostForm(address+"/data/download", url.Values{
			"csrf": {csrf}, "what": {what}, "format": {format}, "from": {today.AddDate(0, 0, -8).Format(time.DateOnly)},
			"to": {today.Format(time.DateOnly)},
		})
		if err != nil {
			t.Fatal(err)
		}
		name, kind := resp.Header.Get("Content-Disposition"), resp.Header.Get("Content-Type")
		if !strings.Contains(name, "attachment; filename=\""+what+"-") || kind != kinds[format] {
			t.Errorf("%s is called %q and is %q", what, name, kind)
		}
		status, body := admin.read(resp, nil)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		return body
	}
	const zip = "PK\x03\x04" // at the very beginning: Excel takes nothing else for a workbook
	rows := func(text string) [][]string {
		t.Helper()
		in := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\uFEFF")))
		in.Comma = ';'
		all, err := in.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	badges := rows(get("badges", "csv"))
	heads := []string{"Nachname", "Vorname", "Personalnummer", "Ausweis"}
	if len(badges) != 1+20+4 || !slices.Equal(badges[0][:4], heads) {
		t.Errorf("%d badges: %q", len(badges), badges[0])
	}
	if n := len(slices.DeleteFunc(slices.Clone(badges[1:]), func(row []string) bool { return row[2] == "" })); n != 20 {
		t.Errorf("%d of the company's 20 have their personnel number: %q", n, badges)
	}
	if _, page := admin.get("/data/council"); !strings.Contains(page, "Unterwegs sind sie nicht verschlüsselt") {
		t.Errorf("bookings go to http://, and the works council's sheet does not say so: %s", page)
	}
	for _, row := range badges {
		if strings.HasPrefix(row[0], "=") || strings.HasPrefix(row[1], "=") {
			t.Errorf("a formula: %q", row)
		}
	}
	bookings := rows(get("bookings", "csv"))
	want := 1
	for _, p := range company.past {
		if year, month, day := today.AddDate(0, 0, -8).Date(); !p.Time.Before(time.Date(year, month, day, 0, 0, 0, 0,
			d.admin.Zone())) {
			want++
		}
	}
	newest := "Kommen"
	if company.past[len(company.past)-1].Intent == device.CheckOut {
		newest = "Gehen"
	}
	if len(bookings) != want || bookings[1][5] != newest {
		t.Errorf("%d bookings, want %d, the newest %s: %q", len(bookings), want, newest, bookings[1])
	}
	workbook := get("bookings", "xlsx")
	if !strings.HasPrefix(workbook, zip) {
		t.Errorf("the workbook begins with %q", workbook[:8])
	}
	book, err := excelize.OpenReader(strings.NewReader(workbook))
	if err != nil {
		t.Fatal(err)
	}
	if all, err := book.GetRows("Sheet1"); err != nil || len(all) != want || all[1][4] != bookings[1][4] {
		t.Errorf("%d rows in the workbook, %v", len(all), err)
	}
	if journal := rows(get("journal", "csv")); len(journal) < len(company.past) {
		t.Errorf("the journal has %d lines", len(journal))
	}
	if _, page := admin.post("/data/download", url.Values{
		"csrf": {csrf}, "what": {"bookings"}, "format": {"csv"}, "from": {"2026-02-02"}, "to": {"2026-01-01"},
	}); !strings.Contains(page, "der letzte Tag liegt vor dem ersten") ||
		!strings.Contains(page, `value="2026-02-02"`) {
		t.Errorf("a span that is none: %s", page)
	}

	// Everything about one, and nothing about others.
	hers := company.badges[0]
	_, page := admin.post("/data/person", url.Values{"csrf": {csrf}, "who": {"anna müller"}})
	if !strings.Contains(page, "Alles über eine Person") || !strings.Contains(page, hers.UID.Hex()) ||
		strings.Contains(page, company.badges[1].UID.Hex()) {
		t.Errorf("her page: %s", page)
	}
	_, text := admin.get("/data/person?format=csv&e=" + string(hers.Employee.ID))
	own := 0
	for _, p := range company.past {
		if p.Employee == hers.Employee.ID {
			own++
		}
	}
	if n := strings.Count(text, "Buchung;"); n != own {
		t.Errorf("she has %d bookings, want %d: %s", n, own, text)
	}
	devicetest.Eventually(t, func() error {
		return journalSays(d, "paired: admin set", "data downloaded", "data downloaded", "data downloaded",
			"data downloaded", "data downloaded", "data downloaded")
	})
	if n, err := d.queue.VerifyJournal(); err != nil || n == 0 {
		t.Error(fmt.Sprint(n, err))
	}
}
