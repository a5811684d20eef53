package device

import "time"

// State is where a punch stands.
type State string

// The states that a punch can be in. Scripts and pages see an untimed one as held.
const (
	Pending     State = "pending"
	Ambiguous   State = "ambiguous" // pending: sent, and not clearly answered
	Held        State = "held"      // pending: a check-out that waits because its check-in is quarantined
	Untimed     State = "untimed"   // pending: its time is not certain yet
	Delivered   State = "delivered"
	Quarantined State = "quarantined" // refused for good, kept for a person to decide
	Dropped     State = "dropped"     // a person decided that it is never sent
)

// Entry is a punch with what became of it.
type Entry struct {
	Punch
	State  State
	Reason string    // the server's words, or a person's
	Since  time.Time // when it came into that state; zero while it is simply pending or delivered

	// ProjectState is what became of its project, ProjectReason why.
	ProjectState  AssignmentState
	ProjectReason string
}

// Undelivered is a punch that Zeitstrom may not have yet.
type Undelivered struct {
	Punch
	// Ambiguous: it was sent and not clearly answered, or nobody knows any more whether it was
	// sent.
	Ambiguous bool
}
