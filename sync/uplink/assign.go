package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom"
)

// Assignments are the projects that timespans are still to get.
type Assignments interface {
	// Assignments returns those that are due, so many at most, and those first that were not refused yet.
	// Zeitstrom has their check-ins.
	Assignments(due func(device.Assignment) bool, most int) ([]device.Assignment, error)
	Assigning(id device.PunchID, timespan, before string) error // on disk before the first try
	Assigned(id device.PunchID, state device.AssignmentState, why string) error
}

// AssignAPI is where they go.
type AssignAPI interface {
	Question(device.Punch) *zeitstrom.Question
	Timespan(ctx context.Context, id string) (zeitstrom.Timespan, error)
	TryProject(ctx context.Context, id, code string) error
	Token() (string, error)
}

var _ AssignAPI = (*zeitstrom.Client)(nil)

// ProjectIDs knows the ids of projects.
type ProjectIDs interface {
	// ID is that of the project with a code, empty if there is none; listed says whether any project
	// is known.
	ID(code string) (id string, listed bool)
	Fresh(context.Context) error // asks Zeitstrom for them, if that was not a short while ago
}

// Assigner gives the timespans of check-ins the projects that were chosen at the door. It goes its own way
// beside the Uplink: nothing that Zeitstrom answers here holds up a delivery, or changes what is known of
// the way to Zeitstrom.
//
// Which project a timespan had is on disk before the first try. One that it has later, and that is neither
// that nor ours, was chosen by somebody else, and stays. Between the last look and the request it may be
// changed all the same: the API cannot compare. Where the token may not list projects, any other one counts
// as ours.
type Assigner struct {
	queue    Assignments
	apis     []AssignAPI // the clock's own token, and then the company's for changes
	projects ProjectIDs
	online   func() bool
	log      *slog.Logger

	mu     sync.Mutex
	status AssignStatus

	// The rest belongs to Run's goroutine.
	by     int    // the token that is used
	tokens string // all of them, when they were refused
	off    time.Time
	pause  pause
	items  map[device.PunchID]*assignment
	codes  map[string]time.Time // that were refused: until when one of them is not tried again
}

// AssignStatus is how assigning goes.
type AssignStatus struct {
	Off     string // why no token may assign projects; empty: one may, as far as is known
	Problem string // why the last try failed; empty: it did not
}

// assignment is what is known of one beside what is on disk. It is tried after its pause.
type assignment struct {
	pause
	since   time.Time // of the first answer that its booking is not there
	denials int
}

// Times of an Assigner.
const (
	assignEvery  = 5 * time.Second // how soon a delivered check-in is noticed
	assignSettle = time.Minute     // how long a request without a clear answer may take to land
	assignAgain  = time.Hour       // after a refusal, by Zeitstrom or of all tokens
	assignAtOnce = 100
)

// NewAssigner makes an assigner; Run starts it. Online says whether Zeitstrom answers.
func NewAssigner(
	q Assignments, projects ProjectIDs, online func() bool, log *slog.Logger, apis ...AssignAPI,
) *Assigner {
	return &Assigner{
		queue: q, apis: apis, projects: projects, online: online, log: log,
		items: map[device.PunchID]*assignment{}, codes: map[string]time.Time{},
	}
}

func (a *Assigner) String() string { return "projects" }

// Status may be called from any goroutine.
func (a *Assigner) Status() AssignStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

func (a *Assigner) note(f func(*AssignStatus)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.status)
}

