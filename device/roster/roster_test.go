package roster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"timeclock/device"
)

const anna, ben = "a1b2c3d4-e5f6-7890-abcd-000000000001", "a1b2c3d4-e5f6-7890-abcd-000000000002"

func open(t *testing.T, path string) *Roster {
	t.Helper()
	r := Open(path)
	if d := r.Damage(); d != (Damage{}) {
		t.Fatal(d)
	}
	return r
}

func badges(r *Roster) []device.Badge {
	b := r.List()
	return b
}

// describe shows what became of each line, as the command does.
func describe(r Report) string {
	var b strings.Builder
	for _, l := range r.Lines {
		fmt.Fprintf(&b, "%d %s %s %s|%s\n", l.Number, l.Action, l.Badge.UID.Hex(), l.Badge.Employee.Name, l.Reason)
	}
	return b.String()
}

func TestImport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roster.csv")
	r := open(t, path)
	file := "\xEF\xBB\xBFName, UID ,employee_id,extra\r\n\"Müller, Anna\",a1:b2:c3:d4," + anna +
		",x\r\n\r\nBen,04112233445566," + strings.ToUpper(ben) + "\r\n"
	report, err := r.Import(strings.NewReader(file), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := describe(report), "2 added A1B2C3D4 Anna Müller|\n4 added 04112233445566 Ben|\n"; got != want {
		t.Errorf("import said\n%swant\n%s", got, want)
	}
	second := "uid,employee_id,name\nA1B2C3D4," + ben + ",Ben\n04112233445566," + ben + ",Benjamin\n01020304," + anna +
		",Anna\n"
	want := "2 moved A1B2C3D4 Ben|\n3 changed 04112233445566 Benjamin|\n4 added 01020304 Anna|\n"
	for _, dry := range []bool{true, false} {
		if report, err = r.Import(strings.NewReader(second), Options{Dry: dry}); err != nil ||
			describe(report) != want || report.Lines[0].Was.ID != anna {
			t.Errorf("second import said\n%swant\n%s, %v", describe(report), want, err)
		}
		if n := r.Len(); n != map[bool]int{true: 2, false: 3}[dry] {
			t.Errorf("dry: %v: %d badges", dry, n)
		}
	}
	if report, err = r.Import(strings.NewReader(second), Options{}); err != nil ||
		describe(report) != "2 kept A1B2C3D4 Ben|\n3 kept 04112233445566 Benjamin|\n4 kept 01020304 Anna|\n" {
		t.Errorf("third import said\n%s%v", describe(report), err)
	}
	if report, err = r.Import(strings.NewReader("uid,employee_id,name\n01020304,"+anna+",Anna\n"),
		Options{Replace: true}); err != nil || len(report.Missing) != 2 || r.Len() != 1 {
		t.Errorf("the file is the whole truth: %+v, %v, %d left", report.Missing, err, r.Len())
	}

	r = open(t, path)
	uid, _ := device.ParseUID("01020304")
	if b, ok := r.Lookup(uid); !ok || b.Employee != (device.Employee{ID: anna, Name: "Anna"}) ||
		b.Origin != device.ByFile {
		t.Errorf("after reopening: %+v, %v", b, ok)
	}
	var out bytes.Buffer
	if err := Export(&out, badges(r)); err != nil {
		t.Fatal(err)
	}
	if want := "uid,employee_id,name,blocked,from,until,origin\n01020304," + anna +
		",Anna,,,,file\n"; out.String() != want {
		t.Errorf("Export wrote\n%swant\n%s", out.String(), want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file holds credentials, yet its mode is %v (%v)", info.Mode(), err)
	}
}

func TestOneBadLineAppliesNothing(t *testing.T) {
	for _, tc := range []struct{ line, reason string }{
		{"A1B2C3," + anna + ",Anna", "a UID of 3 bytes does not exist: badges have 4, 7 or 10 bytes (8, " +
			"14 or 20 hex digits)"},
		{"A1B2C3D," + anna + ",Anna", "UID has 7 hex digits: badges have 8, 14 or 20"},
		{"A1B2C3DG," + anna + ",Anna", "UID has 'G' at digit 8: only 0-9 and A-F are hex digits"},
		{"08B2C3D4," + anna + ",Anna", "UID 08B2C3D4 begins with 08: such a badge (a phone, " +
			"some passports) makes up a new number at every tap and can never identify anyone, use another badge"},
		{"88041122," + anna + ",Anna", "UID 88041122 begins with 88: that is only the first half of a 7-byte " +
			"number, read it again with a reader that gives all 14 digits"},
		{"A1B2C3D404," + anna + ",Anna", "a UID of 5 bytes does not exist: badges have 4, 7 or 10 bytes (8, " +
			"14 or 20 hex digits); written as check-byte it would be badge A1B2C3D4"},
		{"A1B2C3D4,17,Anna", `employee id "17" is not a UUID: copy it from Zeitstrom, it looks like ` +
			`a1b2c3d4-e5f6-7890-abcd-ef1234567890; personnel numbers belong in a column that is called so`},
		{"A1B2C3D4", "nobody is named: an employee id, a personnel number or a name is missing"},
		{"A1B2C3D4," + anna + ",\"An\nna\"", "the name has a control character, such as a line break, in it"},
		{"01020304," + ben + ",Ben", "UID 01020304 is in line 2 already"},
		{"A1B2C3D4," + anna + ",An\"na", `bare " in non-quoted-field`},
	} {
		r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
		report, err := r.Import(strings.NewReader("uid,employee_id,name\n01020304,"+ben+",Ben\n"+tc.line+"\n"),
			Options{Replace: true})
		if err == nil || err.Error() != "nothing was imported: 1 line is fine, 1 must be mended" {
			t.Errorf("%q: %v", tc.line, err)
		}
		if l := report.Lines; len(l) != 2 || l[1].Action != Refused || l[1].Number != 3 || l[1].Reason != tc.reason {
			t.Errorf("%q: %s", tc.line, describe(report))
		}
		if r.Len() != 0 {
			t.Errorf("%q: something was imported: %v", tc.line, badges(r))
		}
	}
}

func TestFilesThatAreNone(t *testing.T) {
	const empty = "the file is empty: its first line must name the columns, such as uid,employee_id,name"
	const none = "this is no badge list: its first line must name the columns: the badge (uid, Kartennummer) and " +
		"whose it is (employee_id, Personalnummer, or Vorname and Nachname)"
	for file, want := range map[string]string{
		"":                         empty,
		"uid;Vorname\nx":           none,
		"employee_id;name\nx":      none,
		"%PDF-1.7\n%\xE2\xE3\n1 0": none,
		"\xD0\xCF\x11\xE0.....":    "this is an old Excel file (.xls): save it as .xlsx or as CSV",
		"PK\x03\x04 no workbook":   "the Excel file cannot be read: zip: not a valid zip file",
	} {
		r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
		if _, err := r.Import(strings.NewReader(file), Options{}); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", file, err, want)
		}
	}
}

func TestAddAndRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roster.csv")
	r := open(t, path)
	uid, _ := device.ParseUID("01020304")
	if a, err := r.Add(device.Badge{UID: uid, Employee: device.Employee{ID: anna, Name: "Anna"}}, false); a != Added ||
		err != nil {
		t.Fatalf("Add = %s, %v", a, err)
	}
	if a, err := r.Add(device.Badge{UID: uid, Employee: device.Employee{ID: anna}}, false); a != Kept || err != nil {
		t.Errorf("adding it again without a name = %s, %v", a, err)
	}
	if _, err := r.Add(device.Badge{UID: uid, Employee: device.Employee{ID: ben}}, false); err == nil ||
		!strings.Contains(err.Error(), "belongs to Anna") {
		t.Errorf("a badge moved to another person without a word: %v", err)
	}
	if a, err := r.Add(device.Badge{UID: uid, Employee: device.Employee{ID: ben}}, true); a != Moved || err != nil {
		t.Errorf("moved on purpose: %s, %v", a, err)
	}
	if b, err := r.Remove(uid); err != nil || b.Employee.ID != ben {
		t.Errorf("Remove = %v, %v", b, err)
	}
	if _, err := r.Remove(uid); err == nil {
		t.Error("removed twice")
	}
	if n := open(t, path).Len(); n != 0 {
		t.Errorf("on disk there are still %d badges", n)
	}
}

// A lost badge stays blocked until somebody says otherwise: also through a
// restart and an import of a list that does not speak of blocks.
func TestBlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roster.csv")
	r := open(t, path)
	uid, _ := device.ParseUID("01020304")
	if _, err := r.Block(uid, true); err == nil {
		t.Error("a badge that nobody knows was blocked")
	}
	blocked := func(want bool) {
		t.Helper()
		if b, known := open(t, path).Lookup(uid); !known || b.Blocked != want || b.Employee.ID != anna {
			t.Errorf("on disk: %+v, want blocked: %v", b, want)
		}
	}
	imports := func(file string) {
		t.Helper()
		if _, err := r.Import(strings.NewReader(file), Options{}); err != nil {
			t.Fatal(err)
		}
	}
	imports("uid,employee_id,name\n01020304," + anna + ",Anna\n")
	blocked(false)
	if e, err := r.Block(uid, true); err != nil || e.ID != anna {
		t.Errorf("Block = %v, %v", e, err)
	}
	blocked(true)
	imports("uid,employee_id,name\n01020304," + anna + ",Anna M.\n")
	blocked(true)
	if _, err := r.Add(device.Badge{UID: uid, Employee: device.Employee{ID: anna, Name: "Anna"}}, false); err != nil {
		t.Error(err)
	}
	blocked(true)
	imports("Blocked,uid,employee_id,name\nNein,01020304," + anna + ",Anna\n")
	blocked(false)
	if report, err := r.Import(strings.NewReader("uid,employee_id,name,blocked\n01020304,"+anna+",Anna,perhaps\n"),
		Options{}); err == nil || report.Lines[0].Reason == "" {
		t.Errorf("blocked perhaps: %v, %v", report, err)
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte("uid,employee_id,name\n01020304," + ben + ",Ben\n"))
	f.Add([]byte("uid,employee_id,name\n\"0102\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, file []byte) {
		path := filepath.Join(dir, "roster.csv")
		os.Remove(path)
		os.Remove(path + copySuffix)
		r := open(t, path)
		if _, err := r.Import(bytes.NewReader(file), Options{}); err != nil {
			if r.Len() != 0 {
				t.Error("a refused file left badges behind")
			}
			return
		}
		if got, want := open(t, path).Len(), r.Len(); got != want {
			t.Errorf("%d badges came back as %d", want, got)
		}
	})
}
