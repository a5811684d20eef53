package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/roster"
)

// withBadges runs f on the badge map: the running daemon's, or the file's if no
// daemon runs.
func (c *call) withBadges(ctx context.Context, f func(admin.Badges) error) error {
	cfg, err := loadConfig(c.config)
	if err != nil {
		return err
	}
	client := admin.Dial(ctx, cfg.StateDir)
	if _, err := client.Status(); err == nil {
		return f(client)
	} else if !errors.Is(err, admin.ErrNoDaemon) {
		return err
	}
	state, err := openState(cfg)
	if errors.Is(err, errHeld) {
		return fmt.Errorf("%w, but does not answer: is it just starting? Try again in a moment", errHeld)
	}
	if err != nil {
		return err
	}
	defer state.Close()
	r := roster.Open(rosterPath(cfg))
	if d := r.Damage(); d.Problem != "" {
		fmt.Fprintln(c.stderr, "NOTICE: "+d.Problem)
	}
	return f(r)
}

func rosterPath(cfg config.Config) string { return filepath.Join(cfg.StateDir, "roster.csv") }

func badgeList(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	return c.withBadges(ctx, func(b admin.Badges) error {
		badges, err := b.List()
		if err != nil {
			return err
		}
		if c.json {
			type row struct {
				UID      string            `json:"uid"`
				Employee device.EmployeeID `json:"employee_id"`
				Name     string            `json:"name"`
				Blocked  bool              `json:"blocked"`
				From     string            `json:"from"`
				Until    string            `json:"until"`
				Origin   device.Origin     `json:"origin"`
			}
			rows := make([]row, len(badges))
			for i, b := range badges {
				rows[i] = row{b.UID.Hex(), b.Employee.ID, b.Employee.Name, b.Blocked, b.From, b.Until, b.Origin}
			}
			return json.NewEncoder(c.stdout).Encode(rows)
		}
		w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "UID\tEMPLOYEE\tNAME\tFROM\tUNTIL\tGIVEN BY")
		for _, b := range badges {
			name := b.Employee.Name
			if b.Blocked {
				name += " (blocked)"
			}
			if weak := weaknesses[b.UID.Weakness()]; weak != "" {
				name += " (" + weak + ")"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", b.UID.Hex(), b.Employee.ID, name, b.From, b.Until, b.Origin)
		}
		return w.Flush()
	})
}

// weaknesses are what a list says of badge numbers that prove less than others.
var weaknesses = map[device.Weakness]string{
	device.ShortUID: "4 bytes: easily copied", device.RandomUID: "changes at each tap",
}

func badgeAdd(ctx context.Context, c *call) error {
	if err := c.want(2, 3); err != nil {
		return err
	}
	var b device.Badge
	var err error
	if b.UID, err = device.ParseUID(c.args[0]); err != nil {
		return err
	}
	if b.Employee.ID, err = device.ParseEmployeeID(c.args[1]); err != nil {
		return err
	}
	if len(c.args) == 3 {
		b.Employee.Name = c.args[2]
	}
	b.From, b.Until = c.from, c.until
	if c.claim {
		return c.claimTaps(ctx, b)
	}
	return c.withBadges(ctx, func(badges admin.Badges) error {
		action, err := badges.Add(b, c.move)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "%s: badge %s of %s %s\n", action, b.UID.Hex(), b.Employee.ID, b.Employee.Name)
		return err
	})
}

// claimTaps shows which bookings a badge's taps become, and makes them.
func (c *call) claimTaps(ctx context.Context, b device.Badge) error {
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	plan, err := client.Claim(b, c.force, c.dry)
	if err != nil {
		return err
	}
	if !c.dry {
		fmt.Fprintf(c.stdout, "added: badge %s of %s %s\n", b.UID.Hex(), b.Employee.ID, b.Employee.Name)
	}
	if len(plan) == 0 {
		_, err := fmt.Fprintln(c.stdout, "It has no unclaimed taps.")
		return err
	}
	return printPunches(c.stdout, plan...)
}

