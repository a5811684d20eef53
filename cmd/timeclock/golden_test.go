package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/device/devicetest"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// What scripts read stays as it is, to the byte. The state is one that version 0.9 has written:
// testdata/golden/queue.db.gz has a booking in each state, and what can happen to one.

// restored puts that state into a place.
func restored(t *testing.T, p *place) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "golden", "queue.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(zipped)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.cfg.StateDir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(queuePath(p.cfg), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// calls runs a command on a place, and returns what it prints.
func (p *place) calls(t *testing.T, args ...string) string {
	t.Helper()
	settings := filepath.Join(filepath.Dir(p.cfg.Zeitstrom.TokenFile), "timeclock.toml")
	text := fmt.Sprintf("state_dir = %q\nzeitstrom = { url = %q, token_file = %q }\n[clock]\nzone = \"UTC\"\n",
		p.cfg.StateDir, p.cfg.Zeitstrom.URL, p.cfg.Zeitstrom.TokenFile)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, err := child(t.Context(), append(args, "-config", settings)...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return string(out)
}

// moments are what differs from run to run: instants of today, counts of a simulated reader's
// work, and the version.
var moments = regexp.MustCompile(`"(version|retry|last_read|asked|answered|address|time|text)":("[^"]*"|\d+)`)

// golden compares what scripts read with what they read before.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *takePictures {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is\n%s\nand was\n%s", name, got, want)
	}
}

func TestWhatScriptsRead(t *testing.T) {
	p := newPlace(t)
	restored(t, p)
	p.api.down()
	p.cfg.Zeitstrom.URL = "http://127.0.0.1:1" + zeitstromtest.Base // nobody listens there
	d, address := monitored(t, p)
	for n, name := range []string{"Anna Müller", "Jörg Weiß", ""} {
		if _, err := d.rooms.Roster.Add(device.Badge{
			UID: badgeOf(n), Employee: device.Employee{ID: employeeOf(n), Name: name},
		}, false); err != nil {
			t.Fatal(err)
		}
	}
	devicetest.Eventually(t, func() error {
		if s := d.status(t); s.Uplink.Problem == "" || !s.Reader.Healthy || s.Uplink.Retry == nil {
			return fmt.Errorf("%+v", s.Uplink)
		}
		return nil
	})
	golden(t, "list.json", p.calls(t, "queue", "list", "-json"))
	golden(t, "list-all.json", p.calls(t, "queue", "list", "-json", "-all"))
	golden(t, "show.json", p.calls(t, "queue", "show", "-json", "20"))
	golden(t, "export.csv", p.calls(t, "queue", "export"))
	golden(t, "export.jsonl", p.calls(t, "queue", "export", "-format", "jsonl"))
	golden(t, "verify.txt", p.calls(t, "queue", "verify"))
	golden(t, "badges.json", p.calls(t, "badge", "list", "-json"))
	golden(t, "unclaimed.json", p.calls(t, "badge", "unclaimed", "-json"))
	golden(t, "status.json", moments.ReplaceAllString(p.calls(t, "status", "-json"), `"$1":…`))
	golden(t, "tap.json", moments.ReplaceAllString(p.calls(t, "tap", "-json", badgeOf(2).Hex()), `"$1":…`))
	_, metrics := fetch(t, address+"/metrics")
	golden(t, "metrics.txt", steady(metrics))
}

// steady leaves out of metrics what differs from run to run.
func steady(metrics string) string {
	var out strings.Builder
	changes := regexp.MustCompile(`(seconds|bytes|_bucket|_info|_findings|unreachable).* \S+$`)
	for line := range strings.Lines(metrics) {
		if name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "); !strings.HasPrefix(name,
			"timeclock_") {
			continue
		}
		if !strings.HasPrefix(line, "#") && changes.MatchString(strings.TrimSpace(line)) {
			line, _, _ = strings.Cut(line, " ")
			line = regexp.MustCompile(`version="[^"]*"`).ReplaceAllString(line, `version="…"`) + " …\n"
		}
		out.WriteString(line)
	}
	return out.String()
}

func TestWhatScriptsReadOfTimespans(t *testing.T) {
	p := newPlace(t)
	monday := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for i, span := range []zeitstromtest.Timespan{
		{CheckIn: monday, CheckOut: monday.Add(9 * time.Hour)},
		{CheckIn: monday.AddDate(0, 0, 1)},
	} {
		span.ID, span.Employee = fmt.Sprintf("span-%d", i+1), string(employeeOf(0))
		p.api.server.Put(span)
	}
	golden(t, "timespans.json", p.calls(t, "timespan", "list", "-json", "-from", "2026-03-01", "-to", "2026-03-07"))
	golden(t, "timespan.json", p.calls(t, "timespan", "show", "-json", "span-2"))
	golden(t, "history.json", p.calls(t, "timespan", "history", "-json", "span-1"))
}
