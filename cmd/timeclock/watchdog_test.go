package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/device/devicetest"
)

// systemd is what a unit's main process talks to.
type systemd struct{ socket *net.UnixConn }

func listenAsSystemd(t *testing.T, watchdog time.Duration) systemd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", fmt.Sprint(watchdog.Microseconds()))
	return systemd{socket}
}

// hears waits for a message that has all of these lines; a line may go on.
func (s systemd) hears(t *testing.T, lines ...string) {
	t.Helper()
	buf := make([]byte, 4096)
	for {
		s.socket.SetReadDeadline(devicetest.Deadline(t))
		n, err := s.socket.Read(buf)
		if err != nil {
			t.Fatalf("no message with %q: %v", lines, err)
		}
		missing := false
		for _, line := range lines {
			missing = missing || !strings.Contains("\n"+string(buf[:n]), "\n"+line)
		}
		if !missing {
			return
		}
	}
}

// drain forgets what was said so far.
func (s systemd) drain() {
	buf := make([]byte, 4096)
	for s.socket.SetReadDeadline(time.Now().Add(time.Millisecond)); ; {
		if _, err := s.socket.Read(buf); err != nil {
			return
		}
	}
}

// says compares what a log has so far.
func (o *output) says(text string) error {
	if log := o.String(); !strings.Contains(log, text) {
		return fmt.Errorf("the log does not say %q:\n%s", text, log)
	}
	return nil
}

// stuckScreen is a display that keeps the terminal waiting.
type stuckScreen struct{ free chan struct{} }

func (s stuckScreen) Show(device.Outcome) { <-s.free }

// systemd hears that the clock is ready, and then that it lives; of a clock in which
// one part hangs it hears nothing more, until that goes on.
func TestWatchdog(t *testing.T) {
	sd := listenAsSystemd(t, 600*time.Millisecond)
	p := newPlace(t)
	var log output
	stuck := stuckScreen{make(chan struct{})}
	d, err := newDaemon(t.Context(), p.cfg, slog.New(slog.NewTextHandler(&log, nil)),
		extras{screens: []device.Screen{stuck}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	sd.hears(t, "READY=1", "WATCHDOG=1", "STATUS=0 pending")
	sd.hears(t, "WATCHDOG=1")

	tap, left := context.WithCancel(ctx)
	go d.rooms.Bring(tap, badgeOf(0))
	devicetest.Eventually(t, func() error { return log.says(`a part of the clock hangs" part=terminal`) })
	sd.drain()
	if err := sd.socket.SetReadDeadline(time.Now().Add(1500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := sd.socket.Read(make([]byte, 4096)); err == nil {
		t.Errorf("a clock whose terminal hangs says %d bytes to systemd", n)
	}
	close(stuck.free)
	sd.hears(t, "WATCHDOG=1")
	left()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	sd.hears(t, "STOPPING=1")
}
