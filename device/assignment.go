package device

// Assignment is the project that the timespan of a check-in is to get at Zeitstrom, which takes none
// with a punch.
type Assignment struct {
	Punch
	State AssignmentState
	// Timespan is which one it is, once that was found out; Before is the id of the project that it
	// had then, or empty.
	Timespan, Before string
	Reason           string // why it is refused, or left
}

// AssignmentState is what became of a project.
type AssignmentState string

// What can become of one. An empty state says that there is none.
const (
	AssignmentWaits   AssignmentState = "waiting"
	AssignmentDone    AssignmentState = "assigned"
	AssignmentRefused AssignmentState = "refused" // with the server's words; it is tried again
	AssignmentLeft    AssignmentState = "left"    // somebody has changed or deleted it since: theirs counts
	AssignmentDropped AssignmentState = "dropped" // with its punch, or its function was taken back
)
