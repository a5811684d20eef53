// Package doctor examines the device under a clock: its nodes and permissions, its
// supply, memory and disk, its network. Each finding says what is the matter and what
// to do about it, in a technician's words.
//
// It looks and asks, and changes nothing. What the clock itself knows (its reader,
// its bookings) is added by whoever runs the examination.
package doctor

import "fmt"

// Verdict is how grave a finding is.
type Verdict string

// The verdicts.
const (
	OK   Verdict = "ok"
	Warn Verdict = "warn" // it works, but not for ever or not for everything
	Fail Verdict = "fail" // the clock cannot do its work
)

// Finding is what one look has shown.
type Finding struct {
	Check   string  `json:"check"` // what was looked at, a word that stays the same
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Do      string  `json:"do,omitempty"` // what to do; empty if nothing is
}

// Good is a finding that is as it should be.
func Good(check, format string, args ...any) Finding {
	return Finding{Check: check, Verdict: OK, Found: fmt.Sprintf(format, args...)}
}

// Worst returns the gravest verdict of all.
func Worst(findings []Finding) Verdict {
	worst := OK
	for _, f := range findings {
		if f.Verdict == Fail || f.Verdict == Warn && worst == OK {
			worst = f.Verdict
		}
	}
	return worst
}

// Count returns how many findings have a verdict.
func Count(findings []Finding, v Verdict) (n int) {
	for _, f := range findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}
