// Command notrun reads what `go test -json` writes, prints how the packages did and what
// failed, and at the end which tests were not run, and why:
//
//	go test -json ./... | go run ./.ci/notrun
//
// With -known FILE a test that was not run and does not stand in that file is an error. A
// line of it has a package, a test, and why it is not run there; # begins a comment.
//
// It exits with 1 if a test failed, a package did not build, or nothing was tested.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	list := flag.String("known", "", "a file with the tests that may be left out")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *list); err != nil {
		fmt.Fprintln(os.Stderr, "notrun:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, list string) error {
	known := map[test]bool{}
	if list != "" {
		text, err := os.ReadFile(list)
		if err != nil {
			return err
		}
		if known, err = parseKnown(string(text)); err != nil {
			return fmt.Errorf("%s: %w", list, err)
		}
	}
	r, err := read(in, out)
	if err != nil {
		return err
	}
	return r.judge(out, known, list != "")
}

// test is one test, or a part of it, of a package.
type test struct{ pkg, name string }

// event is what `go doc test2json` has, and `go help buildjson` of packages that do not build.
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// results are what became of all tests.
type results struct {
	passed int
	failed []string
	notRun map[test]string // why
}

// read takes everything in, and prints what somebody who waits wants to see.
func read(in io.Reader, out io.Writer) (results, error) {
	r := results{notRun: map[test]string{}}
	said := map[test]*strings.Builder{} // by those that are not over
	for events := json.NewDecoder(bufio.NewReader(in)); ; {
		var e event
		if err := events.Decode(&e); errors.Is(err, io.EOF) {
			return r, nil
		} else if err != nil {
			return r, fmt.Errorf("this is not what `go test -json` writes: %w", err)
		}
		who := test{cmp.Or(e.Package, e.ImportPath), e.Test}
		switch e.Action {
		case "build-output":
			io.WriteString(out, e.Output)
		case "output":
			if e.Test == "" { // a package's line, or what is wrong with all of it
				if e.Output != "PASS\n" && e.Output != "FAIL\n" {
					io.WriteString(out, e.Output)
				}
				break
			}
			if said[who] == nil {
				said[who] = &strings.Builder{}
			}
			said[who].WriteString(e.Output)
		case "fail", "build-fail":
			if said[who] != nil {
				io.WriteString(out, said[who].String())
			}
			r.failed = append(r.failed, strings.TrimSpace(who.pkg+" "+who.name))
		case "skip":
			if e.Test != "" { // else the package has no tests
				r.notRun[who] = reason(said[who])
			}
		case "pass":
			if e.Test != "" {
				r.passed++
			}
		}
		if e.Action != "output" {
			delete(said, who)
		}
	}
}

// reason is what a test said when it was skipped.
func reason(said *strings.Builder) string {
	if said == nil {
		return "it does not say why"
	}
	for line := range strings.Lines(said.String()) {
		if _, why, ok := strings.Cut(line, "_test.go:"); ok { // the line's number follows
			_, why, _ = strings.Cut(why, ": ")
			return strings.TrimPrefix(strings.TrimSpace(why), "SKIPPED: ")
		}
	}
	return "it does not say why"
}

// judge prints what was not run, and says what is wrong.
func (r results) judge(out io.Writer, known map[test]bool, strict bool) error {
	byName := func(a, b test) int { return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.name, b.name)) }
	var unknown []string
	fmt.Fprintf(out, "\n%d tests and parts of tests passed, %d failed, %d were not run", r.passed, len(r.failed),
		len(r.notRun))
	for n, who := range slices.SortedFunc(maps.Keys(r.notRun), byName) {
		if n == 0 {
			fmt.Fprint(out, ":")
		}
		fmt.Fprintf(out, "\n  %s %s: %s", who.pkg, who.name, r.notRun[who])
		if strict && !known[who] {
			unknown = append(unknown, who.pkg+" "+who.name)
		}
	}
	fmt.Fprintln(out)
	switch {
	case len(r.failed) > 0:
		return fmt.Errorf("failed: %s", strings.Join(r.failed, ", "))
	case r.passed == 0:
		return errors.New("nothing was tested")
	case len(unknown) > 0:
		return fmt.Errorf("not run, and not on the list: %s", strings.Join(unknown, ", "))
	}
	return nil
}

// parseKnown reads the list of tests that may be left out.
func parseKnown(text string) (map[test]bool, error) {
	known := map[test]bool{}
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case len(f) < 3:
			return nil, fmt.Errorf("line %d: a package, a test, and why it is not run", n+1)
		default:
			known[test{f[0], f[1]}] = true
		}
	}
	return known, nil
}
