package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/control"
	"timeclock/device/roster"
)

// withBadges runs f on the badge map: the running daemon's, or the file's if no
// daemon runs.
func (c *call) withBadges(ctx context.Context, f func(control.Badges) error) error {
	cfg, err := config.Load(c.config)
	if err != nil {
		return err
	}
	client := control.Dial(ctx, cfg.StateDir)
	if _, err := client.Status(); err == nil {
		return f(client)
	} else if !errors.Is(err, control.ErrNoDaemon) {
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
	r, err := roster.Open(rosterPath(cfg))
	if err != nil {
		return err
	}
	return f(r)
}

func rosterPath(cfg config.Config) string { return filepath.Join(cfg.StateDir, "roster.csv") }

func badgeList(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	return c.withBadges(ctx, func(b control.Badges) error {
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
			}
			rows := make([]row, len(badges))
			for i, b := range badges {
				rows[i] = row{b.UID.Hex(), b.Employee.ID, b.Employee.Name, b.Blocked}
			}
			return json.NewEncoder(c.stdout).Encode(rows)
		}
		w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "UID\tEMPLOYEE\tNAME")
		for _, b := range badges {
			name := b.Employee.Name
			if b.Blocked {
				name += " (blocked)"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", b.UID.Hex(), b.Employee.ID, name)
		}
		return w.Flush()
	})
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
	if c.claim {
		return c.claimTaps(ctx, b)
	}
	return c.withBadges(ctx, func(badges control.Badges) error {
		action, err := badges.Add(b)
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
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\n", b.Claim, b.UID, len(b.Taps), b.Taps[0].Local().Format(time.DateTime), b.Taps[len(b.Taps)-1].Local().Format(time.DateTime))
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
	return c.withBadges(ctx, func(badges control.Badges) error {
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
	return c.withBadges(ctx, func(badges control.Badges) error {
		owner, err := badges.Block(uid, blocked)
		if err != nil {
			return err
		}
		what := map[bool]string{true: "blocked", false: "may be used again"}[blocked]
		_, err = fmt.Fprintf(c.stdout, "%s: badge %s of %s %s\n", what, uid.Hex(), owner.ID, owner.Name)
		return err
	})
}

func badgeImport(ctx context.Context, c *call) error {
	if err := c.want(1, 1); err != nil {
		return err
	}
	file, err := os.ReadFile(c.args[0]) // before root becomes the state directory's owner
	if err != nil {
		return err
	}
	return c.withBadges(ctx, func(badges control.Badges) error {
		lines, failed := badges.Import(bytes.NewReader(file))
		if err := printImport(c.stdout, lines); err != nil {
			return err
		}
		if failed != nil {
			return fmt.Errorf("%s: %w", c.args[0], failed)
		}
		return nil
	})
}

// printImport says what became of each line, and how many there were of each.
func printImport(w io.Writer, lines []roster.Line) error {
	count := map[roster.Action]int{}
	var out bytes.Buffer
	for _, l := range lines {
		if count[l.Action]++; l.Action == roster.Refused {
			fmt.Fprintf(&out, "line %d: refused: %s: %s\n", l.Number, l.Reason, l.Text)
		}
	}
	if count[roster.Refused] > 0 { // then nothing became of the others
		_, err := out.WriteTo(w)
		return err
	}
	for _, l := range lines {
		fmt.Fprintf(&out, "line %d: %s %s %s %s", l.Number, l.Action, l.Badge.UID.Hex(), l.Badge.Employee.ID, l.Badge.Employee.Name)
		if l.Was != (device.Employee{}) && l.Was.ID != l.Badge.Employee.ID {
			fmt.Fprintf(&out, " (was of %s %s)", l.Was.ID, l.Was.Name)
		}
		fmt.Fprintln(&out)
	}
	fmt.Fprintf(&out, "%d added, %d changed, %d kept, %d refused\n", count[roster.Added], count[roster.Changed], count[roster.Kept], count[roster.Refused])
	_, err := out.WriteTo(w)
	return err
}

func badgeExport(ctx context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	return c.withBadges(ctx, func(badges control.Badges) error {
		all, err := badges.List()
		if err != nil {
			return err
		}
		return roster.Export(c.stdout, all)
	})
}
