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
)

func runStatus(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	s, err := client.Status()
	if err != nil {
		return err
	}
	if c.json {
		return json.NewEncoder(c.stdout).Encode(s)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "version\t%s\n", s.Version)
	if s.Settings.Problem != "" {
		fmt.Fprintf(w, "settings\tPROBLEM: %s\n", s.Settings.Problem)
	}
	fmt.Fprintf(w, "bookings\t%d pending, %d delivered, %d quarantined\n", s.Pending, s.Delivered, s.Quarantined)
	if s.Ambiguous+s.Held > s.Uncertain {
		fmt.Fprintf(w, "\tof those pending %d may be at Zeitstrom already, %d are held with their quarantined check-ins\n", s.Ambiguous, s.Held-s.Uncertain)
	}
	if s.OldestPending != nil {
		fmt.Fprintf(w, "\tthe oldest pending one is of %s\n", s.OldestPending.Local().Format(time.DateTime))
	}
	if n := s.Uncertain - s.Stranded; n > 0 {
		fmt.Fprintf(w, "\t%d get their time as soon as the system clock is trusted\n", n)
	}
	if s.Stranded > 0 {
		fmt.Fprintf(w, "\t%d wait for somebody to tell their time: `timeclock queue list` says what is known, `timeclock queue time` sets it\n", s.Stranded)
	}
	if len(s.Wrong) > 0 {
		fmt.Fprintf(w, "\t%d have a wrong time, as later ones show: correct them at Zeitstrom (punches %s)\n", len(s.Wrong), listed(s.Wrong))
	}
	fmt.Fprintf(w, "badges\t%d\n", s.Badges)
	if s.Roster.Damage != "" {
		fmt.Fprintf(w, "\tNOTICE: %s\n", s.Roster.Damage)
	}
	if s.Roster.Problem != "" {
		fmt.Fprintf(w, "\tnot compared with Zeitstrom: %s\n", s.Roster.Problem)
	}
	if s.Roster.Conflicts > 0 {
		fmt.Fprintf(w, "\t%d badge numbers at Zeitstrom were not taken over: `timeclock badge sync` says why\n", s.Roster.Conflicts)
	}
	if s.Unclaimed > 0 {
		fmt.Fprintf(w, "\t%d unclaimed taps of badges that belong to nobody: `timeclock badge unclaimed`\n", s.Unclaimed)
	}
	fmt.Fprintf(w, "storage\t%s\n", describe(s.Storage.Healthy, "the last write succeeded", s.Storage.Problem+": bookings are NOT saved until that is mended"))
	if s.Storage.Notice != "" {
		fmt.Fprintf(w, "\tNOTICE: %s\n", s.Storage.Notice)
	}
	fmt.Fprintf(w, "reader\t%s\n", describe(s.Reader.Healthy, s.Reader.Chip, s.Reader.Problem))
	if s.Reader.Note != "" {
		fmt.Fprintf(w, "\tNOTICE: %s\n", s.Reader.Note)
	}
	if s.Reader.LastRead != nil {
		fmt.Fprintf(w, "\tread the last badge at %s\n", s.Reader.LastRead.Local().Format(time.DateTime))
	} else {
		fmt.Fprintln(w, "\thas read no badge since the start")
	}
	if s.Reader.Restarts+s.Reader.Errors > 0 {
		fmt.Fprintf(w, "\t%d restarts, %d bad reads\n", s.Reader.Restarts, s.Reader.Errors)
	}
	fmt.Fprintf(w, "uplink\t%s\n", describe(s.Uplink.Online && s.Uplink.Problem == "", "online", s.Uplink.Problem))
	if s.Uplink.Stuck > 0 {
		fmt.Fprintf(w, "\t%d bookings wait though others are sent (`timeclock queue list`): %s\n", s.Uplink.Stuck, s.Uplink.Reason)
	}
	if s.Uplink.Blind {
		fmt.Fprintln(w, "\tthe token may not read timespans: success cannot be checked where Zeitstrom's answers do not prove it,")
		fmt.Fprintln(w, "\tand bookings that may be at Zeitstrom already wait for `timeclock queue retry` or `drop`")
	}
	for _, skew := range s.Uplink.Skews {
		fmt.Fprintf(w, "\t%s\n", skewText(skew))
	}
	if s.Uplink.Retry != nil {
		fmt.Fprintf(w, "\tnext try at %s\n", s.Uplink.Retry.Local().Format(time.DateTime))
	}
	if s.Uplink.Silent > 0 {
		fmt.Fprintf(w, "\tthe last %d questions at the door went unanswered, so other doors and the app did not count: %s\n", s.Uplink.Silent, s.Uplink.Why)
	}
	fmt.Fprintf(w, "display\t%s\n", describe(s.Display.Healthy, "no trouble", s.Display.Problem))
	fmt.Fprintf(w, "signal\t%s\n", describe(s.Signal.Healthy, "no trouble", s.Signal.Problem))
	if s.Page.Address+s.Page.Problem != "" {
		fmt.Fprintf(w, "page\t%s\n", describe(s.Page.Problem == "", "https://"+s.Page.Address, s.Page.Problem))
	}
	fmt.Fprintf(w, "clock\t%s\n", describe(s.Clock.Trusted, "trusted: "+s.Clock.Source, s.Clock.Source))
	return w.Flush()
}

func skewText(s admin.Skew) string {
	return fmt.Sprintf("%s (%s) has a booking of %s, which is %v ahead of this clock: was it made by a clock that is wrong? "+
		"It does not decide the direction here",
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

func describe(good bool, how, problem string) string {
	switch {
	case good:
		return "ok: " + how
	case problem == "":
		return "not known yet"
	}
	return "PROBLEM: " + problem
}
