package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
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
	maxIdle   = 0.015                  // of one core, simulated chip included
	maxBare   = 4                      // times the cost of waking up as often and doing nothing
)

// TestFootprint builds the program as it is shipped and measures it.
func TestFootprint(t *testing.T) {
	dir := t.TempDir()
	size := build(t, filepath.Join(dir, "arm64"), "arm64")
	t.Logf("arm64 binary: %.1f MB", float64(size)/1e6)
	if size > maxBinary {
		t.Errorf("the arm64 binary has %d bytes, more than %d", size, maxBinary)
	}

	program := buildProgram(t, dir)
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
	client := control.Dial(t.Context(), state)
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
	idle, bare := cpuShare(t, cmd.Process.Pid), 0.0
	if idle > maxIdle { // is it the clock, or is waking up so dear on this computer?
		bare = barePolling(t)
	}
	memory := anonymous(t, cmd.Process.Pid)
	t.Logf("ready after %v, %.1f MB of anonymous memory, idle at %.2f %% of one core", ready.Round(time.Millisecond), float64(memory)/1e6, 100*idle)
	if idle > maxIdle && idle > maxBare*bare {
		t.Errorf("idle at %.2f %% of one core, more than %.0f; a program that only wakes up as often takes %.2f %%", 100*idle, 100*maxIdle, 100*bare)
	}
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

// build builds the program as it is shipped and returns its size.
func build(t *testing.T, out, arch string) int64 {
	t.Helper()
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

// buildProgram builds it for this computer.
func buildProgram(t *testing.T, dir string) string {
	t.Helper()
	program := filepath.Join(dir, "timeclock")
	build(t, program, runtime.GOARCH)
	return program
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

// cpuShare is a process's share of one core: the least of three whiles, because
// this computer has other things to do.
func cpuShare(t *testing.T, pid int) float64 {
	t.Helper()
	share := 1.0
	for range 3 {
		const while = 3 * time.Second
		before := cpuTime(t, pid)
		time.Sleep(while)
		share = min(share, float64(cpuTime(t, pid)-before)/float64(while))
	}
	return share
}

// bareEnv makes the test binary a program that only wakes up as often as a
// reader that polls.
const bareEnv = "TIMECLOCK_BARE_POLLING"

func barePolling(t *testing.T) float64 {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), bareEnv+"=1", "GOMAXPROCS=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	return cpuShare(t, cmd.Process.Pid)
}

func pollBare() {
	for range time.Tick(40 * time.Millisecond) {
		time.Sleep(5 * time.Millisecond)
	}
}

// cpuTime is the processor time of a process so far, all its threads together.
func cpuTime(t *testing.T, pid int) (sum time.Duration) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		t.Skip("SKIPPED: processor time is measured on Linux only")
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			t.Fatal(err)
		}
		var onCPU int64 // in nanoseconds, proc(5)
		if _, err := fmt.Sscan(string(stat), &onCPU); err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(onCPU)
	}
	return sum
}
