// Package devicetest has what tests of several rooms need: patience that no busy computer
// wears out, and the program, built once. It has no fakes; those are in the test packages
// of what they fake.
package devicetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// reserve is what is left of a test run's time after the last one has given up: enough to
// say why.
const reserve = 15 * time.Second

// Deadline is when a test that waits for something gives up: shortly before the test run
// would be ended by its -timeout. How busy the computer is decides nothing before then.
func Deadline(t testing.TB) time.Time {
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if end, ok := d.Deadline(); ok {
			return end.Add(-reserve)
		}
	}
	return time.Now().Add(time.Hour) // -timeout 0, or a benchmark
}

// Until calls f until it returns nil. At the deadline it returns f's last error.
func Until(deadline time.Time, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("until now: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Eventually waits until f returns nil. At the deadline the test ends with f's last error.
func Eventually(t testing.TB, f func() error) {
	t.Helper()
	if err := Until(Deadline(t), f); err != nil {
		t.Fatal(err)
	}
}

// Program returns the path of the device's program, stripped, for this computer or, as in
// "GOARCH=arm64", for another. It stands in the user's cache directory and is built anew
// only if the sources changed, once for all packages that are tested at the same time.
func Program(t testing.TB, env ...string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "timeclock", "test", strings.Join(append([]string{"timeclock"}, env...), "-"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "timeclock")
	// Without -trimpath this computer's program shares what its tests have compiled. Programs for
	// others are built with it, and share what the packages have.
	trimpath := fmt.Sprint("-trimpath=", len(env) > 0)
	build := exec.Command("go", "build", "-ldflags=-s -w", trimpath, "-o", path, "timeclock/cmd/timeclock")
	build.Env = append(os.Environ(), env...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build %v: %v\n%s", env, err, out)
	}
	return path
}
