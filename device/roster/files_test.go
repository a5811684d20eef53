package roster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"timeclock/device"

	"github.com/xuri/excelize/v2"
)

func uid(t testing.TB, s string) device.UID {
	t.Helper()
	u, err := device.ParseUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func utf16le(s string) string {
	var b bytes.Buffer
	for _, u := range utf16.Encode([]rune(s)) {
		b.Write([]byte{byte(u), byte(u >> 8)})
	}
	return b.String()
}

func xlsx(t testing.TB, rows ...[]any) string {
	t.Helper()
	f := excelize.NewFile()
	for i, row := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprint("A", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The same badge in every shape that admins have it in.
func TestFilesAsTheyAre(t *testing.T) {
	day := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	for name, file := range map[string]string{
		"ours": "uid,employee_id,name,until\n04A1B2C3D4E5F6," + anna + ",Jörg Weiß,2026-12-31\n",
		"German Excel": "Ausweisnummer;Mitarbeiter-ID;Vorname;Nachname;Gültig bis\r\n04 A1 B2 C3 D4 E5 F6;" +
			strings.ToUpper(anna) + ";Jörg;Weiß;31.12.2026\r\n;;;;\r\n",
		"with a mark": "\xEF\xBB\xBFKarte;UUID;Name;bis\n04:a1:b2:c3:d4:e5:f6;" + anna +
			";Jörg Weiß;31.12.2026",
		"Windows-1252": "Ausweis;Mitarbeiter ID;Name;G\xFCltig bis\r\n04-A1-B2-C3-D4-E5-F6;" + anna +
			";J\xF6rg Wei\xDF;31.12.2026\r\n",
		"tabs": "Name\tCard number\tEmployee UUID\tComment\tValid until\nJörg Weiß\t04A1B2C3D4E5F6\t" +
			anna + "\t\"a, b; c\"\t2026-12-31\n",
		"UTF-16, Excel's own": "\xFF\xFE" +
			utf16le("Chip-Nr.\tPersonal-ID\tName\tbis\r\n04A1B2C3D4E5F6\t"+anna+"\tJörg Weiß\t31.12.2026\r\n"),
		"UTF-16 without mark": utf16le("RFID;EmployeeID;Name;valid to\r\n04A1B2C3D4E5F6;" + anna +
			";Jörg Weiß;31.12.2026\r\n"),
		"with Excel's hint": "sep=;\r\nMitarbeiter;Mitarbeiter-ID;Ausweis;bis\r\nJörg Weiß;" + anna +
			";04A1B2C3D4E5F6;31.12.2026\r\n",
		"Vorname und Name": "Vorname;Name;Mitarbeiter;Ausweis;bis\nJörg;Weiß;" + anna +
			";04A1B2C3D4E5F6;31.12.2026\n",
		"a workbook": xlsx(t, []any{"Name", "Transponder-Nr.", "Mitarbeiter-ID", "Raum", "gültig bis"}, nil,
			[]any{"Jörg Weiß", "04A1B2C3D4E5F6", anna, 12, day}),
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
			report, err := r.Import(strings.NewReader(file), Options{})
			if err != nil || len(report.Lines) != 1 || report.Numbers != device.Hex {
				t.Fatalf("%v: %+v", err, report)
			}
			want := device.Badge{
				UID: uid(t, "04A1B2C3D4E5F6"), Employee: device.Employee{ID: anna, Name: "Jörg Weiß"},
				Until: "2026-12-31", Origin: device.ByFile,
			}
			if strings.Contains(file, "Vorname") {
				want.Employee.LastName = "Weiß"
			}
			if b := badges(r); len(b) != 1 || b[0] != want {
				t.Errorf("%+v, want %+v", b, want)
			}
		})
	}
}

// Numbers as people have them, and how the importer finds out.
func TestNumbers(t *testing.T) {
	const hex, decimal, backwards = "A1B2C3D4", "2712847316", "3569595041"
	line := func(number string) string { return number + "," + anna + ",Anna\n" }
	for name, tc := range map[string]struct {
		header, number string
		numbers        device.Numbers
		tapped         string
		read           device.Numbers
		why            string
	}{
		"as written":      {"uid", hex, device.AnyNumbers, "", device.Hex, "hex digits"},
		"by flag":         {"uid", "D4C3B2A1", device.HexReversed, "", device.HexReversed, "you said so"},
		"decimal by flag": {"uid", decimal, device.Decimal, "", device.Decimal, "you said so"},
		"by header":       {"uid_decimal", decimal, device.AnyNumbers, "", device.Decimal, "the header says so"},
		"8H10D by header": {"Karte 8H10D", decimal, device.AnyNumbers, "", device.Decimal, "the header says so"},
		"German header": {
			"Ausweis (dezimal, rückwärts)", backwards, device.AnyNumbers, "", device.DecimalReversed,
			"the header says so",
		},
		"reversed by header": {
			"Chip reversed", "D4C3B2A1", device.AnyNumbers, "", device.HexReversed, "the header says so",
		},
		"by check byte": {"uid", hex + "04", device.AnyNumbers, "", device.CheckByte, "checks the others"},
		"SimpleMFRC522": {
			"uid", fmt.Sprint(0xA1B2C3D404), device.AnyNumbers, "", device.CheckByte, "checks the others",
		},
		"by a tap": {
			"uid", backwards, device.AnyNumbers, hex, device.DecimalReversed, "1 of them are known so",
		},
		"by a tap, forwards": {"uid", decimal, device.AnyNumbers, hex, device.Decimal, "1 of them are known so"},
		"by a tap, though hex": {
			"uid", "D4C3B2A1", device.AnyNumbers, hex, device.HexReversed, "1 of them are known so",
		},
		"7 bytes, by a tap": {
			"uid", fmt.Sprint(0x04A1B2C3D4E5F6), device.AnyNumbers, "04A1B2C3D4E5F6", device.Decimal,
			"1 of them are known so",
		},
		"10 bytes, as written":  {"uid", "04B1C2D3E4F5061728A9", device.AnyNumbers, "", device.Hex, "hex digits"},
		"hex that is a decimal": {"uid", "12345678", device.AnyNumbers, "", device.Hex, "none has a letter"},
	} {
		r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
		tapped := func(u device.UID) bool { return u.Hex() == tc.tapped }
		report, err := r.Import(strings.NewReader("\""+tc.header+"\",employee_id,name\n"+line(tc.number)), Options{
			Numbers: tc.numbers, Tapped: tapped,
		})
		if err != nil || report.Numbers != tc.read || !strings.Contains(report.Reason, tc.why) {
			t.Errorf("%s: read as %s because %q, %v", name, report.Numbers, report.Reason, err)
			continue
		}
		want := hex
		switch {
		case tc.tapped != "":
			want = tc.tapped
		case len(tc.number) == 20 || tc.number == "12345678":
			want = tc.number
		}
		if b := badges(r); b[0].UID != uid(t, want) {
			t.Errorf("%s: became %s", name, b[0].UID.Hex())
		}
	}
	r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
	if _, err := r.Import(strings.NewReader("uid,employee_id,name\n"+line(decimal)), Options{}); err == nil ||
		!strings.Contains(err.Error(), "tap one of these badges at the clock and try again") {
		t.Errorf("decimal, and nobody knows in which order: %v", err)
	}
	// What a wrong guess has brought proves nothing; what was tapped does, for the
	// whole list; and what fits in two ways is not guessed.
	r = open(t, filepath.Join(t.TempDir(), "roster.csv"))
	list := "uid,employee_id,name\n" + line("D4C3B2A1") + line("00112233")
	if _, err := r.Import(strings.NewReader(list), Options{}); err != nil {
		t.Fatal(err)
	}
	tapped := func(u device.UID) bool { return u.Hex() == hex || u.Hex() == "33221100" }
	if report, err := r.Import(strings.NewReader(list), Options{Tapped: tapped, Dry: true}); err != nil ||
		report.Numbers != device.HexReversed {
		t.Errorf("after two taps: %s, %v", report.Numbers, err)
	}
	both := func(u device.UID) bool { return u.Hex() == hex || u.Hex() == "D4C3B2A1" }
	if _, err := r.Import(strings.NewReader(list), Options{Tapped: both}); err == nil ||
		!strings.Contains(err.Error(), "in more than one way") {
		t.Errorf("both ways fit: %v", err)
	}
	if report, err := r.Import(strings.NewReader("uid,employee_id,name\n"+line("12345678")+line("87654321")),
		Options{Dry: true}); err != nil || !strings.Contains(report.Reason, "none has a letter") {
		t.Errorf("digits only: %q, %v", report.Reason, err)
	}
	if _, err := device.ParseNumbers("roman"); err == nil {
		t.Error("roman numbers are no way")
	}
}

func FuzzWorkbook(f *testing.F) {
	f.Add([]byte(xlsx(f, []any{"uid", "employee_id", "name"}, []any{"01020304", anna, "Anna"})))
	f.Fuzz(func(_ *testing.T, file []byte) {
		readTable(append([]byte("PK\x03\x04"), file...))
		readTable(file)
	})
}

// many is how many badges the largest company has that the clock is made for.
const many = 100_000

func manyUID(i int) string { return fmt.Sprintf("04%012X", i*7919) }

func manyBadges() string {
	var file strings.Builder
	file.WriteString("uid,employee_id,name\n")
	for i := range many {
		fmt.Fprintf(&file, "%s,a1b2c3d4-e5f6-7890-abcd-%012d,Employee %d\n", manyUID(i), i, i)
	}
	return file.String()
}

// A hundred thousand badges fit into the smallest Pi, and importing them takes little more.
func TestManyBadges(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes a while")
	}
	if !stopped(t) {
		return
	}
	const maxHeap = 64 << 20
	file := manyBadges()
	r, most, took, err := importing(t, file)
	if err != nil {
		t.Fatal(err)
	}
	path := r.path
	r = nil
	before := inUse()
	r = open(t, path)
	kept := inUse() - before
	for i := range many {
		if b, ok := r.Lookup(uid(t, manyUID(i))); !ok || b.Employee.ID[35] != byte('0'+i%10) {
			t.Fatalf("badge %d is %+v", i, b)
		}
	}
	t.Logf("%d badges: imported in %v with %d MB in use, they leave %d MB on the heap", many,
		took.Round(time.Millisecond), most>>20, kept>>20)
	if kept > maxHeap || most > kept+maxSwell {
		t.Errorf("%d badges leave %d bytes on the heap, and took %d when they were imported", many, kept, most)
	}
}

