package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"timeclock/device"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Fault is one thing that is wrong with a file.
type Fault struct {
	Line int
	Key  string // dotted; empty if the line is no TOML at all
	Text string
}

// Faults is everything that is wrong with a file, by line.
type Faults struct {
	File string
	List []Fault
}

// Error lists them, a line each.
func (f *Faults) Error() string {
	lines := make([]string, len(f.List))
	for i, fault := range f.List {
		lines[i] = fmt.Sprintf("%s:%d: ", f.File, fault.Line)
		if fault.Key != "" {
			lines[i] += fault.Key + ": "
		}
		lines[i] += fault.Text
	}
	return strings.Join(lines, "\n")
}

// field is a key and what takes its value.
type field struct {
	key  string
	set  func(value) error
	show func() string // as TOML
}

// value is a TOML value as it was read.
type value struct {
	kind unstable.Kind
	text string
}

// text is a key that holds a string which passes the checks.
func text[T ~string](key string, to *T, checks ...func(string) error) field {
	return field{key, func(v value) error {
		if v.kind != unstable.String {
			return fmt.Errorf("must be text in quotes, not %s", kindName(v.kind))
		}
		for _, check := range checks {
			if err := check(v.text); err != nil {
				return err
			}
		}
		*to = T(v.text)
		return nil
	}, func() string { return strconv.Quote(string(*to)) }}
}

// number is a key that holds one of the whole numbers that are possible.
func number(key string, to *int, possible func(int) bool, which string) field {
	return field{key, func(v value) error {
		n, err := strconv.Atoi(strings.ReplaceAll(v.text, "_", ""))
		switch {
		case v.kind != unstable.Integer || err != nil:
			return fmt.Errorf("must be a whole number without quotes, not %s", describe(v))
		case !possible(n):
			return fmt.Errorf("%d is not possible: use %s", n, which)
		}
		*to = n
		return nil
	}, func() string { return strconv.Itoa(*to) }}
}

// duration is a key that holds a duration within bounds, such as "30s".
func duration(key string, to *time.Duration, least, most time.Duration) field {
	return field{key, func(v value) error {
		d, err := time.ParseDuration(v.text)
		switch {
		case v.kind != unstable.String || err != nil:
			return fmt.Errorf("must be a duration in quotes, such as \"30s\" or \"5m\", not %s", describe(v))
		case d < least || d > most:
			return fmt.Errorf("%s is not possible: use %s to %s", v.text, least, most)
		}
		*to = d
		return nil
	}, func() string { return strconv.Quote(to.String()) }}
}

// truth is a key that is true or false.
func truth(key string, to *bool) field {
	return field{key, func(v value) error {
		if v.kind != unstable.Bool {
			return fmt.Errorf("must be true or false without quotes, not %s", describe(v))
		}
		*to = v.text == "true"
		return nil
	}, func() string { return strconv.FormatBool(*to) }}
}

// hours is a key that holds a part of the day, such as "22:00-06:00"; empty: none.
func hours(key string, to *device.Hours) field {
	return field{key, func(v value) error {
		from, until, _ := strings.Cut(v.text, "-")
		a, err1 := time.Parse("15:04", strings.TrimSpace(from))
		b, err2 := time.Parse("15:04", strings.TrimSpace(until))
		switch {
		case v.kind == unstable.String && v.text == "":
			*to = device.Hours{}
			return nil
		case v.kind != unstable.String || err1 != nil || err2 != nil || a.Equal(b):
			return fmt.Errorf("must be two times of day in quotes, such as \"22:00-06:00\", not %s", describe(v))
		}
		midnight, _ := time.Parse("15:04", "00:00")
		*to = device.Hours{From: a.Sub(midnight), To: b.Sub(midnight)}
		return nil
	}, func() string {
		if *to == (device.Hours{}) {
			return `""`
		}
		clock := func(d time.Duration) string { return time.Time{}.Add(d).Format("15:04") }
		return strconv.Quote(clock(to.From) + "-" + clock(to.To))
	}}
}

// zone is a key that holds the name of a time zone; empty: that of the system.
func zone(key string, to **time.Location) field {
	return field{key, func(v value) error {
		name := v.text
		if v.kind != unstable.String {
			return fmt.Errorf("must be text in quotes, not %s", kindName(v.kind))
		}
		if name == "" {
			*to = time.Local
			return nil
		}
		place, err := time.LoadLocation(name)
		if err != nil {
			return fmt.Errorf("there is no time zone %q: it looks like \"Europe/Berlin\"", name)
		}
		*to = place
		return nil
	}, func() string {
		if *to == time.Local {
			return `""`
		}
		return strconv.Quote((*to).String())
	}}
}

