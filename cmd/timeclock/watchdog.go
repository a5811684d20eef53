package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"timeclock/cmd/internal/admin"
)

// part is a part of the clock that may hang.
type part struct {
	name  string
	alive func(context.Context) error // nil as soon as it comes round
}

// watchdog tells systemd when the clock is ready, and from then on that it lives,
// for as long as every part of it does. A clock that hangs is started anew by
// systemd, which also has it print where.
type watchdog struct {
	parts  []part
	status func() admin.Status
	log    *slog.Logger
}

// lookEvery is how often to look where systemd does not say how often it wants to
// hear of the clock; where it does, three times as often as that.
const lookEvery = 20 * time.Second

func (w *watchdog) String() string { return "watchdog" }

// Run tells until ctx ends.
func (w *watchdog) Run(ctx context.Context) error {
	every := lookEvery
	if limit := watchdogLimit(); limit > 0 {
		every = limit / 3
	}
	states := []string{"READY=1"}
	problem := ""
	for {
		hangs := w.hanging(ctx, every)
		switch {
		case ctx.Err() != nil:
			return notify("STOPPING=1")
		case hangs != "":
			if hangs != problem {
				w.log.Error("a part of the clock hangs", "part", hangs)
			}
		default:
			if problem != "" {
				w.log.Info("it goes on", "part", problem)
			}
			if err := notify(append(states, "WATCHDOG=1", "STATUS="+headline(w.status()))...); err != nil {
				w.log.Error("systemd does not hear of the clock", "error", err)
			}
			states = nil
		}
		problem = hangs
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// hanging returns the names of the parts that do not come round in time.
func (w *watchdog) hanging(ctx context.Context, patience time.Duration) string {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	hangs := make([]string, len(w.parts))
	var all sync.WaitGroup
	for i, p := range w.parts {
		all.Go(func() {
			if p.alive(ctx) != nil {
				hangs[i] = p.name
			}
		})
	}
	all.Wait()
	return strings.Join(slices.DeleteFunc(hangs, func(name string) bool { return name == "" }), ", ")
}

// answers makes of a question one whose answer nobody has to wait for: a store does not answer
// while its disk keeps it waiting.
func answers(ask func()) func(context.Context) error {
	return func(ctx context.Context) error {
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			ask()
		}()
		select {
		case <-answered:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// headline is a clock's state in one line.
func headline(s admin.Status) string {
	parts := []string{fmt.Sprintf("%d pending", s.Pending)}
	if s.Quarantined > 0 {
		parts = append(parts, fmt.Sprintf("%d quarantined", s.Quarantined))
	}
	for _, p := range []struct {
		name, problem string
	}{
		{"storage", s.Storage.Problem},
		{"reader", s.Reader.Problem},
		{"uplink", s.Uplink.Problem},
		{"display", s.Display.Problem},
	} {
		if p.problem != "" {
			parts = append(parts, p.name+": "+p.problem)
		}
	}
	return strings.ReplaceAll(strings.Join(parts, "; "), "\n", " ")
}
