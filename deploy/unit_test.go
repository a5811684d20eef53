// Package deploy holds what turns a Pi into a time clock. It has no code, only
// tests of its files.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// systemd's own judge must have nothing to say about the unit.
func TestUnitIsGood(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no systemd-analyze: install systemd")
		}
		t.Skip("SKIPPED: there is no systemd-analyze on this computer, so the unit was not judged")
	}
	text, err := os.ReadFile("timeclock.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program is not installed here; any that is stands in for it.
	unit := filepath.Join(t.TempDir(), "timeclock.service")
	judged := strings.Replace(string(text), "ExecStart=/usr/bin/timeclock", "ExecStart=/bin/true", 1)
	if judged == string(text) {
		t.Fatal("the unit does not start /usr/bin/timeclock")
	}
	if err := os.WriteFile(unit, []byte(judged), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// In tenths: what is left is the network, the devices and asking for the time.
	out, err = exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=19", unit).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}
