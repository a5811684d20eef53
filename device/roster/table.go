package roster

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// row is one line of a table, with its number in the file, from 1.
type row struct {
	number int
	fields []string
	broken string // why it cannot be read
}

// Bounds of a file. Whoever sends one may be a stranger's guest: what is small and swells
// is refused before it has.
const (
	maxFile    = 16 << 20 // bytes
	maxRows    = 200_000
	maxColumns = 100      // what stands further right is nothing of ours
	maxCell    = 1000     // bytes; nothing of ours has more than a few hundred
	maxRecord  = 64 << 10 // bytes of one line, cells with line breaks included
)

var (
	errTooLong   = fmt.Errorf("the file has more than %d lines: this is no list of badges", maxRows)
	errLongLines = fmt.Errorf("has more than %d kB: this is no list of badges, or a quote is never closed", maxRecord>>10)
)

// errEnough ends the reading of a file, or of a part of one, early.
var errEnough = errors.New("enough was read")

func ended(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// readFile reads a file that is no larger than a badge list.
func readFile(file io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("the file has more than %d MB: this is no list of badges", maxFile>>20)
	}
	return content, err
}

// readTable reads all rows.
func readTable(content []byte) (rows []row, err error) {
	err = eachRow(content, func(r row) error { rows = append(rows, r); return nil })
	return rows, err
}

// eachRow reads a file as people have it, row by row: CSV with commas, semicolons or tabs
// in any of the usual encodings, or the first sheet of an Excel workbook. Empty rows are
// left out, and long cells cut. An error of f ends it, and is returned.
func eachRow(content []byte, f func(row) error) error {
	if bytes.HasPrefix(content, []byte("\xD0\xCF\x11\xE0")) {
		return errors.New("this is an old Excel file (.xls): save it as .xlsx or as CSV")
	}
	n := 0
	counted := func(r row) error {
		if n++; n > maxRows {
			return errTooLong
		}
		r.fields = r.fields[:min(maxColumns, len(r.fields))]
		for i, field := range r.fields {
			r.fields[i] = cut(field, maxCell)
		}
		return f(r)
	}
	if bytes.HasPrefix(content, []byte("PK\x03\x04")) {
		return eachOfWorkbook(content, counted)
	}
	text, err := decodeText(content)
	if err != nil {
		return err
	}
	return eachOfCSV(text, counted)
}

// decodeText finds out the encoding: a byte order mark says it, or zero bytes do;
// what is no UTF-8 is Windows-1252, which takes any bytes.
func decodeText(content []byte) ([]byte, error) {
	var endian unicode.Endianness
	switch {
	case bytes.HasPrefix(content, []byte("\xEF\xBB\xBF")):
		return content[3:], nil
	case bytes.HasPrefix(content, []byte("\xFF\xFE")), len(content) > 1 && content[0] != 0 && content[1] == 0:
		endian = unicode.LittleEndian
	case bytes.HasPrefix(content, []byte("\xFE\xFF")), len(content) > 1 && content[0] == 0:
		endian = unicode.BigEndian
	case utf8.Valid(content):
		return content, nil
	default:
		return charmap.Windows1252.NewDecoder().Bytes(content)
	}
	return unicode.UTF16(endian, unicode.UseBOM).NewDecoder().Bytes(content)
}

// eachOfCSV finds out the separator from the first line: it is what stands there most
// often outside quotes.
func eachOfCSV(text []byte, f func(row) error) error {
	number := 1
	if first, rest, found := bytes.Cut(text, []byte("\n")); found && bytes.HasPrefix(first, []byte("sep=")) { // Excel's own hint
		text, number = rest, 2
	}
	comma := separator(text)
	// One record at a time, so that the reader never holds more than one.
	one := bufio.NewReader(nil)
	for len(text) > 0 {
		record, whole := firstRecord(text)
		if !whole {
			return fmt.Errorf("line %d %w", number, errLongLines)
		}
		one.Reset(bytes.NewReader(record))
		in := csv.NewReader(one)
		in.Comma, in.FieldsPerRecord, in.TrimLeadingSpace = comma, -1, comma != '\t'
		fields, err := in.Read()
		lines := bytes.Count(record, []byte("\n"))
		var broken *csv.ParseError
		r := row{number: number, fields: fields}
		switch {
		case errors.As(err, &broken): // its end is not certain: what follows is read as lines of its own
			r.number, r.broken = number+broken.Line-1, broken.Err.Error()
			record, lines = firstLines(record, broken.Line), broken.Line
		case err != nil && !errors.Is(err, io.EOF): // an empty line
			return err
		}
		if r.broken != "" || !blank(fields) {
			if err := f(r); err != nil {
				return err
			}
		}
		text, number = text[len(record):], number+lines
	}
	return nil
}

// firstRecord returns the first line, and those that belong to it because a quote goes on;
// whole says that it has a bearable length.
func firstRecord(text []byte) (record []byte, whole bool) {
	quoted := false
	for i, c := range text[:min(len(text), maxRecord)] {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\n' && !quoted:
			return text[:i+1], true
		}
	}
	return text, len(text) <= maxRecord
}

func firstLines(text []byte, n int) []byte {
	end := 0
	for range n {
		i := bytes.IndexByte(text[end:], '\n')
		if i < 0 {
			return text
		}
		end += i + 1
	}
	return text[:end]
}

func separator(text []byte) rune {
	count := map[rune]int{}
	quoted := false
	for _, c := range string(text) {
		if c == '"' {
			quoted = !quoted
		}
		if c == '\n' && !quoted && len(count) > 0 {
			break
		}
		if !quoted && strings.ContainsRune(",;\t", c) {
			count[c]++
		}
	}
	best := ','
	for _, c := range ";\t" {
		if count[c] > count[best] {
			best = c
		}
	}
	return best
}

func blank(fields []string) bool {
	for _, f := range fields {
		if strings.TrimSpace(f) != "" {
			return false
		}
	}
	return true
}

// cut shortens a text that is too long for anything.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
