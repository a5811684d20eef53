package zeitstrom_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"timeclock/sync/zeitstrom"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

const (
	spanID  = "e5f6a7b8-c9d0-1234-efab-567890123456"
	project = "1a2b3c4d-5e6f-7890-abcd-ef1234567890"
)

var (
	eight     = time.Date(2024, 6, 3, 8, 0, 0, 0, time.UTC)
	seventeen = time.Date(2024, 6, 3, 17, 0, 0, 0, time.UTC)
)

// documented is a server with the timespan and the workday that the documents have.
func documented() *zeitstromtest.Server {
	s := &zeitstromtest.Server{}
	day := s.Put(zeitstromtest.Timespan{
		ID: spanID, Employee: string(punch.Employee), CheckIn: eight, CheckOut: seventeen,
	})
	s.Rename(day, "f6a7b8c9-d0e1-2345-fabc-678901234567")
	return s
}

// command is a curl call in a document.
type command struct {
	method, url string
	header      http.Header
	body        string
}

// commands finds the curl calls of a document, word for word.
func commands(t *testing.T, file string) (out []command) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("zeitstromtest", "testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`curl -X ([A-Z]+) "([^"]+)"((?:\s*\\\n\s*-[Hd] (?:"[^"]*"|'[^']*'))*)`)
	option := regexp.MustCompile(`-([Hd]) (?:"([^"]*)"|'([^']*)')`)
	for _, found := range call.FindAllStringSubmatch(string(text), -1) {
		c := command{method: found[1], url: found[2], header: http.Header{}}
		for _, o := range option.FindAllStringSubmatch(found[3], -1) {
			value := o[2] + o[3]
			if o[1] == "d" {
				c.body = value
				continue
			}
			name, v, _ := strings.Cut(value, ": ")
			c.header.Set(name, v)
		}
		out = append(out, c)
	}
	if n := strings.Count(string(text), "curl "); n == 0 || n != len(out) {
		t.Fatalf("%s has %d curl calls, %d were understood", file, n, len(out))
	}
	return out
}

// Every example of both documents works against the simulated API, word for word.
func TestDocumentedExamples(t *testing.T) {
	n := 0
	for _, file := range []string{"app-timestamps.txt", "timespans.txt"} {
		for _, c := range commands(t, file) {
			n++
			t.Run(fmt.Sprintf("%s %s", c.method, strings.TrimPrefix(c.url, "https://api.zeitstrom.com")),
				func(t *testing.T) {
					server := httptest.NewServer(documented())
					defer server.Close()
					req, err := http.NewRequestWithContext(t.Context(), c.method,
						strings.Replace(c.url, "https://api.zeitstrom.com", server.URL, 1), strings.NewReader(c.body))
					if err != nil {
						t.Fatal(err)
					}
					req.Header = c.header
					resp, err := http.DefaultClient.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					var body bytes.Buffer
					body.ReadFrom(resp.Body)
					if resp.StatusCode/100 != 2 {
						t.Errorf("%d: %s", resp.StatusCode, &body)
					}
				})
		}
	}
	if n < 12 {
		t.Errorf("the documents have only %d examples", n)
	}
}

// What our client sends for the examples is what the documents send.
func TestClientSendsWhatTheDocumentsSend(t *testing.T) {
	calls := map[string]func(*zeitstrom.Client, context.Context) error{
		"PATCH set-times": func(c *zeitstrom.Client, ctx context.Context) error {
			return c.SetTimes(ctx, spanID, eight.Add(30*time.Minute), seventeen.Add(30*time.Minute))
		},
		"POST add-times": func(c *zeitstrom.Client, ctx context.Context) error {
			_, err := c.AddTimes(ctx, "f6a7b8c9-d0e1-2345-fabc-678901234567", eight.Add(5*time.Hour), seventeen)
			return err
		},
		"POST assign-project": func(c *zeitstrom.Client, ctx context.Context) error {
			return c.AssignProject(ctx, spanID, zeitstrom.Project{Code: "P-101"})
		},
		"POST update-tag-assignments": func(c *zeitstrom.Client, ctx context.Context) error {
			return c.SetTags(ctx, spanID, []zeitstrom.Tag{
				{ID: project, Type: "relative", Value: "60"},
				{ID: "2b3c4d5e-6f7a-8901-bcde-f12345678901", Type: "relative", Value: "40"},
			})
		},
		"POST update-employee-comment": func(c *zeitstrom.Client, ctx context.Context) error {
			return c.SetComment(ctx, spanID, "Worked on client project documentation")
		},
		"POST modify-consecutive-timespans": func(c *zeitstrom.Client, ctx context.Context) error {
			return c.Replace(ctx, []string{spanID}, []zeitstrom.Piece{
				{CheckIn: eight, CheckOut: eight.Add(4 * time.Hour), ProjectID: project},
				{
					CheckIn: eight.Add(5 * time.Hour), CheckOut: seventeen,
					ProjectID: "2b3c4d5e-6f7a-8901-bcde-f12345678901",
				},
			})
		},
		"DELETE " + spanID: func(c *zeitstrom.Client, ctx context.Context) error { return c.Delete(ctx, spanID) },
	}
	for _, want := range commands(t, "timespans.txt") {
		parts := strings.Split(strings.Trim(strings.SplitN(want.url, "?", 2)[0], "/"), "/")
		call, ok := calls[want.method+" "+parts[len(parts)-1]]
		if !ok {
			if want.method != http.MethodGet {
				t.Errorf("no call for %s %s", want.method, want.url)
			}
			continue
		}
		seen := &recorder{next: documented()}
		c := dialTransport(t, seen)
		if err := call(c, t.Context()); err != nil {
			t.Errorf("%s %s: %v", want.method, want.url, err)
		}
		path := strings.TrimPrefix(want.url, "https://api.zeitstrom.com")
		if seen.method != want.method || seen.path != path || !sameJSON(seen.body, want.body) {
			t.Errorf("sent %s %s %s, the document %s %s %s", seen.method, seen.path, seen.body, want.method, path,
				want.body)
		}
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	if a == "" && b == "" {
		return true
	}
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil &&
		fmt.Sprint(x) == fmt.Sprint(y)
}

// recorder notes the first request.
type recorder struct {
	next               http.RoundTripper
	method, path, body string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.method == "" {
		var body bytes.Buffer
		if req.Body != nil {
			body.ReadFrom(req.Body)
			req.Body.Close()
		}
		r.method, r.path, r.body = req.Method, req.URL.Path, body.String()
		req = req.Clone(req.Context())
		req.Body = http.NoBody
		if body.Len() > 0 {
			req.Body = readCloser{bytes.NewReader([]byte(r.body))}
		}
	}
	return r.next.RoundTrip(req)
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

func dialTransport(t *testing.T, transport http.RoundTripper) *zeitstrom.Client {
	t.Helper()
	c := zeitstrom.New(zeitstrom.Config{
		URL:       "http://zeitstrom.test" + zeitstromtest.Base,
		TokenFile: tokenFile(t, token), Timeout: 5 * time.Second, Transport: transport,
	})
	return c
}
