package roster

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
)

// maxSwell is what reading a file may take beside the badge map that becomes of it.
const maxSwell = 64 << 20 // bytes

// packed makes a workbook of these parts, and of what every one has.
func packed(t *testing.T, parts map[string]string) string {
	t.Helper()
	all := map[string]string{
		"[Content_Types].xml": `<Types/>`,
		"xl/workbook.xml":     `<workbook><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" ` +
			`Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml": `<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>uid</t></is></c>` +
			`<c r="B1" t="inlineStr"><is><t>employee_id</t></is></c><c r="C1" ` +
			`t="inlineStr"><is><t>name</t></is></c></row></sheetData></worksheet>`,
	}
	for name, text := range parts {
		all[name] = text
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, text := range all {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func sheetOf(rows string) map[string]string {
	return map[string]string{"xl/worksheets/sheet1.xml": "<worksheet><sheetData>" + rows + "</sheetData></worksheet>"}
}

func textsOf(sst string) map[string]string {
	return map[string]string{"xl/sharedStrings.xml": "<sst>" + sst + "</sst>"}
}

// inUse is what is alive on the heap, in bytes.
func inUse() int64 {
	runtime.GC()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return int64(live[0].Value.Uint64())
}

// importing imports a file into an empty map and returns the most memory that was in use
// meanwhile, besides the file itself and what was in use before, and how long it took.
func importing(t *testing.T, file string) (r *Roster, most int64, took time.Duration, err error) {
	t.Helper()
	r = open(t, filepath.Join(t.TempDir(), "roster.csv"))
	before := inUse()
	done := make(chan bool)
	go func() {
		began := time.Now()
		_, err = r.Import(strings.NewReader(file), Options{})
		took = time.Since(began)
		close(done)
	}()
	for {
		select {
		case <-done:
			return r, most, took, err
		case <-time.After(20 * time.Millisecond):
			most = max(most, inUse()-before)
		}
	}
}

// stopped runs a test in a process in which nothing goes on while garbage is collected, and
// tells whether this is that process. Elsewhere what is allocated during a collection counts
// as being in use, and how much that is depends on how busy the computer is.
func stopped(t *testing.T) bool {
	const setting = "gcstoptheworld=1"
	if os.Getenv("GODEBUG") == setting {
		return true
	}
	test := exec.Command(os.Args[0], "-test.v", "-test.run", "^"+t.Name()+"$")
	test.Env = append(os.Environ(), "GODEBUG="+setting)
	out, err := test.CombinedOutput()
	if t.Logf("%s", out); err != nil {
		t.Error(err)
	}
	return false
}

// Files that are small and swell, or that hold what no list has, are refused with a
// sentence, and take no more memory than a device has to spare.
func TestFilesThatSwell(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes a while")
	}
	if !stopped(t) {
		return
	}
	const (
		header   = "uid,employee_id,name\n"
		headings = `<row><c t="inlineStr"><is><t>uid</t></is></c><c t="inlineStr"><is><t>employee_id</t></is></c>` +
			`<c t="inlineStr"><is><t>name</t></is></c></row>`
	)
	kilobytes := strings.Repeat("<si><t>"+strings.Repeat("x", 960)+"</t></si>", 24_000)
	many := map[string]string{}
	for n := range 2000 {
		many[fmt.Sprint("xl/media/", n)] = ""
	}
	for name, tc := range map[string]struct{ file, says string }{
		"texts": {packed(t, textsOf(strings.Repeat("<si/>", 9<<20))), "its texts take more than 24 MB"},
		"one text": {
			packed(t, textsOf("<si><t>"+strings.Repeat("x", 40<<20)+"</t></si>")), "has a text of more than",
		},
		"a text of texts":  {packed(t, textsOf("<si>"+strings.Repeat("<t>xxxxxxxx</t>", 1<<20)+"</si>")), ""},
		"elements in each": {packed(t, sheetOf(strings.Repeat("<a>", 15<<20))), "within each other"},
		"attributes": {
			packed(t, sheetOf("<row"+strings.Repeat(` a=""`, 9<<20)+"/>")), "has a text of more than",
		},
		"a document type": {
			packed(t, sheetOf(`<!DOCTYPE a [<!ENTITY b "`+strings.Repeat("x", 1000)+`">]>`)), "a document type",
		},
		"unpacked": {
			packed(t, sheetOf(strings.Repeat("<v>"+strings.Repeat("x", 900<<10)+"</v>", 60))),
			"unpacks to more than 48 MB",
		},
		"cells in a row": {
			packed(t, sheetOf("<row>"+strings.Repeat(`<c><v>1</v></c>`, 1<<20)+"</row>")), "first line must name",
		},
		"cells far out": {
			packed(t, sheetOf(strings.Repeat(`<row><c r="XFD1"><v>1</v></c></row>`, 1<<19))), "the file is empty",
		},
		"rows": {
			packed(t, sheetOf(strings.Repeat(`<row><c><v>1</v></c></row>`, 1<<20))), "this is no badge list",
		},
		"parts": {packed(t, many), "more than 1000 parts"},
		"other parts": {packed(t,
			map[string]string{"xl/styles.xml": "<styleSheet>" + strings.Repeat("<xf/>", 9<<20)}), ""},
		"a missing text": {
			packed(t, sheetOf(headings+`<row><c t="s"><v>7</v></c></row>`)),
			"0 lines are fine, 1 must be mended",
		},
		"commas":            {strings.Repeat(",", 15<<20), "line 1 has more than 64 kB"},
		"commas and breaks": {header + strings.Repeat("\"\n\",", 3<<20), "this is no list of badges"},
		"a stray quote":     {header + "a\"b\n\"cd\n" + strings.Repeat("\",\"\n", 3<<20), "this is no list of badges"},
		"full columns": {
			header + strings.Repeat(strings.Repeat("x,", 99)+"x\n", 75_000), "more than 1000 lines refused",
		},
		"nothing fits": {
			header + strings.Repeat("01020304,nobody,"+strings.Repeat("x", 60)+"\n", 190_000),
			"more than 1000 lines refused",
		},
		"long cells": {
			header + strings.Repeat("01020304,"+strings.Repeat("x", 60_000)+",\n", 250),
			"0 lines are fine, 250 must be mended",
		},
		"Windows-1252": {
			header + strings.Repeat(strings.Repeat("\x80", 1000)+"\n", 15_000), "more than 1000 lines refused",
		},
		"a comment": {packed(t, sheetOf("<!--"+strings.Repeat("<", 40<<20)+"-->")), "has a text of more than"},
		"texts in texts": {
			packed(t, textsOf(kilobytes+strings.Repeat("<t>"+strings.Repeat("x", 900<<10), 20))), "cannot be read",
		},
		"a long name":       {packed(t, sheetOf("<"+strings.Repeat("x", 900<<10)+">")), "one with a long name"},
		"UTF-16":            {"\xFF\xFE" + strings.Repeat("\u4100", 5<<20), "has more than 64 kB"},
		"UTF-16 that grows": {"\xFF\xFE" + utf16le(header) + strings.Repeat("\x00\x4E", 7<<20), "has more than 64 kB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, most, took, err := importing(t, tc.file)
			t.Logf("%d kB: %d MB in use, %v: %v", len(tc.file)>>10, most>>20, took.Round(time.Millisecond), err)
			if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%v, want %q", err, tc.says)
			}
			if most > maxSwell {
				t.Errorf("it takes %d MB", most>>20)
			}
		})
	}
}
