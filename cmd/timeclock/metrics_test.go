package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"timeclock/device/devicetest"
	"timeclock/reader/mfrc522/mfrc522test"
)

// monitored runs a clock whose numbers are served, and returns their address.
func monitored(t *testing.T, p *place) (d *daemon, address string) {
	t.Helper()
	p.cfg.Monitor.Listen = "127.0.0.1:0"
	var log output
	d, err := newDaemon(t.Context(), p.cfg, slog.New(slog.NewTextHandler(&log, nil)), extras{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		d.Close()
	})
	devicetest.Eventually(t, func() error { return log.says("msg=monitoring") })
	return d, "http://" + regexp.MustCompile(`msg=monitoring address=(\S+)`).FindStringSubmatch(log.String())[1]
}

func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestMetrics(t *testing.T) {
	p := newPlace(t)
	p.cfg.Monitor.SilentAfter = 4 * time.Hour
	d, address := monitored(t, p)
	if _, text := fetch(t, address+"/metrics"); strings.Contains(text, "timeclock_reader_last_read_timestamp_seconds") {
		t.Error("nothing was read yet")
	}
	p.tap(t, d, 0) // nobody's badge: the roster is empty
	p.api.down()
	d.examine(t)
	status, text := fetch(t, address+"/metrics")
	if status != http.StatusOK {
		t.Fatal(status, text)
	}
	for _, want := range []string{
		`timeclock_taps_total{answer="unknown"} 1`, `timeclock_taps_total{answer="checkin"} 0`,
		`timeclock_tap_answer_seconds_count 1`,
		`timeclock_pending_punches 0`, `timeclock_unclaimed_taps 1`, `timeclock_reader_healthy 1`,
		`timeclock_reader_silent_after_seconds 14400`, `timeclock_clock_trusted 1`,
		`timeclock_self_check_findings{verdict="fail"} 1`, `timeclock_uplink_errors_total{kind="unauthorized"} 0`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if uid := badgeOf(0).Hex(); strings.Contains(text, uid) || strings.Contains(text, uid[4:]) {
		t.Error("a badge's number is among the metrics")
	}
	for _, name := range []string{"timeclock_reader_silent_seconds", "timeclock_reader_last_read_timestamp_seconds"} {
		if !regexp.MustCompile(`(?m)^` + name + ` [0-9.e+-]+$`).MatchString(text) {
			t.Errorf("the metrics lack %s", name)
		}
	}
	t.Run("judged", func(t *testing.T) { judged(t, text) })
	used(t, text)
}

// judged has Prometheus' own judge look at metrics and alert rules.
func judged(t *testing.T, text string) {
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no promtool: install prometheus")
		}
		t.Skip("SKIPPED: there is no promtool on this computer, so the metrics were not judged")
	}
	rules := filepath.Join("..", "..", "deploy", "monitoring")
	for _, args := range [][]string{
		{"check", "metrics"},
		{"check", "rules", filepath.Join(rules, "alerts.yml")},
		{"test", "rules", filepath.Join(rules, "alerts_test.yml")},
	} {
		cmd := exec.Command("promtool", args...)
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// used compares the metrics that rules and dashboard use with those that there are.
func used(t *testing.T, text string) {
	t.Helper()
	name := regexp.MustCompile(`timeclock_[a-z_]+`)
	there := map[string]bool{}
	for _, n := range name.FindAllString(text, -1) {
		there[n] = true
	}
	for _, file := range []string{"alerts.yml", "dashboard.json"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "deploy", "monitoring", file))
		if err != nil {
			t.Fatal(err)
		}
		names := name.FindAllString(string(content), -1)
		if len(names) < 5 {
			t.Errorf("%s uses %d metrics", file, len(names))
		}
		for _, n := range names {
			if !there[n] {
				t.Errorf("%s uses %s, which there is not", file, n)
			}
		}
	}
}

// A clock that cannot book is not healthy; one that is only offline is.
func TestHealth(t *testing.T) {
	p := newPlace(t)
	p.api.down()
	d, address := monitored(t, p)
	answers := func(want int, says string) {
		t.Helper()
		devicetest.Eventually(t, func() error {
			status, body := fetch(t, address+"/healthz")
			if status != want || !strings.Contains(body, says) {
				return fmt.Errorf("%d %s", status, body)
			}
			return nil
		})
	}
	answers(http.StatusOK, "ok\n")
	d.chip.SetBus(mfrc522test.Low)
	answers(http.StatusServiceUnavailable, "VersionReg")
	d.chip.SetBus(mfrc522test.BusOK)
	answers(http.StatusOK, "ok\n")
}
