package queue

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"timeclock/device"
)

func onFunction(p device.Punch, f device.Function) device.Punch {
	p.Function, p.Project = f, f.Project()
	return p
}

// A day with some switches of projects, offline, is all there for the hours of the day.
func TestChosenRecentOfADayWithSwitches(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	at := eight
	must1(s.Append(onFunction(punch(1, device.CheckIn, at), "project=P-0"), false))
	for i := range 6 {
		at = at.Add(time.Hour)
		out := punch(1, device.CheckOut, at)
		in := onFunction(punch(1, device.CheckIn, at), device.Function(fmt.Sprintf("project=P-%d", i+1)))
		must1(s.Switch(out, in, false))
	}
	must1(s.Append(punch(1, device.CheckOut, at.Add(time.Hour)), false))
	if r := s.Recent(employee(1)); !r[0].Time.Equal(eight) {
		t.Errorf("of 14 punches of one day %d are there, from %v on: the first hours are missing", len(r), r[0].Time)
	}
}

// The function of a punch whose time was repaired meanwhile is taken back, and the time stays.
func TestChosenTakeBackKeepsARepairedTime(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	p := onFunction(punch(1, device.CheckOut, time.Unix(100, 0)), device.TakeBreak)
	p.Stamp = device.Stamp{Boot: bootA, Uptime: time.Hour, Uncertain: true}
	p = must1(s.Append(p, false))
	must1(s.SetTimes(device.Fix{Punches: []device.Punch{find(s, p.ID).WithTime(eight)}, Kind: device.EventRepaired}))
	must1(s.TakeBack(p, device.Detail{})) // as the terminal has it since the tap
	if last, _, _ := s.Last(employee(1)); last.Stamp.Uncertain || !last.Time.Equal(eight) {
		t.Errorf("the last punch is of %v, uncertain: %v", last.Time, last.Stamp.Uncertain)
	}
}

// What was taken back or dropped is not assigned any more, by a step that had begun before.
func TestChosenAssigningAfterTakeBack(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	p := must1(s.Append(onFunction(punch(1, device.CheckIn, eight), "project=P-1"), false))
	must(t, s.Deliver(p))
	due := must1(s.Assignments(func(device.Assignment) bool { return true }, 10))
	if len(due) != 1 {
		t.Fatal(due)
	}
	must1(s.TakeBack(p, device.Detail{}))
	if err := s.Assigning(p.ID, "a timespan", ""); err == nil {
		t.Error("Assigning says yes, and the request follows")
	}
}

// A failing decision about a project is no broken disk.
func TestChosenProblemOfTheDisk(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "queue.db"))
	p := must1(s.Append(onFunction(punch(1, device.CheckIn, eight), "project=P-1"), false))
	must(t, s.Deliver(p))
	must1(s.Append(punch(2, device.CheckIn, eight.Add(1000*time.Hour)), false))
	for s.inTail < tailSize {
		must1(s.Append(punch(2, device.CheckIn, eight.Add(1000*time.Hour)), false))
	}
	must1(s.Append(punch(2, device.CheckIn, eight.Add(1000*time.Hour)), false))
	due := must1(s.Assignments(func(device.Assignment) bool { return true }, 10))
	n := must1(s.Prune(100 * time.Hour))
	left := must1(s.Assignments(func(device.Assignment) bool { return true }, 10))
	events := 0
	must(t, s.Journal(func(e JournalEntry) error {
		if e.Event != nil && e.Event.Kind == device.EventProjectDropped {
			events++
		}
		return nil
	}))
	if n == 0 || len(due) != 1 || len(left) != 0 || events != 1 {
		t.Errorf("pruned %d; projects to assign before %d, after %d; the journal says so %d times", n, len(due), len(left),
			events)
	}
	if err := s.Assigning(p.ID, "a timespan", ""); err != nil && s.Stats().Problem != "" {
		t.Errorf("the clock says that its disk is broken: %s", s.Stats().Problem)
	}
}

// What an interim queue had chosen is still chosen when it has joined, also where a person has said the time.
func TestChosenJoinKeepsWhatWasChosen(t *testing.T) {
	path, snapshot, _ := damaged(t)
	next, last, err := Scan(func() {}, path, snapshot)
	must(t, err, os.Link(path, path+".damaged"))
	s, err := Interim(path, next+1000, func() []device.Undelivered { return last })
	must(t, err)
	defer func() { s.Close() }()
	p := onFunction(punch(3, device.CheckIn, time.Unix(100, 0)), "project=P-1")
	p.Stamp = device.Stamp{Boot: bootA, Uptime: time.Hour, Uncertain: true}
	p = must1(s.Append(p, false))
	fixed := find(s, p.ID)
	fixed.Stamp.Believed = true // as Clock.SetTime does
	must1(s.SetTimes(device.Fix{Punches: []device.Punch{fixed.WithTime(eight)}, Kind: device.EventTimeSet}))
	if find(s, p.ID).Project != "P-1" {
		t.Fatal("not even before")
	}
	_, err = Salvage(path+".recovered", func() {}, path+".damaged", snapshot)
	must(t, err, s.Join(path+".recovered"))
	if got := find(s, p.ID); got.Project != "P-1" || got.Function != "project=P-1" {
		t.Errorf("after it has joined: function %q, project %q", got.Function, got.Project)
	}
}

