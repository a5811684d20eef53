// Package admin is what an admin can do with a clock. Each ability exists once, as a method of
// Admin; the page uses those, and the command line reaches them through a table: in its own
// process, or through the control socket of a running clock.
//
// It decides nothing about punches, badges or times itself: the rooms do. It brings them together,
// says who has decided, and puts what they know into the form that scripts and pages read.
package admin

import (
	"context"
	"sync"
	"time"

	"timeclock/device"
	"timeclock/device/clock"
	"timeclock/device/doctor"
	"timeclock/device/roster"
	"timeclock/display"
	"timeclock/queue"
	"timeclock/reader"
	"timeclock/reader/keys"
	"timeclock/sync/uplink"
	"timeclock/sync/zeitstrom"
)

// Console is who acts through the command line: whoever may open the control socket, or the
// state directory.
const Console = "console"

// Rooms are what an Admin works with.
type Rooms struct {
	Version    string
	Roster     *roster.Roster
	People     *roster.People
	Projects   *roster.Projects
	Sync       *roster.Sync
	Enrollment *roster.Enrollment
	Bench      *Bench
	Queue      *queue.Store
	Storage    Storage
	Reader     *reader.Reader
	Keys       *keys.Keys
	Uplink     *uplink.Uplink
	Assigner   *uplink.Assigner
	API        *zeitstrom.Client
	// AdminAPI reaches Zeitstrom by a token that somebody has brought, or by the company's if that
	// is empty. Its error is ErrNoAdminToken if the company has none.
	AdminAPI func(token string) (*zeitstrom.Client, error)
	Clock    *clock.Clock
	Display  *display.Display
	Signal   *display.Signal
	Style    display.Style
	// Nothing of that kind is in the settings.
	NoDisplay, NoSignal bool
	Door                Door
	Policy              Policy
	Rules               device.Rules
	Page                Page            // nil: there is none
	Settings            []string        // as they were read, a key to a line
	Refused             string          // why it does not run on the settings that there are; empty: it does
	Log                 func() []string // its newest lines, oldest first
	// Hanging names the parts that do not come round in time; empty if all do.
	Hanging func(ctx context.Context, patience time.Duration) string
	// Examine looks at everything.
	Examine func(context.Context, Status) []doctor.Finding
	// Bring brings a badge to a simulated reader and returns the answer; nil with a real reader:
	// nobody clocks in by shell.
	Bring func(context.Context, device.UID) (device.Outcome, error)
}

// Door is what this clock is called, for people.
type Door struct {
	Name    string
	Company string // empty: nobody has said
}

// Storage is the queue file under the queue.
type Storage interface {
	Notice() string                       // what happened to it before it was opened; usually nothing
	Stuck() bool                          // it could not be recovered by itself: somebody must ask for more
	Salvage(by string, giveUp bool) error // tries to recover a damaged file once more, or gives it up
}

// Page is the admin's page, as far as it is to be told something.
type Page interface {
	Pair() (Pairing, error)  // begins a pairing
	Reset() (Pairing, error) // takes all accounts away, and begins one
	Address() string         // empty: it is not served
	Problem() string         // why it is not
	Code() string            // the pairing code that the display shows; empty: none is valid
	Fingerprint() string     // what the display shows beside it
}

// Admin is what an admin can do with a clock. Its methods may be called from any goroutine.
type Admin struct {
	rooms Rooms

	asking  sync.Mutex // everybody
	backlog backlog

	examining sync.Mutex
	newest    Examination
}

// New makes an Admin of a clock's rooms.
func New(r Rooms) *Admin { return &Admin{rooms: r} }

// did notes what somebody did, if it was done. The journal has no more of a badge's UID than a log
// would show, and no names.
func (a *Admin) did(by string, kind device.EventKind, why string, err error) {
	if err == nil {
		a.rooms.Queue.Note(device.Event{Kind: kind, Reason: why, By: by})
	}
}

// None is what an ability takes, or gives, that takes or gives nothing.
type None struct{}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
