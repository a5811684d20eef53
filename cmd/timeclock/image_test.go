package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"timeclock/deploy/image/imagetest"
	"timeclock/device/devicetest"
)

// Whenever it is killed, or interrupted, there is nothing at the card file's name or the whole of it; and the
// next call makes it.
func TestImageKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	from := imagetest.Image{Packed: true}.Make(t, dir, "os.img")
	for name, text := range map[string]string{
		"door.toml": "clock.zone = \"Europe/Berlin\"\nzeitstrom.url = \"http://127.0.0.1:9/\"\n", "token": "secret\n",
		"timeclock_1.0_arm64.deb": "!<arch>\ndebian-binary \x00" + string(make([]byte, 4<<20)),
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := devicetest.Program(t)
	call := func() *exec.Cmd {
		return exec.Command(program, "image", "-from", from, "-out", in("door.img"), "-config", in("door.toml"),
			"-token", in("token"), "-package", in("timeclock_1.0_arm64.deb"), "-name", "door-1")
	}
	began := time.Now()
	if out, err := call().CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(began)
	killed := 0
	for i := range 12 {
		os.Remove(in("door.img"))
		os.Remove(in(".door.img.part")) // of one that was killed
		c := call()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		signal := syscall.SIGKILL
		if i%2 == 1 {
			signal = syscall.SIGINT
		}
		time.Sleep(time.Duration(rand.Int64N(int64(whole))))
		c.Process.Signal(signal)
		err := c.Wait()
		if err != nil {
			killed++
		}
		left, _ := filepath.Glob(in(".door*"))
		_, missing := os.Stat(in("door.img"))
		switch {
		case err == nil && missing != nil, err != nil && missing == nil && signal == syscall.SIGINT:
			t.Errorf("%v: it ends with %v, and the card file: %v", signal, err, missing)
		case signal == syscall.SIGINT && len(left) > 0:
			t.Errorf("%v are left", left)
		}
		if missing == nil {
			if err := isWhole(in("door.img")); err != nil {
				t.Errorf("%v: %v", signal, err)
			}
		}
	}
	t.Logf("%d of 12 were killed; a whole one takes %v", killed, whole.Round(time.Millisecond))
	os.Remove(in("door.img"))
	if out, err := call().CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := isWhole(in("door.img")); err != nil {
		t.Error(err)
	}
}

// isWhole has others look at a card file with partitions at 8 MiB.
func isWhole(path string) error {
	out, err := exec.Command("bash", "-c", `set -eu
		dd if="$1" of="$1.boot" bs=1M skip=8 count=40 status=none
		fsck.vfat -n "$1.boot"; rm "$1.boot"
		mtype -i "$1@@8M" ::timeclock/token | grep -qx secret
		mtype -i "$1@@8M" ::user-data | grep -q first-boot`, "sh", path).CombinedOutput()
	if err != nil {
		return errors.Join(err, fmt.Errorf("%s", out))
	}
	return nil
}