// What would take more memory than a small Pi has is refused before it does.
func TestLargeFiles(t *testing.T) {
	wide := excelize.NewFile()
	for n := range 30 {
		if err := wide.SetCellValue("Sheet1", fmt.Sprint("XFD", n+2), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := wide.SetSheetRow("Sheet1", "A1", &[]any{"uid", "employee_id", "name"}); err != nil {
		t.Fatal(err)
	}
	if err := wide.SetSheetRow("Sheet1", "A2", &[]any{"01020304", anna, "Anna"}); err != nil {
		t.Fatal(err)
	}
	var book bytes.Buffer
	if err := wide.Write(&book); err != nil {
		t.Fatal(err)
	}
	r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
	if report, err := r.Import(&book, Options{}); err != nil || len(report.Lines) != 1 {
		t.Errorf("a sheet that is wide: %d lines, %v", len(report.Lines), err)
	}
	if _, err := r.Import(strings.NewReader("uid\n"+strings.Repeat("x\n", maxRows+1)), Options{}); err == nil ||
		!strings.Contains(err.Error(), "more than 200000 lines") {
		t.Errorf("a long file: %v", err)
	}
	if _, err := r.Import(strings.NewReader(strings.Repeat("x", MaxFile+1)), Options{}); err == nil ||
		!strings.Contains(err.Error(), "more than 16 MB") {
		t.Errorf("a large file: %v", err)
	}
}

// Whatever is given out by hand can be read at the next start.
func TestAddedCanBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roster.csv")
	r := open(t, path)
	for _, days := range [][2]string{
		{"", ""},
		{"1.12.2026", "31.12.2026"},
		{"2026-12-01", ""},
		{"soon", ""},
		{"", "31/12/2026"},
		{"2026-12-31", "2026-12-01"},
	} {
		b := device.Badge{
			UID: uid(t, "01020304"), Employee: device.Employee{ID: anna, Name: "A, \"B\"; C"}, From: days[0],
			Until: days[1],
		}
		_, err := r.Add(b, false)
		good := days == [2]string{} || days[0] == "1.12.2026" || days[0] == "2026-12-01"
		if (err == nil) != good {
			t.Errorf("%q: %v", days, err)
		}
		got, _ := open(t, path).Lookup(b.UID)
		if here, _ := r.Lookup(b.UID); got != here {
			t.Errorf("%q: %+v on disk, %+v in memory", days, got, here)
		}
	}
	if b, _ := r.Lookup(uid(t, "01020304")); b.From != "2026-12-01" || b.Until != "2026-12-31" {
		t.Errorf("%+v", b)
	}
	// A map of an older version may hold what is refused today.
	old := filepath.Join(t.TempDir(), "old.csv")
	if err := os.WriteFile(old, []byte("uid,employee_id,name\n88041122,"+anna+",Anna\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := open(t, old).Len(); n != 1 {
		t.Errorf("%d badges", n)
	}
}

// A lost badge that is blocked is not somebody else's new one.
func TestBlockedIsNotMoved(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "roster.csv"))
	b := device.Badge{UID: uid(t, "01020304"), Employee: device.Employee{ID: anna, Name: "Anna"}}
	if _, err := r.Add(b, false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Block(b.UID, true); err != nil {
		t.Fatal(err)
	}
	b.Employee.ID = ben
	if _, err := r.Add(b, true); err == nil {
		t.Error("a blocked badge was moved")
	}
	b.Employee.ID = anna
	if _, err := r.Renew(b); err == nil {
		t.Error("a blocked badge was given out as a new one")
	}
	if got, _ := r.Lookup(b.UID); !got.Blocked {
		t.Error("it is not blocked any more")
	}
}
