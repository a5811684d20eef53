package roster

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
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
}

// Report is what an import did, or would do.
type Report struct {
	Numbers device.Numbers // how the badge numbers were read
	Reason  string         // and why so
	Lines   []Line
	More    bool // there are more lines; so many were refused that they were not read
	Removed []device.Badge
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

// Columns of a badge list.
const (
	uidColumn = iota
	employeeColumn
	nameColumn
	firstNameColumn
	lastNameColumn
	blockedColumn
	fromColumn
	untilColumn
	originColumn
	columnCount
)

// columnNames are what people call the columns, without spaces and signs, in lower
// case; the first is ours.
var columnNames = [columnCount][]string{
	uidColumn: {
		"uid", "badge", "badgeuid", "badgeid", "badgenumber", "card", "cardid", "carduid", "cardnumber", "chip",
		"chipid", "tag", "tagid", "rfid", "rfiduid", "token", "physicaltokenid",
		"ausweis", "ausweisnummer", "ausweisnr", "karte", "kartennummer", "kartennr", "kartenuid", "chipnummer",
		"chipnr", "transponder", "transpondernummer", "transpondernr", "seriennummer",
	},
	employeeColumn: {
		"employeeid", "employeeuuid", "uuid", "zeitstromid", "personid",
		"mitarbeiterid", "mitarbeiteruuid", "personalid", "angestellterid",
	},
	nameColumn:      {"name", "fullname", "employeename", "mitarbeitername", "vollername", "vollständigername"},
	firstNameColumn: {"firstname", "givenname", "vorname", "rufname"},
	lastNameColumn:  {"lastname", "surname", "familyname", "nachname", "familienname", "zuname"},
	blockedColumn:   {"blocked", "locked", "gesperrt", "sperre"},
	fromColumn:      {"from", "validfrom", "gültigab", "gültigvon", "gueltigab", "von", "ab"},
	untilColumn:     {"until", "validuntil", "validto", "expires", "gültigbis", "gueltigbis", "bis"},
	originColumn:    {"origin"},
}

// ways are words in the header of the badge numbers that say how these are written.
var ways = []struct {
	words   []string
	numbers device.Numbers
}{
	{[]string{"decimalreversed", "dezimalrückwärts", "dezimalumgekehrt"}, device.DecimalReversed},
	{[]string{"8h10d", "decimal", "dezimal", "dez", "dec"}, device.Decimal},
	{[]string{"reversed", "rückwärts", "umgekehrt", "lsb"}, device.HexReversed},
	{[]string{"checkbyte", "prüfbyte"}, device.CheckByte},
	{[]string{"hex"}, device.Hex},
}

// columns are where the columns stand, -1 for those that are missing.
type columns [columnCount]int

// bare takes spaces and signs out of a header and puts it into lower case.
func bare(header string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, header)
}

// findColumns reads a header. The badge numbers' may say how they are written.
func findColumns(header []string) (at columns, n device.Numbers, err error) {
	for i := range at {
		at[i] = -1
	}
	for j, field := range header {
		name, way := bare(field), device.AnyNumbers
		for i, names := range columnNames {
			if at[i] < 0 && slices.Contains(names, name) {
				at[i] = j
			}
		}
		for _, w := range ways {
			for _, word := range w.words {
				if rest, ok := strings.CutSuffix(name, word); ok && way == device.AnyNumbers &&
					slices.Contains(columnNames[uidColumn], rest) && at[uidColumn] < 0 {
					at[uidColumn], n, way = j, w.numbers, w.numbers
				}
			}
		}
	}
	// "Employee" is the id, or beside one the name.
	for j, field := range header {
		if name := bare(field); name == "employee" || name == "mitarbeiter" || name == "mitarbeiterin" {
			switch {
			case at[employeeColumn] < 0:
				at[employeeColumn] = j
			case at[nameColumn] < 0:
				at[nameColumn] = j
			}
		}
	}
	named := at[nameColumn] >= 0 || at[firstNameColumn] >= 0 || at[lastNameColumn] >= 0
	there := []bool{at[uidColumn] >= 0, at[employeeColumn] >= 0, named}
	for i, name := range []string{"uid", "employee_id", "name"} {
		if !there[i] {
			err = errors.Join(err, fmt.Errorf("there is no column %q: the first line must name the columns, such as "+
				"uid,employee_id,name or Ausweis;Mitarbeiter-ID;Name", name))
		}
	}
	return at, n, err
}

// field returns a column of a row; what is missing at its end is empty.
func (c columns) field(r row, column int) string {
	if at := c[column]; at >= 0 && at < len(r.fields) {
		return strings.TrimSpace(r.fields[at])
	}
	return ""
}

// maxRefused is how many lines of a file are refused one by one; then it is no badge list.
const maxRefused = 1000