func describe(v value) string {
	if v.kind == unstable.String {
		return fmt.Sprintf("%q", v.text)
	}
	return kindName(v.kind)
}

func kindName(k unstable.Kind) string {
	switch k {
	case unstable.Integer, unstable.Float:
		return "a number"
	case unstable.Bool:
		return "true or false"
	case unstable.Array:
		return "a list"
	case unstable.InlineTable, unstable.Table:
		return "a table"
	}
	return "a date or time"
}

// assignment is one `key = value` of a file.
type assignment struct {
	key  string
	line int
	value
}

// decode sets the fields from a TOML text and returns what is wrong with it.
func decode(toml []byte, fields []field) []Fault {
	given, faults := assignments(toml, fields)
	first := map[string]int{}
	byKey := map[string]assignment{}
	for _, a := range given {
		if line, twice := first[a.key]; twice {
			faults = append(faults, Fault{a.line, a.key, fmt.Sprintf("stands in line %d already", line)})
			continue
		}
		first[a.key], byKey[a.key] = a.line, a
	}
	// In the fields' order: some are judged by what others hold.
	for _, f := range fields {
		a, ok := byKey[f.key]
		if !ok {
			continue
		}
		delete(byKey, f.key)
		if err := f.set(a.value); err != nil {
			faults = append(faults, Fault{a.line, a.key, err.Error()})
		}
	}
	for _, a := range byKey {
		faults = append(faults, Fault{a.line, a.key, unknown(a.key, fields)})
	}
	slices.SortFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return faults
}

// unknown says which keys there are beside the one that is none.
func unknown(key string, fields []field) string {
	table, _, _ := cutLast(key)
	var known []string
	for _, f := range fields {
		if t, name, _ := cutLast(f.key); t == table {
			known = append(known, name)
		}
	}
	if len(known) == 0 {
		return "unknown key; `timeclock config default` shows all there are"
	}
	return "unknown key; known here: " + strings.Join(known, ", ")
}

func cutLast(key string) (table, name string, found bool) {
	i := strings.LastIndexByte(key, '.')
	if i < 0 {
		return "", key, false
	}
	return key[:i], key[i+1:], true
}

// assignments lists what a TOML text assigns, tables resolved.
func assignments(toml []byte, fields []field) (out []assignment, faults []Fault) {
	var p unstable.Parser
	p.Reset(bytes.TrimPrefix(toml, []byte("\xEF\xBB\xBF"))) // as Windows' editors write it
	tables := map[string]int{}
	line := func(n *unstable.Node) int { return p.Shape(n.Raw).Start.Line }
	var walk func(table string, n *unstable.Node)
	walk = func(table string, n *unstable.Node) {
		key, at := join(table, n.Key(), line)
		v := n.Value()
		if v.Kind == unstable.InlineTable {
			for it := v.Children(); it.Next(); {
				walk(key, it.Node())
			}
			return
		}
		out = append(out, assignment{key, at, value{v.Kind, string(v.Data)}})
	}
	table := ""
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.KeyValue:
			walk(table, e)
		case unstable.Table, unstable.ArrayTable:
			var at int
			table, at = join("", e.Key(), line)
			known := slices.ContainsFunc(fields, func(f field) bool { return strings.HasPrefix(f.key, table+".") }) ||
				table+"." == keysTable
			first, twice := tables[table]
			switch {
			case !known || e.Kind == unstable.ArrayTable:
				faults = append(faults, Fault{
					at, table, "there is no such table: `timeclock config default` shows all there are",
				})
			case twice:
				faults = append(faults, Fault{
					at, table, fmt.Sprintf("the table begins in line %d already: put its keys there", first),
				})
			default:
				tables[table] = at
			}
		}
	}
	var syntax *unstable.ParserError
	if err := p.Error(); errors.As(err, &syntax) {
		at := p.Shape(p.Range(syntax.Highlight)).Start.Line
		faults = append(faults, Fault{Line: at, Text: "this is not TOML: " + syntax.Message})
	}
	return out, faults
}

func join(table string, key unstable.Iterator, line func(*unstable.Node) int) (dotted string, at int) {
	dotted = table
	for key.Next() {
		if dotted != "" {
			dotted += "."
		}
		dotted += string(key.Node().Data)
		at = line(key.Node())
	}
	return dotted, at
}
