// Package roster is the badge map: which badge belongs to which employee. It
// lives in memory for the tap at the door and in one CSV file in the state
// directory, replaced as a whole with every change, so that a power cut leaves
// the old map or the new one.
//
// It reads badge lists as people have them, and takes over what Zeitstrom knows.
// Who wins: what people did at this clock (by file, command or at the reader),
// the last of them; Zeitstrom only manages the badges that it brought itself.
//
// The file holds whole UIDs, which are credentials: it is readable only by its
// owner. The package asks nobody: it is given what Zeitstrom said.
package roster

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"timeclock/device"
)

var _ device.Roster = (*Roster)(nil)

// Roster is the badge map of one state directory. Its methods may be called
// from any goroutine; processes must take turns.
type Roster struct {
	path string

	writing sync.Mutex                                  // one change at a time
	parsing sync.Mutex                                  // one file at a time
	badges  atomic.Pointer[map[device.UID]device.Badge] // never changed, only replaced
	damage  atomic.Pointer[Damage]
	spoilt  bool // the file holds what the next change must not write over

	functions atomic.Pointer[map[device.UID]device.Function] // never changed, only replaced
}

func (r *Roster) all() map[device.UID]device.Badge { return *r.badges.Load() }

// Open reads the badge map at path; a file that does not exist is an empty map. It always
// succeeds: Damage says what could not be read.
func Open(path string) *Roster {
	r := &Roster{path: path}
	r.read()
	return r
}

// read reads both files.
func (r *Roster) read() {
	badges, damage := r.load()
	functions, lost, err := readFunctions(functionsPath(r.path))
	if err != nil {
		lost = 1
	}
	if lost > 0 {
		problem := fmt.Sprintf("%d lines with function badges could not be read in %s: make them anew", lost,
			functionsPath(r.path))
		damage.Problem = strings.TrimPrefix(damage.Problem+"; "+problem, "; ")
	}
	r.badges.Store(&badges)
	r.functions.Store(&functions)
	r.damage.Store(&damage)
}

// Reload reads the file anew: what stood in its way may be gone.
func (r *Roster) Reload() {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.read()
}

// Lookup returns whose badge it is.
func (r *Roster) Lookup(uid device.UID) (device.Badge, bool) {
	b, ok := r.all()[uid]
	return b, ok
}

// Len returns the number of badges.
func (r *Roster) Len() int {
	return len(r.all())
}

// Employees returns those who have a badge.
func (r *Roster) Employees() map[device.EmployeeID]device.Employee {
	employees := make(map[device.EmployeeID]device.Employee, len(r.all()))
	for _, b := range r.all() {
		employees[b.Employee.ID] = b.Employee
	}
	return employees
}

// List returns all badges, by their owners' last names.
func (r *Roster) List() []device.Badge {
	all := list(r.all())
	Order(all, func(b device.Badge) device.Employee { return b.Employee })
	return all
}

func list(badges map[device.UID]device.Badge) []device.Badge {
	out := slices.AppendSeq(make([]device.Badge, 0, len(badges)), maps.Values(badges))
	sortBadges(out)
	return out
}

func sortBadges(badges []device.Badge) {
	slices.SortFunc(badges, func(a, b device.Badge) int {
		return cmp.Or(
			strings.Compare(a.Employee.Name, b.Employee.Name),
			strings.Compare(string(a.Employee.ID), string(b.Employee.ID)),
			a.UID.Compare(b.UID))
	})
}

// Add gives a badge to an employee. A badge that belongs to somebody else is
// refused, unless it is to be moved.
func (r *Roster) Add(b device.Badge, move bool) (Action, error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	b, err := r.byHand(b)
	if err != nil {
		return Refused, err
	}
	was, known := r.all()[b.UID]
	switch owner := was.Employee; {
	case known && owner.ID != b.Employee.ID && !move:
		return Refused, &device.Refusal{
			Cause:  fmt.Sprintf("badge %s belongs to %s (%s)", b.UID.Hex(), owner.Name, owner.ID),
			Remedy: device.MoveBadge,
		}
	case known && owner.ID != b.Employee.ID && was.Blocked:
		return Refused, fmt.Errorf("badge %s of %s (%s) is blocked: unblock it first, if it is right to use it",
			b.UID.Hex(), owner.Name, owner.ID)
	case known && owner.ID == b.Employee.ID:
		b.Employee = sameAs(b.Employee, owner)
		b.Blocked, b.From, b.Until = was.Blocked, cmp.Or(b.From, was.From), cmp.Or(b.Until, was.Until)
	}
	action := r.action(b)
	if action == Kept {
		return action, nil
	}
	next := maps.Clone(r.all())
	next[b.UID] = b
	return action, r.replace(next, r.Damage())
}

