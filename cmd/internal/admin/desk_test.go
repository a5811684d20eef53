package admin

import (
	"slices"
	"time"

	"timeclock/device"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// desk corrects in every way.
func (w *world) desk() {
	eight := time.Now().UTC().AddDate(0, 0, -1).Truncate(24 * time.Hour).Add(8 * time.Hour)
	put := func(from, to time.Duration) string {
		id := "e5f6a7b8-c9d0-4234-8fab-00000000000" + from.String()[:1]
		w.server.Put(zeitstromtest.Timespan{
			ID: id, Employee: string(anna.ID), CheckIn: eight.Add(from), CheckOut: eight.Add(to),
		})
		return id
	}
	first, second := put(time.Hour, 2*time.Hour), put(3*time.Hour, 5*time.Hour)
	desk, err := w.admin.Desk(w.by, "")
	if err != nil {
		w.Fatal(err)
	}
	ctx := w.Context()
	now := func(id string) Timespan {
		t, err := desk.Timespan(ctx, id)
		if err != nil {
			w.Error(err)
		}
		return t
	}
	did := func(kind device.EventKind) func(Done, error) {
		return func(d Done, err error) {
			w.Helper()
			if err != nil {
				w.Errorf("%s: %v", kind, err)
			}
			w.noted(kind, string(anna.ID))
		}
	}
	did(device.EventTimesCorrected)(desk.SetTimes(ctx, first, eight, time.Time{}))
	w.equal("check-in", now(first).CheckIn.UTC(), eight)
	did(device.EventCommentSet)(desk.Comment(ctx, first, "late train"))
	w.equal("comment", now(first).Comment, "late train")
	project := Project{ID: "9b0c1d2e-0000-4000-8000-000000000001"}
	did(device.EventProjectAssigned)(desk.Assign(ctx, first, project))
	w.equal("project", now(first).ProjectID, project.ID)
	tags := []Tag{{ID: project.ID, Type: "relative", Value: "100"}}
	did(device.EventTagsSet)(desk.Tag(ctx, first, tags))
	w.equal("tags", len(now(first).Tags), 1)
	did(device.EventTimespanSplit)(desk.Split(ctx, second, eight.Add(4*time.Hour)))
	day := func() []Timespan {
		spans, err := desk.Workday(ctx, now(first))
		if err != nil {
			w.Error(err)
		}
		return spans
	}
	w.equal("timespans after the split", len(day()), 3)
	did(device.EventTimespansMerged)(desk.Merge(ctx, []string{day()[1].ID, day()[2].ID}))
	w.equal("timespans after the merger", len(day()), 2)
	if changes, err := desk.History(ctx, first); err != nil || len(changes) == 0 {
		w.Errorf("history: %v, %v", changes, err)
	}
	workday, err := desk.FindWorkday(ctx, anna.ID, eight, []device.Badge{hers})
	if err != nil {
		w.Error(err)
	}
	did(device.EventTimespanAdded)(desk.Add(ctx, anna.ID, workday, eight.Add(7*time.Hour), eight.Add(8*time.Hour)))
	week, err := desk.Week(ctx, anna.ID, eight)
	if err != nil || len(week) != 3 || !slices.IsSortedFunc(week, func(a, b Timespan) int {
		return a.CheckIn.Compare(b.CheckIn)
	}) {
		w.Errorf("week: %+v, %v", week, err)
	}
	did(device.EventTimespanDeleted)(desk.Delete(ctx, first))
	if _, err := desk.Timespan(ctx, first); err == nil {
		w.Error("it is still there")
	}
}
