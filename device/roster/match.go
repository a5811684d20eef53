package roster

import (
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strings"

	"timeclock/device"
)

// Match is by what a line's employee was found.
type Match string

// What an employee can be found by.
const (
	ByID       Match = "id"
	ByNumber   Match = "number"   // the personnel number
	ByExternal Match = "external" // the external id
	ByNames    Match = "names"
)

// reference is what a line says of whose badge it is; what it does not say is empty.
type reference struct{ id, number, external, first, last, name string }

// whose reads it.
func (c columns) whose(r row) reference {
	ref := reference{
		id: c.field(r, employeeColumn), number: c.field(r, numberColumn), external: c.field(r, externalColumn),
		first: c.field(r, firstNameColumn), last: c.field(r, lastNameColumn), name: c.field(r, nameColumn),
	}
	if ref.first != "" && ref.last == "" { // a name beside a first name is the family's
		ref.last, ref.name = ref.name, ""
	}
	for _, text := range []*string{&ref.first, &ref.last, &ref.name} {
		*text = unquoted(*text)
	}
	if last, first, found := strings.Cut(ref.name, ","); found && ref.last == "" {
		ref.first, ref.last, ref.name = strings.TrimSpace(first), strings.TrimSpace(last), ""
	}
	return ref
}

// unquoted takes the apostrophe away that an export puts before what a spreadsheet would take for a
// formula.
func unquoted(name string) string {
	if len(name) > 1 && name[0] == '\'' && strings.ContainsRune("=+-@", rune(name[1])) {
		return name[1:]
	}
	return name
}

// written is the name as the line has it.
func (r reference) written() string {
	if r.name != "" {
		return r.name
	}
	return strings.TrimSpace(r.first + " " + r.last)
}

