package roster

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
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
	Changed Action = "changed" // another owner, another name, blocked or not any more
	Kept    Action = "kept"
	Refused Action = "refused"
)

// Line is one line of an imported file and what became of it.
type Line struct {
	Number int // in the file, from 1
	Badge  device.Badge
	Was    device.Employee // who had the badge before, if anybody
	Action Action
	Text   string // as it stands in the file, if it was refused
	Reason string // why it was refused
}

const maxName = 100 // characters

// check says why a badge cannot be in the map.
func check(b device.Badge) error {
	switch {
	case b.UID.Random():
		return fmt.Errorf("UID %s begins with 08: such a badge (a phone, some passports) makes up a new number at every tap and can never identify anyone, use another badge", b.UID.Hex())
	case utf8.RuneCountInString(b.Employee.Name) > maxName:
		return fmt.Errorf("the name has more than %d characters", maxName)
	case !utf8.ValidString(b.Employee.Name):
		return errors.New("the name is not UTF-8: save the file as \"CSV UTF-8\"")
	case strings.ContainsFunc(b.Employee.Name, unicode.IsControl):
		return errors.New("the name has a control character, such as a line break, in it")
	}
	return nil
}

// parse reads a CSV file with a header. A line that cannot be a badge has its
// Reason set; the error is for a file that is none of ours at all. Whether a badge
// is blocked need not be said.
func parse(file io.Reader) (lines []Line, saysBlocked bool, err error) {
	buffered := bufio.NewReader(file)
	if bom, _ := buffered.Peek(3); bytes.Equal(bom, []byte("\xEF\xBB\xBF")) {
		buffered.Discard(3)
	}
	in := csv.NewReader(buffered)
	in.FieldsPerRecord = -1
	in.TrimLeadingSpace = true
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, false, errors.New("the file is empty: its first line must be uid,employee_id,name")
	}
	if err != nil {
		return nil, false, fmt.Errorf("the header cannot be read: %w", err)
	}
	columns, err := findColumns(header)
	if err != nil {
		return nil, false, err
	}
	saysBlocked = columns[blockedColumn] >= 0
	seen := map[device.UID]int{}
	for {
		fields, err := in.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return lines, saysBlocked, nil
		case errors.As(err, &broken):
			lines = append(lines, Line{Number: broken.Line, Text: strings.Join(fields, ","), Reason: broken.Err.Error()})
			continue
		case err != nil:
			return nil, false, err
		}
		number, _ := in.FieldPos(0)
		lines = append(lines, parseLine(number, fields, columns, seen))
	}
}

// columnNames are the columns there can be; only blocked may be missing.
var columnNames = [4]string{"uid", "employee_id", "name", "blocked"}

const blockedColumn = 3

// findColumns returns where the columns stand, -1 for one that is not there.
func findColumns(header []string) (at [len(columnNames)]int, err error) {
	for i, want := range columnNames {
		at[i] = -1
		for j, field := range header {
			if strings.EqualFold(strings.TrimSpace(field), want) {
				at[i] = j
			}
		}
		if at[i] < 0 && i != blockedColumn {
			return at, fmt.Errorf("line 1 has no column %q: the first line must name the columns uid,employee_id,name", want)
		}
	}
	return at, nil
}

func parseLine(number int, fields []string, columns [len(columnNames)]int, seen map[device.UID]int) Line {
	l := Line{Number: number}
	refuse := func(err error) Line {
		l.Text, l.Reason = strings.Join(fields, ","), err.Error()
		return l
	}
	for i, name := range columnNames {
		if columns[i] >= len(fields) {
			return refuse(fmt.Errorf("column %q is missing", name))
		}
	}
	var err error
	if l.Badge.UID, err = device.ParseUID(strings.TrimSpace(fields[columns[0]])); err != nil {
		return refuse(err)
	}
	if l.Badge.Employee.ID, err = device.ParseEmployeeID(fields[columns[1]]); err != nil {
		return refuse(err)
	}
	l.Badge.Employee.Name = strings.TrimSpace(fields[columns[2]])
	if at := columns[blockedColumn]; at >= 0 {
		if l.Badge.Blocked, err = parseBlocked(fields[at]); err != nil {
			return refuse(err)
		}
	}
	if err := check(l.Badge); err != nil {
		return refuse(err)
	}
	if first, twice := seen[l.Badge.UID]; twice {
		return refuse(fmt.Errorf("UID %s is in line %d already", l.Badge.UID.Hex(), first))
	}
	seen[l.Badge.UID] = number
	return l
}

func parseBlocked(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "no", "nein", "false", "0":
		return false, nil
	case "yes", "ja", "true", "1", "x":
		return true, nil
	}
	return false, fmt.Errorf("blocked is %q: write yes, or nothing", s)
}
