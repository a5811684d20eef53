package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/config"
)

var statusCommand = command{
	name: "status", help: "how the running clock is",
	flags: func(f *flags) action {
		asJSON := f.json()
		return func(ctx context.Context, c *call) error {
			s, err := ask(ctx, c, admin.DoStatus, admin.None{})
			if err != nil {
				return err
			}
			if r := &s.Roster; r.Remedy != "" {
				r.Problem, r.Remedy = r.Problem+"; "+remedies[r.Remedy], ""
			}
			if *asJSON {
				return json.NewEncoder(c.stdout).Encode(s)
			}
			cfg, err := c.load()
			if err != nil {
				return err
			}
			s.Display.None, s.Signal.None = cfg.Display.Driver == config.NoDisplay, !hasSignal(cfg)
			return c.printStatus(s)
		}
	},
}

// lines prints what is told of a clock, a part to a line and more of it below.
type lines struct{ *tabwriter.Writer }

// part says how a part is.
func (l lines) part(name, format string, args ...any) { fmt.Fprintf(l, name+"\t"+format+"\n", args...) }

// more says more of a part, if there is something.
func (l lines) more(is bool, format string, args ...any) {
	if is {
		fmt.Fprintf(l, "\t"+format+"\n", args...)
	}
}

func (c *call) printStatus(s admin.Status) error {
	l := lines{tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)}
	l.part("version", "%s", s.Version)
	if s.Settings.Problem != "" {
		l.part("settings", "PROBLEM: %s", s.Settings.Problem)
	}
	l.bookings(s)
	l.badges(s)
	l.part("storage", "%s",
		describe(s.Storage.Healthy, "the last write succeeded", s.Storage.Problem+
			": bookings are NOT saved until that is mended"))
	l.more(s.Storage.Notice != "", "NOTICE: %s", s.Storage.Notice)
	l.reader(s.Reader)
	l.uplink(s.Uplink)
	l.projects(s.Projects)
	if s.Keys.Problem != "" {
		l.part("keys", "PROBLEM: %s", s.Keys.Problem)
	}
	l.part("display", "%s", orNone(s.Display))
	l.part("signal", "%s", orNone(s.Signal))
	if s.Page.Address+s.Page.Problem != "" {
		l.part("page", "%s", describe(s.Page.Problem == "", "https://"+s.Page.Address, s.Page.Problem))
	} else {
		l.part("page", "none")
	}
	l.part("clock", "%s", describe(s.Clock.Trusted, "trusted: "+s.Clock.Source, s.Clock.Source))
	return l.Flush()
}

func (l lines) bookings(s admin.Status) {
	l.part("bookings", "%d pending, %d delivered, %d quarantined", s.Pending, s.Delivered, s.Quarantined)
	l.more(s.Ambiguous+s.Held > s.Uncertain, "of those pending %d may be at Zeitstrom already, "+
		"%d are held with their quarantined check-ins",
		s.Ambiguous, s.Held-s.Uncertain)
	if s.OldestPending != nil {
		l.more(true, "the oldest pending one is of %s", s.OldestPending.Local().Format(time.DateTime))
	}
	n := s.Uncertain - s.Stranded
	l.more(n > 0, "%d get their time as soon as the system clock is trusted", n)
	l.more(s.Stranded > 0, "%d wait for somebody to tell their time: `timeclock queue list` says what is known, "+
		"`timeclock queue time` sets it", s.Stranded)
	l.more(len(s.Wrong) > 0, "%d have a wrong time, as later ones show: correct them at Zeitstrom (punches %s)",
		len(s.Wrong), listed(s.Wrong))
}

func (l lines) badges(s admin.Status) {
	l.part("badges", "%d", s.Badges)
	l.more(s.Roster.Damage != "", "NOTICE: %s", s.Roster.Damage)
	l.more(s.Roster.Problem != "", "not compared with Zeitstrom: %s", s.Roster.Problem)
	l.more(s.Roster.Conflicts > 0, "%d badge numbers at Zeitstrom were not taken over: `timeclock badge sync` says why",
		s.Roster.Conflicts)
	l.more(s.Unclaimed > 0, "%d unclaimed taps of badges that belong to nobody: `timeclock badge unclaimed`",
		s.Unclaimed)
}

func (l lines) reader(r admin.ReaderStatus) {
	l.part("reader", "%s", describe(r.Healthy, r.Chip, r.Problem))
	l.more(r.Note != "", "NOTICE: %s", r.Note)
	if r.LastRead != nil {
		l.more(true, "read the last badge at %s", r.LastRead.Local().Format(time.DateTime))
	} else {
		l.more(true, "has read no badge since the start")
	}
	l.more(r.Restarts+r.Errors > 0, "%d restarts, %d bad reads", r.Restarts, r.Errors)
}

func (l lines) uplink(u admin.UplinkStatus) {
	l.part("uplink", "%s", describe(u.Online && u.Problem == "", "online", u.Problem))
	l.more(u.Stuck > 0, "%d bookings wait though others are sent (`timeclock queue list`): %s", u.Stuck, u.Reason)
	l.more(u.MayNotAsk, "the token may not read timespans: success cannot be checked where Zeitstrom's answers do not "+
		"prove it,")
	l.more(u.MayNotAsk, "and bookings that may be at Zeitstrom already wait for `timeclock queue retry` or `drop`")
	for _, skew := range u.Skews {
		l.more(true, "%s", skewText(skew))
	}
	if u.Retry != nil {
		l.more(true, "next try at %s", u.Retry.Local().Format(time.DateTime))
	}
	l.more(u.Silent > 0, "the last %d questions at the door went unanswered, so other doors and the app did not "+
		"count: %s", u.Silent, u.SilentReason)
}

// projects says what is still to be done about projects; nothing where there are none.
func (l lines) projects(p admin.ProjectStatus) {
	if p.Waiting == 0 && p.Off == "" {
		return
	}
	l.part("projects", "%d are still to be assigned to timespans", p.Waiting)
	l.more(p.Off != "", "NOTICE: none is assigned: %s", p.Off)
	l.more(p.Off == "" && p.Problem != "", "the last try failed: %s", p.Problem)
	l.more(p.Refused > 0, "%d are refused by Zeitstrom: `timeclock queue list -projects` says why", p.Refused)
}

func skewText(s admin.Skew) string {
	return fmt.Sprintf("%s (%s) has a booking of %s, which is %v ahead of this clock: "+
		"was it made by a clock that is wrong? It does not decide the direction here",
		s.Name, s.Employee, s.Time.Local().Format(time.DateTime), time.Duration(s.Seconds)*time.Second)
}

// listed are ids with commas between them.
func listed(ids []device.PunchID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return strings.Join(texts, ", ")
}

// orNone describes a part that need not be there.
func orNone(p admin.Part) string {
	if p.None {
		return "none"
	}
	return describe(p.Healthy, "no trouble", p.Problem)
}

func describe(good bool, how, problem string) string {
	switch {
	case good:
		return "ok: " + how
	case problem == "":
		return "not known yet"
	}
	return "PROBLEM: " + problem
}
