package control

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
