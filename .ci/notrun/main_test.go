package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	passes = `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
	skips = `{"Action":"output","Package":"p","Test":"TestB/part","Output":"=== RUN   TestB/part\n"}
{"Action":"output","Package":"p","Test":"TestB/part","Output":"    b_test.go:12: SKIPPED: no browser: install one\n"}
{"Action":"skip","Package":"p","Test":"TestB/part"}
`
	fails = `{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:3: too bad\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
`
	broken = `{"ImportPath":"q [q.test]","Action":"build-output","Output":"q.go:1: what is that\n"}
{"ImportPath":"q [q.test]","Action":"build-fail"}
{"Action":"fail","Package":"q","FailedBuild":"q [q.test]"}
`
	untested = `{"Action":"output","Package":"p","Output":"?   \tp\t[no test files]\n"}
{"Action":"skip","Package":"p"}
`
)

func TestRun(t *testing.T) {
	list := filepath.Join(t.TempDir(), "known")
	if err := os.WriteFile(list, []byte("# parts\np TestB/part it has no browser\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ in, list, says, wrong string }{
		"all well":            {passes, list, "ok  \tp", ""},
		"not run, for people": {passes + skips, "", "p TestB/part: no browser: install one", ""},
		"not run, known":      {passes + skips, list, "1 were not run", ""},
		"not run, unknown": {
			passes + strings.ReplaceAll(skips, "part", "other"),
			list,
			"TestB/other: no browser",
			"not on the list: p TestB/other",
		},
		"failed":             {passes + fails, list, "too bad", "failed: p TestC"},
		"does not build":     {passes + broken, list, "what is that", "failed: q"},
		"nothing":            {"", list, "0 tests", "nothing was tested"},
		"no tests at all":    {untested, list, "[no test files]", "nothing was tested"},
		"something else":     {"ok p 0.1s\n", list, "", "is not what `go test -json` writes"},
		"a list without why": {passes, "main.go", "", "main.go: line"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := run(strings.NewReader(tc.in), &out, tc.list)
			wrong := ""
			if err != nil {
				wrong = err.Error()
			}
			if !strings.Contains(out.String(), tc.says) || (wrong == "") != (tc.wrong == "") ||
				!strings.Contains(wrong, tc.wrong) {
				t.Errorf("%v, printed:\n%s", err, &out)
			}
		})
	}
}
