package admin

import (
	"context"
	"time"

	"timeclock/device/doctor"
)

// Examination is what a look at everything has shown.
type Examination struct {
	At       time.Time        `json:"at"`
	Verdict  doctor.Verdict   `json:"verdict"` // the gravest
	Findings []doctor.Finding `json:"findings"`
}

// Examined keeps what was found as the newest examination.
func (c *Clock) Examined(findings []doctor.Finding) Examination {
	x := Examination{At: time.Now(), Verdict: doctor.Worst(findings), Findings: findings}
	c.examining.Lock()
	defer c.examining.Unlock()
	c.newest = x
	return x
}

// Examination returns the newest one; before the first its time is zero.
func (c *Clock) Examination() Examination {
	c.examining.Lock()
	defer c.examining.Unlock()
	return c.newest
}

// ExamineNow looks at everything, which takes seconds.
func (c *Clock) ExamineNow(ctx context.Context) Examination { return c.Examined(c.Examine(ctx)) }

// Health is whether taps become bookings on the disk.
type Health struct {
	Version string `json:"version"`
	Problem string `json:"problem"` // why they do not, the reader apart; empty: they do
	Reader  string `json:"reader"`  // why that does not work
}

// comeRound is how soon each part of a healthy clock comes round.
const comeRound = 5 * time.Second

// Health looks whether the clock can do its work. A network that is away is no reason
// why it could not.
func (c *Clock) Health(ctx context.Context) Health {
	h := Health{Version: c.Version, Reader: c.Reader.Health().Problem}
	if q := c.Queue.Stats(); q.Problem != "" {
		h.Problem = "bookings cannot be saved: " + q.Problem
	}
	if hangs := c.Hanging(ctx, comeRound); hangs != "" {
		h.Problem = "it hangs: " + hangs
	}
	return h
}
