package main

import (
	_ "embed"
	"encoding/xml"
	"io"
	"strings"
	"text/template"

	"timeclock/device/doctor"
)

// benchSVG draws a report for the delivery note: SVG 1.1, without fonts or files of its own.
//
//go:embed bench.svg.tmpl
var benchSVG string

// row is a line of the picture.
type row struct {
	Y          int
	Mark, Text string // ok, no, skip or warn
	Note       string // instead of both
}

// draw writes the report as a picture.
func (r benchReport) draw(w io.Writer) error {
	const first, step = 250, 22
	var rows []row
	add := func(mark, text, note string) {
		rows = append(rows, row{first + step*len(rows), mark, cutTo(text, 88), ""})
		if note != "" {
			rows = append(rows, row{first + step*len(rows), "", "", cutTo(note, 96)})
		}
	}
	for _, t := range r.Tried {
		add(map[string]string{"passed": "ok", "failed": "no", "skipped": "skip"}[t.Result], t.What, t.Note)
	}
	for _, f := range r.Findings {
		mark := map[doctor.Verdict]string{doctor.OK: "ok", doctor.Warn: "warn", doctor.Fail: "no"}[f.Verdict]
		add(mark, f.Check+": "+f.Found, f.Do)
	}
	t, err := template.New("bench").Funcs(template.FuncMap{"x": escaped}).Parse(benchSVG)
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		benchReport
		Rows   []row
		Height int
	}{r, rows, first + step*len(rows) + 10})
}

// escaped makes a text one of XML's.
func escaped(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) // a builder takes all
	return b.String()
}

// cutTo shortens a text to what fits.
func cutTo(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
