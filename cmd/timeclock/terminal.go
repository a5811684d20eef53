package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// onTerminal reports whether a person reads what is written, or types what is read.
func onTerminal(stream any) bool {
	f, is := stream.(*os.File)
	return is && term.IsTerminal(int(f.Fd()))
}

// hidden asks at a terminal for something that does not show: not even if it is typed, or pasted, at once.
func (c *call) hidden(prompt string) (string, error) {
	f := c.stdin.(*os.File)
	before, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return "", err
	}
	defer term.Restore(int(f.Fd()), before)
	fmt.Fprint(c.stdout, prompt)
	text, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprint(c.stdout, "\r\n")
	return string(text), err
}

// progress shows how far something long is, where a person looks.
func (c *call) progress(what string) func(done, all int64) {
	if !onTerminal(c.stdout) {
		return func(int64, int64) {}
	}
	shown := int64(-1)
	return func(done, all int64) {
		percent := int64(100)
		if all > 0 {
			percent = 100 * done / all
		}
		if percent == shown {
			return
		}
		shown = percent
		full := int(percent / 5)
		fmt.Fprintf(c.stdout, "\r%s  %s%s  %3d %%", what, strings.Repeat("█", full), strings.Repeat("·", 20-full),
			percent)
		if done >= all {
			fmt.Fprintln(c.stdout)
		}
	}
}
