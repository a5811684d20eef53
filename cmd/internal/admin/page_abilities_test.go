package admin

import (
	"errors"
	"time"

	"timeclock/device"
	"timeclock/device/doctor"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// pageAbilities are what only the page has.
var pageAbilities = map[string]func(*world){
	"Door": func(w *world) { w.equal("door", w.admin.Door(), Door{"North gate", "Example Ltd"}) },
	"Listed": func(w *world) {
		w.server.SetPeople([]zeitstromtest.Employee{{ID: string(ben.ID)}})
		at, problem := w.admin.Listed(w.Context())
		w.equal("at", at.IsZero(), false)
		w.equal("problem", problem, "")
	},
	"Policy": func(w *world) { w.equal("policy", w.admin.Policy().KeepDays, 730) },
	"Projects": func(w *world) {
		w.server.Projects = []zeitstromtest.Project{
			{ID: "p2", Name: "Old hall", Code: "P-100", Archived: true}, {ID: "p1", Name: "Fit-out north", Code: "P-101"},
		}
		w.equal("before they are listed", len(w.admin.Projects()), 0)
		w.equal("error", w.rooms.Projects.Fresh(w.Context()), nil)
		w.equal("projects", w.admin.Projects(), []device.Project{{ID: "p1", Name: "Fit-out north", Code: "P-101"}})
	},
	"ProjectName": func(w *world) { w.equal("one that nobody has listed", w.admin.ProjectName("P-7"), "P-7") },
	"Downloaded": func(w *world) {
		w.admin.Downloaded(w.by, "badges")
		w.noted(device.EventDataExported, "badges")
	},
	"Bookings": func(w *world) {
		w.append(anna, device.CheckIn, 5*time.Hour)
		w.append(anna, device.CheckOut, 3*time.Hour)
		w.append(anna, device.CheckIn, time.Hour)
		n, stop := 0, errors.New("stop")
		count := func(p Punch) error {
			n++
			w.equal("name", p.Name, anna.Name)
			return nil
		}
		now := time.Now()
		w.equal("error", w.admin.Bookings(now.Add(-4*time.Hour), now.Add(-2*time.Hour), count), nil)
		w.equal("in between", n, 1)
		w.append(anna, device.CheckOut, 30*time.Minute)
		p, err := w.rooms.Queue.Append(device.Punch{
			Employee: anna.ID, Intent: device.CheckIn, Time: now.Add(-time.Minute),
			Detail: device.Detail{Function: "project=P-101", Project: "P-101"},
		}, false)
		w.equal("error", err, nil)
		var last Punch
		w.equal("error", w.admin.Bookings(now.Add(-2*time.Minute), now, func(p Punch) error {
			last = p
			return nil
		}), nil)
		w.equal("with its project", last.ID == p.ID && last.ProjectState == device.AssignmentWaits, true)
		w.equal("stops", errors.Is(w.admin.Bookings(time.Time{}, now, func(Punch) error { return stop }), stop), true)
	},
	"Personal": func(w *world) {
		use(w, DoAddBadge, NewBadge{Badge: device.Badge{UID: free, Employee: anna}})
		w.append(anna, device.CheckIn, time.Hour)
		p, err := w.admin.Personal(w.Context(), w.by, anna.ID)
		w.equal("error", err, nil)
		w.equal("name", p.Employee.Name, anna.Name)
		w.equal("badges", len(p.Badges), 2)
		w.equal("bookings", len(p.Bookings), 1)
		w.equal("events", len(p.Events), 1)
		w.noted(device.EventDataExported, string(anna.ID))
	},
	"Erase": func(w *world) {
		w.append(anna, device.CheckIn, time.Hour)
		w.server.SetPeople([]zeitstromtest.Employee{{ID: string(anna.ID), FirstName: "Anna"}, {ID: string(ben.ID)}})
		w.admin.Listed(w.Context())
		before, err := w.rooms.Queue.VerifyJournal()
		w.equal("error", err, nil)
		x, err := w.admin.Erase(w.Context(), w.by, anna.ID)
		w.equal("error", err, nil)
		w.equal("badges", x.Badges, 1)
		w.equal("bookings", x.Bookings, 1)
		w.equal("until", x.Until.After(time.Now().AddDate(0, 0, 729)), true)
		w.has(hers.UID, device.Employee{})
		w.noted(device.EventErased, string(anna.ID))
		after, err := w.rooms.Queue.VerifyJournal()
		w.equal("error", err, nil)
		w.equal("the journal goes on", after > before, true)
		w.equal("found", len(use(w, DoFindPeople, Lookup{Words: "anna"}).People), 0)
	},
	"PutBack": func(w *world) {
		b := use(w, DoRemoveBadge, WholeUID{hers.UID})
		w.equal("error", w.admin.PutBack(w.by, b), nil)
		w.has(hers.UID, anna)
		w.noted(device.EventBadgeAdded, "as it was")
		if err := w.admin.PutBack(w.by, b); err == nil {
			w.Error("put back twice")
		}
	},
	"Reexamined": func(w *world) {
		w.equal("news", w.admin.Examined([]doctor.Finding{{Check: "disk", Verdict: doctor.Fail}}).IsNews(), true)
		w.admin.Reexamined([]doctor.Finding{{Check: "disk", Verdict: doctor.OK}})
		w.equal("verdict", w.admin.Examination().Verdict, doctor.OK)
		w.equal("news", w.admin.Examination().IsNews(), false)
	},
	"Works": func(w *world) {
		for age, works := range map[time.Duration]bool{time.Hour: true, 15 * time.Hour: false} {
			w.equal(age.String(), w.admin.Works(Timespan{CheckIn: time.Now().Add(-age)}), works)
		}
		w.equal("over", w.admin.Works(Timespan{CheckIn: time.Now().Add(-time.Hour), CheckOut: time.Now()}), false)
	},
	"Settings":  func(w *world) { w.equal("settings", w.admin.Settings(), []string{"state_dir = x"}) },
	"ShortName": func(w *world) { w.equal("name", w.admin.ShortName(ben.Name), "B. W.") },
	"Backlog":   func(w *world) { w.equal("samples", len(w.admin.Backlog()), 1) },
	"Paired": func(w *world) {
		w.admin.Paired(w.by)
		w.noted(device.EventAdminPaired, w.by)
	},
	"AccountSet": func(w *world) {
		w.admin.AccountSet(w.by, "eva", "viewer")
		w.noted(device.EventAccountSet, "eva (viewer)")
	},
	"AccountRemoved": func(w *world) {
		w.admin.AccountRemoved(w.by, "eva")
		w.noted(device.EventAccountRemoved, "eva")
	},
	"BookOrphans": func(w *world) {
		tap := device.Tap{UID: free, Time: time.Now().Add(-time.Hour)}
		if _, err := w.rooms.Queue.Keep(tap, time.Minute, true); err != nil {
			w.Fatal(err)
		}
		w.admin.BookOrphans()
		w.equal("before its badge is known", w.rooms.Queue.Stats().Pending, 0)
		if _, err := w.rooms.Roster.Add(device.Badge{UID: free, Employee: ben}, false); err != nil {
			w.Fatal(err)
		}
		w.admin.BookOrphans()
		w.equal("then", w.rooms.Queue.Stats().Pending, 1)
		w.by = "" // nobody asked for it
		w.noted(device.EventTapsBooked)
	},
	"WhoIsIn": func(w *world) {
		w.append(anna, device.CheckIn, time.Hour)
		r, err := w.admin.WhoIsIn(w.Context(), false)
		if err != nil || len(r.People) != 1 || !r.People[0].In || r.Asked != 0 {
			w.Errorf("%+v, %v", r, err)
		}
		w = newWorld(w.T)
		w.server.Put(zeitstromtest.Timespan{Employee: string(anna.ID), CheckIn: time.Now().Add(-time.Hour)})
		if _, _, err := w.rooms.Uplink.Refresh(w.Context(), anna.ID); err != nil { // it is online from here on
			w.Fatal(err)
		}
		r, err = w.admin.WhoIsIn(w.Context(), true)
		if err != nil || !r.People[0].In || r.People[0].Source != device.Zeitstrom || r.Asked != 1 || r.Answered != 1 {
			w.Errorf("%+v, %v", r, err)
		}
	},
	"Desk": (*world).desk,
}

// has fails unless a badge is that employee's, or nobody's.
func (w *world) has(u device.UID, e device.Employee) {
	w.Helper()
	if b, _ := w.rooms.Roster.Lookup(u); b.Employee != e || b.Blocked {
		w.Errorf("badge %s is %+v, want %v's", u.Hex(), b, e)
	}
}
