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
	s, err := queue.Open(queuePath(cfg), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(device.Punch{Employee: employeeOf(1), Intent: device.CheckIn, Time: time.Now()},
		false); err != nil {
		t.Fatal(err)
	}
	s.Close()
	// Its two meta pages are gone; the punch is not.
	f, err := os.OpenFile(queuePath(cfg), os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 2*4096), 0)
	must(t, err, f.Close())
	// A recovery that cannot be noted: its place is taken by a folder.
	must(t, os.MkdirAll(recoveryPath(cfg)+"/full", 0o700))
	if _, _, err := openQueue(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("recovered although nothing could be written")
	}
	must(t, os.RemoveAll(recoveryPath(cfg)))
	s, r, err := openQueue(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil || r == nil {
		t.Fatal(err)
	}
	// Meanwhile the employee's last booking is known, and new ones are kept here.
	last, pending, err := s.Last(employeeOf(1))
	if err != nil || last.ID != 1 || last.Intent != device.CheckIn || !pending {
		t.Errorf("known meanwhile: %+v, %v, %v", last, pending, err)
	}
	out, err := s.Append(device.Punch{Employee: employeeOf(1), Intent: device.CheckOut, Time: time.Now()}, false)
	if err != nil || out.ID < 2 || len(s.Heads()) > 0 {
		t.Errorf("%+v, %v, heads %v", out, err, s.Heads())
	}
	// The power goes before it is done, and the next start goes on.
	must(t, s.Close())
	if s, r, err = openQueue(t.Context(), cfg, slog.New(slog.DiscardHandler)); err != nil || r == nil ||
		!s.Stats().Awaiting {
		t.Fatalf("%+v, %v", r, err)
	}
	defer func() { s.Close() }()
	notice := ""
	must(t,
		r.run(t.Context(), s, func(text string, _ bool) { notice = text }, func() {}, slog.New(slog.DiscardHandler)))
	if got := s.Stats(); got.Pending != 2 || got.Ambiguous != 1 ||
		!strings.Contains(notice, "1 bookings were recovered") {
		t.Errorf("%+v, %q", got, notice)
	}
	if heads := s.Heads(); len(heads) != 1 || heads[0].ID != 1 || !heads[0].Ambiguous {
		t.Errorf("heads %+v", heads)
	}
	if p, _, _ := s.Last(employeeOf(1)); p.ID != out.ID {
		t.Errorf("the last is %+v", p)
	}
	if _, err := s.VerifyJournal(); err != nil {
		t.Error(err)
	}
	must(t, s.Close())
	if s, r, err = openQueue(t.Context(), cfg, slog.New(slog.DiscardHandler)); err != nil || r != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := s.Stats(); got.Pending != 2 || got.Ambiguous != 1 {
		t.Errorf("after a restart %+v", got)
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

// A recovery that failed twice waits for a person, who has it tried again or gives it up;
// bookings are kept until then.
func TestRecoveryThatFails(t *testing.T) {
	for name, decide := range map[string]func(*testing.T, *disk, string){
		"tried again": func(t *testing.T, d *disk, obstacle string) {
			must(t, os.RemoveAll(obstacle), d.Salvage("eva", false))
		},
		"given up": func(t *testing.T, d *disk, _ string) { must(t, d.Salvage("eva", true)) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Default()
			cfg.StateDir = t.TempDir()
			must(t, os.WriteFile(queuePath(cfg), []byte("This was a queue once."), 0o600),
				os.WriteFile(snapshotPath(cfg), []byte("and this its snapshot"), 0o600))
			log := slog.New(slog.DiscardHandler)
			s, r, err := openQueue(t.Context(), cfg, log)
			must(t, err)
			defer s.Close()
			obstacle := r.out() + ".salvage"
			must(t, os.MkdirAll(obstacle+"/full", 0o700))
			r.Failed = mostFailures - 1
			notices, ended := make(chan string, 10), make(chan error, 1)
			go func() {
				ended <- r.run(t.Context(), s, func(text string, _ bool) { notices <- text }, func() {}, log)
			}()
			for text := range notices {
				if strings.Contains(text, "could not be recovered") {
					break
				}
			}
			_, err = s.Append(device.Punch{Employee: employeeOf(1), Intent: device.CheckIn, Time: time.Now()}, false)
			must(t, err)
			if !s.Stats().Awaiting || len(s.Heads()) > 0 {
				t.Errorf("it awaits: %v; heads %v", s.Stats().Awaiting, s.Heads())
			}
			decide(t, &disk{queue: s, recovery: r}, obstacle)
			must(t, <-ended)
			if s.Stats().Awaiting || len(s.Heads()) != 1 {
				t.Errorf("it awaits: %v; heads %v", s.Stats().Awaiting, s.Heads())
			}
			if _, err := os.Stat(recoveryPath(cfg)); err == nil {
				t.Error("its note is still there")
			}
			kept, _ := filepath.Glob(queuePath(cfg) + ".damaged-*")
			if _, err := os.Stat(snapshotPath(cfg)); name == "given up" && (err == nil || len(kept) != 2) {
				t.Errorf("the snapshot is not kept from being written over: %v", kept)
			}
		})
	}
}
