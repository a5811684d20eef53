// Command timeclock is the whole time clock: the daemon at the door, and the
// tools of the technician and the admin. `timeclock help` lists what it can do.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, env{os.Args[1:], os.Stdin, os.Stdout, os.Stderr}))
}

// env is what a command gets from its surroundings.
type env struct {
	args   []string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// command is a subcommand. Those with verbs have one entry per verb.
type command struct {
	name string // with its verb
	args string
	help string
	run  func(context.Context, *call) error
}

// commands lists them all, as help does; those without help are for the program's own
// use and the package's.
func commands() []command {
	return []command{
		{"run", "", "run the clock: the daemon at the door", runDaemon},
		{"demo", "", "the whole clock on this computer, without hardware or account", runDemo},
		{"tap", "UID", "bring a badge to the simulated reader of the running clock", runTap},
		{"status", "", "how the running clock is", runStatus},
		{"badge list", "", "list the badge map", badgeList},
		{"badge add", "UID EMPLOYEE [NAME]", "give a badge to an employee; -claim: and book its taps so far", badgeAdd},
		{"badge unclaimed", "", "list the badges that were tapped and belong to nobody", badgeUnclaimed},
		{"badge remove", "UID", "take a badge out of the map", badgeRemove},
		{"badge block", "UID", "let a badge book nothing any more: it is lost, say", badgeBlock},
		{"badge unblock", "UID", "let it book again", badgeUnblock},
		{"badge enroll", "EMPLOYEE [NAME]", "give the next badge that is held to the reader to somebody; -renew: and block the old ones", badgeEnroll},
		{"badge import", "FILE", "take over a list: CSV or Excel with columns uid,employee_id,name; -replace: and remove all others", badgeImport},
		{"badge sync", "", "take over the badge numbers that stand at Zeitstrom", badgeSync},
		{"badge explain", "NUMBER", "show what a badge number can mean", badgeExplain},
		{"badge export", "", "write the badge map as CSV", badgeExport},
		{"queue list", "", "list what Zeitstrom does not have yet; -all: the newest of all", queueList},
		{"queue show", "PUNCH", "show one booking and what became of it", queueShow},
		{"queue retry", "PUNCH", "send a quarantined, held or doubtful booking again", queueRetry},
		{"queue drop", "PUNCH", "decide that such a booking is never sent; -reason TEXT says why", queueDrop},
		{"queue time", "PUNCH TIME", "give a booking its time that the clock could not know", queueTime},
		{"queue open", "", "list the days on which somebody did not check out", queueOpen},
		{"queue verify", "", "check that nobody has changed the journal", queueVerify},
		{"queue salvage", "", "recover a damaged queue file that could not be recovered by itself; -give-up sends without it", queueSalvage},
		{"queue export", "", "write the whole journal, for a labour inspection; -format csv or jsonl", queueExport},
		{"timespan list", "", "list working times at Zeitstrom, of the last week unless -from and -to say otherwise", timespanList},
		{"timespan show", "ID", "show one", timespanShow},
		{"timespan history", "ID", "show how one was changed, and by whom", timespanHistory},
		{"timespan set-times", "ID", "correct -checkin or -checkout", timespanSetTimes},
		{"timespan add", "", "add one, to a -workday or to an -employee's -date", timespanAdd},
		{"timespan assign-project", "ID", "assign a project by its -code or its -id", timespanProject},
		{"timespan tags", "ID [TAG:TYPE:VALUE...]", "replace its tags", timespanTags},
		{"timespan comment", "ID TEXT", "set its comment", timespanComment},
		{"timespan split", "ID", "split it -at a time", timespanSplit},
		{"timespan merge", "ID ID...", "make one of several of a day", timespanMerge},
		{"timespan delete", "ID", "delete it for good", timespanDelete},
		{"reset", "", "factory reset: forget bookings and badges; -export FILE keeps the journal", runReset},
		{"doctor", "", "examine device, network, token and bookings, and say what to do", doctorAll},
		{"doctor reader", "", "show how well the reader hears a badge that is held to it", doctorReader},
		{"support", "[FILE]", "write a file for whoever helps: state, examination, settings, logs; names and badge numbers masked", runSupport},
		{"update", "", "install a signed package, and go back if it is not healthy", runUpdate},
		{"flash", "", "prepare a card with Raspberry Pi OS Lite: its first boot makes a time clock of it", runFlash},
		{"web pair", "", "show the code with which somebody can become admin of the page", webPair},
		{"web reset", "", "take all accounts of the page away, damaged ones too; then the display shows a code", webReset},
		{"config show", "", "print the settings as they are, defaults included", configShow},
		{"config default", "", "print the commented reference of all settings", configDefault},
		{"config check", "[FILE]", "judge a settings file", configCheck},
		{"version", "", "print the version", runVersion},
		{"check-store", "FILE", "", checkStore},
		{"scan-store", "FILES", "", scanStore},
		{"salvage-store", "OUT FILES", "", salvageStore},
		{"undelivered", "", "", undelivered},
		{"man-page", "", "", manPage},
		{"completion", "", "", completion},
	}
}

// errUsage is a call that cannot be understood; exit code 2.
var errUsage = errors.New("wrong usage")

// run runs one command and returns its exit code: 0 done, 1 failed, 2 wrong usage.
func run(ctx context.Context, e env) int {
	cmd, rest := find(e.args)
	if cmd == nil {
		return help(e)
	}
	c := newCall(e, cmd)
	err := c.parse(rest)
	if err == nil {
		err = cmd.run(ctx, c)
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(e.stderr, "timeclock %s: %v\nusage: %s\n", cmd.name, err, cmd.usage())
		return 2
	case !errors.Is(err, errSaid):
		fmt.Fprintf(e.stderr, "timeclock %s: %v\n", cmd.name, err)
	}
	return 1
}

// errSaid fails a command whose output has said why.
var errSaid = errors.New("said")

// find returns the command that args begin with, and what follows it.
func find(args []string) (*command, []string) {
	for words := min(2, len(args)); words > 0; words-- {
		name := strings.Join(args[:words], " ")
		for _, cmd := range commands() {
			if cmd.name == name {
				return &cmd, args[words:]
			}
		}
	}
	return nil, nil
}

func (c command) usage() string {
	return strings.TrimSpace("timeclock " + c.name + " [-config FILE] [flags] " + c.args)
}

// help lists the commands, or those of a group whose verb is missing or unknown.
func help(e env) int {
	asked := len(e.args) > 0 && slices.ContainsFunc(e.args[:min(2, len(e.args))], func(s string) bool { return slices.Contains([]string{"help", "-h", "-help", "--help"}, s) })
	out, code := e.stderr, 2
	if asked {
		out, code = e.stdout, 0
	} else if len(e.args) > 0 {
		fmt.Fprintf(out, "timeclock: there is no command %q\n\n", strings.Join(e.args, " "))
	}
	fmt.Fprintln(out, "usage: timeclock COMMAND [VERB] [-config FILE] [flags] [arguments]")
	fmt.Fprintln(out)
	group := len(e.args) > 0 && slices.ContainsFunc(commands(), func(c command) bool { return strings.HasPrefix(c.name, e.args[0]+" ") })
	for _, c := range forPeople() {
		if group && !strings.HasPrefix(c.name, e.args[0]+" ") {
			continue
		}
		fmt.Fprintf(out, "  %-34s %s\n", c.name+" "+c.args, c.help)
	}
	fmt.Fprintf(out, "\nSettings are read from %s unless -config names another file.\n", config.DefaultPath)
	return code
}

// call is one use of a command: its surroundings, flags and arguments.
type call struct {
	env
	cmd     *command
	flags   *flag.FlagSet
	config  string
	json    bool
	all     bool
	listen  string
	lasting time.Duration
	reason  string
	claim   bool
	force   bool
	dry     bool
	format  string
	export  string
	yes     bool
	giveUp  bool
	numbers string
	replace bool
	renew   bool
	move    bool

	boot, name, zone  string
	packages, wifi    string
	user, sshKey      string
	devices           string
	file              string
	fetch, stage      bool
	resume            bool
	bench             bool
	report            string
	token             string
	employee          string
	from, to, date    string
	until             string
	verbosity         string
	checkin, checkout string
	at                string
	workday           string
	code, id          string
}

func newCall(e env, cmd *command) *call {
	c := &call{env: e, cmd: cmd, flags: flag.NewFlagSet("timeclock "+cmd.name, flag.ContinueOnError)}
	c.flags.SetOutput(io.Discard)
	c.flags.StringVar(&c.config, "config", config.DefaultPath, "the settings `file`")
	switch cmd.name {
	case "tap", "status", "badge list", "badge unclaimed", "queue list", "queue show", "queue retry", "queue drop", "queue time", "queue open", "doctor", "doctor reader", "version":
		c.flags.BoolVar(&c.json, "json", false, "answer in JSON, for scripts")
	case "demo":
		c.flags.StringVar(&c.listen, "listen", "127.0.0.1:8470", "`address` of the page")
	}
	if strings.HasPrefix(cmd.name, "timespan ") {
		c.timespanFlags(strings.TrimPrefix(cmd.name, "timespan "))
	}
	switch cmd.name {
	case "queue list":
		c.flags.BoolVar(&c.all, "all", false, "also what was delivered, newest first")
	case "badge import":
		c.flags.StringVar(&c.numbers, "numbers", "", "how badge numbers are `written`: hex, hex-reversed, check-byte, decimal or decimal-reversed; found out if it is not said")
		c.flags.BoolVar(&c.replace, "replace", false, "remove the badges that the file does not name")
		c.flags.BoolVar(&c.dry, "dry-run", false, "only show what would become of it")
		c.flags.BoolVar(&c.yes, "yes", false, "with -replace: do not ask")
	case "badge enroll":
		c.flags.BoolVar(&c.renew, "renew", false, "block the badges that the employee has: they are lost")
		c.flags.BoolVar(&c.move, "move", false, "also take a badge that belongs to somebody else")
	case "badge sync":
		c.flags.BoolVar(&c.force, "force", false, "even if most badges would be removed")
	case "badge add":
		c.flags.BoolVar(&c.move, "move", false, "even if the badge belongs to somebody else")
		c.flags.StringVar(&c.from, "from", "", "the first `day` on which it may be used")
		c.flags.StringVar(&c.until, "until", "", "the last `day`")
		c.flags.BoolVar(&c.claim, "claim", false, "turn the taps that the badge has made so far into bookings")
		c.flags.BoolVar(&c.force, "force", false, "with -claim: even if the employee has later bookings")
		c.flags.BoolVar(&c.dry, "dry-run", false, "with -claim: only show the bookings")
	case "update":
		c.flags.StringVar(&c.file, "file", "", "the `package`; its signature is beside it, with .minisig")
		c.flags.BoolVar(&c.fetch, "fetch", false, "look for a newer one at [update] url and download it, as the timer does")
		c.flags.BoolVar(&c.stage, "stage", false, "check what was downloaded, and have it installed, as the unit does")
		c.flags.BoolVar(&c.resume, "resume", false, "go on with an update that was interrupted, as the unit does")
	case "flash":
		c.flashFlags()
	case "queue export":
		c.flags.StringVar(&c.format, "format", "csv", "csv or jsonl")
	case "reset":
		c.flags.StringVar(&c.export, "export", "", "write the journal to this `file` (JSON Lines) first")
		c.flags.BoolVar(&c.yes, "yes", false, "really")
	case "queue salvage":
		c.flags.BoolVar(&c.giveUp, "give-up", false, "leave the damaged file as it is, and send what was booked since")
	case "queue drop":
		c.flags.StringVar(&c.reason, "reason", "", "`why`, kept with the booking")
	case "doctor":
		c.flags.BoolVar(&c.bench, "bench", false, "lead through display, light, sound and a tap, and write a report for the delivery note")
		c.flags.StringVar(&c.report, "report", "", "with -bench: the report's `name`, without .json and .txt")
	case "doctor reader":
		c.flags.DurationVar(&c.lasting, "for", 10*time.Second, "how `long` to look")
	}
	return c
}

// timespanFlags are the flags of the timespan commands.
func (c *call) timespanFlags(verb string) {
	text := func(to *string, name, usage string) { c.flags.StringVar(to, name, "", usage) }
	c.flags.BoolVar(&c.json, "json", false, "answer in JSON, for scripts")
	text(&c.token, "token", "the `file` of an admin's API token")
	switch verb {
	case "list":
		text(&c.employee, "employee", "`whose`: id, name or badge; else everybody's")
		text(&c.from, "from", "first `day`")
		text(&c.to, "to", "last `day`")
		text(&c.verbosity, "verbosity", "detail, duration or device")
	case "set-times":
		text(&c.checkin, "checkin", "new `time`, local or ISO 8601")
		text(&c.checkout, "checkout", "new `time`")
	case "add":
		text(&c.workday, "workday", "its `id`")
		text(&c.employee, "employee", "`whose`: id, name or badge")
		text(&c.date, "date", "the `day`; that of -checkin if it is not said")
		text(&c.checkin, "checkin", "`time`, local or ISO 8601")
		text(&c.checkout, "checkout", "`time`; none: it stays open")
	case "assign-project":
		text(&c.code, "code", "the project's `code`")
		text(&c.id, "id", "the project's `id`")
	case "split":
		text(&c.at, "at", "the `time`, local or ISO 8601")
	case "delete":
		c.flags.BoolVar(&c.yes, "yes", false, "do not ask")
	}
}

// parse reads the flags, which may stand before, between and behind arguments.
func (c *call) parse(args []string) error {
	c.args = nil
	for {
		err := c.flags.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(c.stdout, "%s\n%s\n", c.cmd.help, "usage: "+c.cmd.usage())
			c.flags.SetOutput(c.stdout)
			c.flags.PrintDefaults()
			return err
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		if c.flags.NArg() == 0 {
			return nil
		}
		c.args, args = append(c.args, c.flags.Arg(0)), c.flags.Args()[1:]
	}
}

// want checks the number of arguments.
func (c *call) want(least, most int) error {
	switch n := len(c.args); {
	case n < least:
		return fmt.Errorf("%w: an argument is missing", errUsage)
	case n > most:
		return fmt.Errorf("%w: %q is one argument too many", errUsage, c.args[most])
	}
	return nil
}

// client reaches the running clock that the settings name.
func (c *call) client(ctx context.Context) (*admin.Client, error) {
	cfg, err := loadConfig(c.config)
	if err != nil {
		return nil, err
	}
	return admin.Dial(ctx, cfg.StateDir), nil
}
