package main

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/devicetest"
)

// startPage runs a clock that serves its page, and returns its address.
func startPage(t *testing.T, p *place) (d *daemon, address string) {
	t.Helper()
	p.cfg.Web.Listen = "127.0.0.1:0"
	d, _ = p.startOn(t, clock.System{},
		extras{tail: func() []string { return []string{"level=INFO msg=<b>started</b>"} }})
	devicetest.Eventually(t, func() error {
		if !d.rooms.Reader.Health().Healthy || !d.rooms.Uplink.Online() || d.page.Address() == "" {
			return errors.New("not ready")
		}
		return nil
	})
	return d, "https://" + d.page.Address()
}

const password = "correct horse 1"

// visitor is a browser without a window.
type visitor struct {
	t *testing.T
	http.Client
	address string
}

func visit(t *testing.T, address string) *visitor {
	t.Helper()
	return visitFrom(t, address, "127.0.0.1")
}

// visitFrom is a browser on another computer: on Linux all of 127.0.0.0/8 is this one.
func visitFrom(t *testing.T, address, computer string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(computer)}}
	return &visitor{t: t, address: address, Client: http.Client{
		Jar: jar,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
	}}
}

func (v *visitor) get(path string) (int, string) {
	v.t.Helper()
	resp, err := v.Get(v.address + path)
	return v.read(resp, err)
}

func (v *visitor) post(path string, form url.Values) (int, string) {
	v.t.Helper()
	resp, err := v.PostForm(v.address+path, form)
	return v.read(resp, err)
}

func (v *visitor) read(resp *http.Response, err error) (int, string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// csrf finds the token of the forms on a page.
func (v *visitor) csrf() string {
	v.t.Helper()
	_, page := v.get("/")
	found := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page)
	if found == nil {
		v.t.Fatalf("no form on %s", page)
	}
	return found[1]
}

func (v *visitor) pair(code string) (int, string) {
	v.t.Helper()
	return v.post("/pair", url.Values{"code": {code}, "name": {"admin"}, "password": {password}, "again": {password}})
}