func badgeUnclaimed(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	badges, lost, err := client.Unclaimed()
	if err != nil {
		return err
	}
	if c.json {
		return json.NewEncoder(c.stdout).Encode(badges)
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NO.\tUID\tTAPS\tNEWEST\tOLDEST")
	for _, b := range badges {
		newest, oldest := b.Taps[0].Local().Format(time.DateTime), b.Taps[len(b.Taps)-1].Local().Format(time.DateTime)
		if b.Doubt {
			newest, oldest = "?", "?"
		}
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\n", b.Claim, b.UID, len(b.Taps), newest, oldest)
	}
	if err := w.Flush(); err != nil || lost == 0 {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%d older taps had to go.\n", lost)
	return err
}

func badgeRemove(ctx context.Context, c *call) error {
	if err := c.want(1, 1); err != nil {
		return err
	}
	uid, err := device.ParseUID(c.args[0])
	if err != nil {
		return err
	}
	return c.withBadges(ctx, func(badges admin.Badges) error {
		owner, err := badges.Remove(uid)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "removed: badge %s of %s %s\n", uid.Hex(), owner.ID, owner.Name)
		return err
	})
}

func badgeBlock(ctx context.Context, c *call) error { return c.block(ctx, true) }

func badgeUnblock(ctx context.Context, c *call) error { return c.block(ctx, false) }

func (c *call) block(ctx context.Context, blocked bool) error {
	if err := c.want(1, 1); err != nil {
		return err
	}
	uid, err := device.ParseUID(c.args[0])
	if err != nil {
		return err
	}
	return c.withBadges(ctx, func(badges admin.Badges) error {
		owner, err := badges.Block(uid, blocked)
		if err != nil {
			return err
		}
		what := map[bool]string{true: "blocked", false: "may be used again"}[blocked]
		_, err = fmt.Fprintf(c.stdout, "%s: badge %s of %s %s\n", what, uid.Hex(), owner.ID, owner.Name)
		return err
	})
}

// manyLines is from when on an import says that it is at work.
const manyLines = 2000

func badgeImport(ctx context.Context, c *call) error {
	if err := c.want(1, 1); err != nil {
		return err
	}
	numbers, err := device.ParseNumbers(c.numbers)
	if err != nil {
		return fmt.Errorf("%w: -numbers: %w", errUsage, err)
	}
	file, err := os.ReadFile(c.args[0]) // before root becomes the state directory's owner
	if err != nil {
		return err
	}
	if n := bytes.Count(file, []byte("\n")); n > manyLines {
		fmt.Fprintf(c.stderr, "reading %d lines...\n", n)
		began := time.Now()
		defer func() { fmt.Fprintf(c.stderr, "%v\n", time.Since(began).Round(10*time.Millisecond)) }()
	}
	return c.withBadges(ctx, func(badges admin.Badges) error {
		o := roster.Options{Numbers: numbers, Replace: c.replace, Dry: c.dry}
		if o.Replace && !o.Dry {
			o.Dry = true
			if plan, err := badges.Import(bytes.NewReader(file), o); err == nil {
				if err := c.confirm(plan.Removed); err != nil {
					return err
				}
			}
			o.Dry = false
		}
		report, failed := badges.Import(bytes.NewReader(file), o)
		if err := printImport(c.stdout, report, o.Dry); err != nil {
			return err
		}
		if failed != nil {
			return fmt.Errorf("%s: %w", c.args[0], failed)
		}
		return nil
	})
}

// confirm asks before badges are removed.
func (c *call) confirm(badges []device.Badge) error {
	if len(badges) == 0 || c.yes {
		return nil
	}
	for _, b := range badges {
		fmt.Fprintf(c.stdout, "would remove: badge %s of %s %s\n", b.UID.Hex(), b.Employee.ID, b.Employee.Name)
	}
	fmt.Fprintf(c.stdout, "Remove these %d badges? Type yes: ", len(badges))
	if line, _ := bufio.NewReader(c.stdin).ReadString('\n'); strings.TrimSpace(line) != "yes" {
		return errors.New("nothing imported: say yes, or -yes, to remove badges that the file does not name")
	}
	return nil
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
		fmt.Fprintf(out, "line %d: %s %s %s %s", l.Number, l.Action, l.Badge.UID.Hex(), l.Badge.Employee.ID, l.Badge.Employee.Name)
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
	for _, b := range r.Removed {
		fmt.Fprintf(out, "removed: %s %s %s\n", b.UID.Hex(), b.Employee.ID, b.Employee.Name)
	}
	if r.Numbers != device.Hex {
		fmt.Fprintf(out, "badge numbers read as %s: %s\n", r.Numbers, r.Why)
	}
	fmt.Fprintf(out, "%d added, %d changed, %d kept, %d refused", count[roster.Added], count[roster.Changed], count[roster.Kept], count[roster.Refused])
	if n := count[roster.Moved]; n > 0 {
		fmt.Fprintf(out, ", %d moved to somebody else", n)
	}
	if n := len(r.Removed); n > 0 {
		fmt.Fprintf(out, ", %d removed", n)
	}
	fmt.Fprintln(out)
	if dry {
		fmt.Fprintln(out, "Nothing was changed: this was only a look.")
	}
	return out.Flush()
}

func badgeExplain(_ context.Context, c *call) error {
	if err := c.want(1, 1); err != nil {
		return err
	}
	readings := device.Explain(c.args[0])
	if len(readings) == 0 {
		return fmt.Errorf("%q is no badge number in any way that is known: those have 8, 14 or 20 hex digits, or are decimal", c.args[0])
	}
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WRITTEN AS\tUID\t")
	for _, r := range readings {
		problem := ""
		if r.Problem != nil {
			problem = r.Problem.Error()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Numbers, r.UID.Hex(), problem)
	}
	return w.Flush()
}

func badgeSync(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	m, failed := client.SyncBadges(c.force)
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
		fmt.Fprintf(c.stdout, "not taken over: %s of %s %s: %s\n", x.Person.Number, x.Person.ID, x.Person.Name, x.Why)
	}
	if failed != nil {
		return failed
	}
	_, err = fmt.Fprintf(c.stdout, "%d added, %d changed, %d removed, %d blocked, %d not taken over; numbers read as %s: %s\n",
		len(m.Added), len(m.Changed), len(m.Removed), len(m.Blocked), len(m.Conflicts), m.Numbers, m.Why)
	return err
}

