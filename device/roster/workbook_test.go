package roster

import (
	"strings"
	"testing"
)

// Workbooks as different programs write them.
func TestWorkbooksAsTheyAre(t *testing.T) {
	text := func(s string) string { return `<c t="inlineStr"><is><t>` + s + `</t></is></c>` }
	const sheet1, links, escaped = "xl/worksheets/sheet1.xml", "xl/_rels/workbook.xml.rels", "Jörg &amp; Weiß"
	header := "<row>" + text("uid") + text("employee_id") + text("name") + "</row>"
	body := "<row>" + text("A1B2C3D4") + text(anna) + text(escaped) + "</row>"
	plain := sheetOf(header + body)[sheet1]
	const good = "2 A1B2C3D4|" + anna + "|Jörg & Weiß"
	shared := `<sst><si><t>uid</t></si><si><t xml:space="preserve">employee_id</t></si><si><t>name</t></si>` +
		`<si><t>A1B2C3D4</t></si><si><t>` + anna +
		`</t></si><si><r><t>Jörg </t></r><r><rPr><b/></rPr><t>&amp; ` +
		`Weiß</t></r><rPh sb="0" eb="1"><t>yoruku</t></rPh></si></sst>`
	point := func(cells ...string) string {
		row := "<row>"
		for _, c := range cells {
			row += `<c t="s"><v>` + c + `</v></c>`
		}
		return row + "</row>"
	}
	placed := `<row r="7"><c r="C7" t="str"><f>A1</f><v>` + escaped + `</v></c><c r="B7" t="str"><v>` + anna +
		`</v></c><c r="A7" t="str"><v>A1B2C3D4</v></c></row>`
	numbers := "<row><c><v>12345678901234</v></c>" + text(anna) + `<c t="b"><v>1</v></c></row>`
	counted := sheetOf(point("0", "1", "2") + point("3", "4", "5"))[sheet1]
	commented := strings.Replace(plain, "</row><row>", "</row><!----><?go on?><row>", 1)
	prefixed := strings.NewReplacer("</", "</x:", "<", "<x:").Replace(plain)
	latin1 := strings.NewReplacer("ö", "\xF6", "ß", "\xDF").Replace(plain)
	pointing := func(id, target string) string {
		return `<Relationships><Relationship Id="` + id + `" Target="` + target + `"/></Relationships>`
	}
	for name, tc := range map[string]struct {
		parts map[string]string
		want  string
	}{
		"texts in cells":    {sheetOf(header + body), good},
		"texts in common":   {map[string]string{sheet1: counted, "xl/sharedStrings.xml": shared}, good},
		"with a name space": {map[string]string{sheet1: prefixed}, good},
		"with a comment":    {map[string]string{sheet1: "<!-- made < by > hand -->" + commented}, good},
		"with CDATA": {
			sheetOf(header + strings.ReplaceAll(body, escaped, "<![CDATA[Jörg & W]]>ei<!-- s -->ß")), good,
		},
		"in another encoding": {
			map[string]string{sheet1: `<?xml version="1.0" encoding="ISO-8859-1"?>` + latin1}, good,
		},
		"with places": {sheetOf(header + placed), "7" + good[1:]},
		"numbers":     {sheetOf(header + numbers), "2 12345678901234|" + anna + "|1"},
		"empty typed cells": {
			sheetOf(header + strings.Replace(body, "</row>", `<c t="s"/><c t="s"><v></v></c></row>`, 1)), good,
		},
		"a text that is gone": {sheetOf(header + point("7", "8", "9")), "2 a cell points to a text that there is not"},
		"escaped characters": {
			sheetOf(strings.Replace(header, "uid", "uid_x000D_", 1) +
				strings.Replace(body, "A1B2", "A1_x005F_x0042_", 1)),
			"2 A1_x0042_C3D4|" + anna + "|Jörg & Weiß",
		},
		"an absolute target": {
			map[string]string{sheet1: plain, links: pointing("rId1", "/xl/worksheets/sheet1.xml")}, good,
		},
		"slashes of Windows": {map[string]string{
			`XL\Worksheets\Sheet2.xml`: plain, links: pointing("rId1", "worksheets/sheet2.xml"),
		}, good},
		"a book of another name": {map[string]string{
			"_rels/.rels": `<Relationships><Relationship Id="a" Type="x/thumbnail" Target="y"/><Relationship Id="b" ` +
				`Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" ` +
				`Target="xl/workbook22.xml"/></Relationships>`,
			"xl/workbook22.xml":            `<workbook><sheets><sheet name="A" sheetId="1" r:id="rId9"/></sheets></workbook>`,
			"xl/_rels/workbook22.xml.rels": pointing("rId9", "worksheets/other.xml"),
			"xl/worksheets/other.xml":      plain,
		}, good},
	} {
		rows, err := readTable([]byte(packed(t, tc.parts)))
		if err != nil || len(rows) != 2 || !strings.HasPrefix(strings.Join(rows[0].fields, "|"), "uid") {
			t.Errorf("%s: %v, %+v", name, err, rows)
			continue
		}
		got := rows[1].broken
		if got == "" {
			got = strings.Join(rows[1].fields, "|")
		}
		if number := map[bool]string{true: "7 ", false: "2 "}[rows[1].number == 7]; number+got != tc.want {
			t.Errorf("%s: %s%s, want %s", name, number, got, tc.want)
		}
	}
}

// A quote that does not fit makes its own line a bad one, and no other.
func TestStrayQuotes(t *testing.T) {
	line := func(name string) string { return "A1B2C3D4," + anna + "," + name + "\n" }
	for name, tc := range map[string]struct {
		file string
		bad  []int
		rows int
	}{
		"within a cell, and many lines after it": {
			line("x") + line(`O"Brien`) + strings.Repeat(line("x"), 3000), []int{2}, 3002,
		},
		"never closed": {
			line("x") + line(`"Brien`) + strings.Repeat(line("x"), 3000), []int{2}, 3002,
		},
		"never closed, near the end": {line("x") + line(`"Brien`) + line("x"), []int{2}, 3},
		"a cell of two lines":        {line("\"O\nBrien\"") + line("x"), nil, 2},
		"two, one in each line":      {line(`O"Brien`) + line(`O"Brien`) + line("x"), []int{1, 2}, 3},
	} {
		rows, err := readTable([]byte(tc.file))
		var bad []int
		for _, r := range rows {
			if r.broken != "" {
				bad = append(bad, r.number)
			}
		}
		if err != nil || len(rows) != tc.rows || len(bad) != len(tc.bad) || len(bad) > 0 && bad[0] != tc.bad[0] {
			t.Errorf("%s: %d rows, bad %v, %v", name, len(rows), bad, err)
		}
	}
}