// A damaged file tells of a break, too.
func TestChosenScanKnowsBreaks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	must1(s.Append(onFunction(punch(1, device.CheckIn, eight), "project=P-1"), false))
	b := onFunction(punch(1, device.CheckOut, eight.Add(time.Hour)), device.TakeBreak)
	b.Project = "P-1"
	must1(s.Append(b, false))
	must(t, s.Close())
	_, last, err := Scan(func() {}, path)
	must(t, err)
	if len(last) != 1 || !last[0].OnBreak() || last[0].Project != "P-1" {
		t.Errorf("%+v", last)
	}
}

// A switch whose commit did not come to its end counts as a whole, or not at all.
func TestChosenSalvageOfHalfASwitch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	for i := range 5 {
		p := must1(s.Append(punch(2+i, device.CheckIn, eight), false))
		must(t, s.Deliver(p))
	}
	in := must1(s.Append(onFunction(punch(1, device.CheckIn, eight), "project=P-1"), false))
	must(t, s.Deliver(in), s.save(nil))
	before := must1(os.ReadFile(path))
	at := eight.Add(time.Hour)
	sw := must1(s.Switch(punch(1, device.CheckOut, at), onFunction(punch(1, device.CheckIn, at), "project=P-2"), false))
	after := must1(os.ReadFile(path)) // before Close, whose commit may write over pages that the older meta page has
	must(t, s.Close())
	torn := append([]byte{}, after...)
	copy(torn[:2*pageSize], before[:2*pageSize]) // the meta page was not written any more
	must(t, os.WriteFile(path+".torn", torn, 0o600))
	_, err := Salvage(path+".new", func() {}, path+".torn")
	must(t, err)
	r := open(t, path+".new")
	out, err1 := r.Find(sw.ID - 1)
	again, err2 := r.Find(sw.ID)
	if err1 != nil || err2 != nil || out.State != again.State || again.State != device.Quarantined {
		t.Errorf("the check-out is %s and will be sent, the check-in that belongs to it is %s", out.State, again.State)
	}
}

// What 0.9 has dropped is no project that waits.
func TestChosenDroppedByAnOlderVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := open(t, path)
	p := must1(s.Append(onFunction(punch(1, device.CheckIn, eight), "project=P-1"), false))
	must(t, s.Attempt(p), s.MarkAmbiguous(p))
	// As 0.9 does it: it knows nothing of the tenth bucket.
	must(t, s.commitState(func(st *stage) error {
		st.settle(p)
		return st.mark(p.ID, newMark(device.Dropped, "twice"), "")
	}), s.Close())
	s = open(t, path)
	if st := s.Stats(); st.Assigning != 0 {
		t.Errorf("%d projects wait for ever", st.Assigning)
	}
}

// A salvage needs little memory, however large the file is.
func TestChosenSalvageMemory(t *testing.T) {
	heap := map[bool]uint64{}
	const n = 60000
	for _, with := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "queue.db")
		s := open(t, path)
		for i := 0; i < n; i += 1000 {
			must(t, s.save(func(st *stage) error {
				for j := range 1000 {
					p := punch(j, device.CheckIn, eight)
					p.ID = s.next + device.PunchID(j)
					v := must1(encodePunch(p))
					stored := sum(key(p.ID), v)
					if err := st.punch(historyBucket, p); err != nil {
						return err
					}
					if !with {
						continue
					}
					err := st.putChosen(p.ID, chosen{
						Of: fingerprint(stored), Revision: 2, Function: "project=P-101", Project: "P-101",
						State: device.AssignmentDone, Timespan: "e5f6a7b8-c9d0-4234-8fab-000000000001",
						Reason: "P-101: timespan e5f6a7b8-c9d0-4234-8fab-000000000001",
					})
					if err != nil {
						return err
					}
				}
				return nil
			}))
		}
		must(t, s.Close())
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		w, err := newWreck(func() {}, []string{path})
		must(t, err)
		runtime.GC()
		runtime.ReadMemStats(&after)
		heap[with] = after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc)
		w.close()
		runtime.KeepAlive(w)
	}
	t.Logf("%d punches: %d bytes each without projects, %d with", n, heap[false]/n, heap[true]/n)
	if heap[true] > 4*heap[false]+8<<20 {
		t.Error("it holds everything that was ever chosen")
	}
}
