package main

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"timeclock/device"
	"timeclock/reader/mfrc522/mfrc522test"
	"timeclock/sync/zeitstrom/zeitstromtest"

	"github.com/pelletier/go-toml/v2"
)

var (
	//go:embed demo.html
	demoHTML string
	//go:embed demo.toml
	demoTexts string

	demoPage  = template.Must(template.New("demo").Parse(demoHTML))
	demoWords = readDemoWords()
)

// readDemoWords reads what the demo's page says, by language.
func readDemoWords() map[string]map[string]string {
	words := map[string]map[string]string{}
	if err := toml.Unmarshal([]byte(demoTexts), &words); err != nil {
		panic(err) // it is part of the program
	}
	return words
}

// demoBadge is a badge on the demo's page.
type demoBadge struct {
	UID, Name, Kind string
}

// badges are those that can be held to the reader: a few of the company's, and nobody's.
func (d *demo) badges(words map[string]string) []demoBadge {
	var all []demoBadge
	for _, b := range d.company.badges[:atTheDoor] {
		all = append(all, demoBadge{b.UID.Hex(), b.Employee.Name, fmt.Sprintf(words["bytes"], b.UID.Size())})
	}
	for _, f := range demoFunctions {
		all = append(all, demoBadge{f.uid, words[f.word], words["function"]})
	}
	return append(all, demoBadge{"9C44E201", words["nobody"], words["unknown"]})
}

// demoFunctions are the demo's function badges, with the keys of what they are called.
var demoFunctions = []struct {
	uid, word string
	function  device.Function
}{
	{"5AF00001", "break", device.TakeBreak},
	{"5AF00002", "hours", device.ShowHours},
	{"5AF00003", "project", "project=P-101"},
}

var demoProject = zeitstromtest.Project{
	ID: "5e6f7a8b-9c0d-4e1f-8a2b-3c4d5e6f7a8b", Name: "Fit-out north", Code: "P-101",
}

// handler serves the device at /demo, and beside it the admin's page. Whoever types the bare address
// wants to see the device.
func (d *demo) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /demo", d.showPage)
	mux.HandleFunc("GET /demo/events", d.events)
	mux.HandleFunc("POST /demo/tap/{uid}", func(w http.ResponseWriter, r *http.Request) {
		uid, err := device.ParseUID(r.PathValue("uid"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		go d.tap(uid) // the page shows what becomes of it
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /demo/switch/{what}/{to}", d.change)
	mux.HandleFunc("POST /demo/language/{code}", d.changeLanguage)
	page := d.daemon.page.Sample()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Dest") == "document" && r.Header.Get("Referer") == "" {
			http.Redirect(w, r, "/demo", http.StatusSeeOther)
			return
		}
		page.ServeHTTP(w, r)
	})
	protected := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Another site's name that leads here is not this computer's.
		if host, err := url.Parse("http://" + r.Host); err != nil || !isLoopback(host.Hostname()) {
			http.Error(w, "the demo is on this computer only", http.StatusForbidden)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

// languageOf is the one that the reader has chosen, or the device's.
func (d *demo) languageOf(r *http.Request) string {
	if c, err := r.Cookie("language"); err == nil && demoWords[c.Value] != nil {
		return c.Value
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.language
}

func (d *demo) showPage(w http.ResponseWriter, r *http.Request) {
	code := d.languageOf(r)
	words := demoWords[code]
	keepLanguage(w, code) // for the admin's page, too
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	demoPage.Execute(w, struct {
		Language  string
		Languages map[string]map[string]string
		T         map[string]string
		Badges    []demoBadge
	}{code, demoWords, words, d.badges(words)})
}

// changeLanguage changes that of the device and of both pages.
func (d *demo) changeLanguage(w http.ResponseWriter, r *http.Request) {
	code := r.PathValue("code")
	if demoWords[code] == nil || d.speak(code) != nil {
		http.NotFound(w, r)
		return
	}
	keepLanguage(w, code)
	http.Redirect(w, r, "/demo", http.StatusSeeOther)
}

func keepLanguage(w http.ResponseWriter, code string) {
	http.SetCookie(w, &http.Cookie{
		Name: "language", Value: code, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// change breaks something, or mends it.
func (d *demo) change(w http.ResponseWriter, r *http.Request) {
	broken := r.PathValue("to") == "broken"
	if !broken && r.PathValue("to") != "fine" {
		http.NotFound(w, r)
		return
	}
	switch r.PathValue("what") {
	case "network":
		if broken {
			d.network.down()
		} else if err := d.network.up(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	case "reader":
		d.dead.Store(broken)
		bus := mfrc522test.BusOK
		if broken {
			bus = mfrc522test.Low
		}
		d.daemon.chip.SetBus(bus)
	default:
		http.NotFound(w, r)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// demoView is what the page shows.
type demoView struct {
	Picture   string // PNG as a data URL
	Says      string // the same in words
	Answer    answer // the last one
	Answering bool   // it shows still
	Network   bool
	Reader    bool
	Pending   int
	Received  []received // newest first
}

type received struct{ ID, Name, Intent, Time string }

func (d *demo) view() demoView {
	s, now := d.daemon.admin.Glance(), time.Now()
	zone := d.daemon.admin.Zone()
	d.mu.Lock()
	v := demoView{
		Picture: "data:image/png;base64," + base64.StdEncoding.EncodeToString(d.picture),
		Says:    now.In(zone).Format("15:04"), Answer: d.answer, Network: d.network.isUp(), Reader: !d.dead.Load(),
		Pending: s.Pending,
	}
	if now.Before(d.answer.until) {
		v.Says, v.Answering = d.answer.Says, true
	}
	d.mu.Unlock()
	employees := d.daemon.rooms.Roster.Employees()
	all := d.zeitstrom.Timestamps()
	slices.SortStableFunc(all, func(a, b zeitstromtest.Timestamp) int { return a.Time.Compare(b.Time) })
	for i, t := range slices.Backward(all[max(0, len(all)-10):]) {
		v.Received = append(v.Received, received{
			ID: fmt.Sprint(i), Name: employees[device.EmployeeID(t.Employee)].Name, Intent: t.Intent,
			Time: t.Time.In(zone).Format("02.01. 15:04"),
		})
	}
	return v
}

// events streams the view whenever it changes, as server-sent events.
func (d *demo) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	var last []byte
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		now, err := json.Marshal(d.view())
		if err != nil {
			return
		}
		if !bytes.Equal(now, last) {
			last = now
			if _, err := fmt.Fprintf(w, "data: %s\n\n", now); err != nil {
				return
			}
			http.NewResponseController(w).Flush()
		}
		select {
		case <-r.Context().Done():
			return
		case <-look.C:
		}
	}
}
