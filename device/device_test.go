package device

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func uid(t *testing.T, s string) UID {
	t.Helper()
	u, err := ParseUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestParseUID(t *testing.T) {
	for in, want := range map[string]string{
		"a1b2c3d4":                      "A1B2C3D4",
		"04:11:22:33:44:55:66":          "04112233445566",
		"04-01 02-03 05-06 07-08 09-0a": "04010203050607080 90A",
	} {
		if got := uid(t, in).Hex(); got != strings.ReplaceAll(want, " ", "") {
			t.Errorf("%q became %s", in, got)
		}
	}
	for in, want := range map[string]string{
		"":           "a UID of 0 bytes does not exist",
		"A1B2C3":     "a UID of 3 bytes does not exist",
		"A1B2C3D":    "UID has 7 hex digits",
		"A1B2C3D4E5": "a UID of 5 bytes does not exist",
		"A1B2C3DÖ":   "UID has 'Ö' at digit 8",
	} {
		if _, err := ParseUID(in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
	if !uid(t, "08112233").Random() || uid(t, "04112233").Random() || uid(t, "08112233445566").Random() {
		t.Error("Random: only 4-byte UIDs that begin with 08 are")
	}
}

// However a UID is printed, in a log, an error or a dump, it stays masked.
func TestUIDDoesNotLeak(t *testing.T) {
	u := uid(t, "A1B2C3D4")
	tap := Tap{UID: u}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("tap", "uid", u, "tap", tap)
	slog.New(slog.NewTextHandler(&log, nil)).Info("tap", "uid", u, "tap", tap, "o", Outcome{Tap: tap})
	asJSON, err := json.Marshal(tap)
	if err != nil {
		t.Fatal(err)
	}
	said := log.String() + string(asJSON)
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%x", "%X", "%q", "%d"} {
		said += fmt.Sprintf(verb, u) + fmt.Sprintf(verb, tap) + fmt.Sprintf(verb, &tap)
	}
	said = strings.ToUpper(said)
	for _, secret := range []string{"A1B2", "B2C3", "C3D4", "161 178"} {
		if strings.Contains(said, secret) {
			t.Errorf("%s shows in %s", secret, said)
		}
	}
	if !strings.Contains(said, "…D4") {
		t.Errorf("nothing is left to recognise it by: %s", said)
	}
}

func FuzzParseUID(f *testing.F) {
	f.Add("04:11:22:33:44:55:66")
	f.Add("a1 b2-c3d4")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseUID(s)
		if err != nil {
			return
		}
		again, err := NewUID(u.Bytes())
		if err != nil || again != u || uid(t, u.Hex()) != u {
			t.Errorf("%q became %s and %v, %v", s, u.Hex(), again, err)
		}
	})
}

func TestParseEmployeeID(t *testing.T) {
	id, err := ParseEmployeeID(" A1B2C3D4-E5F6-7890-ABCD-EF1234567890 ")
	if err != nil || id != "a1b2c3d4-e5f6-7890-abcd-ef1234567890" {
		t.Errorf("%q, %v", id, err)
	}
	for _, bad := range []string{"", "17", "a1b2c3d4-e5f6-7890-abcd-ef123456789", "a1b2c3d4-e5f6-7890-abcd-ef123456789g", "a1b2c3d4xe5f6-7890-abcd-ef1234567890", "a1b2c3d4-e5f6-7890-abcd-ef12345678-0"} {
		if id, err := ParseEmployeeID(bad); err == nil {
			t.Errorf("%q became %q", bad, id)
		}
	}
}

// desk is everything around a terminal.
type desk struct {
	people map[UID]Employee
	stored []Punch
	broken error
	order  []string // what happened, to see that storing comes before showing
}

func (d *desk) Lookup(u UID) (Employee, bool) { e, ok := d.people[u]; return e, ok }

