package admin

import (
	"context"
	"fmt"
	"time"

	"timeclock/device/doctor"
)

// Examination is what a look at everything has shown.
type Examination struct {
	At       time.Time        `json:"at"` // zero: nobody has looked yet
	Verdict  doctor.Verdict   `json:"verdict"`
	Findings []doctor.Finding `json:"findings"`

	quiet bool // nobody has asked for it
}

// IsNews reports whether somebody wants to hear of it at the display.
func (x Examination) IsNews() bool { return !x.At.IsZero() && !x.quiet }

// Examine looks at everything, which takes seconds.
func (a *Admin) Examine(ctx context.Context, by string, _ None) (Examination, error) {
	s, err := a.Status(ctx, by, None{})
	if err != nil {
		return Examination{}, err
	}
	return a.Examined(a.rooms.Examine(ctx, s)), nil
}

// Examined keeps what was found as the newest examination.
func (a *Admin) Examined(findings []doctor.Finding) Examination {
	x := Examination{At: time.Now(), Verdict: doctor.Worst(findings), Findings: findings}
	a.examining.Lock()
	defer a.examining.Unlock()
	a.newest = x
	return x
}

// Reexamined keeps what was found by a look that nobody has asked for. The display does not tell of it.
func (a *Admin) Reexamined(findings []doctor.Finding) {
	a.Examined(findings)
	a.examining.Lock()
	defer a.examining.Unlock()
	a.newest.quiet = true
}

// Examination returns the newest one.
func (a *Admin) Examination() Examination {
	a.examining.Lock()
	defer a.examining.Unlock()
	return a.newest
}

// Health is whether taps become bookings on the disk.
type Health struct {
	Version string `json:"version"`
	Problem string `json:"problem"` // why they do not, the reader apart; empty: they do
	Reader  string `json:"reader"`  // why that does not work
}

// comeRound is how soon each part of a healthy clock comes round.
const comeRound = 5 * time.Second

// Health looks whether the clock can do its work. A network that is away is no reason
// why it could not. Updaters of other versions ask this.
func (a *Admin) Health(ctx context.Context, _ string, _ None) (Health, error) {
	s := a.Glance()
	h := Health{Version: s.Version, Reader: s.Reader.Problem}
	if s.Storage.Problem != "" {
		h.Problem = fmt.Sprintf("bookings cannot be saved: %s", s.Storage.Problem)
	}
	if hangs := a.rooms.Hanging(ctx, comeRound); hangs != "" {
		h.Problem = fmt.Sprintf("it hangs: %s", hangs)
	}
	return h, nil
}

// NewestLog returns the newest lines of the clock's log, oldest first.
func (a *Admin) NewestLog(context.Context, string, None) ([]string, error) {
	if a.rooms.Log == nil {
		return nil, nil
	}
	return a.rooms.Log(), nil
}

// Settings are those that the clock runs on, a key to a line.
func (a *Admin) Settings() []string { return a.rooms.Settings }

// Zone is in which times are shown.
func (a *Admin) Zone() *time.Location { return a.rooms.Style.Zone }

// Door is what this clock is called.
func (a *Admin) Door() Door { return a.rooms.Door }

// ShortName is a name as everybody may see it.
func (a *Admin) ShortName(name string) string { return a.rooms.Style.Names.Shorten(name) }
