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
	"net/url"
	"path/filepath"
	"time"

	"timeclock/device"
	"timeclock/device/roster"
)

var _ Badges = (*Client)(nil)

// Client reaches a running daemon through its control socket.
type Client struct {
	ctx      context.Context //nolint:containedctx // a client lives as long as one command
	stateDir string
	http     http.Client
}

// patience is how long a daemon may take: the longest a tap can, and an import
// of a large file.
const patience = time.Minute

// What is read of an answer. The daemon is bounded by its own lists; this is for one that
// somebody has taken over, and for a client that is root.
const (
	maxAnswer = 32 << 20 // bytes
	maxLine   = 1 << 20  // of the journal
)

// errTooLong refuses an answer that does not end.
var errTooLong = errors.New("the running clock gives an answer without an end: something is wrong with it")

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

// Fallback is where the control socket is if the state directory takes none.
const Fallback = "/run/timeclock/control.sock"

// stateDirHeader says which clock a client looks for.
const stateDirHeader = "Timeclock-State-Dir"

// Dial returns a client of the daemon on a state directory; whether there is
// one shows with the first call, as ErrNoDaemon.
func Dial(ctx context.Context, stateDir string) *Client {
	if abs, err := filepath.Abs(stateDir); err == nil {
		stateDir = abs
	}
	return &Client{ctx, stateDir, http.Client{Timeout: patience, Transport: &http.Transport{
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

// ErrNoDaemon says that nobody answers on the control socket.
var ErrNoDaemon = errors.New("no clock is running on this state directory: start it with `timeclock run` or `systemctl start timeclock`")

var errForbidden = errors.New("the control socket may not be opened by you: use sudo, or join the group that owns it")

// call sends a request and decodes its result, which may come beside an error.
func (c *Client) call(method, path string, body io.Reader, result any) error {
	resp, err := c.send(method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var e envelope
	if err := json.NewDecoder(&bounded{resp.Body, maxAnswer}).Decode(&e); errors.Is(err, errTooLong) {
		return err
	} else if err != nil {
		return fmt.Errorf("the running clock gave an answer that is none (is it another version?): %w", err)
	}
	if err := json.Unmarshal(e.Result, result); err != nil && e.Error == "" {
		return fmt.Errorf("the running clock gave an answer that is none (is it another version?): %w", err)
	}
	if e.Error != "" {
		return errors.New(e.Error)
	}
	return nil
}

func (c *Client) send(method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(c.ctx, method, "http://timeclock"+path, body)
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
	case c.ctx.Err() != nil:
		return nil, errors.New("interrupted")
	case err != nil:
		return nil, errors.New("the running clock does not answer: restart it, with `systemctl restart timeclock`")
	}
	return resp, nil
}

// Status tells how the clock is.
func (c *Client) Status() (s Status, err error) {
	return s, c.call(http.MethodGet, "/status", nil, &s)
}

// Examine looks at everything, which takes seconds.
func (c *Client) Examine() (x Examination, err error) {
	return x, c.call(http.MethodGet, "/examination", nil, &x)
}

// Health asks whether the clock can do its work.
func (c *Client) Health() (h Health, err error) {
	return h, c.call(http.MethodGet, "/health", nil, &h)
}

// Log returns the newest lines of the clock's log, oldest first.
func (c *Client) Log() (lines []string, err error) {
	return lines, c.call(http.MethodGet, "/log", nil, &lines)
}

// Tap brings a badge to the simulated reader.
func (c *Client) Tap(uid device.UID) (a Answer, err error) {
	return a, c.call(http.MethodPost, "/tap/"+uid.Hex(), nil, &a)
}

// Punches lists what Zeitstrom does not have yet; with all, the newest punches.
func (c *Client) Punches(all bool) (out []Punch, err error) {
	path := "/punches"
	if all {
		path += "?all=1"
	}
	return out, c.call(http.MethodGet, path, nil, &out)
}

// Punch returns one punch.
func (c *Client) Punch(id device.PunchID) (p Punch, err error) {
	return p, c.call(http.MethodGet, "/punches/"+id.String(), nil, &p)
}

// Retry sends a quarantined, held or ambiguous punch again.
func (c *Client) Retry(id device.PunchID) (p Punch, err error) {
	return p, c.call(http.MethodPost, "/punches/"+id.String()+"/retry", nil, &p)
}

// Drop decides that such a punch is never sent.
func (c *Client) Drop(id device.PunchID, reason string) (p Punch, err error) {
	return p, c.call(http.MethodPost, "/punches/"+id.String()+"/drop?"+url.Values{"reason": {reason}}.Encode(), nil, &p)
}

// SetTime gives a punch whose time is not certain the time that a person says.
func (c *Client) SetTime(id device.PunchID, at time.Time) (p Punch, err error) {
	return p, c.call(http.MethodPost, "/punches/"+id.String()+"/time?"+url.Values{"at": {at.Format(time.RFC3339)}}.Encode(), nil, &p)
}

// OpenDays lists the check-ins that no check-out followed.
func (c *Client) OpenDays() (days []OpenDay, err error) {
	return days, c.call(http.MethodGet, "/days/open", nil, &days)
}

// VerifyJournal compares the journal with its hash and returns its length.
func (c *Client) VerifyJournal() (entries int, err error) {
	return entries, c.call(http.MethodPost, "/journal/verify", nil, &entries)
}

// Journal calls f for each entry of the journal, oldest first.
func (c *Client) Journal(f func(JournalLine) error) error {
	resp, err := c.send(http.MethodGet, "/journal", nil)
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

// Unclaimed lists the badges that belong to nobody, newest first, and how many
// older taps had to go.
func (c *Client) Unclaimed() ([]Unclaimed, int, error) {
	var u unclaimed
	err := c.call(http.MethodGet, "/unclaimed", nil, &u)
	return u.Badges, u.Lost, err
}

// Claim gives a badge to an employee and turns its unclaimed taps into punches,
// unless dry: then it only tells which it would make.
func (c *Client) Claim(b device.Badge, force, dry bool) (plan []Punch, err error) {
	body, err := json.Marshal(claim{newBadge(b), force, dry})
	if err != nil {
		return nil, err
	}
	return plan, c.call(http.MethodPost, "/badges/claim", bytes.NewReader(body), &plan)
}

// List implements Badges.
func (c *Client) List() ([]device.Badge, error) {
	var in []badge
	if err := c.call(http.MethodGet, "/badges", nil, &in); err != nil {
		return nil, err
	}
	out := make([]device.Badge, len(in))
	for i, b := range in {
		var err error
		if out[i], err = b.roster(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Add implements Badges.
func (c *Client) Add(b device.Badge, move bool) (action roster.Action, err error) {
	body, err := json.Marshal(newBadge(b))
	if err != nil {
		return "", err
	}
	path := "/badges"
	if move {
		path += "?move=1"
	}
	return action, c.call(http.MethodPost, path, bytes.NewReader(body), &action)
}

// Remove implements Badges.
func (c *Client) Remove(uid device.UID) (e device.Employee, err error) {
	return e, c.call(http.MethodDelete, "/badges/"+uid.Hex(), nil, &e)
}

// Block implements Badges.
func (c *Client) Block(uid device.UID, blocked bool) (e device.Employee, err error) {
	return e, c.call(http.MethodPost, fmt.Sprintf("/badges/%s/block?blocked=%t", uid.Hex(), blocked), nil, &e)
}

// Import implements Badges. What was tapped at the clock is known there.
func (c *Client) Import(file io.Reader, o roster.Options) (roster.Report, error) {
	q := url.Values{"numbers": {string(o.Numbers)}}
	if o.Replace {
		q.Set("replace", "1")
	}
	if o.Dry {
		q.Set("dry", "1")
	}
	var in report
	err := c.call(http.MethodPost, "/badges/import?"+q.Encode(), file, &in)
	return in.roster(), err
}

// SyncBadges compares the badge map with Zeitstrom at once.
func (c *Client) SyncBadges(force bool) (roster.Merged, error) {
	path := "/badges/sync"
	if force {
		path += "?force=1"
	}
	var in merged
	err := c.call(http.MethodPost, path, nil, &in)
	return in.roster(), err
}

// ResetPage takes all accounts of the admin's page away, and begins a pairing.
func (c *Client) ResetPage() (p Pairing, err error) {
	return p, c.call(http.MethodPost, "/web/reset", nil, &p)
}

// Salvage tries to recover a damaged queue file once more, or gives it up.
func (c *Client) Salvage(giveUp bool) error {
	path := "/queue/salvage"
	if giveUp {
		path += "?give_up=1"
	}
	var nothing any
	return c.call(http.MethodPost, path, nil, &nothing)
}

// Corrected tells the clock of a correction.
func (c *Client) Corrected(x Correction) (pending int, err error) {
	body, err := json.Marshal(x)
	if err != nil {
		return 0, err
	}
	return pending, c.call(http.MethodPost, "/corrections", bytes.NewReader(body), &pending)
}

// Pair begins a pairing with the admin's page.
func (c *Client) Pair() (p Pairing, err error) {
	return p, c.call(http.MethodPost, "/web/pair", nil, &p)
}

// Employee finds an employee by id, or by a name that only one has.
func (c *Client) Employee(idOrName string) (e device.Employee, err error) {
	return e, c.call(http.MethodGet, "/employees/"+url.PathEscape(idOrName), nil, &e)
}

// BeginEnrolment waits for the badge that an employee is to get.
func (c *Client) BeginEnrolment(employee, name string, way roster.Way) (roster.EnrolState, error) {
	q := url.Values{"employee": {employee}, "name": {name}, "way": {string(way)}}
	var in enrolment
	err := c.call(http.MethodPost, "/enrolment?"+q.Encode(), nil, &in)
	return in.roster(), err
}

// AwaitEnrolment returns how far an enrolment is once that has changed, or a moment
// later.
func (c *Client) AwaitEnrolment(after roster.EnrolState) (roster.EnrolState, error) {
	var in enrolment
	err := c.call(http.MethodGet, fmt.Sprintf("/enrolment/%d?%s", after.Number, url.Values{"problem": {after.Problem}}.Encode()), nil, &in)
	return in.roster(), err
}

// EndEnrolment gives up an enrolment.
func (c *Client) EndEnrolment(number int) error {
	return c.call(http.MethodDelete, fmt.Sprintf("/enrolment/%d", number), nil, new(any))
}