func (d *desk) Last(id EmployeeID) (Punch, bool, error) {
	for i := len(d.stored) - 1; i >= 0; i-- {
		if d.stored[i].Employee == id {
			return d.stored[i], true, nil
		}
	}
	return Punch{}, false, nil
}

func (d *desk) Append(p Punch) (Punch, error) {
	if d.broken != nil {
		return p, d.broken
	}
	p.ID = PunchID(len(d.stored) + 1)
	d.stored = append(d.stored, p)
	d.order = append(d.order, "stored")
	return p, nil
}

func (d *desk) Keep(Tap, time.Duration) (int, error) { return 17, d.broken }

func (d *desk) Show(o Outcome) { d.order = append(d.order, string(o.Kind)) }

func newTerminal(t *testing.T) (*Terminal, *desk) {
	anna, ben := Employee{ID: "anna", Name: "Anna"}, Employee{ID: "ben"}
	d := &desk{people: map[UID]Employee{uid(t, "A1B2C3D4"): anna, uid(t, "04112233445566"): anna, uid(t, "01020304"): ben}}
	return &Terminal{Roster: d, Queue: d, Screen: d, Lockout: 30 * time.Second, Log: slog.New(slog.DiscardHandler)}, d
}

func TestTerminal(t *testing.T) {
	term, d := newTerminal(t)
	eight := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for i, step := range []struct {
		uid   string
		after time.Duration
		kind  OutcomeKind
		punch PunchID
		at    time.Duration
	}{
		{"A1B2C3D4", 0, CheckedIn, 1, 0},
		{"A1B2C3D4", time.Second, Repeated, 1, 0},
		{"01020304", 2 * time.Second, CheckedIn, 2, 2 * time.Second}, // another employee at once
		{"A1B2C3D4", 29 * time.Second, Repeated, 1, 0},
		{"04112233445566", 29 * time.Second, Repeated, 1, 0}, // her second badge
		{"A1B2C3D4", 30 * time.Second, CheckedOut, 3, 30 * time.Second},
		{"99999999", 31 * time.Second, Unknown, 0, 31 * time.Second},
		{"04112233445566", time.Hour, CheckedIn, 4, time.Hour},
		{"01020304", -time.Hour, CheckedOut, 5, -time.Hour}, // the clock was set back
	} {
		o := term.Answer(Tap{UID: uid(t, step.uid), Time: eight.Add(step.after)})
		if o.Kind != step.kind || o.Punch.ID != step.punch || !o.Punch.Time.Equal(eight.Add(step.at)) {
			t.Errorf("step %d: %s, punch %d at %v; want %s, %d, %v", i+1, o.Kind, o.Punch.ID, o.Punch.Time, step.kind, step.punch, step.at)
		}
		if o.Kind == Unknown && o.Claim != 17 {
			t.Errorf("step %d: claim number %d", i+1, o.Claim)
		}
		if o.Kind == Repeated && o.Punch.Intent != CheckIn {
			t.Errorf("step %d: repeats %s", i+1, o.Punch.Intent)
		}
	}
	if o := term.Answer(Tap{Several: true, Time: eight}); o.Kind != Several {
		t.Errorf("several badges at once: %s", o.Kind)
	}
	if len(d.stored) != 5 {
		t.Errorf("%d punches stored, want 5", len(d.stored))
	}
}

func TestNothingSaysOKBeforeItIsStored(t *testing.T) {
	term, d := newTerminal(t)
	term.Answer(Tap{UID: uid(t, "A1B2C3D4"), Time: time.Now()})
	d.broken = errors.New("no space left on device")
	o := term.Answer(Tap{UID: uid(t, "01020304"), Time: time.Now()})
	if o.Kind != Failed || !errors.Is(o.Err, d.broken) || o.Booked() {
		t.Errorf("with a full disk: %+v", o)
	}
	if got, want := strings.Join(d.order, " "), "stored checkin failed"; got != want {
		t.Errorf("happened %q, want %q", got, want)
	}
}
