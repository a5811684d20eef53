package device

import "time"

// Event is an entry of the journal beside the punches: what happened to one other than
// being delivered, or what a person did. It is stored as JSON under these keys.
type Event struct {
	At     time.Time `json:"at"`
	Punch  PunchID   `json:"punch,omitempty"` // 0: it is about none
	Kind   EventKind `json:"what"`
	Reason string    `json:"why,omitempty"` // the reason, or what it was about; no whole UID, no name
	By     string    `json:"by,omitempty"`  // who decided; empty: the clock itself
}

// EventKind says what happened. Journals are kept for years: a word that was written once
// keeps its meaning, and one that is not listed here is shown as it is.
type EventKind string

// What can happen to a punch.
const (
	EventAmbiguous    EventKind = "ambiguous"    // sent, and not clearly answered
	EventDelivered    EventKind = "delivered"    // it had been ambiguous
	EventQuarantined  EventKind = "quarantined"  // Zeitstrom has refused it for good
	EventReleased     EventKind = "released"     // from quarantine, or no longer held
	EventRetried      EventKind = "retried"      // an ambiguous one is sent again
	EventReopened     EventKind = "reopened"     // it was taken for delivered, and is ambiguous
	EventDropped      EventKind = "dropped"      // it is never sent
	EventClaimed      EventKind = "claimed"      // it had been an unclaimed tap
	EventTakenOver    EventKind = "taken over"   // another device had not delivered it
	EventRepaired     EventKind = "repaired"     // its time is certain now, and was wrong
	EventConfirmed    EventKind = "confirmed"    // its time is certain now, and was right
	EventTimeSet      EventKind = "time set"     // a person said its time
	EventContradicted EventKind = "contradicted" // a later one shows that its time is wrong
)

// What employees choose at the door beside their direction, and what becomes of it.
const (
	EventFunction          EventKind = "function"            // by which a punch was made
	EventFunctionTakenBack EventKind = "function taken back" // of a punch, which stays without
	EventProjectGoesOn     EventKind = "project goes on"     // after a break
	EventProjectRefused    EventKind = "project refused"     // by Zeitstrom, for a timespan
	EventProjectLeft       EventKind = "project left"        // somebody has changed the timespan
	EventProjectDropped    EventKind = "project dropped"
	EventHints             EventKind = "hints" // that an employee was given
)

// What can happen to the clock's own files.
const (
	EventSalvaged     EventKind = "salvaged"          // the journal begins anew behind what was recovered
	EventSalvageAsked EventKind = "salvage asked for" // by a person
)

// What people do with badges.
const (
	EventBadgeAdded           EventKind = "badge added"
	EventBadgeChanged         EventKind = "badge changed"
	EventBadgeKept            EventKind = "badge kept" // it was so already
	EventBadgeMoved           EventKind = "badge moved"
	EventBadgeRemoved         EventKind = "badge removed"
	EventBadgeBlocked         EventKind = "badge blocked"
	EventBadgeUnblocked       EventKind = "badge unblocked"
	EventBadgeEnrolled        EventKind = "badge enrolled"
	EventBadgesImported       EventKind = "badges imported"
	EventBadgesSynced         EventKind = "badges taken from Zeitstrom"
	EventFunctionBadge        EventKind = "function badge" // what it chooses
	EventFunctionBadgeRemoved EventKind = "function badge removed"
	EventTapsClaimed          EventKind = "taps claimed"
	EventTapsBooked           EventKind = "taps booked" // of badges that the badge map had lost for a while
)

// What people do with hours at Zeitstrom.
const (
	EventTimesCorrected  EventKind = "times corrected"
	EventTimespanAdded   EventKind = "timespan added"
	EventTimespanSplit   EventKind = "timespan split"
	EventTimespansMerged EventKind = "timespans merged"
	EventTimespanDeleted EventKind = "timespan deleted"
	EventCommentSet      EventKind = "comment set"
	EventProjectAssigned EventKind = "project assigned"
	EventTagsSet         EventKind = "tags set"
)

// OutcomeUnknown is such a change of which nobody knows whether it was made.
func (k EventKind) OutcomeUnknown() EventKind { return k + " (outcome unknown)" }

// What people do with the accounts of the page.
const (
	EventPairingBegun   EventKind = "pairing begun"
	EventAccountsReset  EventKind = "accounts of the page taken away"
	EventAdminPaired    EventKind = "paired: admin set"
	EventAccountSet     EventKind = "account set"
	EventAccountRemoved EventKind = "account removed"
)

// EventTried says that somebody tries the clock on a bench: for some minutes nobody is booked.
const EventTried EventKind = "tried on the bench"

// What people do with what is kept about people.
const (
	EventDataExported EventKind = "data downloaded"
	EventErased       EventKind = "employee erased"
)
