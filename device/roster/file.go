package roster

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"timeclock/device"
	"timeclock/device/durable"
)

// The file is a badge list as Export writes it, with a further column: each line's CRC-32C,
// in hex. The column's name says how many lines there are: "checksum of 300", and "incomplete"
// behind it if badges were lost. Version 0.9 takes no notice of that column; a file
// without it was written by that version, and is believed.
//
// Beside the file is a copy of it. A file that is damaged gets its badges from there.
const (
	copySuffix    = ".copy"
	damagedSuffix = ".damaged-"
	keptDamaged   = 3 // files that were set aside; older ones go
	checksumName  = "checksum"
	incomplete    = "incomplete"
)

// Damage is what is wrong with the badge map.
type Damage struct {
	Problem string // cause, and what to do
	// Lost: badges may be missing, so that a badge that is not in the map may be
	// somebody's all the same. An import mends that.
	Lost bool
}

// Damage says what is wrong with the badge map; the zero Damage if nothing is.
func (r *Roster) Damage() Damage { return *r.damage.Load() }

// Whole reports whether no badge is missing that was in the map once.
func (r *Roster) Whole() bool { return !r.Damage().Lost }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is that of a line's other columns.
func checksum(fields []string) string {
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fmt.Sprintf("%08x", crc32.Checksum([]byte(strings.Join(fields, "\x1f")), castagnoli))
}

// encode writes the file.
func encode(badges map[device.UID]device.Badge, lost bool) []byte {
	var buf bytes.Buffer
	out := csv.NewWriter(&buf)
	name := fmt.Sprintf("%s of %d", checksumName, len(badges))
	if lost {
		name += " " + incomplete
	}
	out.Write(slices.Concat(ownColumns, []string{name}, moreColumns, []string{moreSum}))
	for _, b := range list(badges) {
		fields := exported(b)
		fields = slices.Concat(fields, []string{checksum(slices.Clone(fields))}, more(b.Employee))
		out.Write(append(fields, checksum(slices.Clone(fields))))
	}
	out.Flush()
	return buf.Bytes()
}

// stored is what could be read of a file.
type stored struct {
	badges map[device.UID]device.Badge
	bad    []int  // lines that are not what was written
	why    string // the file as a whole is not what was written; empty: it is
	lost   bool   // badges had been lost before it was written
	old    bool   // it is 0.9's: without checksums
}

func (s stored) whole() bool { return s.why == "" && len(s.bad) == 0 }

// read reads the file or its copy. An error means that there is none.
func read(path string) (stored, error) {
	s := stored{badges: map[device.UID]device.Badge{}}
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, err
	case err != nil:
		s.why = fmt.Sprintf("it cannot be read: %v", errors.Unwrap(err))
		return s, nil
	}
	rows, err := readTable(content)
	if err != nil || len(rows) == 0 || !utf8.Valid(content) {
		s.why = "it is no badge list"
		return s, nil //nolint:nilerr // it is said
	}
	at, _ := findColumns(rows[0].fields)
	sums := slices.IndexFunc(rows[0].fields, func(f string) bool { return strings.HasPrefix(bare(f), checksumName) })
	own := func(r row) bool { return matches(r.fields, len(ownColumns)) }
	if !at.has(uidColumn) || !at.has(employeeColumn) || sums < 0 && slices.ContainsFunc(rows, own) ||
		sums >= 0 && !isHead(rows[0].fields, sums) {
		s.why = "its first line is not what was written"
		return s, nil
	}
	s.old = sums < 0
	for _, row := range rows[1:] {
		b, err := readOwn(row, at)
		if _, twice := s.badges[b.UID]; err != nil || twice || !s.old && !row.isWritten(rows[0], sums) {
			s.bad = append(s.bad, row.number)
			continue
		}
		s.badges[b.UID] = b
	}
	if s.old {
		return s, nil
	}
	name := strings.TrimPrefix(bare(rows[0].fields[sums]), checksumName+"of")
	count, lost := strings.CutSuffix(name, incomplete)
	s.lost = lost
	if n, err := strconv.Atoi(count); err != nil || n != len(rows)-1 {
		s.why = fmt.Sprintf("it has %d lines instead of %s", len(rows)-1, count)
	}
	return s, nil
}

// moreSum is the column with the checksum of all before it, and wholeLine are all columns, the first
// checksum without its number.
const moreSum = "more_checksum"

var wholeLine = slices.Concat(ownColumns, []string{checksumName}, moreColumns, []string{moreSum})

// isHead reports whether a header is one that this clock has written: with what is new behind the
// checksum, or without.
func isHead(head []string, sums int) bool {
	if !slices.Equal(head[:sums], ownColumns) {
		return false
	}
	behind := head[sums+1:]
	return len(behind) == 0 || slices.Equal(behind, wholeLine[sums+1:])
}

// isWritten reports whether a line is what this clock has written under a header.
func (r row) isWritten(head row, sums int) bool {
	if len(head.fields) > sums+1 && !matches(r.fields, len(wholeLine)-1) {
		return false
	}
	return matches(r.fields, sums)
}