// Nothing is answered without a session, and nothing is done without the session's
// own token, by whoever may only look, or from another site.
func TestPageIsClosed(t *testing.T) {
	p := newPlace(t)
	p.cfg.Display.Names = device.Initials
	d, address := startPage(t, p)
	stranger := visit(t, address)
	stranger.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	pages := []string{
		"/", "/in", "/in/roll", "/badges", "/badges/give", "/badges/import", "/badges/import/refused.csv",
		"/people?q=anna", "/data", "/data/person?e=" + string(employeeOf(0)), "/data/council", "/unclaimed",
		"/bookings", "/days", "/device", "/corrections", "/pictures/week.svg", "/display.png", "/pictures/day.svg",
		"/pictures/queue.svg", "/events", "/nothing", "/static/../device",
		"/%2e%2e/etc/passwd",
	}
	for _, path := range pages {
		status, body := stranger.get(path)
		if status/100 != 3 && status != http.StatusNotFound || strings.Contains(body, "Anna") {
			t.Errorf("a stranger gets %d from %s: %.80s", status, path, body)
		}
	}
	acts := []string{
		"/badges/add", "/badges/block", "/badges/remove", "/badges/enroll", "/badges/unenroll", "/badges/sync",
		"/badges/undo", "/badges/import", "/badges/import/confirm", "/badges/import/numbers", "/badges/import/forget",
		"/device/examine", "/data/download", "/data/person", "/data/erase", "/unclaimed/claim",
		"/bookings/retry", "/bookings/drop", "/bookings/time",
		"/corrections/token", "/corrections/times", "/corrections/split", "/corrections/comment",
		"/corrections/project", "/corrections/add", "/corrections/merge", "/corrections/delete",
		"/accounts/add", "/accounts/remove", "/logout",
	}
	for _, path := range acts {
		if status, _ := stranger.post(path, nil); status != http.StatusUnauthorized {
			t.Errorf("a stranger gets %d from POST %s", status, path)
		}
	}

	// Pairing: only with the code, once.
	if status, body := stranger.pair("0000 0000"); status != http.StatusForbidden ||
		!strings.Contains(body, "not the code") {
		t.Errorf("a wrong code: %d %.200s", status, body)
	}
	admin := visit(t, address)
	if status, body := admin.post("/pair",
		url.Values{
			"code": {d.page.Code()}, "name": {"admin"}, "password": {"short"}, "again": {"short"},
		}); status != http.StatusBadRequest || !strings.Contains(body, "10 to 200 characters") {
		t.Errorf("a short password: %d %.200s", status, body)
	}
	code := d.page.Code()
	if status, body := admin.pair(code); status != http.StatusOK || !strings.Contains(body, "Health") {
		t.Fatalf("pairing: %d %.300s", status, body)
	}
	if status, _ := stranger.pair(code); status != http.StatusForbidden || d.page.Code() != "" {
		t.Errorf("the code was taken twice: %d", status)
	}

	// While the display shows a code, only who stands before the clock sees it.
	d.rooms.Page.Pair()
	if status, _ := admin.get("/display.png"); status != http.StatusNotFound {
		t.Errorf("the picture of the display with a code on it: %d", status)
	}
	if status, _ := visit(t, address).pair(d.page.Code()); status != http.StatusOK {
		t.Errorf("pairing anew: %d", status)
	}
	admin = visit(t, address)
	admin.post("/login", url.Values{"name": {"admin"}, "password": {password}})

	// Without the token, or from another site, nothing is done.
	for _, path := range acts {
		if status, _ := admin.post(path,
			url.Values{
				"uid": {badgeOf(0).Hex()}, "blocked": {"true"}, "csrf": {"guessed"},
			}); status != http.StatusForbidden {
			t.Errorf("without the token POST %s is answered %d", path, status)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/badges/block",
		strings.NewReader(url.Values{"uid": {badgeOf(0).Hex()}, "blocked": {"true"}, "csrf": {admin.csrf()}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {"https://evil.example"},
		"Sec-Fetch-Site": {"cross-site"},
	}
	if status, _ := admin.read(admin.Do(req)); status != http.StatusForbidden {
		t.Errorf("from another site: %d", status)
	}
	if b, _ := d.rooms.Roster.Lookup(badgeOf(0)); b.Blocked {
		t.Error("a badge was blocked by a stranger")
	}

	// A viewer sees names as the display shows them, no whole UID, no settings, and
	// changes nothing.
	if status, body := admin.post("/accounts/add",
		url.Values{
			"csrf": {admin.csrf()}, "name": {"eve"}, "password": {password}, "role": {"viewer"},
		}); status != http.StatusOK || !strings.Contains(body, "eve can log in now") {
		t.Errorf("adding a viewer: %d %.300s", status, body)
	}
	viewer := visit(t, address)
	if status, body := viewer.post("/login",
		url.Values{"name": {"eve"}, "password": {password}}); status != http.StatusOK ||
		!strings.Contains(body, "Health") {
		t.Fatalf("a viewer logs in: %d %.300s", status, body)
	}
	for _, path := range []string{
		"/", "/in", "/badges", "/badges?q=" + badgeOf(0).Hex(), "/unclaimed", "/bookings", "/days", "/corrections",
		"/device", "/data/council",
	} {
		if status, body := viewer.get(path); status != http.StatusOK || strings.Contains(body, "Anna") ||
			strings.Contains(body, ">"+badgeOf(0).Hex()) || strings.Contains(body, "token_file") {
			t.Errorf("a viewer gets %d from %s: %s", status, path, body)
		}
	}
	for _, path := range []string{
		"/badges/give", "/badges/import", "/badges/import/refused.csv", "/people?q=a", "/data",
		"/data/person?e=" + string(employeeOf(0)),
	} {
		if status, body := viewer.get(path); status != http.StatusForbidden {
			t.Errorf("a viewer gets %d from %s: %s", status, path, body)
		}
	}
	token := viewer.csrf()
	for _, path := range acts[:len(acts)-1] {
		if status, _ := viewer.post(path,
			url.Values{
				"csrf": {token}, "uid": {badgeOf(0).Hex()}, "blocked": {"true"},
			}); status != http.StatusForbidden {
			t.Errorf("a viewer gets %d from POST %s", status, path)
		}
	}
	if status, _ := viewer.post("/logout", url.Values{"csrf": {token}}); status != http.StatusOK {
		t.Errorf("logging out: %d", status)
	}
	if _, body := viewer.get("/badges"); !strings.Contains(body, `action="/login"`) {
		t.Error("after logging out the badges still show")
	}
}

// Oversized and odd requests are refused; the headers and cookies are as tight as they can be.
func TestPageDefends(t *testing.T) {
	d, address := startPage(t, newPlace(t))
	admin := visit(t, address)
	admin.pair(d.page.Code())
	stranger := visitFrom(t, address, "127.0.0.66")
	if status, _ := stranger.post("/login",
		url.Values{"name": {"admin"}, "password": {strings.Repeat("x", 1<<20)}}); status == http.StatusOK {
		t.Errorf("a megabyte of password: %d", status)
	}
	if status, _ := stranger.get("/login?" +
		strings.Repeat("x", 64<<10)); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long address: %d", status)
	}
	resp, err := stranger.Get(address + "/login")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for header, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy":           "no-referrer",
		"Strict-Transport-Security": "max-age", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
		"Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := resp.Header.Get(header); !strings.Contains(got, want) || strings.Contains(got, "unsafe") {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	host, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(admin.Jar.Cookies(host)); n != 1 {
		t.Errorf("the admin has %d cookies", n)
	}
	resp, err = http.DefaultTransport.(*http.Transport).Clone().RoundTrip(&http.Request{
		Method: http.MethodGet, URL: &url.URL{Scheme: "http", Host: host.Host, Path: "/"},
	})
	if err == nil {
		if resp.Body.Close(); resp.StatusCode == http.StatusOK {
			t.Error("the page is served without TLS")
		}
	}

	// Somebody who sends a byte now and then does not keep others out.
	for range 200 {
		conn, err := net.Dial("tcp", host.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Write([]byte("\x16"))
	}
	if d.page.Problem() != "" {
		t.Errorf("with slow clients around: %s", d.page.Problem())
	}
}

// A time that the night of the change does not have, or has twice, is refused with
// what to do; so is none.
func TestPageRefusesTimes(t *testing.T) {
	p := newPlace(t)
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	p.cfg.Clock.Zone = zone
	d, address := startPage(t, p)
	admin := visit(t, address)
	admin.pair(d.page.Code())
	csrf := admin.csrf()
	for at, want := range map[string]string{
		"2026-03-29T02:30": "does not exist", "2026-10-25T02:30": "comes twice", "": "a field of the form is empty",
		"noon":             "is no time",
		"2026-11-22T08:00": "there is no punch 9",
	} {
		if _, body := admin.post("/bookings/time",
			url.Values{"csrf": {csrf}, "punch": {"9"}, "at": {at}}); !strings.Contains(body, want) {
			t.Errorf("%q is not refused with %q: %s", at, want, body)
		}
	}
}

// Names and cells are shown as text, whatever they hold; what is exported is no
// formula; nothing of a header comes back in one.
func TestPageShowsTextAsText(t *testing.T) {
	const evil = `<script>alert(1)</script>"'=cmd|x`
	d, address := startPage(t, newPlace(t))
	if _, err := d.rooms.Roster.Add(device.Badge{
		UID: badgeOf(7), Employee: device.Employee{ID: employeeOf(7), Name: evil},
	}, false); err != nil {
		t.Fatal(err)
	}
	(&place{}).tap(t, d, 7)
	admin := visit(t, address)
	admin.pair(d.page.Code())
	for _, path := range []string{
		"/", "/in", "/badges", "/bookings", "/device", "/badges?q=" + url.QueryEscape(evil), "/bookings?q=" +
			url.QueryEscape(evil),
	} {
		if _, body := admin.get(path); strings.Contains(body, "<script>alert") ||
			strings.Contains(body, "<b>started") || !strings.Contains(body, "<main") {
			t.Errorf("%s shows markup: %s", path, body)
		}
	}
	form := "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n" + admin.csrf() +
		"\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\r\nSet-Cookie: " +
		"b=c.csv\"\r\n\r\nuid,employee_id,name\r\n<img src=x onerror=alert(1)>,1," + evil + "\r\n--x--\r\n"
	resp, err := admin.Post(address+"/badges/import", "multipart/form-data; boundary=x", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); strings.Contains(string(body), "<img src=x") ||
		resp.Header.Get("Set-Cookie") != "" {
		t.Errorf("an import shows markup, or sets a header: %v %s", resp.Header, body)
	}
}
