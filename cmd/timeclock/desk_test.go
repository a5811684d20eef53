package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"timeclock/device/devicetest"
	"timeclock/sync/zeitstrom/zeitstromtest"
)

// Root corrects by a token that only root may read, though it becomes the clock's user to write
// the journal.
func TestRootCorrects(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root becomes the clock's user")
	}
	dir, err := os.MkdirTemp("", "root-corrects")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := newPlace(t)
	p.api.server.Put(zeitstromtest.Timespan{ID: "span-1", Employee: string(employeeOf(0)), CheckIn: time.Now()})
	settings, state := filepath.Join(dir, "timeclock.toml"), filepath.Join(dir, "state")
	token := filepath.Join(dir, "root", "token")
	must(t, os.Mkdir(filepath.Dir(token), 0o700))
	must(t, os.Mkdir(state, 0o750))
	must(t, os.Chown(state, 65534, 65534))
	must(t, os.Chmod(dir, 0o755))
	must(t, os.WriteFile(token, []byte("good"), 0o600))
	must(t, os.WriteFile(settings, fmt.Appendf(nil,
		"state_dir = %q\nzeitstrom = { url = %q, token_file = %q }\n", state, p.api.url(), token), 0o644))
	cmd := exec.Command(devicetest.Program(t), "timespan", "comment", "-config", settings, "-token", token,
		"span-1", "late train")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "late train") || strings.Contains(string(out), "cannot be shown") {
		t.Errorf("%v\n%s", err, out)
	}
}