// byHand is a badge that somebody gives out here, checked. The map must be locked: nobody makes it a function badge
// meanwhile.
func (r *Roster) byHand(b device.Badge) (_ device.Badge, err error) {
	b.Origin = device.ByHand
	if b.From, err = parseDay(b.From); err != nil {
		return b, err
	}
	if b.Until, err = parseDay(b.Until); err != nil {
		return b, err
	}
	return b, errors.Join(check(b), b.UID.Check(), r.NotFunction(b.UID))
}

// Renew gives an employee a new badge and blocks the old ones, in one step: the
// way a lost badge is replaced.
func (r *Roster) Renew(b device.Badge) (blocked []device.Badge, err error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	if b, err = r.byHand(b); err != nil {
		return nil, err
	}
	if was, known := r.all()[b.UID]; known {
		return nil, fmt.Errorf("badge %s belongs to %s (%s) already: a new one is needed", b.UID.Hex(),
			was.Employee.Name, was.Employee.ID)
	}
	next := maps.Clone(r.all())
	for uid, old := range next {
		if old.Employee.ID == b.Employee.ID && uid != b.UID && !old.Blocked {
			old.Blocked = true
			next[uid] = old
			blocked = append(blocked, old)
		}
	}
	next[b.UID] = b
	sortBadges(blocked)
	return blocked, r.replace(next, r.Damage())
}

// Block says whether a badge may be used, and returns whose it is. A blocked
// badge stays its owner's, so that whoever finds it is told to go to the office.
func (r *Roster) Block(uid device.UID, blocked bool) (device.Employee, error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	b, known := r.all()[uid]
	if !known {
		return device.Employee{}, unknownBadge(uid)
	}
	b.Blocked = blocked
	next := maps.Clone(r.all())
	next[uid] = b
	return b.Employee, r.replace(next, r.Damage())
}

func unknownBadge(uid device.UID) error {
	return &device.Refusal{Cause: fmt.Sprintf("badge %s is not in the badge map", uid.Hex()), Remedy: device.SeeBadges}
}

// PutBack gives a badge that was removed back as it was. It is refused if the badge is somebody's again.
func (r *Roster) PutBack(b device.Badge) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if was, known := r.all()[b.UID]; known {
		return fmt.Errorf("badge %s belongs to %s (%s) by now", b.UID.Hex(), was.Employee.Name, was.Employee.ID)
	}
	if err := r.NotFunction(b.UID); err != nil {
		return err
	}
	next := maps.Clone(r.all())
	next[b.UID] = b
	return r.replace(next, r.Damage())
}

// Remove takes a badge out of the map and returns it as it was.
func (r *Roster) Remove(uid device.UID) (device.Badge, error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	b, known := r.all()[uid]
	if !known {
		return b, unknownBadge(uid)
	}
	if b.Origin == device.FromZeitstrom {
		return b, fmt.Errorf("badge %s stands at Zeitstrom and would come back: block it, "+
			"or take the number away there", uid.Hex())
	}
	next := maps.Clone(r.all())
	delete(next, uid)
	return b, r.replace(next, r.Damage())
}

