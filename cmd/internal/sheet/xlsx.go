package sheet

import (
	"archive/zip"
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// XLSX writes a table line by line as a workbook of one sheet, with its first line in bold type. Every
// cell is text: numbers keep their leading zeros, and nothing is a formula. The parts of the file are
// those that ECMA-376 (Office Open XML) demands of the smallest workbook; a library for all that
// workbooks can be makes the program larger by five megabytes.
type XLSX struct {
	zip   *zip.Writer
	out   *bufio.Writer // the sheet
	lines int
	err   error
}

const (
	xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	openXML = "http://schemas.openxmlformats.org/"
	mainNS  = openXML + "spreadsheetml/2006/main"
	relsNS  = openXML + "package/2006/relationships"
	docRels = openXML + "officeDocument/2006/relationships"
	types   = "application/vnd.openxmlformats-officedocument.spreadsheetml."
)

// parts are the files of a workbook beside its sheet. Style 1 is bold.
var parts = []struct{ name, content string }{
	{"[Content_Types].xml", `<Types xmlns="` + openXML + `package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="` + types + `sheet.main+xml"/>` +
		`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="` + types + `worksheet+xml"/>` +
		`<Override PartName="/xl/styles.xml" ContentType="` + types + `styles+xml"/></Types>`},
	{"_rels/.rels", `<Relationships xmlns="` + relsNS + `"><Relationship Id="rId1" Type="` + docRels +
		`/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	{"xl/workbook.xml", `<workbook xmlns="` + mainNS + `" xmlns:r="` + docRels +
		`"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>`},
	{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="` + relsNS + `">` +
		`<Relationship Id="rId1" Type="` + docRels + `/worksheet" Target="worksheets/sheet1.xml"/>` +
		`<Relationship Id="rId2" Type="` + docRels + `/styles" Target="styles.xml"/></Relationships>`},
	{"xl/styles.xml", `<styleSheet xmlns="` + mainNS + `">` +
		`<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>` +
		`<font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill ` +
		`patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
		`<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>` +
		`<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>` +
		`<cellXfs count="2"><xf numFmtId="49" fontId="0" fillId="0" borderId="0" ` +
		`xfId="0" applyNumberFormat="1"/><xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1" ` +
		`applyNumberFormat="1"/></cellXfs></styleSheet>`},
}

// NewXLSX begins a table.
func NewXLSX(w io.Writer) (*XLSX, error) {
	x := &XLSX{zip: zip.NewWriter(w)}
	for _, p := range parts {
		f, err := x.zip.Create(p.name)
		if err == nil {
			_, err = io.WriteString(f, xmlHead+p.content)
		}
		if err != nil {
			return nil, err
		}
	}
	f, err := x.zip.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		return nil, err
	}
	x.out = bufio.NewWriter(f)
	x.write(xmlHead, `<worksheet xmlns="`, mainNS, `"><cols><col min="1" max="20" width="18" customWidth="1"/></cols>`,
		"<sheetData>")
	return x, x.err
}

func (x *XLSX) write(texts ...string) {
	for _, t := range texts {
		if _, err := x.out.WriteString(t); err != nil {
			x.err = errors.Join(x.err, err)
		}
	}
}

// Line writes a line.
func (x *XLSX) Line(fields ...string) error {
	style := "0"
	if x.lines++; x.lines == 1 {
		style = "1"
	}
	x.write("<row>")
	for _, f := range fields {
		x.write(`<c t="inlineStr" s="`, style, `"><is><t xml:space="preserve">`)
		// What XML cannot have, such as a null byte, becomes a replacement character.
		x.err = errors.Join(x.err, xml.EscapeText(x.out, []byte(strings.ToValidUTF8(f, "\uFFFD"))))
		x.write("</t></is></c>")
	}
	x.write("</row>")
	return x.err
}

// Close ends the table.
func (x *XLSX) Close() error {
	x.write("</sheetData></worksheet>")
	return errors.Join(x.err, x.out.Flush(), x.zip.Close())
}
