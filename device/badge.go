package device

import (
	"encoding/json"
	"log/slog"
)

// Badge is one line of the badge map: whose it is. As JSON it carries its UID whole, for the
// operator who owns the map; in logs it is masked.
type Badge struct {
	UID      UID
	Employee Employee
	Blocked  bool // lost, say: it books nothing
	// From and Until are the first and the last day on which it may be used, as
	// YYYY-MM-DD; empty: any.
	From, Until string
	Origin      Origin
}

// Usable reports whether the badge may be used on a day, YYYY-MM-DD; empty: it is
// not known which day it is.
func (b Badge) Usable(day string) bool {
	return !b.Blocked && (day == "" || b.From <= day && (b.Until == "" || day <= b.Until))
}

// Origin is who put a badge into the badge map.
type Origin string

// Who can put a badge there. What people did at this clock is not undone by
// Zeitstrom.
const (
	ByHand        Origin = "hand"      // a command, the page, or the badge held to the reader
	ByFile        Origin = "file"      // an imported list
	FromZeitstrom Origin = "zeitstrom" // the number that stands at Zeitstrom
)

// plainBadge is a Badge without its methods.
type plainBadge Badge

// MarshalJSON writes the UID whole, as Hex does; that of no badge is empty.
func (b Badge) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainBadge
		UID string
	}{plainBadge(b), b.UID.Hex()})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (b *Badge) UnmarshalJSON(text []byte) error {
	in := struct {
		*plainBadge
		UID string
	}{plainBadge: (*plainBadge)(b)}
	err := json.Unmarshal(text, &in)
	if b.UID = (UID{}); err == nil && in.UID != "" {
		b.UID, err = ParseUID(in.UID)
	}
	return err
}

// LogValue masks the UID in structured logs.
func (b Badge) LogValue() slog.Value { return slog.StringValue(b.UID.String()) }