// parse reads a badge list. A line that cannot be a badge has its Reason set; the error is
// for a file that is none of ours at all. Where it has to find out how the numbers are
// written it reads the file twice, and keeps only these the first time.
func parse(file io.Reader, n device.Numbers, evidence []func(device.UID) bool) (Report, columns, error) {
	content, err := readFile(file)
	if err != nil {
		return Report{}, columns{}, err
	}
	r := Report{Numbers: n, Reason: "you said so"}
	var (
		at      columns
		numbers []string
		first   = errors.New("the file is empty: its first line must name the columns, such as uid,employee_id,name")
		rows    int
	)
	err = eachRow(content, func(row row) error {
		if rows++; rows == 1 {
			var said device.Numbers
			if at, said, first = findColumns(row.fields); r.Numbers == device.AnyNumbers && said != device.AnyNumbers {
				r.Numbers, r.Reason = said, "the header says so"
			}
		} else if number := at.field(row, uidColumn); r.Numbers == device.AnyNumbers && row.broken == "" &&
			number != "" {
			numbers = append(numbers, strings.Clone(number))
		}
		return nil
	})
	switch {
	case err != nil:
		return Report{}, columns{}, err
	case first != nil:
		return Report{}, columns{}, first
	case r.Numbers == device.AnyNumbers:
		if r.Numbers, r.Reason, err = guess(numbers, evidence); err != nil {
			return Report{}, columns{}, err
		}
	}
	seen, refused := map[device.UID]int{}, 0
	rows = 0
	err = eachRow(content, func(row row) error {
		switch rows++; {
		case rows == 1:
			return nil
		case refused == maxRefused:
			r.More = true
			return errEnough
		}
		l := parseLine(row, at, r.Numbers, seen, false)
		if l.Reason != "" {
			refused++
		}
		r.Lines = append(r.Lines, l)
		return nil
	})
	return r, at, ended(err)
}

// parseLine reads a line; one of the clock's own file was taken once, and has an origin.
func parseLine(r row, at columns, n device.Numbers, seen map[device.UID]int, own bool) Line {
	l := Line{Number: r.number}
	refuse := func(err error) Line {
		const enough = 300 // bytes, to find it again
		l.Text, l.Reason = cut(strings.Join(r.fields, ","), enough), err.Error()
		return l
	}
	if r.broken != "" {
		return refuse(errors.New(r.broken))
	}
	b := &l.Badge
	var err error
	if b.UID, err = readOrExplain(n, at.field(r, uidColumn)); err != nil {
		return refuse(err)
	}
	if b.Employee.ID, err = device.ParseEmployeeID(strings.Clone(at.field(r, employeeColumn))); err != nil {
		return refuse(err)
	}
	b.Employee.Name = strings.Clone(at.name(r)) // and not the whole line
	if b.Blocked, err = parseBlocked(at.field(r, blockedColumn)); err != nil {
		return refuse(err)
	}
	if b.From, err = parseDay(at.field(r, fromColumn)); err != nil {
		return refuse(err)
	}
	if b.Until, err = parseDay(at.field(r, untilColumn)); err != nil {
		return refuse(err)
	}
	if err := check(*b); err != nil {
		return refuse(err)
	}
	if own {
		b.Origin = device.Origin(at.field(r, originColumn))
		if !slices.Contains([]device.Origin{"", device.ByHand, device.ByFile, device.FromZeitstrom}, b.Origin) {
			return refuse(fmt.Errorf("origin is %q", b.Origin))
		}
	} else if err := b.UID.Check(); err != nil {
		return refuse(err)
	}
	if first, twice := seen[b.UID]; twice {
		return refuse(fmt.Errorf("UID %s is in line %d already", b.UID.Hex(), first))
	}
	seen[b.UID] = r.number
	return l
}

// readOrExplain reads a number; the error says what else it could be.
func readOrExplain(n device.Numbers, number string) (device.UID, error) {
	uid, err := n.UID(number)
	if err == nil {
		return uid, nil
	}
	if n == device.Hex {
		if others := device.Explain(number); len(others) > 0 {
			return uid, fmt.Errorf("%w; written as %s it would be badge %s", err, others[0].Numbers,
				others[0].UID.Hex())
		}
		return uid, err
	}
	return uid, fmt.Errorf("badge number %q is not written as %s", number, n)
}

// name puts a name together. A name beside a first name is the family's.
func (c columns) name(r row) string {
	name, first, last := c.field(r, nameColumn), c.field(r, firstNameColumn), c.field(r, lastNameColumn)
	if first != "" && last == "" {
		last, name = name, ""
	}
	if name == "" {
		name = strings.TrimSpace(first + " " + last)
	}
	// An export puts an apostrophe before what a spreadsheet would take for a formula.
	if len(name) > 1 && name[0] == '\'' && strings.ContainsRune("=+-@", rune(name[1])) {
		name = name[1:]
	}
	return name
}

func parseBlocked(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "", "no", "nein", "false", "falsch", "0":
		return false, nil
	case "yes", "ja", "true", "wahr", "1", "x":
		return true, nil
	}
	return false, fmt.Errorf("blocked is %q: write yes, or nothing", s)
}

// parseDay reads a day as people write it, or as Excel counts it.
func parseDay(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	for _, layout := range []string{time.DateOnly, "2.1.2006", "2006-01-02T15:04:05Z", "2006-01-02 15:04:05"} {
		if day, err := time.Parse(layout, s); err == nil {
			return day.Format(time.DateOnly), nil
		}
	}
	// days since the end of 1899, from 1927 to 2173
	if days, err := strconv.Atoi(s); err == nil && len(s) == 5 && days >= 10000 {
		return time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, days).Format(time.DateOnly), nil
	}
	return "", fmt.Errorf("%q is no day: write 2026-12-31 or 31.12.2026", s)
}
