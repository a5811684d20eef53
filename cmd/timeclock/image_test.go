package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// A disk that is too small is seen before anything is written; one that takes no more meanwhile leaves nothing.
func TestImageNoRoom(t *testing.T) {
	dir, small := t.TempDir(), t.TempDir()
	from := imagetest.Image{Packed: true}.Make(t, dir, "os.img") // 56 MiB
	for name, text := range map[string]string{
		"door.toml": "zeitstrom.url = \"http://127.0.0.1:9/\"\n", "token": "secret\n",
		"timeclock_1.0_arm64.deb": "!<arch>\ndebian-binary \x00",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mount("none", small, "tmpfs", 0, "size=60m"); err != nil {
		t.Skipf("SKIPPED: a small disk takes root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(small, syscall.MNT_DETACH) })
	program := devicetest.Program(t)
	call := func(more ...string) string {
		c := exec.Command("bash", append([]string{
			"-c", "ulimit -f 30000; exec \"$@\"", "sh", // blocks of 1024 bytes
			program, "image", "-from", from, "-config", "door.toml", "-token", "token", "-package", ".", "-name", "door-1",
		}, more...)...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if left, _ := filepath.Glob(filepath.Join(small, "*")); err == nil || len(left) > 1 {
			t.Errorf("%v: %v, and %v is there:\n%s", more, err, left, out)
		}
		if left, _ := filepath.Glob(filepath.Join(small, ".*")); len(left) > 0 {
			t.Errorf("%v: %v are left", more, left)
		}
		return string(out)
	}
	if err := os.WriteFile(filepath.Join(dir, "two.csv"), []byte("name\ndoor-1\ndoor-2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := call("-devices", "two.csv", "-out", small); !strings.Contains(out, "0.2 GB are needed") {
		t.Errorf("two files: %s", out)
	}
	if out := call("-out", filepath.Join(small, "door-1.img")); !strings.Contains(out, "file too large") {
		t.Errorf("a file that may not grow: %s", out)
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
