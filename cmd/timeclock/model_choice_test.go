package main

import (
	"slices"
	"testing/synctest"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom/zeitstromtest"

	"pgregory.net/rapid"
)

// modelFunctions are those that employees choose, and modelProjects the projects.
var (
	modelFunctions = []device.Function{
		device.TakeBreak, device.ShowHours, device.ComeIn, device.GoOut, "project=P-1", "project=P-2",
	}
	modelProjects = []zeitstromtest.Project{
		{ID: "1a2b3c4d-5e6f-7890-abcd-000000000001", Code: "P-1"},
		{ID: "1a2b3c4d-5e6f-7890-abcd-000000000002", Code: "P-2"},
	}
)

const adminsProject = "99999999-5e6f-7890-abcd-000000000009"

// assign is an admin who gives an employee's newest timespan a project of theirs.
func (w *world) assign(n int) {
	worked := w.server.Worked(string(employeeOf(n)))
	if len(worked) == 0 {
		return
	}
	newest := worked[len(worked)-1]
	came := slices.ContainsFunc(modelProjects, func(p zeitstromtest.Project) bool { return p.ID == newest.Project })
	w.foreign[newest.ID] = w.foreign[newest.ID] || came
	w.server.Assign(newest.ID, adminsProject)
}

// tap brings a function badge to the reader, if there is a function, and then an employee's badge.
func (w *world) tap(t *rapid.T, n int, f device.Function) {
	now := time.Now().Truncate(time.Second)
	if slices.ContainsFunc(w.others[employeeOf(n)], func(b device.Basis) bool { return b.Time.Equal(now) }) {
		// Nobody could tell the two from each other.
		time.Sleep(time.Second)
	}
	synctest.Wait()
	may := w.known(t, employeeOf(n))
	if i := slices.Index(modelFunctions, f); i >= 0 {
		w.terminal.Answer(device.Tap{UID: badgeOf(90 + i), Time: time.Now()})
	}
	well := w.server.well()
	o := w.terminal.Answer(device.Tap{UID: badgeOf(n), Time: time.Now()})
	_, known := w.roster.Lookup(badgeOf(n))
	if !well && !o.Booked() {
		w.failed[employeeOf(n)] = time.Now()
	}
	switch {
	case o.TakenBack && known:
		delete(w.wanted, o.Punch.ID)
		if made := w.confirmed[o.Employee.ID]; made[len(made)-1].ID != o.Punch.ID { // of a switch
			delete(w.wanted, made[len(made)-1].ID)
			w.confirmed[o.Employee.ID] = append(made, o.Punch)
		}
	case o.Booked() && known:
		w.booked(t, o, may)
	case o.Kind == device.Repeated && known, o.Kind == device.Unknown && !known:
	case o.Kind == device.HoursShown && known && o.Function == device.ShowHours:
	default:
		t.Fatalf("a tap with %q was answered %s: %v", f, o.Kind, o.Err)
	}
}

// booked sees that a booking is right: by what was known, and by the function.
func (w *world) booked(t *rapid.T, o device.Outcome, may []device.Basis) {
	id := o.Employee.ID
	made := w.confirmed[id]
	p := o.Punch
	first := p
	if o.Switched {
		e, err := w.queue.Find(p.ID - 1)
		if err != nil {
			t.Fatal(err)
		}
		if first = e.Punch; first.Intent != device.CheckOut || p.Intent != device.CheckIn || !first.Time.Equal(p.Time) {
			t.Fatalf("switched by %+v and %+v", first, p)
		}
		w.confirmed[id] = append(w.confirmed[id], first)
	}
	w.confirmed[id] = append(w.confirmed[id], p)
	b := first.Basis
	b.Silent = false
	want := device.Next(b.Intent, first.Time.Sub(b.Time), true, shift)
	switch f := o.Function; {
	case f == device.GoOut, f == device.TakeBreak:
		want = device.CheckOut
	case f == device.ComeIn:
		want = device.CheckIn
	}
	if first.Intent != want || !slices.ContainsFunc(may, func(x device.Basis) bool {
		return x.Source == b.Source && x.Intent == b.Intent && x.Time.Equal(b.Time)
	}) {
		t.Fatalf("%s by %q decided by %+v; it must be one of %+v", first.Intent, o.Function, b, may)
	}
	if first.Intent == device.CheckIn && b.Intent == device.CheckIn && first.Time.Sub(b.Time) <= shift {
		t.Fatalf("two check-ins in a row: %+v", first)
	}
	if n := len(made); n > 0 && made[n-1].OnBreak() && b.Time.Equal(made[n-1].Time.Truncate(time.Second)) &&
		p.Intent == device.CheckIn && first.Time.Sub(b.Time) <= shift && o.Function.Project() == "" &&
		(!o.Returned || p.Project != made[n-1].Project) {
		t.Fatalf("after the break %+v it goes on with %+v", made[n-1], p)
	}
	if p.Intent == device.CheckIn && p.Project != "" {
		w.wanted[p.ID] = p
	}
}

// checkProjects sees that each project is at its timespan, and at no other, and came there once.
func (w *world) checkProjects(t *rapid.T) {
	if st := w.queue.Stats(); st.Assigning > 0 {
		t.Fatalf("in the end %+v", st)
	}
	ids := map[string]string{}
	for _, p := range modelProjects {
		ids[p.Code] = p.ID
	}
	ours := map[string]string{} // project ids by the beginning of the employee's timespan
	key := func(e string, at time.Time) string { return e + at.UTC().Format(time.RFC3339) }
	for _, p := range w.wanted {
		ours[key(string(p.Employee), p.Time)] = ids[p.Project]
	}
	given := w.server.Assigned()
	for n := range 5 {
		for _, span := range w.server.Worked(string(employeeOf(n))) {
			want := ours[key(span.Employee, span.CheckIn)]
			if span.CheckOut.Equal(span.CheckIn) { // the check-out of a switch, which found none that was open
				want = ""
			}
			came, byAdmin := w.foreign[span.ID]
			switch {
			case given[span.ID] > 1:
				t.Fatalf("timespan %+v was given a project %d times", span, given[span.ID])
			case byAdmin && (came || want == "") && span.Project != adminsProject,
				byAdmin && span.Project != adminsProject && span.Project != want, !byAdmin && span.Project != want:
				t.Fatalf("timespan %+v; this clock's is %q, an admin's %v", span, want, byAdmin)
			}
		}
	}
}