// Import takes over a whole badge list, or nothing of it if any line is refused.
// Badges that the file does not name stay, unless it is to replace them; what the file has no
// columns for stays as it is. It returns what became of each line, beside an error that says why
// nothing was imported.
func (r *Roster) Import(file io.Reader, o Options) (Report, error) {
	report, at, err := r.parse(file, o)
	if err != nil {
		return report, err
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	named := map[device.UID]device.Badge{}
	for i := range report.Lines {
		l := &report.Lines[i]
		if err := r.NotFunction(l.Badge.UID); err != nil && l.Reason == "" {
			l.Reason, l.Text = err.Error(), l.Badge.UID.Hex()
			report.Refused++
		}
		if l.Reason == "" {
			r.plan(l, at)
			named[l.Badge.UID] = l.Badge
		} else {
			l.Action = Refused
		}
	}
	next := maps.Clone(named)
	for uid, b := range r.all() {
		if _, stays := named[uid]; !stays {
			report.Missing = append(report.Missing, b)
			if !o.Replace {
				next[uid] = b
			}
		}
	}
	sortBadges(report.Missing)
	switch {
	case report.More:
		return report, fmt.Errorf("more than %d lines refused, the rest was not read, nothing imported: "+
			"is this a badge list?", report.Refused)
	case report.Refused > 0:
		return report, mend(len(report.Lines)-report.Refused, report.Refused)
	case o.Dry:
		return report, nil
	}
	return report, r.replace(next, Damage{}) // what was lost is there again, as far as anybody knows
}

// mend refuses a list that has lines which cannot be taken.
func mend(fine, refused int) error {
	if fine == 1 {
		return fmt.Errorf("nothing was imported: 1 line is fine, %d must be mended", refused)
	}
	return fmt.Errorf("nothing was imported: %d lines are fine, %d must be mended", fine, refused)
}

// plan says what becomes of a line. What the file has no columns for stays as it is.
func (r *Roster) plan(l *Line, at columns) {
	was := r.all()[l.Badge.UID]
	if at[blockedColumn] < 0 {
		l.Badge.Blocked = was.Blocked
	}
	if at[fromColumn] < 0 {
		l.Badge.From = was.From
	}
	if at[untilColumn] < 0 {
		l.Badge.Until = was.Until
	}
	l.Badge.Employee = sameAs(l.Badge.Employee, was.Employee)
	l.Badge.Origin = device.ByFile
	if r.action(l.Badge) == Kept {
		l.Badge.Origin = was.Origin
	}
	l.Action, l.Was, l.Unblocked = r.action(l.Badge), was.Employee, was.Blocked && !l.Badge.Blocked
}

// sameAs is an employee with what was known of the same one before.
func sameAs(e, was device.Employee) device.Employee {
	if e.ID != was.ID {
		return e
	}
	if e.Name = cmp.Or(e.Name, was.Name); e.Name == was.Name {
		e.LastName = cmp.Or(e.LastName, was.LastName)
	}
	e.Number = cmp.Or(e.Number, was.Number)
	return e
}

// parse reads one file at a time: each takes memory.
func (r *Roster) parse(file io.Reader, o Options) (Report, columns, error) {
	r.parsing.Lock()
	defer r.parsing.Unlock()
	return parse(file, o, r.evidence(o.Tapped))
}

// evidence is what is known of how badge numbers are written: badges that were
// tapped, else those that somebody gave out by hand. What a list has brought
// proves nothing.
func (r *Roster) evidence(tapped func(device.UID) bool) []func(device.UID) bool {
	byHand := func(uid device.UID) bool { return r.all()[uid].Origin == device.ByHand }
	if tapped == nil {
		return []func(device.UID) bool{byHand}
	}
	return []func(device.UID) bool{tapped, byHand}
}

// action says what taking over b would do.
func (r *Roster) action(b device.Badge) Action {
	was, known := r.all()[b.UID]
	b.Origin = was.Origin // nobody calls that a change
	switch {
	case !known:
		return Added
	case was == b:
		return Kept
	case was.Employee.ID != b.Employee.ID:
		return Moved
	}
	return Changed
}

// ownColumns are those of the clock's own lists, and moreColumns those that stand behind them where
// anybody has something in them. In the badge map itself they stand behind the checksum, where versions
// that know nothing of them do not look.
var (
	ownColumns  = []string{"uid", "employee_id", "name", "blocked", "from", "until", "origin"}
	moreColumns = []string{"last_name", "personnel_number"}
)

// exported is a line of such a list.
func exported(b device.Badge) []string {
	blocked := ""
	if b.Blocked {
		blocked = "yes"
	}
	return []string{b.UID.Hex(), string(b.Employee.ID), b.Employee.Name, blocked, b.From, b.Until, string(b.Origin)}
}

// more is what stands behind them.
func more(e device.Employee) []string { return []string{e.LastName, e.Number} }

// Export writes badges as a CSV file that Import takes. What nobody has takes no column.
func Export(w io.Writer, badges []device.Badge) error {
	all := slices.ContainsFunc(badges, func(b device.Badge) bool {
		return b.Employee.LastName != "" || b.Employee.Number != ""
	})
	out := csv.NewWriter(w)
	line := func(fields, behind []string) {
		if all {
			fields = append(slices.Clone(fields), behind...)
		}
		out.Write(fields)
	}
	line(ownColumns, moreColumns)
	for _, b := range badges {
		line(exported(b), more(b.Employee))
	}
	out.Flush()
	return out.Error()
}
