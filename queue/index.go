package queue

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"timeclock/device"
)

// index is what is known of the punches without looking into the file: who did what last,
// what is pending, and where the others stand. It is kept in memory only, knows no disk, and
// learns of a change when the file has it.
type index struct {
	next      device.PunchID
	last      map[device.EmployeeID]device.Punch // the newest of each that counts
	lanes     map[device.EmployeeID]lane         // of those who have pending punches
	settled   ranges                             // not pending any more
	attempted ranges                             // may have been sent
	untimed   ranges                             // pending, and their time is not certain
	marks     map[device.PunchID]mark
	newest    device.Punch                    // by its time, of those whose time somebody vouched for
	chosen    map[device.PunchID]chosen       // whose timespans are still to get their projects
	recent    map[device.EmployeeID][]pending // the newest of each, oldest first
	wrong     map[device.PunchID]bool         // whose times are wrong, as was noticed since the program was started
}

// lane is an employee's pending punches, oldest first.
type lane []pending

// pending is what is kept in memory of a pending punch: there may be many.
type pending struct {
	id   device.PunchID
	time int64 // nanoseconds since 1970
	out  bool  // a check-out
	// ambiguous: it was sent and not clearly answered. If it is held it is asked about when it
	// goes on.
	ambiguous bool
}

func newIndex() index {
	return index{
		next: 1, last: map[device.EmployeeID]device.Punch{}, lanes: map[device.EmployeeID]lane{},
		marks: map[device.PunchID]mark{}, wrong: map[device.PunchID]bool{}, chosen: map[device.PunchID]chosen{},
		recent: map[device.EmployeeID][]pending{},
	}
}

func newPending(p device.Punch) pending {
	return pending{id: p.ID, time: p.Time.UnixNano(), out: p.Intent == device.CheckOut}
}

func (e pending) punch(employee device.EmployeeID) device.Punch {
	p := device.Punch{ID: e.id, Employee: employee, Intent: device.CheckIn, Time: time.Unix(0, e.time)}
	if e.out {
		p.Intent = device.CheckOut
	}
	return p
}

// place is where a punch stands, or would.
func (l lane) place(id device.PunchID) (at int, found bool) {
	return slices.BinarySearchFunc(l, id, func(e pending, id device.PunchID) int { return cmp.Compare(e.id, id) })
}

// pending returns what is known of a pending punch; nil if it is not pending.
func (x *index) pending(p device.Punch) *pending {
	lane := x.lanes[p.Employee]
	if at, found := lane.place(p.ID); found {
		return &lane[at]
	}
	return nil
}

// append takes a new punch in, behind all others. It is pending unless it is settled already: in
// a queue that was joined by another one.
func (x *index) append(p device.Punch) {
	x.next = p.ID + 1
	last, ok := x.last[p.Employee]
	if x.marks[p.ID].State != device.Dropped && (!ok || !p.Precedes(last)) {
		x.last[p.Employee] = p
	}
	if !x.settled.has(p.ID) {
		x.lanes[p.Employee] = append(x.lanes[p.Employee], newPending(p))
	}
	recent := append(x.recent[p.Employee], newPending(p))
	old := max(0, len(recent)-mostRecent)
	for recent[old].time < p.Time.Add(-recentTime).UnixNano() {
		old++
	}
	x.recent[p.Employee] = slices.Delete(recent, 0, old)
	x.time(p)
}

// The newest punches of each employee are kept in memory, for the hours of a day: those of so long, and so many
// at most.
const (
	recentTime = 72 * time.Hour
	mostRecent = 64
)

// older takes a punch in that was there before those that it knows. Loaded must follow the
// oldest.
func (x *index) older(p device.Punch) {
	x.next = max(x.next, p.ID+1)
	last, ok := x.last[p.Employee]
	if ok {
		p.Employee = last.Employee // one string per employee, not per punch
	}
	if x.marks[p.ID].State != device.Dropped && (!ok || last.Precedes(p)) {
		x.last[p.Employee] = p
	}
	if !x.settled.has(p.ID) {
		e := newPending(p)
		e.ambiguous = x.attempted.has(p.ID) && !p.Stamp.Uncertain // that one was not sent
		x.lanes[p.Employee] = append(x.lanes[p.Employee], e)
	}
	if recent := x.recent[p.Employee]; len(recent) == 0 || len(recent) < mostRecent &&
		p.Time.Add(recentTime).UnixNano() >= recent[0].time {
		x.recent[p.Employee] = append(recent, newPending(p))
	}
	x.time(p)
}

func (x *index) loaded() {
	for _, lane := range x.lanes {
		slices.Reverse(lane)
	}
	for _, recent := range x.recent {
		slices.Reverse(recent)
	}
	if n := len(x.settled); n > 0 {
		x.next = max(x.next, x.settled[n-1].last+1)
	}
}

// time notes what is known of a punch's time.
func (x *index) time(p device.Punch) {
	switch {
	case !p.Stamp.Uncertain:
		x.untimed = x.untimed.minus(p.ID)
	case !x.settled.has(p.ID):
		x.untimed = x.untimed.with(p.ID)
	}
	if !p.Stamp.Uncertain && !p.Stamp.Believed && p.Time.After(x.newest.Time) {
		x.newest = p
	}
}

// leave takes a punch out of those that are pending.
func (x *index) leave(p device.Punch) {
	lane := x.lanes[p.Employee]
	at, found := lane.place(p.ID)
	switch {
	case !found:
	case len(lane) == 1:
		delete(x.lanes, p.Employee)
	default:
		x.lanes[p.Employee] = slices.Delete(lane, at, at+1)
	}
	x.untimed = x.untimed.minus(p.ID)
}

