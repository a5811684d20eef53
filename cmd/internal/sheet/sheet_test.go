package sheet_test

import (
	"bytes"
	"strings"
	"testing"

	"timeclock/cmd/internal/sheet"

	"github.com/xuri/excelize/v2"
)

var lines = [][]string{{"Name", "Nr."}, {"Müller; Anna", "0042"}, {`=HYPERLINK("x")`, "+1"}, {"two\nlines", ""}}

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	table := sheet.NewCSV(&out)
	for _, l := range lines {
		if err := table.Line(append([]string(nil), l...)...); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	want := "\uFEFFName;Nr.\r\n\"Müller; Anna\";0042\r\n\"'=HYPERLINK(\"\"x\"\")\";'+1\r\n\"two\r\nlines\";\r\n"
	if got := out.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Cells of a workbook are text, whatever stands in them.
func TestXLSX(t *testing.T) {
	var out bytes.Buffer
	table, err := sheet.NewXLSX(&out)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if err := table.Line(l...); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	book, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := book.GetRows("Sheet1")
	if err != nil || len(rows) != len(lines) {
		t.Fatalf("%q, %v", rows, err)
	}
	for i, row := range rows {
		if strings.Join(row, "|") != strings.TrimSuffix(strings.Join(lines[i], "|"), "|") {
			t.Errorf("line %d is %q, want %q", i, row, lines[i])
		}
	}
	if formula, err := book.GetCellFormula("Sheet1", "A3"); formula != "" || err != nil {
		t.Errorf("a formula: %q, %v", formula, err)
	}
}
