package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"

	"timeclock/device/config"
)

// forPeople are the commands that help lists.
func forPeople() []command {
	return slices.DeleteFunc(commands(), func(c command) bool { return c.help == "" })
}

// flagsOf lists a command's flags.
func flagsOf(cmd command) (all []*flag.Flag) {
	newCall(env{}, &cmd).flags.VisitAll(func(f *flag.Flag) { all = append(all, f) })
	return all
}

// manPage prints the manual page, in the form that man reads. The package is made
// with it.
func manPage(_ context.Context, c *call) error {
	roff := strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ")
	say := func(format string, args ...any) {
		for i, a := range args {
			if text, ok := a.(string); ok {
				args[i] = roff.Replace(text)
			}
		}
		fmt.Fprintf(c.stdout, format+"\n", args...)
	}
	say(`.TH TIMECLOCK 1 "" "timeclock" "User Commands"
.SH NAME
timeclock \- RFID time clock for Zeitstrom
.SH SYNOPSIS
.B timeclock
.I COMMAND
.RI [ VERB ]
.RB [ \-config
.IR FILE ]
.RI [ flags ]
.RI [ arguments ]
.SH DESCRIPTION
One program is the whole time clock: the daemon at the door, and the tools of the
technician and the admin. Flags may stand before and behind arguments.
.SH COMMANDS`)
	for _, cmd := range forPeople() {
		say(".TP\n.B timeclock %s\n\\&%s", strings.TrimSpace(cmd.name+" "+cmd.args), cmd.help)
		for _, f := range flagsOf(cmd) {
			if f.Name == "config" {
				continue
			}
			value, usage := flag.UnquoteUsage(f)
			say(".RS\n.TP\n.BI \\-%s \" %s\"\n\\&%s\n.RE", f.Name, value, usage)
		}
	}
	say(`.SH FILES
.TP
.I %s
the settings; \fBtimeclock config default\fR prints them with their explanations
.TP
.I /etc/timeclock/token
the API token, readable by the clock only
.TP
.I /var/lib/timeclock
bookings, badge map and control socket
.SH EXIT STATUS
0 done, 1 failed (the message says why and what to do), 2 wrong usage.
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)`, config.DefaultPath)
	return nil
}

// completion prints what bash needs to complete commands, verbs and flags.
func completion(_ context.Context, c *call) error {
	verbs, flags, first := map[string][]string{}, map[string]string{}, []string{}
	for _, cmd := range forPeople() {
		name, verb, two := strings.Cut(cmd.name, " ")
		if !slices.Contains(first, name) {
			first = append(first, name)
		}
		if two {
			verbs[name] = append(verbs[name], verb)
		}
		for _, f := range flagsOf(cmd) {
			flags[cmd.name] += " -" + f.Name
		}
	}
	fmt.Fprintf(c.stdout, "# bash completion for timeclock\n_timeclock() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=\n\tcase \"$COMP_CWORD ${COMP_WORDS[*]:1:COMP_CWORD-1}\" in\n\t\"1 \") words=%q ;;\n", strings.Join(first, " "))
	for _, name := range first {
		if len(verbs[name]) > 0 {
			fmt.Fprintf(c.stdout, "\t%q) words=%q ;;\n", "2 "+name, strings.Join(verbs[name], " "))
		}
	}
	fmt.Fprint(c.stdout, "\tesac\n\tif [[ $cur == -* ]]; then case \"${COMP_WORDS[*]:1:2}\" in\n")
	for _, cmd := range forPeople() {
		pattern := fmt.Sprintf("%q", cmd.name)
		if !strings.Contains(cmd.name, " ") {
			pattern += "\\ *"
		}
		fmt.Fprintf(c.stdout, "\t%s) words=%q ;;\n", pattern, strings.TrimSpace(flags[cmd.name]))
	}
	fmt.Fprint(c.stdout, "\tesac; fi\n\tif [ -n \"$words\" ]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n\telse\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n\tfi\n}\ncomplete -o filenames -F _timeclock timeclock\n")
	return nil
}