func matches(fields []string, sums int) bool {
	return sums < len(fields) && checksum(slices.Clone(fields[:sums])) == fields[sums]
}

// load reads the file, and what it lacks from its copy.
func (r *Roster) load() (map[device.UID]device.Badge, Damage) {
	file, missing := read(r.path)
	spare, noCopy := read(r.path + copySuffix)
	trust := noCopy == nil && !spare.old && spare.why == ""
	switch {
	case missing != nil && noCopy != nil: // a new clock
		return file.badges, Damage{}
	case missing == nil && file.whole():
		r.protect(file)
		if file.lost {
			return file.badges, Damage{lostBadges, true}
		}
		return file.badges, Damage{}
	}
	badges := maps.Clone(file.badges)
	for uid, b := range spare.badges {
		if _, known := badges[uid]; !known && !spare.old {
			badges[uid] = b
		}
	}
	lost := !trust || len(spare.bad) > 0 || spare.lost
	switch {
	case missing != nil:
		file.why = "it is gone"
	case file.why == "": // single lines, which somebody may have edited
		r.spoilt = true
		d := Damage{Problem: r.edited(file.bad), Lost: lost}
		if lost {
			d.Problem += "; else import a good list"
		}
		return badges, d
	}
	d := Damage{Problem: fmt.Sprintf("the badge map %s was damaged: %s", r.path, file.why)}
	if lost {
		r.spoilt = missing == nil
		d.Lost, d.Problem = true, d.Problem+"; "+lostBadges
		return badges, d
	}
	d.Problem += "; its copy has taken its place, nothing is lost"
	if missing == nil {
		aside, err := r.setAside()
		if err != nil {
			r.spoilt = true
			d.Problem += fmt.Sprintf("; but it cannot be set aside: %v", err)
			return badges, d
		}
		d.Problem += fmt.Sprintf("; the damaged one is kept as %s", filepath.Base(aside))
	}
	if err := durable.WriteFile(r.path, encode(badges, false)); err != nil {
		d.Problem += fmt.Sprintf("; but it cannot be written: %v", err)
	}
	return badges, d
}

const lostBadges = "badges are missing: taps of badges that are not in the map are kept, " +
	"and become bookings once a good list is imported (`timeclock badge import`)"

// edited says which lines of the file somebody has changed.
func (r *Roster) edited(lines []int) string {
	const most = 5
	texts := make([]string, 0, most)
	for _, n := range lines[:min(most, len(lines))] {
		texts = append(texts, strconv.Itoa(n))
	}
	numbers := strings.Join(texts, ", ")
	if n := len(lines) - most; n > 0 {
		numbers = fmt.Sprintf("%s and %d more", numbers, n)
	}
	if len(lines) == 1 {
		return fmt.Sprintf("line %s of the badge map %s is not what this clock wrote, and not used: "+
			"if somebody has edited the file, `timeclock badge import %s` takes it over", numbers, r.path, r.path)
	}
	return fmt.Sprintf("lines %s of the badge map %s are not what this clock wrote, and not used: "+
		"if somebody has edited the file, `timeclock badge import %s` takes it over", numbers, r.path, r.path)
}

// protect gives a good file its checksums and its copy, if it lacks them. What fails is
// done with the next change.
func (r *Roster) protect(file stored) {
	content, err := os.ReadFile(r.path)
	if err == nil && file.old {
		content = encode(file.badges, false)
		err = durable.WriteFile(r.path, content)
	}
	spare, _ := os.ReadFile(r.path + copySuffix)
	if err == nil && !bytes.Equal(spare, content) {
		r.writeCopy(content)
	}
}

// writeCopy writes the copy, whatever stands in its place.
func (r *Roster) writeCopy(content []byte) {
	path := r.path + copySuffix
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		os.Remove(path)
	}
	durable.WriteFile(path, content) // without it the file is as good as it was
}

// setAside gives a damaged file another name.
func (r *Roster) setAside() (string, error) {
	aside := r.path + damagedSuffix + time.Now().UTC().Format("20060102T150405.000000Z")
	if err := os.Rename(r.path, aside); err != nil {
		return "", err
	}
	if all, err := filepath.Glob(r.path + damagedSuffix + "*"); err == nil && len(all) > keptDamaged {
		for _, old := range all[:len(all)-keptDamaged] {
			os.Remove(old)
		}
	}
	return aside, nil
}

// replace makes next the badge map, on disk before in memory.
func (r *Roster) replace(next map[device.UID]device.Badge, damage Damage) error {
	if r.spoilt {
		aside, err := r.setAside()
		if err != nil {
			return fmt.Errorf("badge map not changed: the damaged one cannot be set aside: %w", err)
		}
		if r.spoilt = false; !damage.Lost {
			damage.Problem = fmt.Sprintf("the badge map was damaged or edited; as it was it is kept as %s",
				filepath.Base(aside))
		}
	}
	content := encode(next, damage.Lost)
	if err := durable.WriteFile(r.path, content); err != nil {
		return fmt.Errorf("badge map not changed: %w", err)
	}
	r.writeCopy(content)
	r.badges.Store(&next)
	r.damage.Store(&damage)
	return nil
}
