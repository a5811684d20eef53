// Command unused names what the program declares and only its tests use, or nobody:
//
//	unused [-tags LIST] [DIR]
//
// It looks at functions, methods, types, constants, variables and fields. A method counts as
// used if some type has it for an interface, and whatever a template names counts as used. Packages
// whose names end in "test" are there for tests, and not looked at. It exits with 1 if it has found
// something.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	tags := flag.String("tags", "", "build tags")
	flag.Parse()
	found, err := find(cmp.Or(flag.Arg(0), "."), *tags)
	if err != nil {
		fmt.Fprintln(os.Stderr, "unused:", err)
		os.Exit(1)
	}
	for _, line := range found {
		fmt.Println(line)
	}
	if len(found) > 0 {
		os.Exit(1)
	}
}

// module is what is known of the program.
type module struct {
	fset       *token.FileSet
	used       map[token.Pos]bool // where what is used was declared
	templates  map[string]bool    // words of templates
	interfaces map[string][]*types.Interface
}

func find(dir, tags string) ([]string, error) {
	m := module{
		fset: token.NewFileSet(), used: map[token.Pos]bool{}, templates: map[string]bool{},
		interfaces: map[string][]*types.Interface{},
	}
	all, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes |
			packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps | packages.NeedModule,
		Dir: dir, Fset: m.fset, Tests: true, BuildFlags: []string{"-tags", tags},
	}, "./...")
	if err != nil {
		return nil, err
	}
	if packages.PrintErrors(all) > 0 {
		return nil, fmt.Errorf("%s does not build", dir)
	}
	if err := m.readTemplates(dir); err != nil {
		return nil, err
	}
	packages.Visit(all, nil, m.collectInterfaces)
	for _, p := range all {
		for _, f := range p.Syntax {
			if !m.isTest(f.Pos()) {
				m.collectUses(p.TypesInfo, f)
			}
		}
		for _, o := range p.TypesInfo.Defs {
			if t, ok := o.(*types.TypeName); ok {
				m.collectImplemented(t.Type())
			}
		}
	}
	var found []string
	for _, p := range all {
		for id, o := range p.TypesInfo.Defs {
			if strings.HasSuffix(p.Name, "test") {
				break
			}
			if o != nil && !m.isTest(id.Pos()) && m.isUnused(o) {
				at := m.fset.Position(id.Pos())
				found = append(found, fmt.Sprintf("%s:%d: %s", at.Filename, at.Line, id.Name))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func (m module) isTest(p token.Pos) bool {
	return strings.HasSuffix(m.fset.Position(p).Filename, "_test.go")
}

// origin is what was declared, for what a type parameter has made of it.
func origin(o types.Object) types.Object {
	switch o := o.(type) {
	case *types.Func:
		return o.Origin()
	case *types.Var:
		return o.Origin()
	}
	return o
}

var word = regexp.MustCompile(`\.([A-Z]\w*)`)

// readTemplates takes the names of fields and methods out of the templates.
func (m module) readTemplates(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".html" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, w := range word.FindAllStringSubmatch(string(text), -1) {
			m.templates[w[1]] = true
		}
		return err
	})
}

// collectInterfaces takes the interfaces of a package.
func (m module) collectInterfaces(p *packages.Package) {
	if p.TypesInfo == nil {
		return
	}
	add := func(t types.Type) {
		if i, ok := t.Underlying().(*types.Interface); ok {
			for f := range i.Methods() {
				if !slices.Contains(m.interfaces[f.Name()], i) {
					m.interfaces[f.Name()] = append(m.interfaces[f.Name()], i)
				}
			}
		}
	}
	for _, o := range p.TypesInfo.Defs {
		if t, ok := o.(*types.TypeName); ok {
			add(t.Type())
		}
	}
	for e, t := range p.TypesInfo.Types {
		if _, ok := e.(*ast.InterfaceType); ok {
			add(t.Type)
		}
	}
	add(types.Universe.Lookup("error").Type())
}

// collectUses notes what a file uses, outside of its declaration.
func (m module) collectUses(info *types.Info, f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if o := info.Uses[n]; o != nil {
				m.used[origin(o).Pos()] = true
			}
		case *ast.CompositeLit: // one without names sets every field
			if s, ok := info.TypeOf(n).Underlying().(*types.Struct); ok && len(n.Elts) > 0 {
				if _, keyed := n.Elts[0].(*ast.KeyValueExpr); !keyed {
					for field := range s.Fields() {
						m.used[field.Origin().Pos()] = true
					}
				}
			}
		}
		return true
	})
}

// collectImplemented notes the methods that a type, or what it embeds, has for an interface.
func (m module) collectImplemented(t types.Type) {
	if types.IsInterface(t) {
		return
	}
	for method := range types.NewMethodSet(types.NewPointer(t)).Methods() {
		f := method.Obj()
		if slices.ContainsFunc(m.interfaces[f.Name()], func(i *types.Interface) bool {
			return types.Implements(types.NewPointer(t), i)
		}) {
			m.used[origin(f).Pos()] = true
		}
	}
}

func (m module) isUnused(o types.Object) bool {
	name := o.Name()
	if m.used[o.Pos()] || name == "_" || name == "main" || name == "init" {
		return false
	}
	switch o := o.(type) {
	case *types.Func:
		r := o.Signature().Recv()
		if r == nil {
			return true
		}
		if _, ofInterface := r.Type().Underlying().(*types.Interface); ofInterface {
			return false // whoever has it for the interface is asked
		}
		return !m.templates[name]
	case *types.Var:
		return o.IsField() && !o.Embedded() && !m.templates[name] && o.Pkg() != nil || o.Parent() == o.Pkg().Scope()
	case *types.Const, *types.TypeName:
		return o.Parent() == o.Pkg().Scope()
	}
	return false
}
