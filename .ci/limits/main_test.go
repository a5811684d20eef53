package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLook(t *testing.T) {
	long := "func long() {" + strings.Repeat("\n\t_ = 1", 60) + "\n}\n"
	for says, text := range map[string]string{
		"":                                   "package m\n\n// A is documented.\nfunc A() {}\n",
		"long has 62 lines":                  "package m\n\n" + long,
		"many has 7 parameters":              "package m\n\nfunc many(a, b, c, d, e, f, g int) {}\n",
		"121 columns":                        "package m\n\n// " + strings.Repeat("x", 118) + "\n",
		"401 lines":                          "package m\n" + strings.Repeat("\n", 400),
		"half of the files have more than":   "package m\n" + strings.Repeat("\n", 160),
		"0 of 1 exported names have a comme": "package m\n\ntype T int\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := look(dir)
		if got := strings.Join(found, "\n"); err != nil || (says == "") != (got == "") || !strings.Contains(got, says) {
			t.Errorf("%q: %q, %v", says, got, err)
		}
	}
}
