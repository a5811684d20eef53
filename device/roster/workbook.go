package roster

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// Bounds of a workbook: of what is unpacked, so that a small file does not become a large
// one. What they forbid is what Excel and its like do not write.
const (
	maxParts    = 1000     // files in it
	maxUnpacked = 48 << 20 // bytes of one part that is read
	maxElement  = 1 << 20  // bytes from one < to the next; a cell has at most 32 767 characters
	maxDepth    = 50       // elements within elements
	maxStrings  = 24 << 20 // bytes that the texts of all cells take in memory
)

// workbook is an Excel file (ECMA-376, "Office Open XML") as far as a list of badges needs
// it: the first sheet, its cells as they are stored, and the texts that these point to.
// It is read as a stream; libraries that build the whole of it take a hundred times the
// memory of what is unpacked.
type workbook struct {
	parts map[string]*zip.File
}

// eachOfWorkbook reads the first sheet.
func eachOfWorkbook(content []byte, f func(row) error) error {
	var own error // f's
	err := func() error {
		book, err := openWorkbook(content)
		if err != nil {
			return err
		}
		sheet, err := book.firstSheet()
		if err != nil {
			return err
		}
		texts, err := book.texts()
		if err != nil {
			return err
		}
		return book.rows(sheet, texts, func(r row) error { own = f(r); return own })
	}()
	if err == nil || own != nil {
		return own
	}
	return fmt.Errorf("the Excel file cannot be read: %w", err)
}

func openWorkbook(content []byte) (*workbook, error) {
	if bytes.Count(content, []byte("PK\x01\x02")) > maxParts { // before the directory is read
		return nil, fmt.Errorf("it has more than %d parts", maxParts)
	}
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	b := &workbook{map[string]*zip.File{}}
	for _, file := range z.File {
		b.parts[strings.ToLower(strings.TrimPrefix(file.Name, "/"))] = file
	}
	return b, nil
}

