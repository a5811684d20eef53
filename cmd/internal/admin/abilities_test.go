package admin

import (
	"errors"
	"slices"
	"strings"
	"time"

	"timeclock/device"
	"timeclock/device/doctor"
	"timeclock/device/roster"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// abilities are what the command line has, too.
var abilities = map[string]func(*world){
	"Status": func(w *world) {
		w.refused()
		w.stranded()
		s := use(w, DoStatus, None{})
		w.equal("quarantined", s.Quarantined, 1)
		w.equal("stranded", s.Stranded, 1)
		w.equal("the file's notice", s.Storage.Notice, "it was put together anew")
		w.equal("the settings", s.Settings.Problem, "a mistake")
		w.equal("the page", s.Page.Address, "https://clock:8443")
	},
	"Health": func(w *world) {
		h := use(w, DoHealth, None{})
		w.equal("version", h.Version, "1.2")
		w.equal("problem", h.Problem, "it hangs: uplink")
	},
	"Examine": func(w *world) {
		x := use(w, DoExamine, None{})
		w.equal("verdict", x.Verdict, doctor.Fail)
		w.equal("what is kept of it", w.admin.Examination().Verdict, doctor.Fail)
	},
	"NewestLog": func(w *world) { w.equal("log", use(w, DoLog, None{}), []string{"started"}) },
	"Tap": func(w *world) {
		a := use(w, DoTap, WholeUID{hers.UID})
		w.equal("employee", a.Employee, anna.ID)
		w.admin.rooms.Bring = nil
		if _, err := try(w, DoTap, WholeUID{hers.UID}); err == nil || err.Error() != ErrRealReader.Error() {
			w.Errorf("a tap by shell at a real reader: %v", err)
		}
	},
	"Punches": func(w *world) {
		first, second := w.append(anna, device.CheckIn, time.Hour), w.append(ben, device.CheckIn, time.Minute)
		if err := errors.Join(w.rooms.Queue.Attempt(first), w.rooms.Queue.Deliver(first)); err != nil {
			w.Fatal(err)
		}
		ids := func(which Which) (ids []device.PunchID) {
			for _, p := range use(w, DoPunches, which) {
				ids = append(ids, p.ID)
			}
			return ids
		}
		w.equal("waiting", ids(Which{}), []device.PunchID{second.ID})
		w.equal("all", ids(Which{All: true}), []device.PunchID{second.ID, first.ID})
		w.equal("the newest", ids(Which{All: true, Most: 1}), []device.PunchID{second.ID})
	},
	"Punch": func(w *world) {
		p := use(w, DoPunch, w.refused().ID)
		w.equal("name", p.Name, anna.Name)
		w.equal("state", p.State, device.Quarantined)
		w.equal("reason", p.Reason, "no such employee")
	},
	"Unsent":   tellsUnsent,
	"TakeOver": takesOver,
	"Retry": func(w *world) {
		p := w.refused()
		w.equal("what it says", use(w, DoRetry, p.ID).State, device.Pending)
		w.equal("state", w.state(p.ID), device.Pending)
		w.noted(device.EventReleased)
		_, err := try(w, DoRetry, w.stranded().ID)
		var refusal *device.Refusal
		if !errors.As(err, &refusal) || refusal.Remedy != device.SetTimeInstead {
			w.Errorf("a booking without a time: %v", err)
		}
	},
	"Drop": func(w *world) {
		p := w.refused()
		w.equal("what it says", use(w, DoDrop, Drop{p.ID, "entered by hand"}).State, device.Dropped)
		w.equal("state", w.state(p.ID), device.Dropped)
		w.noted(device.EventDropped, "entered by hand")
	},
	"SetTime": func(w *world) {
		p := w.stranded()
		_, started, err := w.rooms.Clock.Bounds(p)
		if err != nil {
			w.Fatal(err)
		}
		at := started.Add(-time.Hour).Truncate(time.Second).UTC()
		w.equal("what it says", use(w, DoSetTime, TimeOf{p.ID, at}).Time, at)
		e, err := w.rooms.Queue.Find(p.ID)
		if err != nil || !e.Time.Equal(at) || e.Stamp.Uncertain || e.State != device.Pending {
			w.Errorf("%+v, %v", e, err)
		}
		w.noted(device.EventTimeSet)
	},
	"SetFunction": func(w *world) {
		w.server.Projects = []zeitstromtest.Project{{ID: "p1", Name: "Fit-out north", Code: "P-101"}}
		u := uid("04AABBCCDDEE80")
		use(w, DoSetFunction, FunctionBadge{UID: WholeUID{u}, Function: "project=P-101"})
		f, is := w.rooms.Roster.Function(u)
		w.equal("function", f, device.Function("project=P-101"))
		w.equal("it is one", is, true)
		w.noted(device.EventFunctionBadge, "project=P-101")
		for what, f := range map[string]FunctionBadge{
			"somebody's badge":          {UID: WholeUID{hers.UID}, Function: device.TakeBreak},
			"a project that is not one": {UID: WholeUID{u}, Function: "project=P-999"},
		} {
			if _, err := try(w, DoSetFunction, f); err == nil {
				w.Errorf("%s was taken", what)
			}
		}
		if _, err := try(w, DoAddBadge, NewBadge{Badge: device.Badge{UID: u, Employee: ben}}); err == nil {
			w.Error("a function badge was given to somebody")
		}
		if _, err := try(w, DoClaim, Claim{Badge: device.Badge{UID: u, Employee: ben}}); err == nil {
			w.Error("a function badge was claimed")
		}
		use(w, DoSetFunction, FunctionBadge{UID: WholeUID{u}})
		_, is = w.rooms.Roster.Function(u)
		w.equal("it still is one", is, false)
		w.noted(device.EventFunctionBadgeRemoved)
	},
	"Functions": func(w *world) {
		u := uid("04AABBCCDDEE80")
		w.equal("none", use(w, DoFunctions, None{}), []FunctionBadge{})
		if err := w.rooms.Roster.SetFunction(u, device.Function("project=P-101")); err != nil {
			w.Fatal(err)
		}
		w.equal("all", use(w, DoFunctions, None{}), []FunctionBadge{{WholeUID{u}, "project=P-101", "P-101"}})
	},
	"EnrollFunction": func(w *world) {
		s := use(w, DoEnrollFunction, device.TakeBreak)
		w.equal("waiting", s.Waiting, true)
		w.equal("for", s.Function, device.TakeBreak)
		u := uid("04AABBCCDDEE80")
		o, _ := w.rooms.Enrollment.Enroll(device.Tap{UID: hers.UID, Time: time.Now()})
		w.equal("her badge", o.Kind, device.NotEnrolled)
		o, _ = w.rooms.Enrollment.Enroll(device.Tap{UID: u, Time: time.Now()})
		w.equal("another one", o.Kind, device.Enrolled)
		w.noted(device.EventFunctionBadge, "break")
	},
	"Hints": func(w *world) {
		w.append(ben, device.CheckIn, time.Hour)
		p, err := w.rooms.Queue.Append(device.Punch{
			Employee: anna.ID, Intent: device.CheckOut, Time: time.Now(), Detail: device.Detail{Hints: device.TenHours},
		}, false)
		if err != nil {
			w.Fatal(err)
		}
		found := use(w, DoHints, None{})
		if len(found) != 1 || found[0].ID != p.ID || found[0].Name != anna.Name ||
			!slices.Equal(found[0].Hints, []string{"ten-hours"}) {
			w.Errorf("%+v", found)
		}
	},
	"OpenDays": func(w *world) {
		w.append(anna, device.CheckIn, 20*time.Hour)
		days := use(w, DoOpenDays, None{})
		if len(days) != 1 || days[0].Name != anna.Name || days[0].Confirmed {
			w.Errorf("%+v", days)
		}
	},
	"VerifyJournal": func(w *world) {
		w.append(anna, device.CheckIn, time.Hour)
		w.equal("entries", use(w, DoVerifyJournal, None{}), 1)
	},
	"Journal": func(w *world) {
		p := w.append(anna, device.CheckIn, time.Hour)
		var way Route = w.admin
		if w.client != nil {
			way = w.client
		}
		var lines []JournalLine
		err := way.Journal(w.Context(), func(l JournalLine) error { lines = append(lines, l); return nil })
		if err != nil || len(lines) != 1 || lines[0].Punch != p.ID || lines[0].Employee != anna.ID {
			w.Errorf("%+v, %v", lines, err)
		}
	},
	"Salvage": func(w *world) {
		use(w, DoSalvage, false)
		w.equal("who asked for what", w.file.asked, w.by+" false")
		w.noted(device.EventSalvageAsked)
	},
	"Badges": func(w *world) {
		list := use(w, DoBadges, None{})
		if len(list) != 1 || list[0].UID != hers.UID || list[0].Employee != anna {
			w.Errorf("%+v", list)
		}
	},
	"AddBadge": func(w *world) {
		b := device.Badge{UID: free, Employee: ben}
		w.equal("action", use(w, DoAddBadge, NewBadge{Badge: b}), roster.Added)
		w.has(free, ben)
		w.noted(device.EventBadgeAdded, string(ben.ID))
		b.UID = hers.UID
		if _, err := try(w, DoAddBadge, NewBadge{Badge: b}); err == nil {
			w.Error("somebody else's badge was given away")
		}
		for _, none := range []device.Badge{{Employee: ben}, {UID: free}} {
			if _, err := try(w, DoAddBadge, NewBadge{Badge: none}); err == nil {
				w.Errorf("it was added: %+v", none)
			}
		}
		w.equal("action", use(w, DoAddBadge, NewBadge{Badge: b, Move: true}), roster.Moved)
		w.noted(device.EventBadgeMoved)
	},
	"RemoveBadge": func(w *world) {
		w.equal("whose", use(w, DoRemoveBadge, WholeUID{hers.UID}).Employee, anna)
		w.has(hers.UID, device.Employee{})
		w.noted(device.EventBadgeRemoved, string(anna.ID))
	},
	"BlockBadge": func(w *world) {
		w.equal("whose", use(w, DoBlockBadge, Block{WholeUID{hers.UID}, true}), anna)
		if b, _ := w.rooms.Roster.Lookup(hers.UID); !b.Blocked {
			w.Error("it is not blocked")
		}
		w.noted(device.EventBadgeBlocked)
		use(w, DoBlockBadge, Block{WholeUID{hers.UID}, false})
		w.has(hers.UID, anna)
		w.noted(device.EventBadgeUnblocked)
	},
	"ImportBadges": func(w *world) {
		l := BadgeList{File: []byte("uid,employee_id,name\n" + free.Hex() + "," + string(ben.ID) + "," + ben.Name +
			"\n")}
		l.Dry = true
		w.equal("lines", len(use(w, DoImportBadges, l).Lines), 1)
		w.has(free, device.Employee{})
		l.Dry = false
		use(w, DoImportBadges, l)
		w.has(free, ben)
		w.noted(device.EventBadgesImported, "1 lines")
		l.File = []byte("uid,employee_id,name\nnonsense,x,y\n")
		if report, err := try(w, DoImportBadges, l); err == nil || len(report.Lines) != 1 {
			w.Errorf("a bad list: %+v, %v", report, err)
		}
	},
	"SyncBadges": func(w *world) {
		theirs := device.Employee{ID: ben.ID, Name: ben.Name, LastName: "Weiß", Number: "7"}
		w.server.SetPeople([]zeitstromtest.Employee{
			{ID: string(ben.ID), FirstName: "Ben", LastName: "Weiß", Number: "7", Token: free.Hex()},
		})
		w.equal("added", len(use(w, DoSyncBadges, false).Added), 1)
		w.has(free, theirs)
		w.noted(device.EventBadgesSynced, "1 added")
	},
	"UnclaimedBadges": func(w *world) {
		w.tap(free, time.Hour)
		w.tap(free, time.Minute)
		u := use(w, DoUnclaimed, None{})
		if len(u.Badges) != 1 || u.Badges[0].UID.UID != free || len(u.Badges[0].Taps) != 2 {
			w.Errorf("%+v", u)
		}
	},
	"Claim": func(w *world) {
		w.tap(free, time.Hour)
		w.tap(free, 10*time.Minute)
		c := Claim{Badge: device.Badge{UID: free, Employee: ben}, Dry: true}
		w.equal("what would be booked", len(use(w, DoClaim, c)), 2)
		w.has(free, device.Employee{})
		c.Dry = false
		w.equal("what was booked", len(use(w, DoClaim, c)), 2)
		w.has(free, ben)
		w.noted(device.EventTapsClaimed, "2 of")
		w.equal("pending", w.rooms.Queue.Stats().Pending, 2)
	},
	"Employee": func(w *world) {
		for _, who := range []string{string(anna.ID), hers.UID.Hex(), " anna müller "} {
			w.equal(who, use(w, DoEmployee, who), anna)
		}
		other := device.Badge{UID: free, Employee: device.Employee{ID: ben.ID, Name: anna.Name}}
		if _, err := w.rooms.Roster.Add(other, false); err != nil {
			w.Fatal(err)
		}
		for who, problem := range map[string]string{
			"nobody": `no employee is called "nobody"`, "müller": "is not certain",
		} {
			if _, err := try(w, DoEmployee, who); err == nil || !strings.Contains(err.Error(), problem) {
				w.Errorf("%s: %v", who, err)
			}
		}
	},
	"FindPeople": func(w *world) {
		w.server.SetPeople([]zeitstromtest.Employee{
			{ID: string(ben.ID), FirstName: "Ben", LastName: "Weiß", Number: "7", External: "E-7"},
			{ID: string(anna.ID), FirstName: "Anna", LastName: "Müller", Number: "8"},
			{ID: "a1b2c3d4-e5f6-7890-abcd-000000000009", FirstName: "Gone", LastName: "Weiß", Archived: true},
		})
		found := use(w, DoFindPeople, Lookup{Words: "weiss"})
		w.equal("at Zeitstrom", len(found.People), 1)
		w.equal("who", found.People[0].Listed()+found.People[0].Number+found.People[0].External, "Weiß, Ben7E-7")
		w.equal("problem", found.Problem, "")
		w.equal("her badges", use(w, DoFindPeople, Lookup{Words: "8"}).People[0].Badges, 1)
		w.equal("more", use(w, DoFindPeople, Lookup{Words: "e", Most: 1}).More, 1)
	},
	"Enroll": func(w *world) {
		s := use(w, DoEnroll, Enroll{Who: string(ben.ID), Name: ben.Name, Way: roster.Another})
		w.equal("waiting", s.Waiting, true)
		w.rooms.Enrollment.Enroll(device.Tap{UID: free, Time: time.Now()})
		w.has(free, ben)
		w.noted(device.EventBadgeEnrolled, string(ben.ID))
	},
	"AwaitEnrollment": func(w *world) {
		begun := use(w, DoEnroll, Enroll{Who: string(ben.ID), Name: ben.Name, Way: roster.Another})
		w.rooms.Enrollment.Enroll(device.Tap{UID: free, Time: time.Now()})
		w.equal("the badge", use(w, DoAwaitEnrollment, begun).Badge.UID, free)
	},
	"EndEnrollment": func(w *world) {
		use(w, DoEnroll, Enroll{Who: string(ben.ID), Name: ben.Name, Way: roster.Another})
		use(w, DoEndEnrollment, 0)
		if s, _ := w.rooms.Enrollment.State(); s.Waiting {
			w.Error("it still waits")
		}
	},
	"Corrected": func(w *world) {
		w.append(anna, device.CheckIn, time.Hour)
		x := Correction{device.EventTimesCorrected, "7", anna.ID, "late train"}
		w.equal("pending", use(w, DoCorrected, x), 1)
		w.noted(device.EventTimesCorrected, "timespan 7 of "+string(anna.ID)+": late train")
		x.Employee = ben.ID
		if _, _, err := w.rooms.Uplink.Refresh(w.Context(), ben.ID); err != nil { // it is online from here on
			w.Fatal(err)
		}
		// He has deleted there what he had booked here: an answer that lacks it counts at once.
		mine := device.Punch{ID: 1, Employee: ben.ID, Intent: device.CheckIn, Time: time.Now().Add(-time.Minute)}
		counts := func() bool { _, known := w.rooms.Uplink.Remembered(ben.ID, mine); return known }
		w.equal("before it is said, the answer counts", counts(), false)
		use(w, DoCorrected, x)
		w.equal("then it counts", counts(), true)
		w.server.WriteOnly = true
		w.equal("pending, though Zeitstrom tells nothing", use(w, DoCorrected, x), 0)
	},
	"Pair": func(w *world) {
		w.equal("code", use(w, DoPair, None{}).Code, "1234")
		w.equal("what the page did", w.page.did, "pair")
		w.noted(device.EventPairingBegun)
		w.admin.rooms.Page = nil
		if _, err := try(w, DoPair, None{}); err == nil || err.Error() != ErrNoPage.Error() {
			w.Errorf("without a page: %v", err)
		}
	},
	"ResetPage": func(w *world) {
		w.equal("code", use(w, DoResetPage, None{}).Code, "5678")
		w.equal("what the page did", w.page.did, "reset")
		w.noted(device.EventAccountsReset)
	},
	"Try": func(w *world) {
		tap := device.Tap{UID: free, Time: time.Now()}
		if _, taken := w.rooms.Bench.Enroll(tap); taken {
			w.Error("it is on the bench already")
		}
		w.equal("bad reads", use(w, DoTry, Trial{Show: device.CheckedIn}).Errors, 0)
		w.noted(device.EventTried)
		o, taken := w.rooms.Bench.Enroll(tap)
		w.equal("taken", taken, true)
		w.equal("a tap", o.Kind, device.Tried)
		use(w, DoTry, Trial{End: true})
		if _, taken := w.rooms.Bench.Enroll(tap); taken {
			w.Error("it is still on the bench")
		}
	},
	"NoteReset": func(w *world) {
		use(w, DoNoteReset, None{})
		w.noted(device.EventAccountsReset)
	},
}
