package zeitstrom_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

const token = "secret-of-this-test"

var punch = device.Punch{
	ID:       1,
	Employee: "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
	Intent:   device.CheckIn,
	Time:     time.Date(2024, 6, 20, 10, 0, 0, 999_999_999, time.FixedZone("CEST", 2*3600)),
}

func tokenFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// dial returns a client of the server without a network in between.
func dial(t *testing.T, server http.RoundTripper) *zeitstrom.Client {
	t.Helper()
	c := zeitstrom.New(zeitstrom.Config{
		URL:       "http://zeitstrom.test/api/v2/",
		TokenFile: tokenFile(t, token+"\n"),
		Timeout:   15 * time.Second,
		Transport: server,
	})
	return c
}

func TestPost(t *testing.T) {
	server := &zeitstromtest.Server{Token: token}
	if _, err := dial(t, server).Post(t.Context(), punch); err != nil {
		t.Fatal(err)
	}
	got := server.Timestamps()
	want := zeitstromtest.Timestamp{
		Intent: "checkin", Employee: string(punch.Employee), Time: time.Date(2024, 6, 20, 8, 0, 0, 0, time.UTC),
	}
	if len(got) != 1 || got[0].Intent != want.Intent || got[0].Employee != want.Employee ||
		!got[0].Time.Equal(want.Time) {
		t.Errorf("the server has %+v, want %+v", got, want)
	}
}