// each calls f for each element that begins (name set) or ends (text is its own), with the
// elements around it.
func (b *workbook) each(part string, f func(e element) error) error {
	file := b.parts[strings.ToLower(part)]
	if file == nil {
		return fmt.Errorf("it has no %s", part)
	}
	in, err := file.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	d := xml.NewDecoder(&calm{in: in})
	var stack []element
	for {
		t, err := d.RawToken()
		switch {
		case errors.Is(err, io.EOF) && len(stack) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%s: %w", part, io.ErrUnexpectedEOF)
		case err != nil:
			return fmt.Errorf("%s: %w", part, err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if len(stack) == maxDepth {
				return fmt.Errorf("%s has more than %d elements within each other", part, maxDepth)
			}
			e := element{name: t.Name.Local, attrs: t.Attr, begins: true}
			if len(stack) > 0 {
				e.parent = stack[len(stack)-1].name
			}
			if err := f(e); err != nil {
				return ended(err)
			}
			e.begins, e.attrs = false, nil
			stack = append(stack, e)
		case xml.CharData: // of the two that have one as a whole
			if n := len(stack) - 1; n >= 0 && (stack[n].name == "t" || stack[n].name == "v") {
				stack[n].text = string(t)
			}
		case xml.EndElement:
			if len(stack) == 0 || stack[len(stack)-1].name != t.Name.Local {
				return fmt.Errorf("%s: the element %s ends where another one does", part, t.Name.Local)
			}
			e := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if err := f(e); err != nil {
				return ended(err)
			}
		}
	}
}

// element is one that begins or ends.
type element struct {
	name, parent string
	begins       bool
	attrs        []xml.Attr // when it begins
	text         string     // when it ends
}

func (e element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// calm reads a part and refuses what swells.
type calm struct {
	in    io.Reader
	read  int
	since int // the last <
	last  byte
}

// Read implements io.Reader.
func (c *calm) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if c.read += n; c.read > maxUnpacked {
		return 0, fmt.Errorf("it unpacks to more than %d MB", maxUnpacked>>20)
	}
	for _, b := range p[:n] {
		if c.since++; b == '<' {
			c.since = 0
		}
		if c.last == '<' && b == '!' { // comments, document types and the like, which may hold anything
			return 0, errors.New("it has what no spreadsheet writes (<!)")
		}
		if c.last = b; c.since > maxElement {
			return 0, fmt.Errorf("it has a text of more than %d kB", maxElement>>10)
		}
	}
	return n, err
}

// firstSheet returns the part that has the first sheet.
func (b *workbook) firstSheet() (part string, err error) {
	const book = "xl/workbook.xml"
	id := ""
	err = b.each(book, func(e element) error {
		if e.begins && e.name == "sheet" {
			id = e.attr("id")
			return errEnough
		}
		return nil
	})
	if err == nil && id == "" {
		err = errors.New("it has no sheet")
	}
	if err != nil {
		return "", err
	}
	err = b.each("xl/_rels/workbook.xml.rels", func(e element) error {
		if e.begins && e.name == "Relationship" && e.attr("Id") == id {
			part = e.attr("Target")
			return errEnough
		}
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case part == "":
		return "", errors.New("its first sheet is missing")
	case strings.HasPrefix(part, "/"):
		return part[1:], nil
	}
	return path.Join(path.Dir(book), part), nil
}

// texts reads what cells with texts point to; a workbook may have none.
func (b *workbook) texts() (list []string, err error) {
	const part = "xl/sharedStrings.xml"
	if b.parts[strings.ToLower(part)] == nil {
		return nil, nil
	}
	text, size := "", 0
	err = b.each(part, func(e element) error {
		switch {
		case e.begins && e.name == "si":
			text = ""
		case e.name == "t" && !e.begins && e.parent != "rPh": // which is how a Japanese name is read
			text = longer(text, e.text)
		case e.name == "si":
			const header = 32 // bytes of a string beside its text, in a list that grows
			if size += header + len(text); size > maxStrings {
				return fmt.Errorf("its texts take more than %d MB", maxStrings>>20)
			}
			list = append(list, text)
		}
		return nil
	})
	return list, err
}

// longer adds to a cell's text, as far as anybody reads it.
func longer(text, more string) string {
	if len(text) > maxCell {
		return text
	}
	return cut(text+more, maxCell)
}

// rows calls f for each row of a sheet that is not empty.
func (b *workbook) rows(sheet string, texts []string, f func(row) error) error {
	var (
		r      row
		column int    // of the cell, from 0
		kind   string // of the cell: what its value means
		value  string
	)
	return b.each(sheet, func(e element) error {
		switch {
		case e.begins && e.name == "row":
			number := r.number + 1
			if n, err := strconv.Atoi(e.attr("r")); err == nil && n > 0 {
				number = n
			}
			r, column = row{number: number}, -1
		case e.begins && e.name == "c":
			column, kind, value = column+1, e.attr("t"), ""
			if at, ok := columnOf(e.attr("r")); ok {
				column = at
			}
		case e.name == "v" && !e.begins:
			value = cut(e.text, maxCell)
		case e.name == "t" && !e.begins && e.parent != "rPh": // a text in the cell itself
			value = longer(value, e.text)
		case e.name == "c":
			if kind == "s" {
				i, err := strconv.Atoi(strings.TrimSpace(value))
				if err != nil || i < 0 || i >= len(texts) {
					return fmt.Errorf("in row %d a cell points to a text that there is not", r.number)
				}
				value = texts[i]
			}
			if column < 0 || column >= maxColumns || value == "" {
				return nil
			}
			for len(r.fields) <= column {
				r.fields = append(r.fields, "")
			}
			r.fields[column] = value
		case e.name == "row" && !blank(r.fields):
			return f(r)
		}
		return nil
	})
}

// columnOf returns where a cell is, from 0: B7 is in column 1.
func columnOf(cell string) (column int, ok bool) {
	for _, c := range cell {
		if c < 'A' || c > 'Z' || column > maxColumns {
			break
		}
		column = 26*column + int(c-'A') + 1
	}
	return column - 1, column > 0
}
