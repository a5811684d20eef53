package queue

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
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

// chosen is what was chosen for a punch, and what became of its project. Its first field is what a salvage
// looks for.
type chosen struct {
	// Of is the checksum of the punch's record: a punch that another version has made under this
	// number has none of it.
	Of       string                 `json:"of"`
	Revision int                    `json:"revision"` // the highest one counts
	Function device.Function        `json:"function,omitempty"`
	Project  string                 `json:"project,omitempty"`
	Hints    string                 `json:"hints,omitempty"`
	State    device.AssignmentState `json:"state,omitempty"`
	Timespan string                 `json:"timespan,omitempty"` // that is to get the project
	Before   string                 `json:"before,omitempty"`   // id of the project that it had
	Reason   string                 `json:"why,omitempty"`      // the server's words, when it was refused
}

// open reports whether the timespan is still to get its project.
func (c chosen) open() bool {
	return c.State == device.AssignmentWaits || c.State == device.AssignmentRefused
}

func (c chosen) detail() device.Detail {
	return device.Detail{Function: c.Function, Project: c.Project, Hints: device.ParseHints(c.Hints)}
}

// fingerprint is what tells a punch's record from others of its number.
func fingerprint(stored []byte) string { return hex.EncodeToString(stored[:4]) }

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
	text, err := check(k, v)
	if err != nil || json.Unmarshal(text, &c) != nil || c.Of != fingerprint(stored) {
		return chosen{}, false
	}
	return c, true
}

// putChosen stores it.
func (st *stage) putChosen(id device.PunchID, c chosen) error {
	if _, err := st.CreateBucketIfNotExists(chosenBucket); err != nil {
		return err
	}
	v, err := json.Marshal(c)
	if err != nil {
		return err
	}
	st.then(func(x *index) { x.choose(id, c) })
	return st.put(chosenBucket, key(id), v)
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

// forgetChosen forgets what was chosen for a punch that goes.
func (st *stage) forgetChosen(id device.PunchID) error {
	if bucket := st.Bucket(chosenBucket); bucket == nil || bucket.Get(key(id)) == nil {
		return nil
	}
	st.then(func(x *index) { delete(x.chosen, id) })
	return st.delete(chosenBucket, key(id))
}

// revise changes what was chosen for a punch; why is for the journal.
func (s *Store) revise(st *stage, id device.PunchID, e device.Event, change func(*chosen)) error {
	stored := storedPunch(st.Tx, id)
	c, found := getChosen(st.Tx, key(id), stored)
	if !found {
		return fmt.Errorf("nothing was chosen for punch %d", id)
	}
	change(&c)
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
	if _, open := s.chosen[id]; !open {
		return nil
	}
	return s.revise(st, id, device.Event{}, func(c *chosen) { c.State = device.AssignmentDropped })
}

// TakeBack takes the function of an employee's newest punch away, and its project, unless its timespan may
// have that already. It returns the punch as it is then.
func (s *Store) TakeBack(p device.Punch) (device.Punch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last[p.Employee].ID != p.ID || s.chosen[p.ID].Timespan != "" {
		return p, fmt.Errorf("the function of punch %d cannot be taken back any more", p.ID)
	}
	was := p.Function
	p.Function, p.Project = "", ""
	err := s.commitState(func(st *stage) error {
		st.then(func(x *index) { x.last[p.Employee] = p })
		e := device.Event{Kind: device.EventFunctionTakenBack, Reason: string(was)}
		return s.revise(st, p.ID, e, func(c *chosen) {
			c.Function, c.Project = "", ""
			if c.State != "" {
				c.State = device.AssignmentDropped
			}
		})
	})
	return p, err
}

// Assignments returns the projects that timespans are still to get whose check-ins Zeitstrom has, oldest
// first and so many at most: of those that are due.
func (s *Store) Assignments(due func(device.PunchID) bool, most int) (out []device.Assignment, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Sorted(maps.Keys(s.chosen))
	err = s.view(func(tx *bolt.Tx) error {
		for _, id := range ids {
			if s.isPending(id) || s.marks[id].State != "" || !due(id) || len(out) == most {
				continue
			}
			p, err := getPunch(tx, id)
			if err != nil {
				return err
			}
			out = append(out, s.chosen[id].assignment(p))
		}
		return nil
	})
	return out, err
}

func (c chosen) assignment(p device.Punch) device.Assignment {
	return device.Assignment{Punch: p, State: c.State, Timespan: c.Timespan, Before: c.Before, Reason: c.Reason}
}

// Assignment returns what became of a punch's project; its State is empty if it has none.
func (s *Store) Assignment(p device.Punch) (a device.Assignment, err error) {
	if p.Detail == (device.Detail{}) {
		return a, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.view(func(tx *bolt.Tx) error {
		c, _ := getChosen(tx, key(p.ID), storedPunch(tx, p.ID))
		a = c.assignment(p)
		return nil
	})
	return a, err
}

// Assigning stores which timespan is to get a punch's project, and which project it had: before the first
// try, so that a change by somebody else can be told from ours.
func (s *Store) Assigning(id device.PunchID, timespan, before string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commitState(func(st *stage) error {
		return s.revise(st, id, device.Event{}, func(c *chosen) { c.Timespan, c.Before = timespan, before })
	})
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
	if was, open := s.chosen[id]; !open || was.State == state && was.Reason == why {
		return nil
	}
	return s.commitState(func(st *stage) error {
		e := device.Event{Kind: assignmentEvents[state], Reason: why}
		return s.revise(st, id, e, func(c *chosen) { c.State, c.Reason = state, why })
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
		// There may be many, and few are open.
		if len(k) != keyLen || !bytes.Contains(v, []byte(`"state":"`+device.AssignmentWaits)) &&
			!bytes.Contains(v, []byte(`"state":"`+device.AssignmentRefused)) {
			return nil
		}
		id := idOf(k)
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
