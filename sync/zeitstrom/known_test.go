package zeitstrom_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

func TestHas(t *testing.T) {
	server := &zeitstromtest.Server{}
	c := dial(t, server)
	has := func(p device.Punch, want bool) {
		t.Helper()
		if got, err := c.Question(p).Ask(t.Context()); err != nil || got != want {
			t.Errorf("Has(%s at %v) = %v, %v; want %v", p.Intent, p.Time, got, err, want)
		}
	}
	in := punch
	in.Time = in.Time.Add(7 * time.Second) // no full minute
	out := device.Punch{Employee: in.Employee, Intent: device.CheckOut, Time: in.Time.Add(9 * time.Hour)}
	has(in, false)
	for _, p := range []device.Punch{in, out} {
		if _, err := c.Post(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	has(in, true)
	has(out, true)
	other := in
	other.Intent = device.CheckOut // nobody left at that instant
	has(other, false)
	other = in
	other.Time = in.Time.Add(time.Second)
	has(other, false)
	other = in
	other.Employee = "b1b2c3d4-e5f6-7890-abcd-ef1234567890"
	has(other, false)

	server.Correct(string(in.Employee), 10*time.Minute) // an admin moved them
	has(in, true)
	has(out, true)
}

// Shortly before and after midnight, in whichever zone the server cuts days.
func TestHasAtMidnight(t *testing.T) {
	for _, at := range []string{
		"2024-12-31T23:59:59Z", "2025-01-01T00:00:00Z", "2024-02-29T23:30:00-11:00", "2024-03-31T00:30:00+14:00",
	} {
		c := dial(t, &zeitstromtest.Server{})
		p := punch
		var err error
		if p.Time, err = time.Parse(time.RFC3339, at); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Post(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Question(p).Ask(t.Context()); err != nil || !got {
			t.Errorf("%s: %v, %v", at, got, err)
		}
	}
}

func TestHasReadsEveryPage(t *testing.T) {
	c := dial(t, &zeitstromtest.Server{})
	p := punch
	for range 130 {
		if _, err := c.Post(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		p.Time = p.Time.Add(time.Second)
	}
	p.Time = p.Time.Add(-time.Second)
	if got, err := c.Question(p).Ask(t.Context()); err != nil || !got {
		t.Errorf("the last of 130: %v, %v", got, err)
	}
}

func TestHasDoesNotGuess(t *testing.T) {
	for name, fault := range map[string]zeitstromtest.Fault{
		"HTML":    zeitstromtest.HTML(200),
		"no list": zeitstromtest.JSON(200, `{}`),
		"empty":   {Status: 200},
		"500":     zeitstromtest.HTML(500),
		"dropped": {DropBefore: true},
	} {
		server := &zeitstromtest.Server{Fault: zeitstromtest.Sequence(fault)}
		if got, err := dial(t, server).Question(punch).Ask(t.Context()); err == nil {
			t.Errorf("%s: Has = %v without an error", name, got)
		}
	}
	var e *zeitstrom.Error
	if _, err := dial(t, &zeitstromtest.Server{WriteOnly: true}).Question(punch).Ask(t.Context()); !errors.As(err,
		&e) || e.Kind != zeitstrom.Forbidden {
		t.Errorf("a token that may not read: %v", err)
	}
}

// anybody is a server that answers every question with the same body.
type anybody []byte

func (a anybody) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(a)), Request: r,
	}, nil
}

// FuzzHas asks a server that may say anything: it never panics, and never takes
// something for the punch that does not name its instant.
func FuzzHas(f *testing.F) {
	f.Add([]byte(`{"count": 1, "results": [{"id": "x", "checkin_time": "2024-06-20T08:00:00Z", "checkout_time": ` +
		`null}]}`))
	f.Add([]byte(`{"count": 1, "results": [{"previous_checkin": "2024-06-20T10:00:00+02:00"}]}`))
	f.Add([]byte(`{"count": 99, "results": []}`))
	file := filepath.Join(f.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := zeitstrom.New(zeitstrom.Config{URL: "http://zeitstrom.test/", TokenFile: file, Transport: anybody(body)})
		found, err := c.Question(punch).Ask(t.Context())
		if found && (err != nil || !bytes.Contains(body, []byte(":00:00"))) {
			t.Errorf("found in %q, %v", body, err)
		}
	})
}