// What each answer means, and the words that an admin reads.
func TestAnswers(t *testing.T) {
	const unproven = 255
	for _, tc := range []struct {
		name  string
		fault zeitstromtest.Fault
		kind  zeitstrom.Kind
		text  string // or the shape
	}{
		{"echo", zeitstromtest.JSON(200, `{"employee_id": "A1B2C3D4-e5f6-7890-abcd-ef1234567890", "intent": "checkin", `+
			`"time": "2024-06-20 10:00:00.25+02", "id": 7}`), unproven, ""},
		{
			"echo without a time",
			zeitstromtest.JSON(202, `{"employee_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "time": null}`), unproven,
			"",
		},
		{"empty 200", zeitstromtest.Fault{Status: 200}, unproven, "200  "},
		{
			"empty HTML",
			zeitstromtest.Fault{Status: 200, Header: map[string]string{"Content-Type": "text/html"}},
			unproven, "200 text/html ",
		},
		{"204", zeitstromtest.Fault{Status: 204}, unproven, "204  "},
		{"201 of unknown shape", zeitstromtest.JSON(201, `{"b": [1], "a": 2}`), unproven, "201 application/json a,b"},
		{
			"a time without a zone", zeitstromtest.JSON(201,
				`{"employee_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "time": "2024-06-20T08:00:00"}`),
			unproven, "201 application/json employee_id,time",
		},
		{
			"an employee's object", zeitstromtest.JSON(201, `{"employee_id": {"id": 1}}`), unproven,
			"201 application/json employee_id",
		},
		{
			"false", zeitstromtest.JSON(200, `false`), zeitstrom.NotAPI,
			"this was not Zeitstrom answering: 200 with a body that is no object: is there a captive portal or a " +
				"proxy in between?",
		},
		{"null", zeitstromtest.JSON(200, `null`), zeitstrom.NotAPI, ""},
		{"a list", zeitstromtest.JSON(200, `[]`), zeitstrom.NotAPI, ""},
		{
			"an error", zeitstromtest.JSON(200, `{"error": "maintenance"}`), zeitstrom.NotAPI,
			`this was not Zeitstrom answering: 200 with "error": "maintenance": is there a captive portal or a ` +
				`proxy in between?`,
		},
		{"a detail", zeitstromtest.JSON(202, `{"detail": null}`), zeitstrom.NotAPI, ""},
		{
			"another employee", zeitstromtest.JSON(201, `{"employee_id": "b1b2c3d4-e5f6-7890-abcd-ef1234567890"}`),
			zeitstrom.NotAPI, "this was not Zeitstrom answering: 201 with a body that names another booking: " +
				"is there a captive portal or a proxy in between?",
		},
		{"another intent", zeitstromtest.JSON(201,
			`{"employee_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "intent": "checkout"}`), zeitstrom.NotAPI, ""},
		{
			"another time", zeitstromtest.JSON(201,
				`{"employee_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "time": "2024-06-20T08:00:01Z"}`),
			zeitstrom.NotAPI, "",
		},
		{"another time alone", zeitstromtest.JSON(201, `{"time": "2024-06-20T09:00:00Z"}`), zeitstrom.NotAPI, ""},
		{
			"captive portal", zeitstromtest.HTML(200), zeitstrom.NotAPI,
			"this was not Zeitstrom answering: 200 OK with a body of text/html: is there a captive portal or a " +
				"proxy in between?",
		},
		{
			"plain text",
			zeitstromtest.Fault{Status: 200, Header: map[string]string{"Content-Type": "text/plain"}, Body: "{}"},
			zeitstrom.NotAPI, "this was not Zeitstrom answering: 200 OK with a body of text/plain: " +
				"is there a captive portal or a proxy in between?",
		},
		{
			"garbage", zeitstromtest.JSON(200, "{]"), zeitstrom.NotAPI,
			"this was not Zeitstrom answering: 200 OK with a body of application/json: " +
				"is there a captive portal or a proxy in between?",
		},
		{
			"redirect",
			zeitstromtest.Fault{Status: 302, Header: map[string]string{"Location": "http://login.hotel/"}},
			zeitstrom.NotAPI, "this was not Zeitstrom answering: 302 Found with a redirect: " +
				"is there a captive portal or a proxy in between?",
		},
		{
			"field", zeitstromtest.JSON(400, `{"time": ["Datetime has wrong format."], "intent": ["a", "b"]}`),
			zeitstrom.Refused, "Zeitstrom refused it (400): intent: a b; time: Datetime has wrong format.",
		},
		{
			"non-field", zeitstromtest.JSON(422, `{"non_field_errors": ["Employee is already checked in."]}`),
			zeitstrom.Refused, "Zeitstrom refused it (422): Employee is already checked in.",
		},
		{"400 of somebody else", zeitstromtest.HTML(400), zeitstrom.Unavailable, "Zeitstrom is not available (400)"},
		{"400 without words", zeitstromtest.JSON(400, `{}`), zeitstrom.Unavailable, "Zeitstrom is not available (400)"},
		{
			"401", zeitstromtest.JSON(401, `{"detail": "Invalid token."}`), zeitstrom.Unauthorized,
			"Zeitstrom does not accept the token (401): put a valid one into the token file: Invalid token.",
		},
		{
			"403", zeitstromtest.JSON(403, `{"detail": "No."}`), zeitstrom.Forbidden,
			"the token has no permission for POST devices/app-timestamps/ (403): " +
				"give it the permission at Zeitstrom, or use another token: No.",
		},
		{
			"404", zeitstromtest.JSON(404, `{"detail": "Not found."}`), zeitstrom.Unavailable,
			"Zeitstrom does not know POST devices/app-timestamps/ (404): Not found.",
		},
		{
			"429",
			zeitstromtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "17"}},
			zeitstrom.Throttled, "Zeitstrom asks to wait (429)",
		},
		{"500", zeitstromtest.HTML(500), zeitstrom.Unavailable, "Zeitstrom is not available (500)"},
		{
			"dropped before",
			zeitstromtest.Fault{DropBefore: true},
			zeitstrom.Unreachable,
			"Zeitstrom cannot be reached: zeitstromtest: connection reset by peer",
		},
		{"dropped after", zeitstromtest.Fault{DropAfter: true}, zeitstrom.Unreachable, ""},
		{
			"cut off",
			zeitstromtest.Fault{Status: 201, Body: `{"intent": "checkin"}`, CutBody: true},
			zeitstrom.Unreachable, "Zeitstrom cannot be reached: the answer broke off: unexpected EOF",
		},
		{"slow", zeitstromtest.Fault{Delay: time.Minute}, zeitstrom.Unreachable, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &zeitstromtest.Server{Token: token, Fault: zeitstromtest.Sequence(tc.fault)}
				shape, err := dial(t, server).Post(t.Context(), punch)
				if tc.kind == unproven {
					if err != nil || shape != zeitstrom.Shape(tc.text) {
						t.Fatalf("shape %q, %v; want %q", shape, err, tc.text)
					}
					return
				}
				var e *zeitstrom.Error
				if !errors.As(err, &e) || e.Kind != tc.kind || tc.text != "" && err.Error() != tc.text {
					t.Fatalf("got kind %d: %v\nwant kind %d: %s", e.Kind, err, tc.kind, tc.text)
				}
				if tc.name == "429" && e.RetryAfter != 17*time.Second {
					t.Errorf("RetryAfter = %v", e.RetryAfter)
				}
				if strings.Contains(err.Error(), token) {
					t.Error("the error holds the token")
				}
				time.Sleep(time.Hour) // a slow server finishes
			})
		})
	}
}

