package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/roster"
)

var badgeFunction = command{
	name: "badge function", args: "[UID] [FUNCTION]",
	help: "make a function badge: break, hours, in, out or project=CODE; none: an ordinary one again; " +
		"without UID: of the next badge at the reader; without both: list them",
	flags: func(f *flags) action {
		asJSON := f.json()
		return func(ctx context.Context, c *call) error {
			switch len(c.args) {
			case 0:
				return c.withBadges(ctx, func(w admin.Route) error { return c.listFunctions(ctx, w, *asJSON) })
			case 1:
				return c.enrollFunction(ctx)
			}
			return c.setFunction(ctx)
		}
	},
}

func (c *call) listFunctions(ctx context.Context, w admin.Route, asJSON bool) error {
	all, err := admin.DoFunctions.On(ctx, w, admin.None{})
	switch {
	case err != nil:
		return err
	case asJSON:
		return json.NewEncoder(c.stdout).Encode(all)
	case len(all) == 0:
		_, err := fmt.Fprintln(c.stdout, "There are no function badges.")
		return err
	}
	out := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "UID\tFUNCTION\tPROJECT")
	for _, f := range all {
		fmt.Fprintf(out, "%s\t%s\t%s\n", f.UID.Hex(), f.Function, f.Project)
	}
	return out.Flush()
}

// noFunction takes a function badge back.
const noFunction = "none"

func (c *call) setFunction(ctx context.Context) error {
	uid, err := device.ParseUID(c.args[0])
	if err != nil {
		return err
	}
	var f device.Function
	if c.args[1] != noFunction {
		if f, err = device.ParseFunction(c.args[1]); err != nil {
			return err
		}
	}
	return c.withBadges(ctx, func(w admin.Route) error {
		_, err := admin.DoSetFunction.On(ctx, w, admin.FunctionBadge{UID: admin.WholeUID{UID: uid}, Function: f})
		if err != nil {
			return err
		}
		if f == "" {
			_, err = fmt.Fprintf(c.stdout, "badge %s is no function badge any more\n", uid.Hex())
		} else {
			_, err = fmt.Fprintf(c.stdout, "badge %s is a function badge now: %s\n", uid.Hex(), f)
		}
		return err
	})
}

// enrollFunction waits until the badge was held to the reader.
func (c *call) enrollFunction(ctx context.Context) error {
	f, err := device.ParseFunction(c.args[0])
	if err != nil {
		if _, isUID := device.ParseUID(c.args[0]); isUID == nil {
			return fmt.Errorf("%w: badge %s and which function?", errUsage, strings.ToUpper(c.args[0]))
		}
		return err
	}
	s, err := ask(ctx, c, admin.DoEnrollFunction, f)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "Hold the badge for %s to the reader, within %v.\n", f,
		time.Until(s.Until).Round(time.Second))
	if s, err = c.awaitBadge(ctx, s); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "badge %s is a function badge now: %s\n", s.Badge.UID.Hex(), f)
	return err
}

// awaitBadge waits until a badge was given out, and says why one was not taken.
func (c *call) awaitBadge(ctx context.Context, s roster.EnrollState) (_ roster.EnrollState, err error) {
	defer ask(context.WithoutCancel(ctx), c, admin.DoEndEnrollment, s.Number) // whoever is interrupted waits no more
	for number := s.Number; s.Waiting; {
		was := s.Problem
		if s, err = ask(ctx, c, admin.DoAwaitEnrollment, s); err != nil {
			return s, err
		}
		if s.Number != number {
			return s, errors.New("somebody else has begun to give out a badge")
		}
		if s.Problem != "" && s.Problem != was {
			fmt.Fprintf(c.stdout, "Not this one: %s\n", s.Problem)
		}
	}
	if s.Badge.UID.IsZero() {
		return s, errors.New("no badge was given out")
	}
	return s, nil
}
