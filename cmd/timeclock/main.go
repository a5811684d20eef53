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
	"strings"
	"syscall"
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

// errUsage is a call that cannot be understood; exit code 2.
var errUsage = errors.New("wrong usage")

// errSaid fails a command whose output has said why.
var errSaid = errors.New("said")

// run runs one command and returns its exit code: 0 done, 1 failed, 2 wrong usage.
func run(ctx context.Context, e env) int {
	cmd, rest := find(e.args)
	if cmd == nil {
		return help(e)
	}
	err := cmd.use(ctx, e, rest)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(e.stderr, "timeclock %s: %v\nusage: %s\n", cmd.name, err, cmd.usage())
		return 2
	case !errors.Is(err, errSaid):
		fmt.Fprintf(e.stderr, "timeclock %s: %v\n", cmd.name, advised(err))
	}
	return 1
}

// find returns the command that args begin with, and what follows it.
func find(args []string) (*command, []string) {
	if len(args) == 1 && (args[0] == "--version" || args[0] == "-version") {
		args = []string{"version"}
	}
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
