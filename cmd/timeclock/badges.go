package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/roster"
)

// manyLines is from when on an import says that it is at work.
const manyLines = 2000

var badgeImport = command{
	name: "badge import", args: "FILE",
	help: "take over a list: CSV or Excel with columns uid and employee_id, personnel number or names; " +
		"-replace: and remove all others",
	flags: func(f *flags) action {
		numbers := f.text("numbers", "", "how badge numbers are `written`: hex, hex-reversed, check-byte, "+
			"decimal or decimal-reversed; found out if it is not said")
		replace := f.truth("replace", "remove the badges that the file does not name")
		dry := f.truth("dry-run", "only show what would become of it")
		sure := f.truth("yes", "with -replace: do not ask")
		return func(ctx context.Context, c *call) (err error) {
			l := admin.BadgeList{Replace: *replace, Dry: *dry}
			if l.Numbers, err = device.ParseNumbers(*numbers); err != nil {
				return fmt.Errorf("%w: -numbers: %w", errUsage, err)
			}
			if l.File, err = readList(c.args[0]); err != nil { // before root becomes the state directory's owner
				return err
			}
			if n := bytes.Count(l.File, []byte("\n")); n > manyLines {
				fmt.Fprintf(c.stderr, "reading %d lines...\n", n)
				began := time.Now()
				defer func() { fmt.Fprintf(c.stderr, "%v\n", time.Since(began).Round(10*time.Millisecond)) }()
			}
			return c.withBadges(ctx, func(w admin.Route) error { return c.importBadges(ctx, w, l, *sure) })
		}
	},
}

// readList reads a badge list, of one that is too long as much as shows that.
func readList(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, roster.MaxFile+1))
}

func (c *call) importBadges(ctx context.Context, w admin.Route, l admin.BadgeList, sure bool) error {
	if l.Replace && !l.Dry && !sure {
		look := l
		look.Dry = true
		if plan, err := admin.DoImportBadges.On(ctx, w, look); err == nil && !c.confirm(ctx, plan.Missing) {
			return errors.New("nothing imported: say yes, or -yes, to remove badges that the file does not name")
		}
	}
	report, failed := admin.DoImportBadges.On(ctx, w, l)
	if report.Notice != "" {
		fmt.Fprintf(c.stderr, "NOTICE: %s\n", report.Notice)
	}
	if !l.Replace {
		report.Missing = nil // they stay
	}
	if err := printImport(c.stdout, report, l.Dry); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("%s: %w", c.args[0], failed)
	}
	return nil
}

// confirm asks before badges are removed.
func (c *call) confirm(ctx context.Context, badges []device.Badge) bool {
	if len(badges) == 0 {
		return true
	}
	for _, b := range badges {
		fmt.Fprintf(c.stdout, "would remove: badge %s of %s %s\n", b.UID.Hex(), b.Employee.ID, b.Employee.Name)
	}
	return c.yes(ctx, fmt.Sprintf("Remove these %d badges?", len(badges)))
}

// foundBy is what an employee was found by, where it was not the id.
var foundBy = map[roster.Match]string{
	roster.ByNumber: "personnel number", roster.ByExternal: "external id", roster.ByNames: "names",
}

