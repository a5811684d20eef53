//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"timeclock/device/control"
	"timeclock/device/devicetest"
	"timeclock/reader/mfrc522/mfrc522test"
	"timeclock/reader/mfrc522/mfrc522test/spidevtest"
)

// TestSpidev runs the program as it is shipped, with a real reader configured,
// on a /dev/spidev0.0 that a simulated chip answers: badges of every length, and
// a bus that dies and comes back.
func TestSpidev(t *testing.T) {
	dir := t.TempDir()
	a, err := newAPI()
	if err != nil {
		t.Fatal(err)
	}
	defer a.down()
	state := filepath.Join(dir, "state")
	settings := filepath.Join(dir, "timeclock.toml")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "token"), "good")
	write(settings, fmt.Sprintf("state_dir = %q\nzeitstrom.token_file = %q\nzeitstrom.url = %q\ndisplay.driver = \"none\"\nclock.trust = \"always\"\n", state, filepath.Join(dir, "token"), a.url()))
	badges := []string{"A1B2C301", "04112233445502", "04010203050607080903"}
	roster := "uid,employee_id,name\n"
	for i, uid := range badges {
		roster += fmt.Sprintf("%s,a1b2c3d4-e5f6-7890-abcd-00000000000%d,\n", uid, i+1)
	}
	write(filepath.Join(dir, "badges.csv"), roster)
	if out, err := exec.Command("timeclock", "badge", "import", "-config", settings, filepath.Join(dir, "badges.csv")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	var log output
	cmd := exec.Command("timeclock", "run", "-config", settings)
	cmd.Stderr = &log
	chip := &mfrc522test.Chip{Clock: func() float64 { return 0.25 + 2.25*rand.Float64() }} // as no Pi's is steady
	dev, err := spidevtest.Start(cmd, "/dev/spidev0.0", chip)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: the program was not tried on a spidev device: %v", err)
	}
	defer cmd.Process.Kill()
	client := control.Dial(t.Context(), state)
	healthy := func(want bool) {
		t.Helper()
		if err := devicetest.Until(devicetest.Deadline(t), func() error {
			s, err := client.Status()
			if err == nil && s.Reader.Healthy != want {
				err = fmt.Errorf("reader: %+v", s.Reader)
			}
			return err
		}); err != nil {
			t.Fatal(err, &log)
		}
	}
	reads := 0
	tap := func(uid string) {
		t.Helper()
		card := &mfrc522test.Card{UID: parse(t, uid)}
		chip.Place(card)
		reads++
		devicetest.Eventually(t, func() error {
			s, err := client.Status()
			if err == nil && s.Reader.Reads != reads {
				err = fmt.Errorf("%d badges were read, not %d", s.Reader.Reads, reads)
			}
			return err
		})
		chip.Remove(card)
	}
	received := func(want ...string) {
		t.Helper()
		if err := devicetest.Until(devicetest.Deadline(t), func() error { return a.has(want) }); err != nil {
			t.Fatal(err, &log)
		}
	}
	healthy(true)
	tap(badges[0])
	tap(badges[1])
	received("checkin:01", "checkin:02")
	for _, broken := range []mfrc522test.Bus{mfrc522test.Low, mfrc522test.High, mfrc522test.NoNode} {
		chip.SetBus(broken)
		healthy(false)
		chip.SetBus(mfrc522test.BusOK)
		healthy(true)
	}
	tap(badges[2])
	received("checkin:01", "checkin:02", "checkin:03")

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, &log)
	}
	dev.Wait()
}

func parse(t *testing.T, uid string) []byte {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(uid, "%x", &b); err != nil {
		t.Fatal(err)
	}
	return b
}
