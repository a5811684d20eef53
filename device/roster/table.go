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
	MaxFile    = 16 << 20 // bytes; a longer list is refused
	maxRows    = 200_000
	maxColumns = 100      // what stands further right is nothing of ours
	maxCell    = 1000     // bytes; nothing of ours has more than a few hundred
	maxRecord  = 64 << 10 // bytes of one line, cells with line breaks included
)

var errTooLong = fmt.Errorf("the file has more than %d lines: this is no list of badges", maxRows)

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
	content, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err == nil && len(content) > MaxFile {
		err = fmt.Errorf("the file has more than %d MB: this is no list of badges", MaxFile>>20)
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
	return eachOfCSV(decodeText(content), counted)
}

// decodeText finds out the encoding: a byte order mark says it, or zero bytes do;
// what is no UTF-8 is Windows-1252, which takes any bytes.
func decodeText(content []byte) io.Reader {
	var endian unicode.Endianness
	raw := bytes.NewReader(content)
	switch {
	case bytes.HasPrefix(content, []byte("\xEF\xBB\xBF")):
		return bytes.NewReader(content[3:])
	case bytes.HasPrefix(content, []byte("\xFF\xFE")), len(content) > 1 && content[0] != 0 && content[1] == 0:
		endian = unicode.LittleEndian
	case bytes.HasPrefix(content, []byte("\xFE\xFF")), len(content) > 1 && content[0] == 0:
		endian = unicode.BigEndian
	case utf8.Valid(content):
		return raw
	default:
		return charmap.Windows1252.NewDecoder().Reader(raw)
	}
	return unicode.UTF16(endian, unicode.UseBOM).NewDecoder().Reader(raw)
}

// eachOfCSV finds out the separator from the first line: it is what stands there most
// often outside quotes. It never holds more than one record.
func eachOfCSV(text io.Reader, f func(row) error) error {
	in, one := bufio.NewReaderSize(text, maxRecord), bufio.NewReader(nil)
	comma, number, broken := rune(0), 1, 0
	for {
		ahead, err := in.Peek(maxRecord)
		if len(ahead) == 0 {
			return ended(eof(err))
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if number == 1 && bytes.HasPrefix(ahead, []byte("sep=")) { // Excel's own hint
			in.Discard(len(firstLine(ahead)))
			number++
			continue
		}
		if comma == 0 {
			comma = separator(ahead)
		}
		line := firstLine(ahead)
		if len(line) == maxRecord {
			return fmt.Errorf("line %d has more than %d kB: this is no list of badges", number, maxRecord>>10)
		}
		record, whole := firstRecord(ahead)
		if !whole {
			record = line
		}
		one.Reset(bytes.NewReader(record))
		c := csv.NewReader(one)
		c.Comma, c.FieldsPerRecord, c.TrimLeadingSpace = comma, -1, comma != '\t'
		r := row{number: number}
		r.fields, err = c.Read()
		var problem *csv.ParseError
		if errors.As(err, &problem) {
			// Where a quote goes wrong nobody knows what belongs together: each line for itself.
			if broken++; broken > maxRefused {
				return fmt.Errorf("more than %d lines have quotes that do not fit: this is no list of badges",
					maxRefused)
			}
			r.fields, r.broken = []string{string(bytes.TrimSpace(line))}, problem.Err.Error()
			record = line
		}
		if r.broken != "" || !blank(r.fields) {
			if err := f(r); err != nil {
				return err
			}
		}
		number += bytes.Count(record, []byte("\n"))
		in.Discard(len(record))
	}
}

func eof(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// firstLine returns the first line, its end included.
func firstLine(text []byte) []byte {
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		return text[:end+1]
	}
	return text
}

// firstRecord returns the first line, and those that belong to it because a quote goes on;
// whole says that its end was seen.
func firstRecord(text []byte) (record []byte, whole bool) {
	quoted := false
	for i, c := range text {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\n' && !quoted:
			return text[:i+1], true
		}
	}
	return text, !quoted && len(text) < maxRecord
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

// Table reads a list as people have it, in every form that lists of badges take, line by line. What it
// says of a line that cannot be read is in broken. An error of f ends it, and is returned.
func Table(file io.Reader, f func(number int, fields []string, broken string) error) error {
	content, err := readFile(file)
	if err != nil {
		return err
	}
	return eachRow(content, func(r row) error { return f(r.number, r.fields, r.broken) })
}
