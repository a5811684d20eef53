package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"timeclock/device"
	"timeclock/device/roster"
)

// Ability is something that an admin can do, under the name that it has on the control socket:
// what it takes and gives goes there and back as JSON.
type Ability[In, Out any] struct {
	name string
	do   func(*Admin, context.Context, string, In) (Out, error)
}

// The abilities that the command line has. Programs of other versions ask for status and health:
// their names and answers stay.
var (
	DoStatus          = Ability[None, Status]{"status", (*Admin).Status}
	DoHealth          = Ability[None, Health]{"health", (*Admin).Health}
	DoExamine         = Ability[None, Examination]{"examination", (*Admin).Examine}
	DoLog             = Ability[None, []string]{"log", (*Admin).NewestLog}
	DoTap             = Ability[WholeUID, Answer]{"tap", (*Admin).Tap}
	DoPunches         = Ability[Which, []Punch]{"punches", (*Admin).Punches}
	DoPunch           = Ability[device.PunchID, Punch]{"punch", (*Admin).Punch}
	DoRetry           = Ability[device.PunchID, Punch]{"retry", (*Admin).Retry}
	DoDrop            = Ability[Drop, Punch]{"drop", (*Admin).Drop}
	DoSetTime         = Ability[TimeOf, Punch]{"set-time", (*Admin).SetTime}
	DoOpenDays        = Ability[None, []OpenDay]{"open-days", (*Admin).OpenDays}
	DoVerifyJournal   = Ability[None, int]{"verify-journal", (*Admin).VerifyJournal}
	DoSalvage         = Ability[bool, None]{"salvage", (*Admin).Salvage}
	DoBadges          = Ability[None, []device.Badge]{"badges", (*Admin).Badges}
	DoAddBadge        = Ability[NewBadge, roster.Action]{"add-badge", (*Admin).AddBadge}
	DoRemoveBadge     = Ability[WholeUID, device.Employee]{"remove-badge", (*Admin).RemoveBadge}
	DoBlockBadge      = Ability[Block, device.Employee]{"block-badge", (*Admin).BlockBadge}
	DoImportBadges    = Ability[BadgeList, roster.Report]{"import-badges", (*Admin).ImportBadges}
	DoSyncBadges      = Ability[bool, roster.Merged]{"sync-badges", (*Admin).SyncBadges}
	DoUnclaimed       = Ability[None, UnclaimedBadges]{"unclaimed", (*Admin).UnclaimedBadges}
	DoClaim           = Ability[Claim, []Punch]{"claim", (*Admin).Claim}
	DoEmployee        = Ability[string, device.Employee]{"employee", (*Admin).Employee}
	DoEnroll          = Ability[Enroll, roster.EnrollState]{"enroll", (*Admin).Enroll}
	DoAwaitEnrollment = Ability[roster.EnrollState, roster.EnrollState]{"await-enrollment", (*Admin).AwaitEnrollment}
	DoEndEnrollment   = Ability[int, None]{"end-enrollment", (*Admin).EndEnrollment}
	DoCorrected       = Ability[Correction, int]{"corrected", (*Admin).Corrected}
	DoPair            = Ability[None, Pairing]{"pair", (*Admin).Pair}
	DoNoteReset       = Ability[None, None]{"note-reset", (*Admin).NoteReset}
	DoResetPage       = Ability[None, Pairing]{"reset-page", (*Admin).ResetPage}
)

// table is what the control socket serves, beside the journal.
var table = []interface {
	handler(*Admin) (string, http.HandlerFunc)
}{
	DoStatus, DoHealth, DoExamine, DoLog, DoTap, DoPunches, DoPunch, DoRetry, DoDrop, DoSetTime, DoOpenDays,
	DoVerifyJournal, DoSalvage, DoBadges, DoAddBadge, DoRemoveBadge, DoBlockBadge, DoImportBadges, DoSyncBadges,
	DoUnclaimed, DoClaim, DoEmployee, DoEnroll, DoAwaitEnrollment, DoEndEnrollment, DoCorrected, DoPair, DoNoteReset,
	DoResetPage,
}

// WholeUID is the UID of a badge that the operator names, or is told: as JSON it is whole.
type WholeUID struct{ device.UID }

// MarshalText gives it as Hex does.
func (u WholeUID) MarshalText() ([]byte, error) { return []byte(u.Hex()), nil }

// UnmarshalText reads it.
func (u *WholeUID) UnmarshalText(text []byte) (err error) {
	u.UID, err = device.ParseUID(string(text))
	return err
}

// Way is a way to a clock: an *Admin in this process, or a *Client of a running one.
type Way interface {
	// call does what is here, or has it done there.
	call(ctx context.Context, name string, in, out any, here func(*Admin) error) error
	// Journal calls f for each entry of the journal, oldest first.
	Journal(ctx context.Context, f func(JournalLine) error) error
}

var (
	_ Way = (*Admin)(nil)
	_ Way = (*Client)(nil)
)

// On uses an ability on a clock, as the command line. What it gives may come beside an error.
func (x Ability[In, Out]) On(ctx context.Context, w Way, in In) (out Out, err error) {
	err = w.call(ctx, x.name, in, &out, func(a *Admin) error {
		out, err = x.do(a, ctx, Console, in)
		return err
	})
	return out, err
}

func (a *Admin) call(_ context.Context, _ string, _, _ any, here func(*Admin) error) error {
	return here(a)
}

// handler serves an ability: what takes nothing is a GET.
func (x Ability[In, Out]) handler(a *Admin) (pattern string, serve http.HandlerFunc) {
	pattern = "POST /" + x.name
	if _, none := any(*new(In)).(None); none {
		pattern = "GET /" + x.name
	}
	return pattern, func(w http.ResponseWriter, r *http.Request) {
		var in In
		var out Out
		err := decode(http.MaxBytesReader(w, r.Body, maxAnswer), &in)
		if err == nil {
			out, err = x.do(a, r.Context(), Console, in)
		}
		reply(w, out, err)
	}
}

// envelope is every answer: a result, an error, or for imports both.
type envelope struct {
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error,omitempty"`
	Remedy device.Remedy   `json:"remedy,omitempty"`
}

func newEnvelope(result any, err error) envelope {
	var e envelope
	if err != nil {
		e.Error = err.Error()
	}
	var refused *device.Refusal
	if errors.As(err, &refused) {
		e.Remedy = refused.Remedy
	}
	raw, err := json.Marshal(result)
	if err != nil {
		e.Error = err.Error()
	}
	e.Result = raw
	return e
}

// err is the error as it was before it went over the socket.
func (e envelope) err() error {
	switch {
	case e.Error == "":
		return nil
	case e.Remedy != "":
		return &device.Refusal{Cause: e.Error, Remedy: e.Remedy}
	}
	return errors.New(e.Error)
}

func reply(w http.ResponseWriter, result any, err error) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(newEnvelope(result, err))
}
