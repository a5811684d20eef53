package queue

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"timeclock/device"

	bolt "go.etcd.io/bbolt"
)

// chosenBucket has what was chosen for a punch beside its direction. It is made when it is first needed:
// a file without it is whole.
var chosenBucket = []byte("chosen")

// chosen is what was chosen for a punch, and what became of its project.
type chosen struct {
	// Of is the checksum of the punch's record: a punch that another version has made under this
	// number has none of it.
	Of       uint32
	Revision uint64 // the highest one counts
	Function device.Function
	Project  string
	Hints    string
	State    device.AssignmentState
	Timespan string // that is to get the project
	Before   string // id of the project that it had
	Reason   string // the server's words, when it was refused
}

// chosenMark is how a record begins, so that a salvage finds it: there may be many, so they are no JSON.
const chosenMark = "chosen:1"

// texts are the fields of a record that are texts, in their order.
func (c *chosen) texts() []*string {
	return []*string{
		(*string)(&c.Function), &c.Project, &c.Hints, (*string)(&c.State), &c.Timespan, &c.Before, &c.Reason,
	}
}

func (c *chosen) encode() []byte {
	b := binary.BigEndian.AppendUint32([]byte(chosenMark), c.Of)
	b = binary.AppendUvarint(b, c.Revision)
	for _, text := range c.texts() {
		b = binary.AppendUvarint(b, uint64(len(*text)))
		b = append(b, *text...)
	}
	return b
}

// decodeChosen reads a record; what a later version has put behind it is left alone.
func decodeChosen(b []byte) (c chosen, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte(chosenMark))
	if !ok || len(b) < 4 {
		return c, false
	}
	c.Of, b = binary.BigEndian.Uint32(b), b[4:]
	number := func() (n uint64) {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			ok = false
			return 0
		}
		b = b[size:]
		return n
	}
	c.Revision = number()
	for _, text := range c.texts() {
		n := number()
		if !ok || n > uint64(len(b)) {
			return chosen{}, false
		}
		*text, b = string(b[:n]), b[n:]
	}
	return c, true
}

// open reports whether the timespan is still to get its project.
func (c chosen) open() bool {
	return c.State == device.AssignmentWaits || c.State == device.AssignmentRefused
}

func (c chosen) detail() device.Detail {
	return device.Detail{Function: c.Function, Project: c.Project, Hints: device.ParseHints(c.Hints)}
}

// fingerprint is what tells a punch's record from others of its number: its checksum.
func fingerprint(stored []byte) uint32 { return binary.BigEndian.Uint32(stored) }

// getChosen returns what was chosen for a punch that is stored like this. What is not readable any more is
// as if nothing was.
func getChosen(tx *bolt.Tx, k, stored []byte) (c chosen, found bool) {
	bucket := tx.Bucket(chosenBucket)
	if bucket == nil {
		return c, false
	}
	v := bucket.Get(k)
	if v == nil {
		return c, false
	}
	value, err := check(k, v)
	if err != nil {
		return c, false
	}
	if c, found = decodeChosen(value); c.Of != fingerprint(stored) {
		return chosen{}, false
	}
	return c, found
}

// putChosen stores it.
func (st *stage) putChosen(id device.PunchID, c chosen) error {
	if _, err := st.CreateBucketIfNotExists(chosenBucket); err != nil {
		return err
	}
	st.then(func(x *index) { x.choose(id, c) })
	return st.put(chosenBucket, key(id), c.encode())
}

// chooses stores what was chosen for a new punch, whose record is stored like this.
func (st *stage) chooses(p device.Punch, stored []byte) error {
	if p.Detail == (device.Detail{}) {
		return nil
	}
	c := chosen{
		Of: fingerprint(stored), Function: p.Function, Project: p.Project, Hints: p.Hints.String(),
	}
	if p.Project != "" && p.Intent == device.CheckIn {
		c.State = device.AssignmentWaits
	}
	return st.putChosen(p.ID, c)
}

// noteChosen says in the journal what was chosen for a punch.
func (st *stage) noteChosen(p device.Punch) (err error) {
	note := func(kind device.EventKind, why string) {
		err = errors.Join(err, st.event(device.Event{Punch: p.ID, Kind: kind, Reason: why}))
	}
	switch {
	case p.Function != "":
		note(device.EventFunction, string(p.Function))
	case p.Project != "":
		note(device.EventProjectGoesOn, p.Project)
	}
	if p.Hints != 0 {
		note(device.EventHints, p.Hints.String())
	}
	return err
}

// forgetChosen forgets what was chosen for a punch that goes. A project that is still to be assigned is given up.
func (s *Store) forgetChosen(st *stage, id device.PunchID) (err error) {
	if bucket := st.Bucket(chosenBucket); bucket == nil || bucket.Get(key(id)) == nil {
		return nil
	}
	if c, open := s.chosen[id]; open {
		st.then(func(x *index) { delete(x.chosen, id) })
		err = st.event(device.Event{Punch: id, Kind: device.EventProjectDropped, Reason: c.Project})
	}
	return errors.Join(err, st.delete(chosenBucket, key(id)))
}

// revise stores what became of a choice, and says so in the journal if the event has a kind.
func (st *stage) revise(id device.PunchID, c chosen, e device.Event) error {
	c.Revision++
	if e.Kind != "" {
		e.Punch = id
		if err := st.event(e); err != nil {
			return err
		}
	}
	return st.putChosen(id, c)
}

// leaveProject gives up the project of a punch that is dropped.
func (s *Store) leaveProject(st *stage, id device.PunchID) error {
	c, open := s.chosen[id]
	if !open {
		return nil
	}
	c.State = device.AssignmentDropped
	return st.revise(id, c, device.Event{})
}

