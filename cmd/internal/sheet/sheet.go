// Package sheet writes tables that people open with a spreadsheet. What somebody else has written
// into a cell is no formula there.
//
// It knows nothing of what is in them, and reads none.
package sheet

import (
	"encoding/csv"
	"io"
	"strings"
)

// Table is a table that is written line by line, the names of its columns first.
type Table interface {
	Line(fields ...string) error
	Close() error
}

var (
	_ Table = (*CSV)(nil)
	_ Table = (*XLSX)(nil)
)

// Harmless keeps a spreadsheet from taking foreign words for a formula: the source is OWASP, "CSV
// Injection".
func Harmless(fields ...string) []string {
	for i, f := range fields {
		if f != "" && strings.ContainsRune("=+-@\t\r", rune(f[0])) {
			fields[i] = "'" + f
		}
	}
	return fields
}

// CSV writes a table line by line, as a German Excel opens it by a double click, and every other
// program can: UTF-8 with its mark, semicolons, and the line ends of RFC 4180.
type CSV struct{ out *csv.Writer }

// NewCSV begins a table.
func NewCSV(w io.Writer) *CSV {
	io.WriteString(w, "\uFEFF") // what fails shows when the table ends
	out := csv.NewWriter(w)
	out.Comma, out.UseCRLF = ';', true
	return &CSV{out}
}

// Line writes a line.
func (c *CSV) Line(fields ...string) error { return c.out.Write(Harmless(fields...)) }

// Close ends the table.
func (c *CSV) Close() error {
	c.out.Flush()
	return c.out.Error()
}
