package device

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
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

// What a number shows of its worth.
func TestWeakness(t *testing.T) {
	for hex, want := range map[string]Weakness{
		"A1B2C3D4": ShortUID, "08112233": RandomUID, "04112233445566": "", "04010203050607080909": "",
	} {
		if got := uid(t, hex).Weakness(); got != want {
			t.Errorf("%s is %q, want %q", hex, got, want)
		}
	}
}

// A badge goes to the operator as it is, and comes back so.
func TestBadgeAsJSON(t *testing.T) {
	for _, b := range []Badge{
		{
			UID: uid(t, "A1B2C3D4"), Employee: Employee{ID: "a1b2c3d4-e5f6-7890-abcd-ef1234567890", Name: "Anna"},
			Blocked: true,
			From:    "2026-01-01", Origin: ByFile,
		},
		{},
	} {
		text, err := json.Marshal(b)
		if err != nil || !strings.Contains(string(text), `"UID":"`+b.UID.Hex()+`"`) {
			t.Errorf("%s, %v", text, err)
		}
		again := Badge{UID: uid(t, "01020304")}
		if err := json.Unmarshal(text, &again); err != nil || again != b {
			t.Errorf("%s became %+v, %v", text, again, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"UID": "12"}`), &Badge{}); err == nil {
		t.Error("half a UID was taken")
	}
}

// However a UID is printed, in a log, an error or a dump, it stays masked.
func TestUIDDoesNotLeak(t *testing.T) {
	u := uid(t, "A1B2C3D4")
	tap := Tap{UID: u}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("tap", "uid", u, "tap", tap)
	slog.New(slog.NewTextHandler(&log, nil)).Info("tap", "uid", u, "tap", tap, "o", Outcome{Tap: tap})
	slog.New(slog.NewJSONHandler(&log, nil)).Info("badge", "badge", Badge{UID: u})
	slog.New(slog.NewTextHandler(&log, nil)).Info("badge", "badge", Badge{UID: u})
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
	for _, bad := range []string{
		"", "17", "a1b2c3d4-e5f6-7890-abcd-ef123456789", "a1b2c3d4-e5f6-7890-abcd-ef123456789g",
		"a1b2c3d4xe5f6-7890-abcd-ef1234567890", "a1b2c3d4-e5f6-7890-abcd-ef12345678-0",
	} {
		if id, err := ParseEmployeeID(bad); err == nil {
			t.Errorf("%q became %q", bad, id)
		}
	}
}
