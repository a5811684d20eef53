package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"timeclock/device"
	"timeclock/device/config"
	"timeclock/queue"
)

// The damaged file keeps its name until something is in its place, so that a
// power cut in between, or a full disk, leaves it to the next start.
func TestInterruptedRecovery(t *testing.T) {
	cfg := config.Default()
	cfg.StateDir = t.TempDir()
	s, err := queue.Open(queuePath(cfg))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(device.Punch{Employee: employeeOf(1), Intent: device.CheckIn, Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	// Its two meta pages are gone; the punch is not.
	f, err := os.OpenFile(queuePath(cfg), os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 2*4096), 0)
	must(t, err, f.Close())
	// A recovery that cannot write its result: its place is taken by a folder.
	must(t, os.MkdirAll(queuePath(cfg)+".salvage/full", 0o700))
	if _, _, err := openQueue(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("recovered although nothing could be written")
	}
	must(t, os.RemoveAll(queuePath(cfg)+".salvage"))
	s, notice, err := openQueue(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Stats(); got.Pending != 1 || !strings.Contains(notice, "1 bookings were recovered") {
		t.Errorf("%+v, %q", got, notice)
	}
	if kept, _ := filepath.Glob(queuePath(cfg) + ".damaged-*"); len(kept) == 0 {
		t.Error("the damaged file was not kept")
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
