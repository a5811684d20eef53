package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/devicetest"
	"timeclock/device/roster"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// acts are the actions, each with what it needs.
var acts = map[string]func(*acting) does{
	"/badges/add": func(*acting) does {
		form := url.Values{"uid": {badgeOf(50).Hex()}, "employee": {string(employeeOf(1))}, "name": {"Ben"}}
		return does{form, "added", device.EventBadgeAdded, func(a *acting) bool { return a.owner(50) == "Ben" }}
	},
	"/badges/block": func(*acting) does {
		form := url.Values{"uid": {badgeOf(0).Hex()}, "blocked": {"true"}}
		return does{form, "", device.EventBadgeBlocked, func(a *acting) bool { return a.owner(0) == "Anna*" }}
	},
	"/badges/remove": func(*acting) does {
		form := url.Values{"uid": {badgeOf(1).Hex()}}
		return does{form, "", device.EventBadgeRemoved, func(a *acting) bool { return a.owner(1) == "" }}
	},
	"/badges/undo": func(a *acting) does {
		if _, err := a.rooms.Roster.Add(device.Badge{
			UID: badgeOf(54), Employee: device.Employee{ID: employeeOf(6), Name: "Eva"}, Until: "2027-12-31",
			Blocked: true,
		}, false); err != nil {
			a.Fatal(err)
		}
		_, page := a.post("/badges/remove", url.Values{"csrf": {a.csrf}, "uid": {badgeOf(54).Hex()}})
		if a.owner(54) != "" || !strings.Contains(page, `action="/badges/undo"`) {
			a.Fatalf("it is still there, or cannot be put back: %s", page)
		}
		return does{url.Values{}, "Put back", device.EventBadgeAdded, func(a *acting) bool {
			b, _ := a.rooms.Roster.Lookup(badgeOf(54))
			return a.owner(54) == "Eva*" && b.Until == "2027-12-31"
		}}
	},
	"/data/erase": func(a *acting) does {
		if _, err := a.rooms.Roster.Add(device.Badge{
			UID: badgeOf(55), Employee: device.Employee{ID: employeeOf(7), Name: "Finn"},
		}, false); err != nil {
			a.Fatal(err)
		}
		form := url.Values{"e": {string(employeeOf(7))}, "sure": {"1"}}
		gone := func(a *acting) bool { return a.owner(55) == "" }
		return does{form, "Erased: 1 badge and the name", device.EventErased, gone}
	},
	"/badges/import/numbers": func(a *acting) does {
		return does{url.Values{"numbers": {"decimal"}}, "kept for ten minutes", "", func(*acting) bool { return true }}
	},
	"/badges/import/forget": func(a *acting) does {
		return does{url.Values{}, `type="file"`, "", func(*acting) bool { return true }}
	},
	"/device/examine": func(a *acting) does {
		return does{url.Values{}, "Examined", "", func(a *acting) bool { return !a.admin.Examination().At.IsZero() }}
	},
	"/badges/enroll": func(*acting) does {
		form := url.Values{"employee": {string(employeeOf(1))}, "name": {"Ben"}, "way": {string(roster.Another)}}
		return does{form, "Ben", device.EventBadgeEnrolled, func(a *acting) bool {
			a.rooms.Enrollment.Enroll(device.Tap{UID: badgeOf(51), Time: time.Now()})
			return a.owner(51) == "Ben"
		}}
	},
	"/badges/unenroll": func(a *acting) does {
		who := device.Employee{ID: employeeOf(1), Name: "Ben"}
		if _, err := a.rooms.Enrollment.Begin(who, roster.Another, func(roster.EnrollState) {}); err != nil {
			a.Fatal(err)
		}
		return does{url.Values{}, "", "", func(a *acting) bool {
			s, _ := a.rooms.Enrollment.State()
			return !s.Waiting
		}}
	},
	"/badges/function": func(a *acting) does {
		form := url.Values{"function": {"project"}, "project": {"P-101"}, "uid": {badgeOf(61).Hex()}}
		return does{form, "project P-101", device.EventFunctionBadge, func(a *acting) bool {
			f, _ := a.rooms.Roster.Function(badgeOf(61))
			return f == "project=P-101"
		}}
	},
	"/badges/function/end": func(a *acting) does {
		if err := a.rooms.Roster.SetFunction(badgeOf(62), device.TakeBreak); err != nil {
			a.Fatal(err)
		}
		form := url.Values{"uid": {badgeOf(62).Hex()}}
		return does{form, "ordinary badge again", device.EventFunctionBadgeRemoved, func(a *acting) bool {
			_, is := a.rooms.Roster.Function(badgeOf(62))
			return !is
		}}
	},
	"/badges/function/enroll": func(*acting) does {
		return does{url.Values{"function": {"break"}}, "break", device.EventFunctionBadge, func(a *acting) bool {
			a.rooms.Enrollment.Enroll(device.Tap{UID: badgeOf(63), Time: time.Now()})
			f, _ := a.rooms.Roster.Function(badgeOf(63))
			return f == device.TakeBreak
		}}
	},
	"/badges/sync": func(a *acting) does {
		a.api.server.SetPeople([]zeitstromtest.Employee{
			{ID: string(employeeOf(3)), FirstName: "Cem", LastName: "Kaya", Token: badgeOf(52).Hex()},
		})
		return does{
			url.Values{},
			"1 added", device.EventBadgesSynced,
			func(a *acting) bool { return a.owner(52) == "Cem Kaya" },
		}
	},
	"/unclaimed/claim": func(a *acting) does {
		tap := device.Tap{UID: badgeOf(53), Time: time.Now().Add(-time.Hour)}
		if _, err := a.queue.Keep(tap, 0, false); err != nil {
			a.Fatal(err)
		}
		form := url.Values{"uid": {badgeOf(53).Hex()}, "employee": {string(employeeOf(4))}, "name": {"Dana"}}
		return does{form, "", device.EventTapsClaimed, func(a *acting) bool {
			last, _, err := a.queue.Last(employeeOf(4))
			return err == nil && last.Time.Equal(tap.Time) && a.owner(53) == "Dana"
		}}
	},
	"/bookings/retry": func(a *acting) does {
		return does{url.Values{"punch": {a.refused()}}, "", device.EventReleased, func(a *acting) bool {
			devicetest.Eventually(a, func() error { return a.api.hasBooking(string(employeeOf(2))) })
			return true
		}}
	},
	"/bookings/drop": func(a *acting) does {
		id := a.refused()
		form := url.Values{"punch": {id}, "reason": {"entered by hand"}}
		return does{form, "", device.EventDropped, func(a *acting) bool {
			punch, _ := a.admin.Punches(a.Context(), "", admin.Which{All: true})
			return slices.ContainsFunc(punch, func(p admin.Punch) bool {
				return p.ID.String() == id && p.State == device.Dropped && p.Reason == "entered by hand"
			})
		}}
	},
	"/bookings/time": func(a *acting) does {
		p, err := a.queue.Append(device.Punch{
			Employee: employeeOf(5), Intent: device.CheckIn, Time: time.Unix(100, 0),
			Stamp: device.Stamp{Boot: device.BootID{1}, Uptime: time.Minute, Uncertain: true},
		}, false)
		if err != nil {
			a.Fatal(err)
		}
		_, started, err := a.rooms.Clock.Bounds(p)
		if err != nil {
			a.Fatal(err)
		}
		at := started.Add(-time.Hour).UTC().Truncate(time.Second)
		form := url.Values{"punch": {p.ID.String()}, "at": {at.Format("2006-01-02T15:04:05")}}
		return does{form, "", device.EventTimeSet, func(a *acting) bool {
			e, err := a.queue.Find(p.ID)
			return err == nil && e.Time.Equal(at) && !e.Stamp.Uncertain
		}}
	},
	"/corrections/token": func(a *acting) does {
		a.span("span-0")
		return does{url.Values{"token": {"good"}}, "", "", func(a *acting) bool {
			status, _ := a.get("/pictures/week.svg?e=" + string(employeeOf(0)))
			return status == http.StatusOK
		}}
	},
	"/corrections/times": func(a *acting) does {
		eight := a.span("span-1")
		form := url.Values{
			"id": {"span-1"}, "reason": {"late train"},
			"checkin": {"2026-06-01T09:00"}, "checkout": {"2026-06-01T17:00"},
		}
		return does{form, "", device.EventTimesCorrected, func(a *acting) bool {
			return a.at("span-1").CheckIn.Equal(eight.Add(time.Hour))
		}}
	},
	"/corrections/split": func(a *acting) does {
		eight := a.span("span-2")
		form := url.Values{"id": {"span-2"}, "reason": {"late train"}, "at": {"2026-06-01T12:00"}}
		return does{form, "", device.EventTimespanSplit, func(a *acting) bool {
			desk, err := a.admin.Desk("test", "good")
			if err != nil {
				a.Fatal(err)
			}
			spans, err := desk.Week(a.Context(), employeeOf(0), eight)
			return err == nil && slices.ContainsFunc(spans, func(s admin.Timespan) bool {
				return s.CheckIn.Equal(eight.Add(4 * time.Hour))
			})
		}}
	},
	"/corrections/comment": func(a *acting) does {
		a.span("span-3")
		form := url.Values{"id": {"span-3"}, "reason": {"late train"}, "comment": {"late train"}}
		return does{
			form, "", device.EventCommentSet, func(a *acting) bool { return a.at("span-3").Comment == "late train" },
		}
	},
	"/corrections/project": func(a *acting) does {
		a.span("span-4")
		form := url.Values{"id": {"span-4"}, "reason": {"late train"}, "code": {"P-1"}}
		return does{
			form, "", device.EventProjectAssigned, func(a *acting) bool { return a.at("span-4").ProjectID != "" },
		}
	},
	"/corrections/add": func(a *acting) does {
		a.span("span-5")
		form := url.Values{
			"employee": {string(employeeOf(0))}, "checkin": {"2026-06-01T18:00"}, "checkout": {"2026-06-01T19:00"},
			"reason": {"helped out"},
		}
		return does{form, "Corrected", device.EventTimespanAdded, func(a *acting) bool {
			return a.works("2026-06-01 18:00", time.Hour)
		}}
	},
	"/corrections/merge": func(a *acting) does {
		eight := a.span("span-6")
		a.api.server.Put(zeitstromtest.Timespan{
			ID: "span-7", Employee: string(employeeOf(0)),
			CheckIn: eight.Add(10 * time.Hour), CheckOut: eight.Add(11 * time.Hour),
		})
		form := url.Values{"id": {"span-6"}, "with": {"span-7"}, "reason": {"no break"}}
		return does{form, "Corrected", device.EventTimespansMerged, func(a *acting) bool {
			return a.works("2026-06-01 08:00", 11*time.Hour)
		}}
	},
	"/corrections/delete": func(a *acting) does {
		a.span("span-8")
		if _, page := a.post("/corrections/delete", url.Values{
			"csrf": {a.csrf}, "id": {"span-8"}, "sure": {"1"}, "reason": {" "},
		}); !strings.Contains(page, "say why") {
			a.Errorf("without a reason: %s", page)
		}
		form := url.Values{"id": {"span-8"}, "sure": {"1"}, "reason": {"booked twice"}}
		return does{form, "Corrected", device.EventTimespanDeleted, func(a *acting) bool {
			desk, err := a.admin.Desk("test", "good")
			if err != nil {
				a.Fatal(err)
			}
			_, err = desk.Timespan(a.Context(), "span-8")
			return err != nil
		}}
	},
	"/accounts/add": func(*acting) does {
		form := url.Values{"name": {"eva"}, "role": {"viewer"}, "password": {password}}
		return does{form, "eva", device.EventAccountSet, func(a *acting) bool { return a.mayLogIn("eva") }}
	},
	"/accounts/remove": func(a *acting) does {
		add := url.Values{"name": {"old"}, "role": {"viewer"}, "password": {password}, "csrf": {a.csrf}}
		if a.post("/accounts/add", add); !a.mayLogIn("old") {
			a.Fatal("there is nobody to remove")
		}
		form := url.Values{"name": {"old"}}
		return does{form, "", device.EventAccountRemoved, func(a *acting) bool { return !a.mayLogIn("old") }}
	},
}
