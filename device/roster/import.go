package roster

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"timeclock/device"
)

// Action is what an import did, or would do, with a line.
type Action string

// What can become of an imported line.
const (
	Added   Action = "added"
	Changed Action = "changed" // another name, blocked or not any more, other days
	Moved   Action = "moved"   // to another employee
	Kept    Action = "kept"
	Refused Action = "refused"
)

// Line is one line of an imported file and what became of it.
type Line struct {
	Number int // in the file, from 1
	Badge  device.Badge
	By     Match           // what its employee was found by
	Said   string          // the name in the file, if it is not the employee's
	Was    device.Employee // who had the badge before, if anybody
	Action Action
	// Unblocked: it had been blocked, and the file says that it is not.
	Unblocked bool
	Text      string // as it stands in the file, if it was refused
	Reason    string // why it was refused
}

// Options say how to import.
type Options struct {
	Numbers device.Numbers        // how the badge numbers are written
	Replace bool                  // the file is the whole truth: badges that it does not name are removed
	Dry     bool                  // only tell what would become of it
	Tapped  func(device.UID) bool // whether a badge was tapped that belongs to nobody; may be nil
	Staff   Staff                 // asked once, if the file does not name everybody by id; may be nil
}

// Report is what an import did, or would do.
type Report struct {
	Numbers device.Numbers // how the badge numbers were read
	Reason  string         // and why so
	Lines   []Line
	More    bool           // there are more lines; so many were refused that they were not read
	Missing []device.Badge // those that the file does not name: removed, if it replaces
	Refused int            // how many lines were
	Notice  string         // what is to be minded; mostly empty
}

const maxName = 100 // characters

// check says why a badge cannot be in the map.
func check(b device.Badge) error {
	if _, err := device.ParseEmployeeID(string(b.Employee.ID)); err != nil {
		return err
	}
	switch {
	case b.UID.IsZero():
		return errors.New("there is no badge number")
	case utf8.RuneCountInString(b.Employee.Name) > maxName:
		return fmt.Errorf("the name has more than %d characters", maxName)
	case !utf8.ValidString(b.Employee.Name):
		return errors.New("the name is not UTF-8")
	case strings.ContainsFunc(b.Employee.Name, unicode.IsControl):
		return errors.New("the name has a control character, such as a line break, in it")
	case b.From != "" && b.Until != "" && b.Until < b.From:
		return fmt.Errorf("the badge is valid until %s, before it is valid from %s", b.Until, b.From)
	}
	return nil
}

// maxRefused is how many lines of a file are refused one by one; then it is no badge list.
const maxRefused = 1000

// survey is what is known of a file before its lines are judged.
type survey struct {
	content []byte
	at      columns
	numbers device.Numbers
	reason  string // why the numbers are read so
}

// surveyOf reads a file's header, and finds out what that leaves open: how the badge numbers are
// written, and what the column "Employee" has.
func surveyOf(content []byte, n device.Numbers, evidence []func(device.UID) bool) (s survey, err error) {
	s = survey{content: content, numbers: n, reason: "you said so"}
	var (
		header  []string
		numbers []string
		ids     [maxColumns]bool // where any cell is one
	)
	err = eachRow(content, func(r row) error {
		if header == nil {
			var said device.Numbers
			header = slices.Clone(r.fields)
			if s.at, said = findColumns(header); s.numbers == device.AnyNumbers && said != device.AnyNumbers {
				s.numbers, s.reason = said, "the header says so"
			}
			if r.broken != "" || s.at[uidColumn] < 0 {
				return errNoList
			}
			return nil
		}
		for i, field := range r.fields {
			if len(field) >= 36 && !ids[i] {
				_, err := device.ParseEmployeeID(field)
				ids[i] = err == nil
			}
		}
		if number := s.at.field(r, uidColumn); s.numbers == device.AnyNumbers && r.broken == "" && number != "" {
			numbers = append(numbers, strings.Clone(number))
		}
		return nil
	})
	if err == nil && header == nil {
		err = errors.New("the file is empty: its first line must name the columns, such as uid,employee_id,name")
	}
	if err == nil {
		err = s.at.settle(header, func(column int) bool { return ids[column] })
	}
	if err == nil && s.numbers == device.AnyNumbers {
		s.numbers, s.reason, err = guess(numbers, evidence)
	}
	return s, err
}

// lines yields the lines behind the header, until enough were read.
func (s survey) lines(f func(row) error) error {
	header := true
	return ended(eachRow(s.content, func(r row) error {
		if header {
			header = false
			return nil
		}
		return f(r)
	}))
}

// references are whom the file names.
func (s survey) references() iter.Seq[reference] {
	return func(yield func(reference) bool) {
		s.lines(func(r row) error { // what fails here fails again when the lines are judged
			if r.broken == "" && !yield(s.at.whose(r)) {
				return errEnough
			}
			return nil
		})
	}
}

// parse reads a badge list. A line that cannot be a badge has its Reason set; the error is
// for a file that is none of ours at all. It reads the file several times, and keeps little of it
// in between.
func parse(file io.Reader, o Options, evidence []func(device.UID) bool) (Report, columns, error) {
	content, err := readFile(file)
	if err != nil {
		return Report{}, columns{}, err
	}
	s, err := surveyOf(content, o.Numbers, evidence)
	if err != nil {
		return Report{}, columns{}, err
	}
	people := newMatcher(s.references(), o.Staff)
	if people.problem != nil && !s.at.has(employeeColumn) { // once, and not for each line
		return Report{}, columns{}, fmt.Errorf("%w; a list with the column employee_id needs nobody to be looked up",
			people.problem)
	}
	r := Report{Numbers: s.numbers, Reason: s.reason}
	seen := map[device.UID]int{}
	err = s.lines(func(row row) error {
		if r.Refused == maxRefused {
			r.More = true
			return errEnough
		}
		l := s.judge(row, people, seen)
		if l.Reason != "" {
			r.Refused++
		}
		r.Lines = append(r.Lines, l)
		return nil
	})
	return r, s.at, err
}
