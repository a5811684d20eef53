package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"timeclock/device/config"
)

// manPage is made when it is asked for, as completionCommand is. It prints the manual page, in the form
// that man reads; the package is made with it.
func manPage() command { return command{name: "man-page", flags: simple(printManual)} }

func printManual(_ context.Context, c *call) error {
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