func TestServerValidates(t *testing.T) {
	for _, tc := range []struct {
		name   string
		server *zeitstromtest.Server
		change func(*device.Punch)
		want   string
	}{
		{
			"unknown employee", &zeitstromtest.Server{Employees: []string{"x"}}, func(*device.Punch) {},
			`Zeitstrom refused it (400): employee_id: Invalid pk "a1b2c3d4-e5f6-7890-abcd-ef1234567890" - object ` +
				`does not exist.`,
		},
		{
			"no UUID", &zeitstromtest.Server{}, func(p *device.Punch) { p.Employee = "17" },
			"Zeitstrom refused it (400): employee_id: Must be a valid UUID.",
		},
		{
			"intent", &zeitstromtest.Server{}, func(p *device.Punch) { p.Intent = "lunch" },
			`Zeitstrom refused it (400): intent: "lunch" is not a valid choice.`,
		},
		{
			"strict", &zeitstromtest.Server{Strict: true}, func(p *device.Punch) { p.Intent = device.CheckOut },
			"Zeitstrom refused it (400): Employee is not checked in.",
		},
		{
			"wrong token", &zeitstromtest.Server{Token: "other"}, func(*device.Punch) {},
			"Zeitstrom does not accept the token (401): put a valid one into the token file: Invalid token.",
		},
		{
			"read-only token", &zeitstromtest.Server{ReadOnly: true}, func(*device.Punch) {},
			"the token has no permission for POST devices/app-timestamps/ (403): " +
				"give it the permission at Zeitstrom, or use another token: You do not have permission to perform " +
				"this action.",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := punch
			tc.change(&p)
			if _, err := dial(t, tc.server).Post(t.Context(), p); err == nil || err.Error() != tc.want {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
			if n := len(tc.server.Timestamps()); n != 0 {
				t.Errorf("the server accepted %d timestamps", n)
			}
		})
	}
}

func TestPing(t *testing.T) {
	if err := dial(t, &zeitstromtest.Server{}).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	var e *zeitstrom.Error
	if err := dial(t, &zeitstromtest.Server{Token: "other"}).Ping(t.Context()); !errors.As(err, &e) ||
		e.Kind != zeitstrom.Unauthorized {
		t.Errorf("Ping with a wrong token: %v", err)
	}
}

func TestTokenFile(t *testing.T) {
	for content, want := range map[string]string{
		"":       "must hold the API token and nothing else",
		"a b":    "must hold the API token and nothing else",
		"a\nb\n": "must hold the API token and nothing else",
	} {
		c := zeitstrom.New(zeitstrom.Config{TokenFile: tokenFile(t, content)})
		if _, err := c.Post(t.Context(), punch); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", content, err)
		}
	}
	c := zeitstrom.New(zeitstrom.Config{TokenFile: "/nonexistent/token"})
	var e *zeitstrom.Error
	if _, err := c.Post(t.Context(), punch); !errors.As(err, &e) || e.Kind != zeitstrom.NoToken {
		t.Errorf("missing file: %v", err)
	}
}

// Over real TCP and TLS: the certificate is verified, and ca_file makes one of
// the company's own known.
func TestTLS(t *testing.T) {
	server := &zeitstromtest.Server{}
	ts := httptest.NewTLSServer(server)
	defer ts.Close()
	cfg := zeitstrom.Config{URL: ts.URL + zeitstromtest.Base, TokenFile: tokenFile(t, token), Timeout: 5 * time.Second}
	c := zeitstrom.New(cfg)
	var e *zeitstrom.Error
	if _, err := c.Post(context.Background(), punch); !errors.As(err, &e) || e.Kind != zeitstrom.Unreachable ||
		!strings.Contains(err.Error(), "certificate") {
		t.Errorf("unknown certificate: %v", err)
	}
	cfg.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	c = zeitstrom.New(cfg)
	if _, err := c.Post(context.Background(), punch); !errors.As(err, &e) || e.Sent ||
		!strings.Contains(err.Error(), "ca_file") {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(cfg.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ts.Certificate().Raw}),
		0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Post(context.Background(), punch); err != nil || len(server.Timestamps()) != 1 {
		t.Errorf("as soon as there is one: %v", err)
	}
	if _, err := zeitstrom.Roots(cfg.TokenFile); err == nil {
		t.Error("a token was taken for a certificate")
	}
}
