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

	"timeclock/device/devicetest"
	"timeclock/reader/mfrc522/mfrc522test"
	"timeclock/reader/mfrc522/mfrc522test/spidevtest"
)

// wired is the program on a /dev/spidev0.0 that a simulated chip answers.
type wired struct {
	t      *testing.T
	api    *api
	chip   *mfrc522test.Chip
	dev    *spidevtest.Device
	cmd    *exec.Cmd
	client running
	log    output
}

// wiredBadges are known to it, and belong to the employees 01 and so on.
var wiredBadges = []string{"A1B2C301", "04112233445502", "04010203050607080903"}

// startWired runs the program with a real reader configured.
func startWired(t *testing.T) *wired {
	t.Helper()
	dir := t.TempDir()
	a, err := newAPI()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.down)
	state := filepath.Join(dir, "state")
	settings := filepath.Join(dir, "timeclock.toml")
	roster := "uid,employee_id,name\n"
	for i, uid := range wiredBadges {
		roster += fmt.Sprintf("%s,a1b2c3d4-e5f6-7890-abcd-00000000000%d,\n", uid, i+1)
	}
	for name, text := range map[string]string{
		"token": "good", "badges.csv": roster,
		"timeclock.toml": fmt.Sprintf("state_dir = %q\nzeitstrom.token_file = %q\nzeitstrom.url = %q\n"+
			"display.driver = \"none\"\nclock.trust = \"always\"\n",
			state, filepath.Join(dir, "token"), a.url()),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := exec.Command("timeclock", "badge", "import", "-config", settings, filepath.Join(dir, "badges.csv"))
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w := &wired{
		t: t, api: a, cmd: exec.Command("timeclock", "run", "-config", settings), client: dial(t.Context(), state),
		chip: &mfrc522test.Chip{Clock: func() float64 { return 0.25 + 2.25*rand.Float64() }}, // as no Pi's is steady
	}
	w.cmd.Stderr = &w.log
	if w.dev, err = spidevtest.Start(w.cmd, "/dev/spidev0.0", w.chip); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: the program was not tried on a spidev device: %v", err)
	}
	t.Cleanup(func() { w.cmd.Process.Kill() })
	return w
}

func (w *wired) waits(f func() error) {
	w.t.Helper()
	if err := devicetest.Until(devicetest.Deadline(w.t), f); err != nil {
		w.t.Fatal(err, &w.log)
	}
}

// healthy waits until the reader is so, or is not.
func (w *wired) healthy(want bool) {
	w.t.Helper()
	w.waits(func() error {
		s, err := w.client.Status()
		if err == nil && s.Reader.Healthy != want {
			err = fmt.Errorf("reader: %+v", s.Reader)
		}
		return err
	})
}

// tap holds a badge to the reader until it was read.
func (w *wired) tap(uid string) {
	w.t.Helper()
	before, err := w.client.Status()
	if err != nil {
		w.t.Fatal(err)
	}
	card := &mfrc522test.Card{UID: parse(w.t, uid)}
	w.chip.Place(card)
	w.waits(func() error {
		s, err := w.client.Status()
		if err == nil && s.Reader.Reads == before.Reader.Reads {
			err = fmt.Errorf("badge %s was not read: %+v", uid, s.Reader)
		}
		return err
	})
	w.chip.Remove(card)
}

func (w *wired) received(want ...string) {
	w.t.Helper()
	w.waits(func() error { return w.api.has(want) })
}

// stop ends the program as systemd does.
func (w *wired) stop() {
	w.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	if err := w.cmd.Wait(); err != nil {
		w.t.Errorf("it ended with %v\n%s", err, &w.log)
	}
	w.dev.Wait()
}

// TestSpidev runs the program, with a real reader configured, on a /dev/spidev0.0 that a
// simulated chip answers: badges of every length, and a bus that dies and comes back.
func TestSpidev(t *testing.T) {
	w := startWired(t)
	w.healthy(true)
	w.tap(wiredBadges[0])
	w.tap(wiredBadges[1])
	w.received("checkin:01", "checkin:02")
	for _, broken := range []mfrc522test.Bus{mfrc522test.Low, mfrc522test.High, mfrc522test.NoNode} {
		w.chip.SetBus(broken)
		w.healthy(false)
		w.chip.SetBus(mfrc522test.BusOK)
		w.healthy(true)
	}
	w.tap(wiredBadges[2])
	w.received("checkin:01", "checkin:02", "checkin:03")
	w.stop()
}

func parse(t *testing.T, uid string) []byte {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(uid, "%x", &b); err != nil {
		t.Fatal(err)
	}
	return b
}
