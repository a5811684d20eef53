package roster

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// row is one line of a table, with its number in the file, from 1.
type row struct {
	number int
	fields []string
	broken string // why it cannot be read
}

// Bounds of a file.
const (
	maxFile     = 16 << 20 // bytes
	maxUnpacked = 48 << 20 // bytes, of a workbook
	maxRows     = 200_000
	maxColumns  = 100 // what stands further right is nothing of ours
)

var errTooLong = fmt.Errorf("the file has more than %d lines: this is no list of badges", maxRows)

// readTable reads a file as people have it: CSV with commas, semicolons or tabs in
// any of the usual encodings, or the first sheet of an Excel workbook.
func readTable(file io.Reader) ([]row, error) {
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > maxFile:
		return nil, fmt.Errorf("the file has more than %d MB: this is no list of badges", maxFile>>20)
	case bytes.HasPrefix(content, []byte("PK\x03\x04")):
		return readWorkbook(content)
	case bytes.HasPrefix(content, []byte("\xD0\xCF\x11\xE0")):
		return nil, errors.New("this is an old Excel file (.xls): save it as .xlsx or as CSV")
	}
	text, err := decodeText(content)
	if err != nil {
		return nil, err
	}
	return readCSV(text)
}

// readWorkbook reads the first sheet.
func readWorkbook(content []byte) (rows []row, err error) {
	broken := func(err error) error { return fmt.Errorf("the Excel file cannot be read: %w", err) }
	book, err := excelize.OpenReader(bytes.NewReader(content), excelize.Options{UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: 16 << 20})
	if err != nil {
		return nil, broken(err)
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	sheets := book.GetSheetList()
	if len(sheets) == 0 {
		return nil, broken(errors.New("it has no sheet"))
	}
	lines, err := book.Rows(sheets[0])
	if err != nil {
		return nil, broken(err)
	}
	defer lines.Close()
	for n := 1; lines.Next(); n++ {
		// Raw: a number of 14 digits must not come as 1.23E+13.
		fields, err := lines.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return nil, broken(err)
		}
		fields = slices.Clone(fields[:min(maxColumns, len(fields))])
		if !blank(fields) {
			rows = append(rows, row{number: n, fields: fields})
		}
		if len(rows) > maxRows {
			return nil, errTooLong
		}
	}
	if err := lines.Error(); err != nil {
		return nil, broken(err)
	}
	return rows, nil
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

// readCSV finds out the separator from the first line: it is what stands there most
// often outside quotes.
func readCSV(text []byte) ([]row, error) {
	offset := 0
	if first, rest, found := bytes.Cut(text, []byte("\n")); found && bytes.HasPrefix(first, []byte("sep=")) { // Excel's own hint
		text, offset = rest, 1
	}
	in := csv.NewReader(bytes.NewReader(text))
	in.Comma = separator(text)
	in.FieldsPerRecord = -1
	in.TrimLeadingSpace = in.Comma != '\t'
	var rows []row
	for {
		fields, err := in.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return rows, nil
		case errors.As(err, &broken):
			rows = append(rows, row{number: broken.Line + offset, fields: fields, broken: broken.Err.Error()})
			continue
		case err != nil:
			return nil, err
		}
		if number, _ := in.FieldPos(0); !blank(fields) {
			rows = append(rows, row{number: number + offset, fields: fields[:min(maxColumns, len(fields))]})
		}
		if len(rows) > maxRows {
			return nil, errTooLong
		}
	}
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
