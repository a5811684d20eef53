package main

import (
	"context"
	"errors"
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

// errNobody says that who was asked has gone.
var errNobody = errors.New("interrupted: nothing was made")

// typed asks at a terminal for a line; a secret one does not show, not even if it is typed, or pasted, at once.
// An interrupt ends it.
func (c *call) typed(ctx context.Context, prompt string, secret bool) (string, error) {
	type line struct {
		text string
		err  error
	}
	in := make(chan line, 1)
	f := c.stdin.(*os.File)
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", err
	}
	go func() {
		if !secret {
			fmt.Fprint(c.stdout, prompt)
			text, err := lineFrom(f)
			in <- line{text, err}
			return
		}
		if _, err := term.MakeRaw(int(f.Fd())); err != nil {
			in <- line{"", err}
			return
		}
		fmt.Fprint(c.stdout, prompt)
		text, err := term.ReadPassword(int(f.Fd()))
		term.Restore(int(f.Fd()), before)
		fmt.Fprintln(c.stdout)
		in <- line{string(text), err}
	}()
	select {
	case <-ctx.Done():
		term.Restore(int(f.Fd()), before)
		fmt.Fprintln(c.stdout)
		return "", errNobody
	case l := <-in:
		if l.err != nil {
			return "", errNobody
		}
		return strings.TrimSpace(l.text), nil
	}
}

// lineFrom reads a line, and nothing behind it.
func lineFrom(f *os.File) (string, error) {
	var text []byte
	for b := make([]byte, 1); ; {
		n, err := f.Read(b)
		if n == 0 && err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(text), nil
		}
		text = append(text, b[0])
	}
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