// nameWords is a name as it is looked up: the words, whichever comes first.
func nameWords(name string) []string {
	f := fold(name)
	keys := make([]string, 0, 2)
	for _, text := range []string{f.plain, f.german} {
		words := strings.Fields(text)
		slices.Sort(words)
		if key := strings.Join(words, " "); key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// withoutZeros is a number as a spreadsheet leaves it.
func withoutZeros(number string) string {
	if short := strings.TrimLeft(number, "0"); short != "" {
		return short
	}
	return number
}

// keysOf returns the keys under which a reference, or a person, is looked up.
func keysOf(by Match, text string) []string {
	switch {
	case text == "", len(text) > maxCell:
		return nil
	case by == ByNames:
		return nameWords(text)
	case by == ByID:
		return []string{strings.ToLower(text)}
	}
	return []string{withoutZeros(strings.ToLower(text))}
}

// matcher knows the people whom a list asks for. It holds no others, and of the list only hashes:
// a company may have many employees, and a list may be a stranger's.
type matcher struct {
	seed    maphash.Seed
	wanted  map[uint64][]device.Person // by what a line has
	problem error                      // why nobody could be looked up
}

// Staff are the employees of the company, archived ones included, or why they are not known.
type Staff func() (iter.Seq2[device.Person, error], error)

// newMatcher looks up whom the lines of a list ask for, if any does without an id.
func newMatcher(refs iter.Seq[reference], staff Staff) *matcher {
	m := &matcher{seed: maphash.MakeSeed(), wanted: map[uint64][]device.Person{}}
	needed := false
	for ref := range refs {
		needed = needed || ref.id == "" || ref.written() == "" || ref.number != ""
		for by, text := range ref.texts() {
			for _, key := range keysOf(by, text) {
				m.wanted[m.hash(by, key)] = nil
			}
		}
	}
	switch {
	case !needed:
	case staff == nil:
		m.problem = errors.New("this clock does not know the employees of the company")
	default:
		if err := m.look(staff); err != nil {
			m.problem = fmt.Errorf("the employees cannot be looked up at Zeitstrom: %w", err)
		}
	}
	return m
}

func (m *matcher) look(staff Staff) error {
	people, err := staff()
	if err != nil {
		return err
	}
	for p, err := range people {
		if err != nil {
			return err
		}
		for by, text := range known(p) {
			for _, key := range keysOf(by, text) {
				h := m.hash(by, key)
				if list, wanted := m.wanted[h]; wanted && !isAmong(list, p) {
					m.wanted[h] = append(list, p)
				}
			}
		}
	}
	return nil
}

func (m *matcher) hash(by Match, key string) uint64 {
	return maphash.Comparable(m.seed, [2]string{string(by), key})
}

// find returns those whom a key finds.
func (m *matcher) find(by Match, key string) []device.Person {
	var found []device.Person
	for _, p := range m.wanted[m.hash(by, key)] {
		if slices.Contains(keysOf(by, known(p)[by]), key) { // and not only its hash
			found = append(found, p)
		}
	}
	return found
}

// known are what a person can be looked up by.
func known(p device.Person) map[Match]string {
	return map[Match]string{ByID: string(p.ID), ByNumber: p.Number, ByExternal: p.External, ByNames: p.Name}
}

// texts are what a reference can be looked up by.
func (r reference) texts() map[Match]string {
	return map[Match]string{ByID: r.id, ByNumber: r.number, ByExternal: r.external, ByNames: r.written()}
}

func isAmong(list []device.Person, p device.Person) bool {
	return slices.ContainsFunc(list, func(q device.Person) bool { return q.ID == p.ID })
}

// employee finds whose badge a line is about, and by what.
func (m *matcher) employee(ref reference) (device.Employee, Match, error) {
	if ref.id != "" {
		return m.byID(ref)
	}
	if ref.number == "" && ref.external == "" && ref.written() == "" {
		return device.Employee{}, "", errors.New("nobody is named: an employee id, a personnel number or a name " +
			"is missing")
	}
	if m.problem != nil {
		return device.Employee{}, "", m.problem
	}
	by, found := Match(""), []device.Person(nil)
	for _, number := range []struct {
		by   Match
		text string
	}{{ByNumber, ref.number}, {ByExternal, ref.external}} {
		if number.text == "" {
			continue
		}
		theirs := m.byNumber(number.by, number.text)
		if len(active(theirs)) == 0 {
			return device.Employee{}, "", nobody(number.by, number.text, theirs)
		}
		if by != "" {
			theirs = those(theirs, func(p device.Person) bool { return isAmong(found, p) })
			if len(active(theirs)) == 0 {
				return device.Employee{}, "", fmt.Errorf("personnel number %s and external id %s are of different "+
					"employees", ref.number, ref.external)
			}
		}
		if by == "" {
			by = number.by
		}
		found = active(theirs)
	}
	if by == "" {
		return m.byNames(ref)
	}
	return agreed(ref, by, found)
}

func (m *matcher) byID(ref reference) (device.Employee, Match, error) {
	id, err := device.ParseEmployeeID(ref.id)
	if err != nil {
		return device.Employee{}, "", fmt.Errorf("%w; personnel numbers belong in a column that is called so", err)
	}
	e := device.Employee{ID: id, Name: ref.written(), LastName: ref.last}
	for _, p := range m.find(ByID, string(id)) {
		if p.Archived {
			return e, "", fmt.Errorf("%s has left", p.Name)
		}
		if ref.number != "" && !strings.EqualFold(withoutZeros(ref.number), withoutZeros(p.Number)) {
			return e, "", fmt.Errorf("personnel number %s is not that of %s, whose id this is: it is %q at Zeitstrom",
				ref.number, p.Name, p.Number)
		}
		if e.Number = p.Number; e.Name == "" {
			e = p.Employee
		}
	}
	return e, ByID, nil
}

// byNumber are those who have a number. A spreadsheet may have dropped its leading zeros; one that
// has them still is meant as it is.
func (m *matcher) byNumber(by Match, text string) []device.Person {
	all := m.find(by, keysOf(by, text)[0])
	exact := those(all, func(p device.Person) bool { return strings.EqualFold(text, known(p)[by]) })
	if len(exact) > 0 && (strings.HasPrefix(text, "0") || len(active(exact)) == 0) {
		return exact
	}
	return all
}

// those are the people for whom something is true.
func those(people []device.Person, is func(device.Person) bool) []device.Person {
	return slices.DeleteFunc(slices.Clone(people), func(p device.Person) bool { return !is(p) })
}

// active are those who have not left.
func active(people []device.Person) []device.Person {
	return those(people, func(p device.Person) bool { return !p.Archived })
}

// nobody says that a number is not that of anybody who could have a badge.
func nobody(by Match, number string, theirs []device.Person) error {
	switch gone := len(theirs) > 0; {
	case gone && by == ByExternal:
		return fmt.Errorf("the external id %s is that of %s, who has left", number, theirs[0].Name)
	case gone:
		return fmt.Errorf("the personnel number %s is that of %s, who has left", number, theirs[0].Name)
	case by == ByExternal:
		return fmt.Errorf("nobody has the external id %s at Zeitstrom", number)
	}
	return fmt.Errorf("nobody has the personnel number %s at Zeitstrom", number)
}

// agreed is the one among those with a number whom the line's names fit, if it has any.
func agreed(ref reference, by Match, found []device.Person) (device.Employee, Match, error) {
	fits := found
	if ref.written() != "" {
		fits = those(found, ref.agrees)
	}
	number := ref.number
	if by == ByExternal {
		number = ref.external
	}
	switch len(fits) {
	case 1:
		return fits[0].Employee, by, nil
	case 0:
		return device.Employee{}, "", fmt.Errorf("%s is the number of %s at Zeitstrom, and not of %s", number,
			listed(found), ref.written())
	}
	return device.Employee{}, "", fmt.Errorf("%s may be the number of %s: write it with its leading zeros, "+
		"or the names beside it", number, listed(fits))
}

// agrees reports whether a line's name may be a person's: where the number is theirs, one of the two
// may have more words than the other, such as a second first name.
func (r reference) agrees(p device.Person) bool {
	mine, theirs := nameWords(r.written()), nameWords(p.Name)
	for _, a := range mine {
		for _, b := range theirs {
			if few, many := strings.Fields(a), strings.Fields(b); len(few) > 0 && len(many) > 0 {
				if len(few) > len(many) {
					few, many = many, few
				}
				if !slices.ContainsFunc(few, func(word string) bool { return !slices.Contains(many, word) }) {
					return true
				}
			}
		}
	}
	return false
}

// byNames is the one who is called so.
func (m *matcher) byNames(ref reference) (device.Employee, Match, error) {
	var all []device.Person
	for _, key := range nameWords(ref.written()) {
		for _, p := range m.find(ByNames, key) {
			if !isAmong(all, p) {
				all = append(all, p)
			}
		}
	}
	if ref.last != "" { // Martin Thomas is not Thomas Martin
		first, last := fold(ref.first), fold(ref.last)
		all = those(all, func(p device.Person) bool {
			f, l := p.Names()
			return first.same(fold(f)) && last.same(fold(l))
		})
	}
	// Who is called exactly so is meant, and nobody else, also if they have left.
	for _, is := range []func(device.Person) bool{
		func(p device.Person) bool { return strings.EqualFold(ref.written(), p.Name) },
		func(p device.Person) bool { return fold(ref.written()).same(fold(p.Name)) },
	} {
		if exact := those(all, is); len(exact) > 0 {
			all = exact
			break
		}
	}
	found := active(all)
	switch {
	case len(found) == 1:
		return found[0].Employee, ByNames, nil
	case len(found) > 1:
		return device.Employee{}, "", fmt.Errorf("%d employees are called so: %s: add the personnel number", len(found),
			listed(found))
	case len(all) > 0:
		return device.Employee{}, "", fmt.Errorf("%s has left", all[0].Name)
	}
	return device.Employee{}, "", fmt.Errorf("nobody at Zeitstrom is called %s", ref.written())
}

// listed names people, so that namesakes can be told apart.
func listed(people []device.Person) string {
	const most = 4
	var texts []string
	for _, p := range people[:min(most, len(people))] {
		text := p.Name
		if p.Number != "" {
			text += " (" + p.Number + ")"
		}
		texts = append(texts, text)
	}
	if n := len(people) - most; n > 0 {
		texts = append(texts, fmt.Sprintf("%d more", n))
	}
	return strings.Join(texts, ", ")
}
