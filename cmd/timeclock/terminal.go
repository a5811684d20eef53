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

// awaited is the line that somebody enters, unless ctx ends before they do.
func awaited(ctx context.Context, read func() (string, error)) (string, error) {
	type line struct {
		text string
		err  error
	}
	in := make(chan line, 1)
	go func() {
		text, err := read()
		in <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case l := <-in:
		return l.text, l.err
	}
}

// typed asks at a terminal for a line, without the spaces around it. A secret one is as it was typed, and does
// not show, not even if it is typed, or pasted, at once. An interrupt ends it.
func (c *call) typed(ctx context.Context, prompt string, secret bool) (string, error) {
	f := c.stdin.(*os.File)
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", err
	}
	text, err := awaited(ctx, func() (string, error) {
		if !secret {
			fmt.Fprint(c.stdout, prompt)
			text, err := lineFrom(f)
			return strings.TrimSpace(text), err
		}
		if _, err := term.MakeRaw(int(f.Fd())); err != nil {
			return "", err
		}
		fmt.Fprint(c.stdout, prompt)
		text, err := term.ReadPassword(int(f.Fd()))
		term.Restore(int(f.Fd()), before)
		fmt.Fprintln(c.stdout)
		return string(text), err
	})
	if ctx.Err() != nil {
		term.Restore(int(f.Fd()), before)
		fmt.Fprintln(c.stdout)
	}
	if err != nil {
		return "", errNobody
	}
	return text, nil
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
