package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"timeclock/device"
)

// Ability is something that an admin can do, under the name that it has on the control socket:
// what it takes and gives goes there and back as JSON.
type Ability[In, Out any] struct {
	name string
	do   func(*Admin, context.Context, string, In) (Out, error)
}

// table is what the control socket serves, beside the journal: every ability.
var table []interface {
	handler(*Admin) (string, http.HandlerFunc)
}

// ability puts something that an admin can do into the table.
func ability[In, Out any](name string, do func(*Admin, context.Context, string, In) (Out, error)) Ability[In, Out] {
	x := Ability[In, Out]{name, do}
	table = append(table, x)
	return x
}

// The abilities that the command line has. Programs of other versions ask for status and health:
// their names and answers stay.
var (
	DoStatus          = ability("status", (*Admin).Status)
	DoHealth          = ability("health", (*Admin).Health)
	DoExamine         = ability("examination", (*Admin).Examine)
	DoLog             = ability("log", (*Admin).NewestLog)
	DoTry             = ability("try", (*Admin).Try)
	DoTap             = ability("tap", (*Admin).Tap)
	DoPunches         = ability("punches", (*Admin).Punches)
	DoPunch           = ability("punch", (*Admin).Punch)
	DoRetry           = ability("retry", (*Admin).Retry)
	DoDrop            = ability("drop", (*Admin).Drop)
	DoSetTime         = ability("set-time", (*Admin).SetTime)
	DoOpenDays        = ability("open-days", (*Admin).OpenDays)
	DoVerifyJournal   = ability("verify-journal", (*Admin).VerifyJournal)
	DoSalvage         = ability("salvage", (*Admin).Salvage)
	DoBadges          = ability("badges", (*Admin).Badges)
	DoAddBadge        = ability("add-badge", (*Admin).AddBadge)
	DoRemoveBadge     = ability("remove-badge", (*Admin).RemoveBadge)
	DoBlockBadge      = ability("block-badge", (*Admin).BlockBadge)
	DoImportBadges    = ability("import-badges", (*Admin).ImportBadges)
	DoSyncBadges      = ability("sync-badges", (*Admin).SyncBadges)
	DoFunctions       = ability("functions", (*Admin).Functions)
	DoSetFunction     = ability("set-function", (*Admin).SetFunction)
	DoEnrollFunction  = ability("enroll-function", (*Admin).EnrollFunction)
	DoHints           = ability("hints", (*Admin).Hints)
	DoUnsent          = ability("unsent", (*Admin).Unsent)
	DoTakeOver        = ability("take-over", (*Admin).TakeOver)
	DoUnclaimed       = ability("unclaimed", (*Admin).UnclaimedBadges)
	DoClaim           = ability("claim", (*Admin).Claim)
	DoEmployee        = ability("employee", (*Admin).Employee)
	DoFindPeople      = ability("find-people", (*Admin).FindPeople)
	DoEnroll          = ability("enroll", (*Admin).Enroll)
	DoAwaitEnrollment = ability("await-enrollment", (*Admin).AwaitEnrollment)
	DoEndEnrollment   = ability("end-enrollment", (*Admin).EndEnrollment)
	DoCorrected       = ability("corrected", (*Admin).Corrected)
	DoPair            = ability("pair", (*Admin).Pair)
	DoNoteReset       = ability("note-reset", (*Admin).NoteReset)
	DoResetPage       = ability("reset-page", (*Admin).ResetPage)
)

// WholeUID is the UID of a badge that the operator names, or is told: as JSON it is whole.
type WholeUID struct{ device.UID }

// MarshalText gives it as Hex does.
func (u WholeUID) MarshalText() ([]byte, error) { return []byte(u.Hex()), nil }

// UnmarshalText reads it.
func (u *WholeUID) UnmarshalText(text []byte) (err error) {
	u.UID, err = device.ParseUID(string(text))
	return err
}

// Route is a way to a clock: an *Admin in this process, or a *Client of a running one.
type Route interface {
	// call does what is here, or has it done there.
	call(ctx context.Context, name string, in, out any, here func(*Admin) error) error
	// Journal calls f for each entry of the journal, oldest first.
	Journal(ctx context.Context, f func(JournalLine) error) error
}

var (
	_ Route = (*Admin)(nil)
	_ Route = (*Client)(nil)
)

// On uses an ability on a clock, as the command line. What it gives may come beside an error.
func (x Ability[In, Out]) On(ctx context.Context, w Route, in In) (out Out, err error) {
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
