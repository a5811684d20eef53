package main

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"timeclock/device"
	"timeclock/device/config"
)

// forPeople are the commands that help lists: those of this operating system.
func forPeople() []command {
	return slices.DeleteFunc(commands(),
		func(c command) bool { return c.help == "" || c.runsOn(runtime.GOOS) != nil })
}

// flagsOf lists a command's flags.
func flagsOf(cmd command) (all []*flag.Flag) {
	f, _, _ := cmd.declared()
	f.VisitAll(func(f *flag.Flag) { all = append(all, f) })
	return all
}

// isHelp reports whether a word asks for help.
func isHelp(word string) bool {
	return slices.Contains([]string{"help", "-h", "-help", "--help"}, word)
}

// help answers who asks for it, and whoever called what is no command: with the commands, those
// of a group, or what one command is for.
func help(e env) int {
	about := slices.DeleteFunc(slices.Clone(e.args), isHelp)
	asked := len(about) < len(e.args)
	out, code := e.stderr, 2
	if asked {
		out, code = e.stdout, 0
	}
	if cmd, rest := find(about); asked && cmd != nil && len(rest) == 0 {
		cmd.explain(out)
		return code
	}
	group := group(about)
	if len(about) > 0 && (!asked || len(group) == len(forPeople())) {
		out, code = e.stderr, 2
		typed := strings.Join(about, " ")
		switch name := nearest(about); name {
		case typed:
			fmt.Fprintf(out, "timeclock %s: a verb is missing", typed)
		case "":
			fmt.Fprintf(out, "timeclock: there is no command %q", typed)
		default:
			fmt.Fprintf(out, "timeclock: there is no command %q; did you mean %q?", typed, name)
		}
		fmt.Fprint(out, "\n\n")
	}
	fmt.Fprintln(out, "usage: timeclock COMMAND [VERB] [-config FILE] [flags] [arguments]")
	fmt.Fprintln(out)
	for _, c := range group {
		fmt.Fprintf(out, "  %-34s %s\n", c.name+" "+c.args, c.help)
	}
	fmt.Fprintf(out, "\nSettings are read from %s unless -config names another file.\n", config.DefaultPath)
	fmt.Fprintln(out, "`timeclock help COMMAND` explains one.")
	return code
}

// group are the commands of the group that is named; all if none is.
func group(about []string) []command {
	all := forPeople()
	if len(about) == 0 {
		return all
	}
	some := slices.DeleteFunc(slices.Clone(all),
		func(c command) bool { return !strings.HasPrefix(c.name, about[0]+" ") })
	if len(some) == 0 {
		return all
	}
	return some
}

// nearest is the command that somebody may have meant; empty if none is near.
func nearest(words []string) string {
	best, least := "", 3 // letters that may be wrong
	for _, cmd := range forPeople() {
		meant := strings.Fields(cmd.name)
		typed := strings.Join(words[:min(len(words), len(meant))], " ")
		for _, name := range []string{cmd.name, meant[0]} {
			if d := distance(typed, name); d < least {
				best, least = name, d
			}
		}
	}
	return best
}

// distance is how many letters must be put in, taken out or replaced to make one word another
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := before
			if a[i] != b[j] {
				replace++
			}
			before, row[j+1] = row[j+1], min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// remedies are how one says it on the command line that something is to be done all the same.
var remedies = map[device.Remedy]string{
	device.MoveBadge:   "say -move to give it to somebody else",
	device.ClaimAnyway: "see `timeclock queue list -all`, and use -force if that is right",
	device.BelieveSync: "`timeclock badge sync -force` takes it over",
	device.SayNumbers:  "say -numbers hex, hex-reversed, check-byte, decimal or decimal-reversed",
	device.SayIfDecimal: "say -numbers decimal or -numbers decimal-reversed if they are " +
		"(`timeclock badge explain NUMBER` shows both)",
	device.RemoveFirst:     "`timeclock badge remove` takes it from them",
	device.NoFunctionFirst: "`timeclock badge function UID none` makes it an ordinary one",
	device.SeeFunctions:    "`timeclock badge function` shows those that are",
	device.SeeBadges:       "`timeclock badge list` shows those that are",
	device.SeePunches:      "`timeclock queue list -all` shows those that are there",
	device.SetTimeInstead:  "`timeclock queue time` gives it one",
	device.SayWorkday:      "say which with -workday (it stands in the address of the day at Zeitstrom)",
}
