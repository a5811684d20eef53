package main

import (
	"fmt"
	"slices"
	"strings"
)

// atHome are the commands, and groups of them, that also run on the computer of a technician or
// an admin, with macOS or Windows. All others work on a clock that runs, or its files.
var atHome = []string{
	"flash", "image", "config", "badge explain", "timespan", "demo", "completion", "version", "man-page",
}

// runsOn says why a command does not run on an operating system, in Go's words for it.
func (cmd command) runsOn(system string) error {
	if system == "linux" || slices.ContainsFunc(atHome, func(name string) bool {
		return cmd.name == name || strings.HasPrefix(cmd.name, name+" ")
	}) {
		return nil
	}
	return fmt.Errorf("it works on a clock, which runs on Linux: call it on the device, after `ssh pi@NAME.local`. "+
		"On this computer there are %s", strings.Join(atHome[:len(atHome)-1], ", "))
}