// badgeEnroll gives the next badge that is held to the reader to somebody.
func badgeEnroll(ctx context.Context, c *call) error {
	if err := c.want(1, 2); err != nil {
		return err
	}
	way := roster.Another
	switch {
	case c.renew && c.move:
		return fmt.Errorf("%w: -renew or -move, not both", errUsage)
	case c.renew:
		way = roster.Renewed
	case c.move:
		way = roster.MovedTo
	}
	client, err := c.client(ctx)
	if err != nil {
		return err
	}
	name := ""
	if len(c.args) == 2 {
		name = c.args[1]
	}
	s, err := client.BeginEnrolment(c.args[0], name, way)
	if err != nil {
		return err
	}
	cfg, err := loadConfig(c.config)
	if err != nil {
		return err
	}
	defer admin.Dial(context.WithoutCancel(ctx), cfg.StateDir).EndEnrolment(s.Number) // whoever is interrupted waits no more
	fmt.Fprintf(c.stdout, "Hold the badge for %s %s to the reader, within %v.\n", s.For.ID, s.For.Name, time.Until(s.Until).Round(time.Second))
	for number := s.Number; s.Waiting; {
		was := s.Problem
		if s, err = client.AwaitEnrolment(s); err != nil {
			return err
		}
		if s.Number != number {
			return errors.New("somebody else has begun to give out a badge")
		}
		if s.Problem != "" && s.Problem != was {
			fmt.Fprintf(c.stdout, "Not this one: %s\n", s.Problem)
		}
	}
	if s.Badge.UID.IsZero() {
		return errors.New("no badge was given out")
	}
	for _, b := range s.Blocked {
		fmt.Fprintf(c.stdout, "blocked: badge %s\n", b.UID.Hex())
	}
	_, err = fmt.Fprintf(c.stdout, "added: badge %s of %s %s\n", s.Badge.UID.Hex(), s.For.ID, s.For.Name)
	return err
}

func badgeExport(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	return c.withBadges(ctx, func(badges admin.Badges) error {
		all, err := badges.List()
		if err != nil {
			return err
		}
		for i, b := range all {
			all[i].Employee.Name = harmless(b.Employee.Name)[0]
		}
		return roster.Export(c.stdout, all)
	})
}