// printImport says what became of each line, and how many there were of each.
func printImport(w io.Writer, r roster.Report, dry bool) error {
	out := bufio.NewWriter(w)
	count := map[roster.Action]int{}
	for _, l := range r.Lines {
		if count[l.Action]++; l.Action == roster.Refused {
			fmt.Fprintf(out, "line %d: refused: %s: %s\n", l.Number, l.Reason, l.Text)
		}
	}
	if count[roster.Refused] > 0 { // then nothing became of the others
		return out.Flush()
	}
	for _, l := range r.Lines {
		fmt.Fprintf(out, "line %d: %s %s %s %s", l.Number, l.Action, l.Badge.UID.Hex(), l.Badge.Employee.ID,
			l.Badge.Employee.Name)
		if by := foundBy[l.By]; by != "" {
			fmt.Fprintf(out, " (by %s)", by)
		}
		if l.Badge.Blocked {
			fmt.Fprint(out, " (blocked)")
		}
		if l.Unblocked {
			fmt.Fprint(out, " (not blocked any more)")
		}
		if l.Action == roster.Moved {
			fmt.Fprintf(out, " (was of %s %s)", l.Was.ID, l.Was.Name)
		}
		fmt.Fprintln(out)
	}
	for _, b := range r.Missing {
		fmt.Fprintf(out, "removed: %s %s %s\n", b.UID.Hex(), b.Employee.ID, b.Employee.Name)
	}
	if r.Numbers != device.Hex {
		fmt.Fprintf(out, "badge numbers read as %s: %s\n", r.Numbers, r.Reason)
	}
	fmt.Fprintf(out, "%d added, %d changed, %d kept, %d refused", count[roster.Added], count[roster.Changed],
		count[roster.Kept], count[roster.Refused])
	if n := count[roster.Moved]; n > 0 {
		fmt.Fprintf(out, ", %d moved to somebody else", n)
	}
	if n := len(r.Missing); n > 0 {
		fmt.Fprintf(out, ", %d removed", n)
	}
	fmt.Fprintln(out)
	if dry {
		fmt.Fprintln(out, "Nothing was changed: this was only a look.")
	}
	return out.Flush()
}

var badgeSync = command{
	name: "badge sync", help: "take over the badge numbers that stand at Zeitstrom",
	flags: func(f *flags) action {
		force := f.truth("force", "even if most badges would be removed")
		return func(ctx context.Context, c *call) error {
			m, err := ask(ctx, c, admin.DoSyncBadges, *force)
			return c.printMerged(m, err)
		}
	},
}

// printMerged says what was taken over, and what was not.
func (c *call) printMerged(m roster.Merged, failed error) error {
	for _, l := range []struct {
		what   string
		badges []device.Badge
	}{{"added", m.Added}, {"changed", m.Changed}, {"removed", m.Removed}, {"blocked (has left)", m.Blocked}} {
		for _, b := range l.badges {
			if failed == nil {
				fmt.Fprintf(c.stdout, "%s: %s %s %s\n", l.what, b.UID.Hex(), b.Employee.ID, b.Employee.Name)
			}
		}
	}
	for _, x := range m.Conflicts {
		fmt.Fprintf(c.stdout, "not taken over: %s of %s %s: %s\n", x.Person.Badge, x.Person.ID, x.Person.Name,
			x.Reason)
	}
	if failed != nil {
		return failed
	}
	_, err := fmt.Fprintf(c.stdout, "%d added, %d changed, %d removed, %d blocked, %d not taken over; "+
		"numbers read as %s: %s\n",
		len(m.Added), len(m.Changed), len(m.Removed), len(m.Blocked), len(m.Conflicts), m.Numbers, m.Reason)
	return err
}

var badgeEnroll = command{
	name: "badge enroll", args: "EMPLOYEE [NAME]",
	help: "give the next badge that is held to the reader to somebody; -renew: and block the old ones",
	flags: func(f *flags) action {
		renew := f.truth("renew", "block the badges that the employee has: they are lost")
		move := f.truth("move", "also take a badge that belongs to somebody else")
		return func(ctx context.Context, c *call) error {
			wish := admin.Enroll{Who: c.args[0], Way: roster.Another}
			switch {
			case *renew && *move:
				return fmt.Errorf("%w: -renew or -move, not both", errUsage)
			case *renew:
				wish.Way = roster.Renewed
			case *move:
				wish.Way = roster.MovedTo
			}
			if len(c.args) == 2 {
				wish.Name = c.args[1]
			}
			return c.enroll(ctx, wish)
		}
	},
}

// enroll waits until the badge was held to the reader.
func (c *call) enroll(ctx context.Context, wish admin.Enroll) error {
	s, err := ask(ctx, c, admin.DoEnroll, wish)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "Hold the badge for %s %s to the reader, within %v.\n", s.For.ID, s.For.Name,
		time.Until(s.Until).Round(time.Second))
	if s, err = c.awaitBadge(ctx, s); err != nil {
		return err
	}
	for _, b := range s.Blocked {
		fmt.Fprintf(c.stdout, "blocked: badge %s\n", b.UID.Hex())
	}
	return c.said(nil, "added", s.Badge.UID, s.For)
}
