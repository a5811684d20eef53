package roster

import (
	"errors"
	"fmt"
	"iter"
	"maps"

	"timeclock/device"
)

// Merged says what became of what Zeitstrom knows.
type Merged struct {
	Numbers   device.Numbers // how its badge numbers were read
	Reason    string
	Added     []device.Badge
	Changed   []device.Badge
	Removed   []device.Badge
	Blocked   []device.Badge // given out at this clock, to people who have left
	Conflicts []Conflict
}

// Conflict is a number at Zeitstrom that was not taken over.
type Conflict struct {
	Person device.Person
	Reason string
}

// fewBadges may go at once without a question.
const fewBadges = 5

// Merge takes over what Zeitstrom knows. Its own badges follow it: they are added,
// changed, and removed when their number or their owner has gone. What people
// gave out at this clock stays; but the badges of people who have left are
// blocked. A list that has nobody, or that would remove more than half of
// Zeitstrom's own badges, is not believed, unless forced.
func (r *Roster) Merge(
	people iter.Seq2[device.Person, error], n device.Numbers, tapped func(device.UID) bool, force bool,
) (Merged, error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	with, gone, err := r.concerned(people)
	if err != nil {
		return Merged{}, err
	}
	m := Merged{Numbers: n, Reason: "the settings say so"}
	if n == device.AnyNumbers {
		numbers := make([]string, len(with))
		for i, p := range with {
			numbers[i] = p.Badge
		}
		if m.Numbers, m.Reason, err = guess(numbers, r.evidence(tapped)); err != nil {
			return m, err
		}
	}
	theirs := r.theirs(with, &m)
	next, err := r.without(theirs, gone, &m, force)
	if err != nil {
		return m, err
	}
	for uid, b := range theirs {
		switch was, known := r.all()[uid]; {
		case !known:
			m.Added = append(m.Added, b)
		case was != b:
			m.Changed = append(m.Changed, b)
		}
		next[uid] = b
	}
	for _, l := range [][]device.Badge{m.Added, m.Changed, m.Removed, m.Blocked} {
		sortBadges(l)
	}
	if len(m.Added)+len(m.Changed)+len(m.Removed)+len(m.Blocked) == 0 {
		return m, nil
	}
	return m, r.replace(next, r.Damage())
}

// concerned are the people who have a badge at Zeitstrom, and those with one here who have left.
func (r *Roster) concerned(
	people iter.Seq2[device.Person, error],
) (with []device.Person, gone map[device.EmployeeID]bool, err error) {
	owners, listed := r.Employees(), 0
	gone = map[device.EmployeeID]bool{}
	for p, err := range people {
		if err != nil {
			return nil, nil, err
		}
		listed++
		switch _, owns := owners[p.ID]; {
		case p.Archived && owns:
			gone[p.ID] = true
		case p.Archived, p.Badge == "":
		default:
			with = append(with, p)
		}
	}
	if listed == 0 {
		return nil, nil, errors.New("nobody is listed at Zeitstrom: the badge map stays as it is")
	}
	return with, gone, nil
}

// without is the badge map without what has gone from Zeitstrom, and with the badges of
// people who have left blocked.
func (r *Roster) without(
	theirs map[device.UID]device.Badge, gone map[device.EmployeeID]bool, m *Merged, force bool,
) (map[device.UID]device.Badge, error) {
	next := maps.Clone(r.all())
	owned, given := 0, 0
	for uid, b := range r.all() {
		switch _, stays := theirs[uid]; {
		case b.Origin == device.FromZeitstrom:
			if owned++; !stays {
				delete(next, uid)
				m.Removed = append(m.Removed, b)
			}
		case b.Blocked:
		default:
			if given++; gone[b.Employee.ID] {
				b.Blocked = true
				next[uid] = b
				m.Blocked = append(m.Blocked, b)
			}
		}
	}
	if n := len(m.Blocked); n > fewBadges && 2*n > given && !force {
		return nil, notBelieved(
			"of the %d badges that were given out here, %d would be blocked because their owners have left", given, n)
	}
	if n := len(m.Removed); n > 0 && (n == owned && len(theirs) == 0 || n > fewBadges && 2*n > owned) && !force {
		return nil, notBelieved("of the %d badges that Zeitstrom had, %d are not listed any more", owned, n)
	}
	return next, nil
}

// theirs are the badges that are Zeitstrom's to manage.
func (r *Roster) theirs(with []device.Person, m *Merged) map[device.UID]device.Badge {
	theirs := map[device.UID]device.Badge{}
	for _, p := range with {
		conflict := func(err error) { m.Conflicts = append(m.Conflicts, Conflict{p, err.Error()}) }
		uid, err := readOrExplain(m.Numbers, p.Badge)
		if err != nil {
			conflict(err)
			continue
		}
		b := device.Badge{UID: uid, Employee: p.Employee, Origin: device.FromZeitstrom}
		if err := errors.Join(check(b), uid.Check(), r.NotFunction(uid)); err != nil {
			conflict(err)
			continue
		}
		other, twice := theirs[uid]
		switch was, known := r.all()[uid]; {
		case twice:
			conflict(fmt.Errorf("%s has the same badge %s there", other.Employee.Name, uid.Hex()))
		case known && was.Origin != device.FromZeitstrom && was.Employee.ID != p.ID:
			conflict(fmt.Errorf("badge %s was given to %s at this clock, which counts", uid.Hex(), was.Employee.Name))
		case known && was.Origin != device.FromZeitstrom: // given out here, to the same person
		default:
			b.Blocked, b.From, b.Until = was.Blocked, was.From, was.Until
			theirs[uid] = b
		}
	}
	return theirs
}

// notBelieved refuses a comparison that would change too much.
func notBelieved(cause string, args ...any) error {
	return &device.Refusal{Cause: fmt.Sprintf(cause, args...) + ": that is not believed", Remedy: device.BelieveSync}
}