// choice reads what was chosen for a punch.
func (s *Store) choice(id device.PunchID) (c chosen, err error) {
	found := false
	err = s.view(func(tx *bolt.Tx) error {
		c, found = getChosen(tx, key(id), storedPunch(tx, id))
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("nothing was chosen for punch %d", id)
	}
	return c, err
}

// TakeBack puts another choice in the place of that of an employee's newest punch: the error is
// device.ErrTooLate if it is not the newest any more, or its timespan may have the project. It returns the
// punch as it is then.
func (s *Store) TakeBack(p device.Punch, plain device.Detail) (device.Punch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.last[p.Employee]
	c, err := s.choice(p.ID)
	if last.ID != p.ID || err != nil || c.Timespan != "" {
		return p, device.ErrTooLate
	}
	e := device.Event{Kind: device.EventFunctionTakenBack, Reason: string(last.Function)}
	last.Function, last.Project = plain.Function, plain.Project
	if c.Function, c.Project = plain.Function, plain.Project; c.Project == "" && c.State != "" {
		c.State = device.AssignmentDropped
	}
	err = s.commitState(func(st *stage) error {
		st.then(func(x *index) { x.last[p.Employee] = last })
		return st.revise(p.ID, c, e)
	})
	return last, err
}

// Assignments returns the projects that timespans are still to get whose check-ins Zeitstrom has, so many at
// most: of those that are due the ones that were not refused yet first, and then the oldest. Due is asked
// with the punch's number and project only.
func (s *Store) Assignments(due func(device.Assignment) bool, most int) (out []device.Assignment, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.SortedFunc(maps.Keys(s.chosen), func(a, b device.PunchID) int {
		refused := func(id device.PunchID) int { return len(s.chosen[id].Reason) }
		return cmp.Or(cmp.Compare(min(1, refused(a)), min(1, refused(b))), cmp.Compare(a, b))
	})
	err = s.view(func(tx *bolt.Tx) error {
		for _, id := range ids {
			c := s.chosen[id]
			p := device.Punch{ID: id, Detail: device.Detail{Project: c.Project}}
			if s.isPending(id) || s.marks[id].State != "" || !due(c.assignment(p)) || len(out) == most {
				continue
			}
			if p, err = getPunch(tx, id); err != nil {
				return err
			}
			out = append(out, c.assignment(p))
		}
		return nil
	})
	return out, err
}

func (c chosen) assignment(p device.Punch) device.Assignment {
	return device.Assignment{Punch: p, State: c.State, Timespan: c.Timespan, Before: c.Before, Reason: c.Reason}
}

// Assigning stores which timespan is to get a punch's project, and which project it had: before the first
// try, so that a change by somebody else can be told from ours. An error says that it is not to be tried.
func (s *Store) Assigning(id device.PunchID, timespan, before string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, open := s.chosen[id]
	if !open || s.isPending(id) {
		return fmt.Errorf("the project of punch %d is not to be assigned any more", id)
	}
	c.Timespan, c.Before = timespan, before
	return s.commitState(func(st *stage) error { return st.revise(id, c, device.Event{}) })
}

// assignmentEvents are what the journal says of what became of a project.
var assignmentEvents = map[device.AssignmentState]device.EventKind{
	device.AssignmentDone: device.EventProjectAssigned, device.AssignmentRefused: device.EventProjectRefused,
	device.AssignmentLeft: device.EventProjectLeft, device.AssignmentDropped: device.EventProjectDropped,
}

// Assigned stores what became of a punch's project, and why.
func (s *Store) Assigned(id device.PunchID, state device.AssignmentState, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, open := s.chosen[id]
	if !open || c.State == state && c.Reason == why {
		return nil
	}
	c.State, c.Reason = state, why
	return s.commitState(func(st *stage) error {
		return st.revise(id, c, device.Event{Kind: assignmentEvents[state], Reason: why})
	})
}

// loadChosen reads which timespans are still to get their projects, and what the newest punches were
// chosen for.
func (s *Store) loadChosen(tx *bolt.Tx) error {
	bucket := tx.Bucket(chosenBucket)
	if bucket == nil {
		return nil
	}
	for e, p := range s.last {
		s.last[e] = withDetail(tx, p)
	}
	return bucket.ForEach(func(k, v []byte) error {
		if len(k) != keyLen || len(v) < 4 {
			return nil
		}
		id := idOf(k)
		if c, ok := decodeChosen(v[4:]); !ok || !c.open() || s.marks[id].State == device.Dropped {
			return nil // as most: the rest of it need not be looked at
		}
		if c, found := getChosen(tx, k, storedPunch(tx, id)); found {
			s.choose(id, c)
		}
		return nil
	})
}

func withDetail(tx *bolt.Tx, p device.Punch) device.Punch {
	if c, found := getChosen(tx, key(p.ID), storedPunch(tx, p.ID)); found {
		p.Detail = c.detail()
	}
	return p
}

// storedPunch is the record of a punch; four zeros if there is none.
func storedPunch(tx *bolt.Tx, id device.PunchID) []byte {
	for _, bucket := range punchBuckets {
		if v := tx.Bucket(bucket).Get(key(id)); v != nil {
			return v
		}
	}
	return make([]byte, 4)
}

// choose keeps what was chosen for a punch while its timespan is still to get a project.
func (x *index) choose(id device.PunchID, c chosen) {
	if !c.open() {
		delete(x.chosen, id)
		return
	}
	x.chosen[id] = c
}
