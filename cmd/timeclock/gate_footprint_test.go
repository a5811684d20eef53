//go:build gates

package main

import (
	"bufio"
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

	"timeclock/cmd/internal/admin"
	"timeclock/device/devicetest"
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

// TestGateFootprint measures the program as it is shipped. Of several rounds the best
// counts: this computer has other things to do.
func TestGateFootprint(t *testing.T) {
	info, err := os.Stat(devicetest.Program(t, "GOARCH=arm64", "CGO_ENABLED=0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("arm64 binary: %.1f MB", float64(info.Size())/1e6)
	if info.Size() > maxBinary {
		t.Errorf("the arm64 binary has %d bytes, more than %d", info.Size(), maxBinary)
	}
	program := devicetest.Program(t, "CGO_ENABLED=0")
	best := costOf(t, program)
	for range 2 {
		c := costOf(t, program)
		best = cost{
			min(best.ready, c.ready), min(best.stop, c.stop), min(best.memory, c.memory), min(best.idle, c.idle),
		}
	}
	t.Logf("ready after %v, stopped after %v, %.1f MB of anonymous memory, idle at %.2f %% of one core",
		best.ready.Round(time.Millisecond), best.stop.Round(time.Millisecond), float64(best.memory)/1e6, 100*best.idle)
	if best.idle > maxIdle { // is it the clock, or is waking up so dear on this computer?
		if bare := barePolling(t); best.idle > maxBare*bare {
			t.Errorf("idle at %.2f %% of one core, more than %.1f; a program that only wakes up as often takes %.2f %%",
				100*best.idle, 100*maxIdle, 100*bare)
		}
	}
	if best.ready > maxStart {
		t.Errorf("ready after %v, later than %v", best.ready, maxStart)
	}
	if best.memory > maxMemory {
		t.Errorf("%d bytes of anonymous memory, more than %d", best.memory, maxMemory)
	}
	if best.stop > maxStop {
		t.Errorf("stopping took %v, more than %v", best.stop, maxStop)
	}
}

// cost is what one run of the clock took.
type cost struct {
	ready, stop time.Duration
	memory      int     // bytes of anonymous memory
	idle        float64 // share of one core
}

func costOf(t *testing.T, program string) (c cost) {
	t.Helper()
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	settings := filepath.Join(dir, "timeclock.toml")
	text := fmt.Sprintf("state_dir = %q\nzeitstrom.token_file = %q\nzeitstrom.url = \"http://127.0.0.1:1/\"\n"+
		"reader.driver = \"simulated\"\ndisplay.driver = \"none\"\n", state, filepath.Join(dir, "token"))
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
	client := dial(t.Context(), state)
	for {
		s, err := client.Status()
		if err == nil && s.Reader.Healthy {
			break
		}
		if time.Now().After(devicetest.Deadline(t)) {
			t.Fatalf("not ready: %+v, %v\n%s", s.Reader, err, &log)
		}
		time.Sleep(time.Millisecond)
	}
	c.ready = time.Since(started)
	c.idle, c.memory = cpuShare(t, cmd.Process.Pid), anonymous(t, cmd.Process.Pid)
	stopping := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v: %s", err, &log)
	}
	c.stop = time.Since(stopping)
	return c
}

// A large company costs no more: of a hundred thousand employees the clock has a file, and not the
// memory.
func TestGateLargeCompany(t *testing.T) {
	const people = 100_000
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	if err := os.MkdirAll(state, 0o750); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(state, "employees.csv"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(f)
	fmt.Fprintln(out, "id,first_name,last_name,number,external_id,badge,archived")
	for i := range people {
		fmt.Fprintf(out, "5a3b1e70-c0de-4a11-8bad-%012d,%s,%s,%d,HR-%d,,\n", i, sampleFirst[i%len(sampleFirst)],
			sampleLast[i/7%len(sampleLast)], i, i)
	}
	if err := errors.Join(out.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(dir, "timeclock.toml")
	text := fmt.Sprintf("state_dir = %q\nzeitstrom.token_file = %q\nzeitstrom.url = \"http://127.0.0.1:1/\"\n"+
		"reader.driver = \"simulated\"\ndisplay.driver = \"none\"\nweb.listen = \"127.0.0.1:0\"\n", state,
		filepath.Join(dir, "token"))
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(devicetest.Program(t, "CGO_ENABLED=0"), "run", "-config", settings)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	client := admin.Dial(state)
	devicetest.Eventually(t, func() error {
		_, err := admin.DoStatus.On(t.Context(), client, admin.None{})
		return err
	})
	took := time.Duration(0)
	for i := range 20 {
		began := time.Now()
		found, err := admin.DoFindPeople.On(t.Context(), client, admin.Lookup{Words: fmt.Sprint("muller ", i)})
		if err != nil || len(found.People) == 0 || found.More == 0 && i < 10 {
			t.Fatalf("%+v, %v: %s", found, err, &log)
		}
		took += time.Since(began)
	}
	list := "Kartennummer;Personalnummer\n"
	for i := range 300 {
		list += fmt.Sprintf("04A1%04X5D6E80;%d\n", i, i*300)
	}
	report, err := admin.DoImportBadges.On(t.Context(), client, admin.BadgeList{File: []byte(list), Dry: true})
	if err != nil || len(report.Lines) != 300 || report.Refused > 0 {
		t.Fatalf("%d lines, %d refused, %v", len(report.Lines), report.Refused, err)
	}
	memory := anonymous(t, cmd.Process.Pid)
	t.Logf("%.1f MB of anonymous memory, %v for a search", float64(memory)/1e6, (took / 20).Round(time.Millisecond))
	if memory > maxMemory {
		t.Errorf("%d bytes of anonymous memory, more than %d", memory, maxMemory)
	}
}

// anonymous returns a process's resident memory that is not backed by a file.
func anonymous(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
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

// cpuShare is a process's share of one core over a while.
func cpuShare(t *testing.T, pid int) float64 {
	t.Helper()
	const while = 3 * time.Second
	before := cpuTime(t, pid)
	time.Sleep(while)
	return float64(cpuTime(t, pid)-before) / float64(while)
}

// bareEnv makes the test binary a program that only wakes up as often as a
// reader that polls.
const bareEnv = "TIMECLOCK_BARE_POLLING"

func init() {
	if os.Getenv(bareEnv) == "" {
		return
	}
	for range time.Tick(40 * time.Millisecond) {
		time.Sleep(5 * time.Millisecond)
	}
}

// barePolling is the share of one core that such a program takes.
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

// cpuTime is the processor time of a process so far, all its threads together.
func cpuTime(t *testing.T, pid int) (sum time.Duration) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads of process %d: %v", pid, err)
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
