package main

import (
	"slices"
	"strings"
	"sync"
)

// logTail keeps the newest lines of the log, for the admin's page.
type logTail struct {
	mu    sync.Mutex
	lines []string
}

const tailLines = 200

// Write implements io.Writer; slog writes a line at a time.
func (t *logTail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, strings.TrimRight(string(b), "\n"))
	if n := len(t.lines) - tailLines; n > 0 {
		t.lines = slices.Delete(t.lines, 0, n)
	}
	return len(b), nil
}

// Lines returns them, oldest first.
func (t *logTail) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines)
}
