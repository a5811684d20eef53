package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

// Client reaches a running clock through its control socket.
type Client struct {
	stateDir string
	http     http.Client
}

// patience is how long a clock may take: the longest a tap can, and an import
// of a large file.
const patience = time.Minute

// What is read of an answer, or of a question. The clock is bounded by its own lists; this is for
// one that somebody has taken over, and for a client that is root.
const (
	maxAnswer = 32 << 20 // bytes
	maxLine   = 1 << 20  // of the journal
)

// ErrNoDaemon says that nobody answers on the control socket.
var ErrNoDaemon = errors.New("no clock is running on this state directory: " +
	"start it with `timeclock run` or `systemctl start timeclock`")

var (
	errForbidden = errors.New("the control socket may not be opened by you: use sudo, or join the group that owns it")
	errTooLong   = errors.New("the running clock gives an answer without an end: something is wrong with it")
)

// bounded reads up to so many bytes, and then fails.
type bounded struct {
	in   io.Reader
	left int
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// Dial returns a client of the clock on a state directory; whether there is
// one shows with the first call, as ErrNoDaemon.
func Dial(stateDir string) *Client {
	if abs, err := filepath.Abs(stateDir); err == nil {
		stateDir = abs
	}
	return &Client{stateDir, http.Client{Timeout: patience, Transport: &http.Transport{
		MaxResponseHeaderBytes: 64 << 10,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			c, err := dialer.DialContext(ctx, "unix", filepath.Join(stateDir, SocketName))
			if err != nil {
				if there, elsewhere := dialer.DialContext(ctx, "unix", Fallback); elsewhere == nil {
					return there, nil
				}
			}
			switch {
			case errors.Is(err, fs.ErrPermission):
				return nil, errForbidden
			case err != nil:
				return nil, ErrNoDaemon
			}
			return c, nil
		},
	}}}
}

// call implements Route.
func (c *Client) call(ctx context.Context, name string, in, out any, _ func(*Admin) error) error {
	method, body := http.MethodGet, io.Reader(nil)
	if in != (None{}) {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		method, body = http.MethodPost, bytes.NewReader(text)
	}
	resp, err := c.send(ctx, method, "/"+name, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var e envelope
	err = json.NewDecoder(&bounded{resp.Body, maxAnswer}).Decode(&e)
	if err == nil && (e.Error == "" || len(e.Result) > 0) {
		err = json.Unmarshal(e.Result, out)
	}
	switch {
	case errors.Is(err, errTooLong):
		return err
	case err != nil:
		return fmt.Errorf("the running clock gave an answer that is none (is it another version?): %w", err)
	}
	return e.err()
}

func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://timeclock"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(stateDirHeader, c.stateDir)
	resp, err := c.http.Do(req)
	switch {
	case err == nil && resp.StatusCode == http.StatusMisdirectedRequest: // another clock's, at Fallback
		resp.Body.Close()
		return nil, ErrNoDaemon
	case errors.Is(err, ErrNoDaemon):
		return nil, ErrNoDaemon
	case errors.Is(err, errForbidden):
		return nil, errForbidden
	case ctx.Err() != nil:
		return nil, errors.New("interrupted")
	case err != nil:
		return nil, errors.New("the running clock does not answer: restart it, with `systemctl restart timeclock`")
	}
	return resp, nil
}

// Journal calls f for each entry of the journal, oldest first.
func (c *Client) Journal(ctx context.Context, f func(JournalLine) error) error {
	resp, err := c.send(ctx, http.MethodGet, "/journal", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := &bounded{in: resp.Body}
	in := json.NewDecoder(lines)
	for {
		lines.left = maxLine
		var l JournalLine
		switch err := in.Decode(&l); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("the journal broke off: %w", err)
		}
		if err := f(l); err != nil {
			return err
		}
	}
}
