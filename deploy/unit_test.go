// Package deploy holds what turns a Pi into a time clock. It has no code, only
// tests of its files.
package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"timeclock/device/devicetest"
)

// systemd's own judge must have nothing to say about the units.
func TestUnitsAreGood(t *testing.T) {
	needs(t, "systemd-analyze")
	names, err := filepath.Glob("timeclock*.*")
	if err != nil || len(names) != 6 {
		t.Fatalf("%v, %v", names, err)
	}
	dir := t.TempDir()
	var units []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// The program is not installed here; any that is stands in for it.
		judged := regexp.MustCompile(`(?m)^ExecStart=\S+`).ReplaceAll(text, []byte("ExecStart=/bin/true"))
		unit := filepath.Join(dir, name)
		if err := os.WriteFile(unit, judged, 0o644); err != nil {
			t.Fatal(err)
		}
		units = append(units, unit)
	}
	out, err := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// In tenths. What is left for the clock is the network, the devices and asking for
	// the time; for what fetches updates, the network; for what stages them, that it is
	// root. What installs them must be able to replace anything.
	for name, most := range map[string]string{
		"timeclock.service": "18", "timeclock-fetch.service": "12", "timeclock-stage.service": "12",
		"timeclock-update.service": "65",
	} {
		out, err = exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+most,
			filepath.Join(dir, name)).CombinedOutput()
		if err != nil {
			t.Errorf("systemd-analyze security %s: %v\n%s", name, err, out)
		}
	}
}

// Garbage is collected before the unit's limit ends the clock.
func TestMemoryLimits(t *testing.T) {
	unit, err := os.ReadFile("timeclock.service")
	if err != nil {
		t.Fatal(err)
	}
	limit := func(pattern string) int {
		found := regexp.MustCompile(`(?m)^` + pattern + `$`).FindStringSubmatch(string(unit))
		if found == nil {
			t.Fatalf("the unit has no %s", pattern)
		}
		n, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	collects, ends := limit(`Environment=GOMEMLIMIT=(\d+)MiB`), limit(`MemoryMax=(\d+)M`)
	if collects > ends*9/10 {
		t.Errorf("garbage is collected at %d MB, the clock ends at %d", collects, ends)
	}
}

// The clock that the unit starts makes no system call that the unit forbids, while
// it starts, asks whether the time is synchronised, answers a tap, and stops.
func TestSystemCalls(t *testing.T) {
	needs(t, "systemd-analyze", "strace")
	allowed := allowedCalls(t)
	dir := t.TempDir()
	program, settings, trace := devicetest.Program(t), filepath.Join(dir, "timeclock.toml"), filepath.Join(dir, "trace")
	text := fmt.Sprintf("state_dir = %q\nzeitstrom.token_file = %q\nzeitstrom.url = "+
		"\"http://127.0.0.1:1/\"\nreader.driver = \"simulated\"\ndisplay.driver = \"none\"\nclock.trust = "+
		"\"auto\"\nweb.listen = \"127.0.0.1:0\"\n",
		filepath.Join(dir, "state"), filepath.Join(dir, "token"))
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command("strace", "-f", "-qq", "-o", trace, program, "run", "-config", settings)
	daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	group := func(s syscall.Signal) { _ = syscall.Kill(-daemon.Process.Pid, s) }
	defer group(syscall.SIGKILL)
	devicetest.Eventually(t, func() error {
		out, err := exec.Command(program, "status", "-config", settings, "-json").CombinedOutput()
		if err != nil || !strings.Contains(string(out), `"healthy":true`) {
			err = fmt.Errorf("not ready: %v\n%s", err, out)
		}
		return err
	})
	if out, err := exec.Command(program, "tap", "-config", settings,
		"01020304").CombinedOutput(); !strings.Contains(string(out), "Unknown badge") {
		t.Errorf("tap: %v\n%s", err, out)
	}
	group(syscall.SIGTERM)
	if err := daemon.Wait(); err != nil {
		t.Error(err)
	}
	made, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\d+ +([a-z_0-9]+)\(`).FindAllStringSubmatch(string(made), -1) {
		if seen[m[1]] = true; !allowed[m[1]] {
			t.Errorf("the clock calls %s, which SystemCallFilter forbids", m[1])
			allowed[m[1]] = true // once is enough
		}
	}
	unit, err := os.ReadFile("timeclock.service")
	if err != nil {
		t.Fatal(err)
	}
	families := regexp.MustCompile(`(?m)^RestrictAddressFamilies=(.+)$`).FindString(string(unit))
	for _, m := range regexp.MustCompile(`socket\((AF_[A-Z0-9]+)`).FindAllStringSubmatch(string(made), -1) {
		if !slices.Contains(strings.FieldsFunc(families, func(r rune) bool { return r == ' ' || r == '=' }), m[1]) {
			t.Errorf("the clock opens a socket of %s, which RestrictAddressFamilies forbids", m[1])
		}
	}
	for _, name := range []string{"adjtimex", "fdatasync", "openat"} {
		if !seen[name] {
			t.Errorf("no %s among the %d system calls: what was watched was no clock", name, len(seen))
		}
	}
}

// allowedCalls returns what the lines of SystemCallFilter leave, in their order.
func allowedCalls(t *testing.T) map[string]bool {
	t.Helper()
	unit, err := os.ReadFile("timeclock.service")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	var set func(name string, to bool)
	set = func(name string, to bool) {
		if !strings.HasPrefix(name, "@") {
			allowed[name] = to
			return
		}
		out, err := exec.Command("systemd-analyze", "syscall-filter", "--no-pager", name).Output()
		if err != nil {
			t.Fatalf("systemd-analyze syscall-filter %s: %v", name, err)
		}
		for _, line := range strings.Split(string(out), "\n")[1:] {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				set(line, to)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^SystemCallFilter=(~?)(.+)$`).FindAllStringSubmatch(string(unit), -1) {
		for _, name := range strings.Fields(m[2]) {
			set(name, m[1] == "")
		}
	}
	set("@default", true) // an allow-list always has it
	return allowed
}

// needs skips a test where a program of others is missing; never in CI.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("there is no %s: install it", name)
		}
		t.Skipf("SKIPPED: there is no %s on this computer, so the unit was not judged", name)
	}
}
