package roster

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"
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
		list, err := book.book()
		if err != nil {
			return err
		}
		sheet, err := book.firstSheet(list)
		if err != nil {
			return err
		}
		texts, err := book.texts(path.Join(path.Dir(list), "sharedStrings.xml"))
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
		b.parts[partName(file.Name)] = file
	}
	return b, nil
}

// partName is a part's name as it is looked for: writers differ in case and slashes.
func partName(name string) string {
	return strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(name, `\`, "/"), "/"))
}

// each calls f for each element that begins (name set) or ends (text is its own), with the
// elements around it.
func (b *workbook) each(part string, f func(e element) error) error {
	file := b.parts[partName(part)]
	if file == nil {
		return fmt.Errorf("it has no %s", part)
	}
	in, err := file.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	d := xml.NewDecoder(&calm{in: in})
	d.CharsetReader = decoded
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
			if len(stack) == maxDepth || len(t.Name.Local) > maxCell {
				return fmt.Errorf("%s has more than %d elements within each other, or one with a long name", part,
					maxDepth)
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
		case xml.CharData: // which only these two have; comments may part it
			if n := len(stack) - 1; n >= 0 && (stack[n].name == "t" || stack[n].name == "v") {
				stack[n].text = longer(stack[n].text, string(t[:min(len(t), 2*maxCell)]))
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

// decoded reads the encodings that the first line of a part may name.
func decoded(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1", "windows-1252":
		return charmap.Windows1252.NewDecoder().Reader(in), nil
	}
	return nil, fmt.Errorf("its encoding %.20q is none that is known here", label)
}

// calm reads a part and refuses what swells: document types, and long stretches that a
// parser takes as a whole.
type calm struct {
	in    io.Reader
	read  int
	since int    // bytes since the last stretch began
	end   string // of a comment and the like, in which < means nothing; empty: none is open
	last  [3]byte
}

// Read implements io.Reader.
func (c *calm) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if c.read += n; c.read > maxUnpacked {
		return 0, fmt.Errorf("it unpacks to more than %d MB", maxUnpacked>>20)
	}
	for _, b := range p[:n] {
		if err := c.see(b); err != nil {
			return 0, err
		}
	}
	return n, err
}

func (c *calm) see(b byte) error {
	before := string(c.last[1:])
	c.last = [3]byte{c.last[1], c.last[2], b}
	c.since++
	switch {
	case c.since > maxElement:
		return fmt.Errorf("it has a text of more than %d kB", maxElement>>10)
	case c.end != "":
		if strings.HasSuffix(string(c.last[:]), c.end) {
			c.end, c.last = "", [3]byte{}
		}
	case b == '<':
		c.since = 0
	case b == '?' && before[1] == '<':
		c.end = "?>"
	case before == "<!" && b == '-':
		c.end = "-->"
	case before == "<!" && b == '[':
		c.end = "]]>"
	case before == "<!":
		return errors.New("it has a document type (<!), which no spreadsheet writes")
	}
	return nil
}

// book returns the part that has the list of sheets.
func (b *workbook) book() (part string, err error) {
	part, err = b.target("_rels/.rels",
		func(e element) bool { return strings.HasSuffix(e.attr("Type"), "/officeDocument") })
	if err != nil || part == "" {
		part = "xl/workbook.xml" // as nearly all are called
	}
	return strings.TrimPrefix(part, "/"), nil
}

// target returns where the first relationship leads that is one; empty if none is.
func (b *workbook) target(part string, is func(element) bool) (to string, err error) {
	err = b.each(part, func(e element) error {
		if e.begins && e.name == "Relationship" && is(e) {
			to = e.attr("Target")
			return errEnough
		}
		return nil
	})
	return to, err
}

// firstSheet returns the part that has the first sheet.
func (b *workbook) firstSheet(book string) (part string, err error) {
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
	folder, name := path.Split(book)
	part, err = b.target(folder+"_rels/"+name+".rels", func(e element) bool { return e.attr("Id") == id })
	switch {
	case err != nil:
		return "", err
	case part == "":
		return "", errors.New("its first sheet is missing")
	case strings.HasPrefix(part, "/"):
		return part[1:], nil
	}
	return path.Join(folder, part), nil
}

// texts reads what cells with texts point to; a workbook may have none.
func (b *workbook) texts(part string) (list []string, err error) {
	if b.parts[partName(part)] == nil {
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
			list = append(list, unescaped(text))
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
			if column < 0 || column >= maxColumns || value == "" {
				return nil
			}
			switch kind {
			case "s":
				i, err := strconv.Atoi(strings.TrimSpace(value))
				if err != nil || i < 0 || i >= len(texts) {
					r.broken, value = "a cell points to a text that there is not", "?"
					break
				}
				value = texts[i]
			case "inlineStr", "str":
				value = unescaped(value)
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

var escape = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// unescaped is a text with the characters that XML cannot have, which are written as _x000D_
// (ECMA-376, part 1, 22.9.2.19).
func unescaped(text string) string {
	if !strings.Contains(text, "_x") {
		return text
	}
	return escape.ReplaceAllStringFunc(text, func(e string) string {
		n, err := strconv.ParseUint(e[2:6], 16, 16)
		if err != nil {
			return e
		}
		return string(rune(n))
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
