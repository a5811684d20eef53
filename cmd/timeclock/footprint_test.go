package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"timeclock/device/control"
)

// What a clock may cost, on the smallest Pi it is meant for.
const (
	maxBinary = 20 << 20               // bytes, stripped, arm64
	maxMemory = 25 << 20               // bytes of anonymous memory, running
	maxStart  = 300 * time.Millisecond // until it answers, on an empty store
	maxStop   = 2 * time.Second        // after SIGTERM
)

// TestFootprint builds the program as it is shipped and measures it.
func TestFootprint(t *testing.T) {
	dir := t.TempDir()
	build := func(out, arch string) int64 {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build for %s: %v\n%s", arch, err, msg)
		}
		info, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	size := build(filepath.Join(dir, "arm64"), "arm64")
	t.Logf("arm64 binary: %.1f MB", float64(size)/1e6)
	if size > maxBinary {
		t.Errorf("the arm64 binary has %d bytes, more than %d", size, maxBinary)
	}

	program := filepath.Join(dir, "timeclock")
	build(program, hostArch())
	state := filepath.Join(dir, "state")
	settings := filepath.Join(dir, "timeclock.toml")
	text := fmt.Sprintf("state_dir = %q\nzeitstrom.token_file = %q\nzeitstrom.url = \"http://127.0.0.1:1/\"\nreader.driver = \"simulated\"\ndisplay.driver = \"none\"\n", state, filepath.Join(dir, "token"))
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(program, "run", "-config", settings)
	cmd.Stderr = &log
	started := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	client := control.Dial(state)
	for {
		if s, err := client.Status(); err == nil && s.Reader.Healthy {
			break
		}
		if time.Since(started) > soon {
			t.Fatalf("not ready after %v: %s", soon, &log)
		}
		time.Sleep(time.Millisecond)
	}
	ready := time.Since(started)
	time.Sleep(2 * time.Second) // a while of polling
	memory := anonymous(t, cmd.Process.Pid)
	t.Logf("ready after %v, %.1f MB of anonymous memory", ready.Round(time.Millisecond), float64(memory)/1e6)
	if ready > maxStart {
		t.Errorf("ready after %v, later than %v", ready, maxStart)
	}
	if memory > maxMemory {
		t.Errorf("%d bytes of anonymous memory, more than %d", memory, maxMemory)
	}

	stopping := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v: %s", err, &log)
	}
	if took := time.Since(stopping); took > maxStop {
		t.Errorf("stopping took %v", took)
	}
}

func hostArch() string {
	out, err := exec.Command("go", "env", "GOHOSTARCH").Output()
	if err != nil {
		panic(err)
	}
	return string(bytes.TrimSpace(out))
}

// anonymous returns a process's resident memory that is not backed by a file.
func anonymous(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("SKIPPED: memory is measured on Linux only")
	}
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`RssAnon:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("no RssAnon in %s", status)
	}
	kb, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
