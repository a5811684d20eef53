package roster

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"timeclock/device"
)

// Columns of a badge list.
const (
	uidColumn = iota
	employeeColumn
	numberColumn
	externalColumn
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
	numberColumn: {
		"personnelnumber", "personnelno", "personnelid", "employeenumber", "employeeno", "staffnumber", "staffno",
		"payrollnumber", "payrollno", "accountingnumber", "accountingno",
		"personalnummer", "personalnr", "persnummer", "persnr", "mitarbeiternummer", "mitarbeiternr", "manummer",
		"manr", "lohnnummer", "lohnnr", "stammnummer", "stammnr",
	},
	externalColumn: {
		"externalid", "externalnumber", "externalno", "extid",
		"externeid", "externenummer", "externenr", "externekennung", "fremdid",
	},
	nameColumn: {
		"name", "fullname", "employeename", "mitarbeitername", "vollername", "vollständigername", "namevorname",
		"nachnamevorname", "vornamenachname", "vornamename",
	},
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
func findColumns(header []string) (at columns, n device.Numbers) {
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
	return at, n
}

// settle finds out what the column "Employee" is: the id if any cell of it is one, else the name. It
// returns an error if the header does not say which badge is whose.
func (c *columns) settle(header []string, isID func(column int) bool) error {
	for j, field := range header {
		switch name := bare(field); {
		case name != "employee" && name != "mitarbeiter" && name != "mitarbeiterin" && name != "person":
		case c[employeeColumn] < 0 && isID(j):
			c[employeeColumn] = j
		case c[nameColumn] < 0:
			c[nameColumn] = j
		}
	}
	if c[uidColumn] < 0 || !c.has(employeeColumn, numberColumn, externalColumn) && !c.named() {
		return errNoList
	}
	return nil
}

// errNoList says once that a file is nothing that can be imported.
var errNoList = errors.New("this is no badge list: its first line must name the columns: the badge (uid, " +
	"Kartennummer) and whose it is (employee_id, Personalnummer, or Vorname and Nachname)")

// has reports whether there is one of some columns.
func (c columns) has(any ...int) bool {
	return slices.ContainsFunc(any, func(column int) bool { return c[column] >= 0 })
}

// named reports whether there are whole names.
func (c columns) named() bool {
	return c.has(nameColumn) || c.has(firstNameColumn) && c.has(lastNameColumn)
}

// field returns a column of a row; what is missing at its end is empty.
func (c columns) field(r row, column int) string {
	if at := c[column]; at >= 0 && at < len(r.fields) {
		return strings.TrimSpace(r.fields[at])
	}
	return ""
}