// Run assigns until ctx ends.
func (a *Assigner) Run(ctx context.Context) error {
	for {
		if a.mayTry() {
			a.round(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(assignEvery):
		}
	}
}

// mayTry reports whether there is a token that may assign, and nothing to wait for.
func (a *Assigner) mayTry() bool {
	if a.tokens != "" && (a.allTokens() != a.tokens || time.Since(a.off) >= assignAgain) {
		a.tokens, a.by, a.pause = "", 0, pause{}
		a.note(func(s *AssignStatus) { *s = AssignStatus{} })
	}
	return a.tokens == "" && time.Until(a.pause.until) <= 0 && a.online()
}

// allTokens are all of them, to see whether one has changed.
func (a *Assigner) allTokens() string {
	var all []string
	for _, api := range a.apis {
		token, _ := api.Token() // that there is none is something to see, too
		all = append(all, token)
	}
	return strings.Join(all, "\n")
}

// round tries what is due.
func (a *Assigner) round(ctx context.Context) {
	open := map[device.PunchID]*assignment{}
	now := time.Now()
	due, err := a.queue.Assignments(func(x device.Assignment) bool {
		i := a.items[x.ID]
		if i == nil { // its function may still be taken back
			i = &assignment{}
			i.wait(device.TakeBackTime)
		}
		open[x.ID] = i
		return !now.Before(i.until) && !now.Before(a.codes[x.Project])
	}, assignAtOnce)
	if err != nil {
		a.log.Error("projects cannot be read", "error", err)
		a.pause.wait(storePause)
		return
	}
	a.items = open // those that are done are forgotten
	if len(open) == 0 {
		a.note(func(s *AssignStatus) { *s = AssignStatus{} })
	}
	if len(due) > 0 {
		a.projects.Fresh(ctx) // without them the codes do, too
	}
	for _, x := range due {
		if time.Now().Before(a.codes[x.Project]) { // refused for another one just now
			continue
		}
		if ctx.Err() != nil || !a.assign(ctx, x) {
			return
		}
	}
}

// assign takes the next steps of one, and reports whether others are to be tried after it.
func (a *Assigner) assign(ctx context.Context, x device.Assignment) (goOn bool) {
	state, why, err := a.step(ctx, a.apis[a.by], x)
	switch {
	case ctx.Err() != nil:
		return false
	case errors.Is(err, errNotStored):
		a.log.Error("no project is assigned while that cannot be stored", "punch", x.ID, "error", err)
		a.pause.wait(storePause)
		return false
	case err != nil:
		return a.failed(x, err)
	}
	delete(a.codes, x.Project)
	a.pause = pause{}
	a.note(func(s *AssignStatus) { *s = AssignStatus{} })
	if state == device.AssignmentWaits {
		return true
	}
	return a.stored(x, state, why)
}

// stored stores what became of one. What cannot be stored is found out again.
func (a *Assigner) stored(x device.Assignment, state device.AssignmentState, why string) bool {
	if err := a.queue.Assigned(x.ID, state, why); err != nil {
		a.log.Error("not stored what became of a project, trying again", "punch", x.ID, "error", err)
		a.pause.wait(storePause)
		return false
	}
	a.log.Info("project of a booking", "punch", x.ID, "project", x.Project, "state", string(state), "why", why)
	return true
}

// step looks at the timespan, and assigns the project if nobody was there before. A state that waits says
// that it is to be tried again.
func (a *Assigner) step(
	ctx context.Context, api AssignAPI, x device.Assignment,
) (state device.AssignmentState, why string, err error) {
	var t zeitstrom.Timespan
	if x.Timespan != "" {
		t, err = api.Timespan(ctx, x.Timespan)
		if isGone(err) {
			return device.AssignmentLeft, "the timespan is not there any more", nil
		}
	} else {
		var found bool
		t, found, err = api.Question(x.Punch).Timespan(ctx)
		if err == nil && !found {
			return a.missing(x)
		}
	}
	if err != nil {
		return "", "", err
	}
	ours, listed := a.projects.ID(x.Project)
	done := fmt.Sprintf("%s: timespan %s", x.Project, t.ID)
	switch other := x.Timespan != "" && t.ProjectID != x.Before; {
	case ours != "" && t.ProjectID == ours, !listed && other:
		return device.AssignmentDone, done, nil
	case other:
		return device.AssignmentLeft, fmt.Sprintf("somebody has given timespan %s another project", t.ID), nil
	}
	if x.Timespan == "" {
		if err := a.queue.Assigning(x.ID, t.ID, t.ProjectID); err != nil {
			return "", "", fmt.Errorf("%w: %w", errNotStored, err)
		}
	}
	err = api.TryProject(ctx, t.ID, x.Project)
	if isGone(err) { // the timespan, or the project
		if _, look := api.Timespan(ctx, t.ID); look == nil {
			return "", "", refusal(err)
		}
	}
	if err != nil { // the next look tells what it means
		return "", "", err
	}
	return device.AssignmentDone, done, nil
}

// errNotStored says that the queue does not take what is to be on disk before the first try.
var errNotStored = errors.New("not stored which timespan it is")

// refusal makes of an answer one that refuses for good.
func refusal(err error) error {
	e := *asError(err)
	e.Kind = zeitstrom.Refused
	return &e
}

// isGone reports whether Zeitstrom itself says that there is no such timespan.
func isGone(err error) bool {
	var e *zeitstrom.Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.Words() != ""
}

// missing acts on an answer that lacks the booking, though it was delivered: it may not be everywhere yet.
func (a *Assigner) missing(x device.Assignment) (state device.AssignmentState, why string, err error) {
	i := a.items[x.ID]
	if i.denials++; i.denials == 1 {
		i.since = time.Now()
	}
	if i.denials >= denials && time.Since(i.since) >= denialTime {
		return device.AssignmentLeft, "the booking is not at Zeitstrom any more", nil
	}
	i.wait(denialTime / denials)
	return device.AssignmentWaits, "", nil
}

// failed acts on an error, and reports whether others are to be tried.
func (a *Assigner) failed(x device.Assignment, err error) (goOn bool) {
	e := asError(err)
	switch e.Kind {
	case zeitstrom.Forbidden, zeitstrom.Unauthorized, zeitstrom.NoToken:
		if a.by+1 < len(a.apis) {
			a.by++
			return false // all again, with the next token
		}
		a.tokens, a.off = a.allTokens(), time.Now()
		a.note(func(s *AssignStatus) {
			if s.Off == "" {
				a.log.Warn("no token may assign projects: they wait", "error", e)
			}
			s.Off = e.Error()
		})
		return false
	case zeitstrom.Refused, zeitstrom.Incomparable:
		a.items[x.ID].wait(assignAgain)
		if e.Kind == zeitstrom.Refused { // one of a code an hour is enough to see that there is such a project
			a.codes[x.Project] = time.Now().Add(assignAgain)
		}
		words := e.Words()
		if words == "" {
			words = e.Error()
		}
		return a.stored(x, device.AssignmentRefused, words)
	}
	a.note(func(s *AssignStatus) { s.Problem = e.Error() })
	a.items[x.ID].fail(0)
	if e.Ambiguous() { // it may still land
		a.items[x.ID].until = time.Now().Add(max(assignSettle, time.Until(a.items[x.ID].until)))
	}
	if e.Kind == zeitstrom.Unreachable && !e.Sent || e.Kind == zeitstrom.Throttled || e.RetryAfter > 0 {
		a.pause.fail(e.RetryAfter)
		return false
	}
	return true // it may be its own trouble: others go on
}
