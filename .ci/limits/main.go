// Command limits names what has grown too big to be read at one go:
//
//	limits [DIR]
//
// A function of the program has at most 60 lines and six parameters, a file 400 lines, half of the
// files at most 150, and a line, also of a Markdown document, 120 columns, with tabs of four. Of the exported names 96 % have a
// comment. It exits with 1 if something is beyond.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	mostLines  = 60
	mostParams = 6
	mostFile   = 400
	mostMedian = 150
	mostWidth  = 120
	leastDoc   = 0.96
)

func main() {
	flag.Parse()
	found, err := look(cmp.Or(flag.Arg(0), "."))
	if err != nil {
		fmt.Fprintln(os.Stderr, "limits:", err)
		os.Exit(1)
	}
	for _, line := range found {
		fmt.Println(line)
	}
	if len(found) > 0 {
		os.Exit(1)
	}
}

// report is what was found, and what there is.
type report struct {
	found            []string
	sizes            []int // of the files of the program, in lines
	exported, silent int
}

func (r *report) say(at any, format string, args ...any) {
	r.found = append(r.found, fmt.Sprint(at, ": ")+fmt.Sprintf(format, args...))
}

func look(dir string) ([]string, error) {
	var r report
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case filepath.Ext(path) == ".go":
			return r.file(path)
		case filepath.Ext(path) == ".md":
			return r.document(path)
		}
		return nil
	})
	if err != nil || len(r.sizes) == 0 {
		return nil, cmp.Or(err, fmt.Errorf("there is no program in %s", dir))
	}
	slices.Sort(r.sizes)
	if m := r.sizes[len(r.sizes)/2]; m > mostMedian {
		r.say(dir, "half of the files have more than %d lines", m)
	}
	if documented := r.exported - r.silent; float64(documented) < leastDoc*float64(r.exported) {
		r.say(dir, "%d of %d exported names have a comment", documented, r.exported)
	}
	return r.found, nil
}

func (r *report) file(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) > mostFile {
		r.say(path, "%d lines", len(lines))
	}
	if strings.HasSuffix(path, "_test.go") {
		return nil
	}
	r.sizes = append(r.sizes, len(lines))
	r.width(path, lines)
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, text, parser.ParseComments)
	if err != nil {
		return err
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			r.name(d.Name, d.Doc)
			at := set.Position(d.Pos())
			if n := set.Position(d.End()).Line - at.Line + 1; n > mostLines {
				r.say(at, "%s has %d lines", d.Name.Name, n)
			}
			if n := d.Type.Params.NumFields(); n > mostParams {
				r.say(at, "%s has %d parameters", d.Name.Name, n)
			}
		case *ast.GenDecl:
			r.declared(d)
		}
	}
	return nil
}

func (r *report) document(path string) error {
	text, err := os.ReadFile(path)
	r.width(path, strings.Split(string(text), "\n"))
	return err
}

func (r *report) width(path string, lines []string) {
	for i, line := range lines {
		if n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); n > mostWidth {
			r.say(fmt.Sprintf("%s:%d", path, i+1), "%d columns", n)
		}
	}
}

// declared looks at types, constants and variables; a comment on a group is one on each.
func (r *report) declared(d *ast.GenDecl) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			r.name(s.Name, d.Doc, s.Doc, s.Comment)
		case *ast.ValueSpec:
			for _, name := range s.Names {
				r.name(name, d.Doc, s.Doc, s.Comment)
			}
		}
	}
}

func (r *report) name(name *ast.Ident, comments ...*ast.CommentGroup) {
	if !name.IsExported() {
		return
	}
	r.exported++
	if !slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c != nil }) {
		r.silent++
	}
}
