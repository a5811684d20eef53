package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module m\n\ngo 1.26\n",
		"main.go": `package main

import "fmt"

type shape interface{ area() int }

type base struct{}

func (base) area() int   { return 1 }
func (base) idle() int   { return 2 }
func (base) tested() int { return 3 }
func (base) Shown() int  { return 4 }

type square struct {
	base
	side  int
	spare int
}

type pair struct{ a, b int }

const never = 1

func main() {
	var s shape = square{side: 1}
	fmt.Println(s.area(), pair{1, 2})
}
`,
		"page.html":    "{{.Shown}}\n",
		"main_test.go": "package main\n\nimport \"testing\"\n\nfunc TestIt(*testing.T) { base{}.tested() }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := find(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range found {
		found[i] = line[strings.LastIndex(line, " ")+1:]
	}
	slices.Sort(found)
	if want := []string{"idle", "never", "spare", "tested"}; !slices.Equal(found, want) {
		t.Errorf("unused: %q, want %q", found, want)
	}
}
