package device

// Refusal refuses something that can be done all the same, if somebody says so. How one says
// it depends on where: each surface adds its own words.
type Refusal struct {
	Cause  string
	Remedy Remedy
}

// Error is the cause alone: the remedy is in the words of the surface that shows it.
func (r *Refusal) Error() string { return r.Cause }

// Remedy is what one says then.
type Remedy string

// The remedies.
const (
	MoveBadge      Remedy = "move"    // the badge from its owner to somebody else
	ClaimAnyway    Remedy = "claim"   // though the employee has later bookings
	BelieveSync    Remedy = "sync"    // though it would take most badges away
	SayNumbers     Remedy = "numbers" // how the badge numbers are written
	SayIfDecimal   Remedy = "decimal" // that they are decimal, and in which order
	SetTimeInstead Remedy = "time"    // a booking has no certain time yet: it is to get one
	SayWorkday     Remedy = "workday" // which day at Zeitstrom is meant
	SeeBadges      Remedy = "badges"  // which there are
	RemoveFirst    Remedy = "remove"  // a badge is somebody's: it is to be taken from them
	// NoFunctionFirst: a badge is a function badge, and is to be none any more.
	NoFunctionFirst Remedy = "ordinary"
	SeeFunctions    Remedy = "functions" // which function badges there are
	SeePunches      Remedy = "punches"   // which there are
)
