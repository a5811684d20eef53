// Package zeitstrom is a client of the Zeitstrom API, version 2, as its public
// documents describe it.
//
// It says what the server answered and never more: a 2xx counts only if it is
// the API's own, redirects are not followed, and an unclear answer is an error.
// It does not retry; when to ask again is for the caller to decide.
package zeitstrom

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"timeclock/device"
)

// Config is how to reach the API.
type Config struct {
	URL       string            // base address with its version and a final slash
	TokenFile string            // looked at before each request, so that a new token counts at once
	Secret    string            // the token itself, instead of a file
	CAFile    string            // PEM certificates to trust beside the system's; may be empty
	Timeout   time.Duration     // of one request, answer included
	Transport http.RoundTripper // nil: TCP, by the system's proxy settings
}

// Client talks to the API. Its methods may be called from any goroutine.
type Client struct {
	cfg Config

	mu    sync.Mutex
	http  *http.Client // nil: ca_file could not be read yet
	token string
	read  os.FileInfo // of the token file when it was read
}

// New makes a client. Nothing is read or sent yet.
func New(cfg Config) *Client { return &Client{cfg: cfg} }

// client returns the HTTP client, once the certificates that it is to trust can be read.
func (c *Client) client() (*http.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.http != nil {
		return c.http, nil
	}
	transport := c.cfg.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		t.MaxIdleConnsPerHost = 8
		if c.cfg.CAFile != "" {
			roots, err := Roots(c.cfg.CAFile)
			if err != nil {
				return nil, err
			}
			t.TLSClientConfig.RootCAs = roots
		}
		transport = t
	}
	c.http = &http.Client{
		Transport: transport,
		Timeout:   c.cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // whoever redirects is not the API
		},
	}
	return c.http, nil
}

// Roots are the system's certificates and those of a PEM file.
func Roots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file %s holds no certificate in PEM format", file)
	}
	return roots, nil
}

// Token reads the token file, if it changed since it was last read.
func (c *Client) Token() (string, error) {
	if c.cfg.Secret != "" {
		return c.cfg.Secret, nil
	}
	info, err := os.Stat(c.cfg.TokenFile)
	if err != nil {
		return "", &Error{Kind: NoToken, Cause: err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && os.SameFile(info, c.read) && info.ModTime().Equal(c.read.ModTime()) &&
		info.Size() == c.read.Size() {
		return c.token, nil
	}
	content, err := os.ReadFile(c.cfg.TokenFile)
	if err != nil {
		return "", &Error{Kind: NoToken, Cause: err}
	}
	token := strings.TrimSpace(string(content))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", &Error{
			Kind: NoToken, Cause: fmt.Errorf("%s must hold the API token and nothing else", c.cfg.TokenFile),
		}
	}
	c.token, c.read = token, info
	return token, nil
}

const appTimestamps = "devices/app-timestamps/"

// Post creates an app timestamp from a punch: POST devices/app-timestamps/.
// The time goes out in UTC, cut to whole seconds. An empty shape means that the API
// has it; another one that it may, which has to be proven. Any error is an *Error.
func (c *Client) Post(ctx context.Context, p device.Punch) (Shape, error) {
	body, err := json.Marshal(struct {
		Intent   device.Intent     `json:"intent"`
		Employee device.EmployeeID `json:"employee_id"`
		Time     string            `json:"time"`
	}{p.Intent, p.Employee, p.Time.UTC().Format(time.RFC3339)})
	if err != nil {
		return "", err
	}
	got, err := c.do(ctx, http.MethodPost, appTimestamps, body)
	if err != nil {
		return "", err
	}
	shape, err := receipt(p, got)
	return shape, during(err, http.MethodPost, appTimestamps)
}

// Ping finds out whether the API answers and takes the token, without changing
// anything: it asks for app timestamps by GET, which the API must refuse with
// 405 once it has accepted the token.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.do(ctx, http.MethodGet, appTimestamps, nil)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusMethodNotAllowed {
		return nil
	}
	return err
}

// Rights are what a token may read. What it may post shows when it does.
type Rights struct {
	Timespans bool // else ambiguous punches wait for a person, and other doors do not count
	Employees bool // else the badge map cannot follow Zeitstrom
}

// Rights asks what the token may read, an entry of each. An error means that the API
// does not answer, or takes no such token.
func (c *Client) Rights(ctx context.Context) (r Rights, err error) {
	if err := c.Ping(ctx); err != nil {
		return r, err
	}
	if r.Timespans, err = c.may(ctx, timespans, url.Values{"daterange": {days(time.Now(), time.Now())}}); err != nil {
		return r, err
	}
	r.Employees, err = c.may(ctx, "employees/employees/", url.Values{})
	return r, err
}

func (c *Client) may(ctx context.Context, path string, query url.Values) (bool, error) {
	query.Set("limit", "1")
	_, err := c.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
	var e *Error
	if errors.As(err, &e) && e.Kind == Forbidden {
		return false, nil
	}
	return err == nil, err
}

// maxBody bounds what is read of an answer.
const maxBody = 4 << 20

func (c *Client) do(ctx context.Context, method, path string, body []byte) (answer, error) {
	token, err := c.Token()
	if err != nil {
		return answer{}, err
	}
	client, err := c.client()
	if err != nil {
		return answer{}, &Error{Kind: Unreachable, Cause: err}
	}
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, c.cfg.URL+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, &Error{Kind: Unreachable, Cause: err}
	}
	req.Header.Set("Authorization", "Token "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "timeclock")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		var around *url.Error
		if errors.As(err, &around) { // says again what was asked for
			err = around.Err
		}
		var op *net.OpError
		dialling := errors.As(err, &op) && op.Op == "dial"
		return answer{}, &Error{Kind: Unreachable, Sent: sent.Load() && !dialling, Cause: explainTLS(err)}
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return answer{}, &Error{Kind: Unreachable, Sent: true, Cause: fmt.Errorf("the answer broke off: %w", err)}
	}
	got, err := judge(resp, content)
	return got, during(err, method, path)
}

// during says in an error what was asked for; a badge's number may stand in the query.
func during(err error, method, path string) error {
	var e *Error
	if errors.As(err, &e) {
		path, _, _ := strings.Cut(path, "?")
		e.Request = method + " " + path
	}
	return err
}

// ask sends a body and decodes the answer, if there is one.
func (c *Client) ask(ctx context.Context, method, path string, body, answer any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	got, err := c.do(ctx, method, path, raw)
	if err != nil || answer == nil || len(got.body) == 0 {
		return err
	}
	if err := json.Unmarshal(got.body, answer); err != nil {
		path, _, _ = strings.Cut(path, "?") // a badge's number may stand there
		return &Error{
			Kind: NotAPI, Status: http.StatusOK, Sent: true,
			Cause: fmt.Errorf("an answer at %s that cannot be read: %w", path, err),
		}
	}
	return nil
}

// explainTLS says whose fault it may be that a certificate is not valid now.
func explainTLS(err error) error {
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		return err
	}
	now, cert := time.Now(), invalid.Cert
	if now.Before(cert.NotBefore) {
		return fmt.Errorf("this device's clock shows %s, and the certificate there is valid from %s on: "+
			"the clock is wrong, set it (timedatectl): %w",
			now.Format(time.DateTime), cert.NotBefore.Local().Format(time.DateTime), err)
	}
	return fmt.Errorf("the certificate there was valid until %s, and this device's clock shows %s: "+
		"one of the two is wrong: %w",
		cert.NotAfter.Local().Format(time.DateTime), now.Format(time.DateTime), err)
}
