package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"

	"timeclock/device/config"
)

// command is a subcommand. Those with verbs have one entry per verb.
type command struct {
	name string // with its verb
	args string // as help shows them: [X] may be missing, X... may be several
	help string // empty: it is for the program's own use, and the package's
	// flags declares the command's flags and returns what it does with them.
	flags func(*flags) action
}

// action is what a command does.
type action func(context.Context, *call) error

// commands lists them all, as help does.
func commands() []command {
	return []command{
		runCommand, demoCommand, tapCommand, statusCommand,
		badgeList, badgePeople, badgeAdd, badgeUnclaimed, badgeRemove, badgeBlock, badgeUnblock, badgeEnroll,
		badgeFunction, badgeImport, badgeSync, badgeExplain, badgeExport,
		queueList, queueShow, queueRetry, queueDrop, queueTime, queueOpen, queueHints, queueVerify, queueSalvage,
		queueExport,
		timespanList, timespanShow, timespanHistory, timespanSetTimes, timespanAdd, timespanProject,
		timespanTags, timespanComment, timespanSplit, timespanMerge, timespanDelete,
		resetCommand, doctorCommand, doctorReader, supportCommand, backupCommand, restoreCommand, updateCommand,
		flashCommand, imageCommand,
		webPair, webReset, configShow, configDefault, configCheck, completionCommand(), versionCommand,
		checkStore, scanStore, salvageStore, undeliveredCommand, backupParts, restoreState, manPage(),
	}
}

// flags are a command's flags.
type flags struct{ *flag.FlagSet }

// text is a flag with a text; a part of its usage in back quotes names that.
func (f flags) text(name, standard, usage string) *string { return f.String(name, standard, usage) }

// truth is a flag that is given or not.
func (f flags) truth(name, usage string) *bool { return f.Bool(name, false, usage) }

// json is the flag of commands whose answer a script may want.
func (f flags) json() *bool { return f.truth("json", "answer in JSON, for scripts") }

// call is one use of a command: its surroundings, settings file and arguments.
type call struct {
	env
	config string
}

// declared returns a command's flags and what it does with them. Each command has -config.
func (cmd command) declared() (f *flags, settings *string, do action) {
	f = &flags{flag.NewFlagSet("timeclock "+cmd.name, flag.ContinueOnError)}
	f.SetOutput(io.Discard)
	settings = f.text("config", config.DefaultPath, "the settings `file`")
	return f, settings, cmd.flags(f)
}

// use runs a command. Its flags may stand before, between and behind arguments.
func (cmd command) use(ctx context.Context, e env, args []string) error {
	f, settings, do := cmd.declared()
	if err := cmd.runsOn(runtime.GOOS); err != nil {
		return err
	}
	c := &call{env: e}
	c.args = nil
	for {
		err := f.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			cmd.explain(e.stdout)
			return err
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		if f.NArg() == 0 {
			break
		}
		c.args, args = append(c.args, f.Arg(0)), f.Args()[1:]
	}
	switch least, most := cmd.counts(); {
	case len(c.args) < least:
		return fmt.Errorf("%w: an argument is missing", errUsage)
	case len(c.args) > most:
		return fmt.Errorf("%w: %q is one argument too many", errUsage, c.args[most])
	}
	c.config = *settings
	return do(ctx, c)
}

// counts says how many arguments a command takes.
func (cmd command) counts() (least, most int) {
	for _, arg := range strings.Fields(cmd.args) {
		if !strings.HasPrefix(arg, "[") {
			least++
		}
		if most++; strings.HasSuffix(strings.TrimSuffix(arg, "]"), "...") {
			most = math.MaxInt
		}
	}
	return least, most
}

func (cmd command) usage() string {
	return strings.TrimSpace("timeclock " + cmd.name + " [-config FILE] [flags] " + cmd.args)
}

// explain prints what a command is for, and its flags.
func (cmd command) explain(out io.Writer) {
	f, _, _ := cmd.declared()
	fmt.Fprintf(out, "%s\nusage: %s\n", cmd.help, cmd.usage())
	f.SetOutput(out)
	f.PrintDefaults()
}

// load reads the settings.
func (c *call) load() (config.Config, error) { return loadConfig(c.config) }

// simple is a command without flags.
func simple(do action) func(*flags) action { return func(*flags) action { return do } }

// yes asks somebody before something that cannot be undone.
func (c *call) yes(ctx context.Context, question string) bool {
	question += " Type yes: "
	if onTerminal(c.stdin) {
		text, err := c.typed(ctx, question, false)
		return err == nil && text == "yes"
	}
	fmt.Fprint(c.stdout, question)
	return strings.TrimSpace(readLine(c.stdin)) == "yes"
}

// readLine reads a line, and nothing behind it.
func readLine(in io.Reader) string {
	var line strings.Builder
	for b := make([]byte, 1); ; {
		if n, err := in.Read(b); n == 0 && err != nil || n > 0 && b[0] == '\n' {
			return line.String()
		}
		line.Write(b)
	}
}
