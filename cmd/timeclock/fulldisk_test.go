package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"timeclock/device/devicetest"
)

// A disk that takes nothing is said at each tap and in between, and once it is well again
// bookings are saved without anybody's help.
func TestDiskThatTakesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes a while")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can make a control socket's second place and fill a disk")
	}
	if _, err := os.Stat("/run/timeclock"); err == nil {
		t.Skip("SKIPPED: a timeclock is installed here")
	}
	if err := errors.Join(os.Mkdir("/run/timeclock", 0o755), os.Chown("/run/timeclock", nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll("/run/timeclock")
	a, err := newAPI()
	if err != nil {
		t.Fatal(err)
	}
	defer a.down()
	worked := newClockFiles(t, a.url())
	for name, trouble := range map[string]struct {
		begin, end func(c *clockFiles) error
		books      bool // nothing need be written for a booking but in place
	}{
		"read-only": {
			begin: func(c *clockFiles) error {
				return errors.Join(syscall.Mount(c.state, c.state, "", syscall.MS_BIND, ""),
					syscall.Mount("", c.state, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
			},
			end: func(c *clockFiles) error {
				return syscall.Mount("", c.state, "", syscall.MS_BIND|syscall.MS_REMOUNT, "")
			},
		},
		"forbidden": {
			begin: func(c *clockFiles) error { return os.Chmod(c.state, 0) },
			end:   func(c *clockFiles) error { return os.Chmod(c.state, 0o750) },
		},
		"missing": {
			begin: func(c *clockFiles) error {
				return errors.Join(os.Rename(c.state, c.state+".away"), os.Chmod(c.dir, 0o555))
			},
			end: func(c *clockFiles) error {
				return errors.Join(os.Rename(c.state+".away", c.state), os.Chmod(c.dir, 0o755))
			},
		},
		"full, and new": {
			begin: func(c *clockFiles) error {
				return errors.Join(os.Rename(c.state, c.state+".away"), os.Mkdir(c.state, 0o755),
					syscall.Mount("none", c.state, "tmpfs", 0, "size=64k,mode=0777"),
					os.WriteFile(filepath.Join(c.state, "ballast"), make([]byte, 60<<10), 0o600))
			},
			end: func(c *clockFiles) error {
				return errors.Join(os.Remove(filepath.Join(c.state, "ballast")),
					syscall.Mount("none", c.state, "tmpfs", syscall.MS_REMOUNT, "size=8m"),
					os.CopyFS(filepath.Join(c.state, "."), os.DirFS(c.state+".away")))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := worked.copied(t)
			defer os.RemoveAll(c.dir)
			if err := trouble.begin(c); err != nil {
				t.Skipf("SKIPPED: this computer does not let a disk be %s: %v", name, err)
			}
			defer syscall.Unmount(c.state, syscall.MNT_DETACH)
			stop := c.start()
			defer stop()
			client := dial(t.Context(), c.state)
			answer, err := client.Tap(badgeOf(1))
			if err != nil || answer.Punch != "" {
				t.Fatalf("%+v, %v", answer, err)
			}
			if s, err := client.Status(); err != nil || s.Storage.Healthy || s.Storage.Problem == "" {
				t.Errorf("%+v, %v", s.Storage, err)
			}
			if h, err := client.Health(); err != nil || h.Problem == "" {
				t.Errorf("an update would take it for healthy: %+v, %v", h, err)
			}
			if p, err := client.Pair(); err == nil {
				t.Errorf("somebody can become admin: %+v", p)
			}
			if err := trouble.end(c); err != nil {
				t.Fatal(err)
			}
			c.own()
			devicetest.Eventually(t, func() error {
				answer, err = client.Tap(badgeOf(1))
				if err == nil && answer.Punch == "" {
					err = fmt.Errorf("it does not book again: %+v", answer)
				}
				return err
			})
		})
	}
}