// comeBack puts a punch among those that are pending, in its place.
func (x *index) comeBack(p device.Punch, ambiguous bool) {
	lane := x.lanes[p.Employee]
	e := newPending(p)
	e.ambiguous = ambiguous
	if at, found := lane.place(p.ID); !found {
		x.lanes[p.Employee] = slices.Insert(lane, at, e)
	}
	x.time(p)
}

// timed gives a punch the time that is known now.
func (x *index) timed(p device.Punch) {
	if e := x.pending(p); e != nil {
		e.time = p.Time.UnixNano()
	}
	for i, e := range x.recent[p.Employee] {
		if e.id == p.ID {
			x.recent[p.Employee][i].time = p.Time.UnixNano()
		}
	}
	if x.last[p.Employee].ID == p.ID {
		x.last[p.Employee] = p
	}
	x.time(p)
}

// takeFlags takes over which punches are ambiguous and which have a wrong time from an index
// that has the same punches.
func (x *index) takeFlags(from *index) {
	for e, lane := range from.lanes {
		for _, p := range lane {
			if at, found := x.lanes[e].place(p.id); found {
				x.lanes[e][at].ambiguous = p.ambiguous
			}
		}
	}
	maps.Copy(x.wrong, from.wrong)
}

// mark keeps what became of a punch; without a state it forgets that.
func (x *index) mark(id device.PunchID, m mark) {
	if m.State == "" {
		delete(x.marks, id)
		return
	}
	x.marks[id] = m
}

// isPending reports whether a punch of this number waits to be delivered.
func (x *index) isPending(id device.PunchID) bool {
	return id != 0 && id < x.next && !x.settled.has(id)
}

func (x *index) held(id device.PunchID) bool { return x.marks[id].State == device.Held }

// lacks reports whether Zeitstrom lacks an employee's newest punch or an earlier one that is
// still to come.
func (x *index) lacks(e device.EmployeeID) bool {
	return len(x.lanes[e]) > 0 || x.marks[x.last[e].ID].State == device.Quarantined
}

// isPair reports whether a punch is the check-out of the one before it.
func isPair(before, p device.Punch) bool {
	return before.Intent == device.CheckIn && p.Intent == device.CheckOut
}

// head returns the punch of a lane that is next to be delivered: those that are held wait
// alone, an untimed one keeps the later ones waiting.
func (x *index) head(lane lane) (e pending, ok bool) {
	for _, e := range lane {
		if x.untimed.has(e.id) {
			return e, false
		}
		if !x.held(e.id) {
			return e, true
		}
	}
	return e, false
}

// entry says where a punch stands.
func (x *index) entry(p device.Punch) device.Entry {
	e := device.Entry{Punch: p, State: device.Pending}
	if m, ok := x.marks[p.ID]; ok {
		e.State, e.Reason, e.Since = m.State, m.Reason, m.Since
		return e
	}
	switch known := x.pending(p); {
	case x.settled.has(p.ID):
		e.State = device.Delivered
	case p.Stamp.Uncertain:
		e.State, e.Reason = device.Untimed, "its time is not certain yet"
	case known != nil && known.ambiguous:
		e.State = device.Ambiguous
	}
	return e
}

// Stats counts the punches by state.
type Stats struct {
	Pending, Delivered, Quarantined int // ambiguous, held and untimed ones are pending too
	Ambiguous, Held, Dropped        int
	Untimed                         int              // some may be held, too
	Waiting                         int              // held or untimed
	Assigning, Refused              int              // projects that are still to be assigned; of those, refused
	OldestPending                   time.Time        // of those whose time is certain; zero if there is none
	Wrong                           []device.PunchID // whose times are wrong, as later ones show, in order

	Journal  string // the hash of the whole journal, in hex
	Problem  string // why the last write failed; empty if it did not
	Absent   bool   // there is no file
	Awaiting bool   // what is recovered of a damaged file is still to join: nothing is sent
}

// stats counts. First is the number with which the file begins, or 0.
func (x *index) stats(first device.PunchID) Stats {
	st := Stats{Delivered: x.settled.len()}
	if x.settled.has(first - 1) { // which is none
		st.Delivered--
	}
	for _, m := range x.marks {
		switch m.State {
		case device.Held:
			st.Held++
			st.Waiting++
		case device.Quarantined:
			st.Quarantined++
			st.Delivered--
		case device.Dropped:
			st.Dropped++
			st.Delivered--
		}
	}
	for _, lane := range x.lanes {
		st.Pending += len(lane)
		for _, e := range lane {
			st.count(e, x.held(e.id), x.untimed.has(e.id))
		}
	}
	for _, c := range x.chosen {
		if st.Assigning++; c.State == device.AssignmentRefused {
			st.Refused++
		}
	}
	for id := range x.wrong {
		st.Wrong = append(st.Wrong, id)
	}
	slices.Sort(st.Wrong)
	return st
}

func (st *Stats) count(e pending, held, untimed bool) {
	if e.ambiguous && !held {
		st.Ambiguous++
	}
	if !untimed {
		if at := time.Unix(0, e.time); st.OldestPending.IsZero() || at.Before(st.OldestPending) {
			st.OldestPending = at
		}
		return
	}
	if st.Untimed++; !held {
		st.Waiting++
	}
}
