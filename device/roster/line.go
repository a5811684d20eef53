package roster

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"timeclock/device"
)

// judge reads a line; one that cannot be a badge gets a reason.
func (s survey) judge(r row, people *matcher, seen map[device.UID]int) Line {
	l := Line{Number: r.number}
	err := l.read(s, r, people)
	if first, twice := seen[l.Badge.UID]; err == nil && twice {
		err = fmt.Errorf("UID %s is in line %d already", l.Badge.UID.Hex(), first)
	}
	if err != nil {
		const enough = 300 // bytes, to find it again
		l.Text, l.Reason = cut(strings.Join(r.fields, ","), enough), err.Error()
		return l
	}
	seen[l.Badge.UID] = r.number
	return l
}

func (l *Line) read(s survey, r row, people *matcher) (err error) {
	if l.Badge, err = readBadge(r, s.at, s.numbers); err != nil {
		return err
	}
	ref := s.at.whose(r)
	e, by, err := people.employee(ref)
	if err != nil {
		return err
	}
	if said := ref.written(); said != "" && !fold(said).same(fold(e.Name)) {
		l.Said = strings.Clone(said)
	}
	e.Name, e.LastName = strings.Clone(e.Name), strings.Clone(e.LastName) // and not the whole line
	l.Badge.Employee, l.By = e, by
	return errors.Join(check(l.Badge), l.Badge.UID.Check())
}

// readBadge reads what a row says of a badge, but for whose it is.
func readBadge(r row, at columns, n device.Numbers) (b device.Badge, err error) {
	if r.broken != "" {
		return b, errors.New(r.broken)
	}
	if b.UID, err = readOrExplain(n, at.field(r, uidColumn)); err != nil {
		return b, err
	}
	if b.Blocked, err = parseBlocked(at.field(r, blockedColumn)); err != nil {
		return b, err
	}
	if b.From, err = parseDay(at.field(r, fromColumn)); err != nil {
		return b, err
	}
	b.Until, err = parseDay(at.field(r, untilColumn))
	return b, err
}

// readOwn reads a line of the clock's own file.
func readOwn(r row, at columns) (device.Badge, error) {
	b, err := readBadge(r, at, device.Hex)
	if err != nil {
		return b, err
	}
	ref := at.whose(r)
	if b.Employee.ID, err = device.ParseEmployeeID(strings.Clone(ref.id)); err != nil {
		return b, err
	}
	b.Employee.Name, b.Employee.LastName = at.field(r, nameColumn), at.field(r, lastNameColumn)
	b.Employee.Number = ref.number
	b.Origin = device.Origin(at.field(r, originColumn))
	if !slices.Contains([]device.Origin{"", device.ByHand, device.ByFile, device.FromZeitstrom}, b.Origin) {
		return b, fmt.Errorf("origin is %q", b.Origin)
	}
	return b, check(b)
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

func parseBlocked(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "", "no", "nein", "false", "falsch", "0":
		return false, nil
	case "yes", "ja", "true", "wahr", "1", "x", "blocked", "gesperrt":
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
