package deploy

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"timeclock/device/devicetest"
)

var foreignToo = flag.Bool("foreign", false, "run the programs for a Pi on QEMU's processors; "+
	"it compiles everything for them, which takes minutes the first time")

// The programs for a Pi do their work: on the oldest one's processor (ARMv6), and on
// 64-bit ones. QEMU stands in for them.
func TestForeignProcessors(t *testing.T) {
	if !*foreignToo {
		t.Skip("SKIPPED: the programs for a Pi were not run: go test -v -run TestForeign ./deploy -foreign")
	}
	for name, c := range map[string]struct {
		qemu string
		env  []string
		cpu  string
	}{
		"armhf": {"qemu-arm-static", []string{"GOARCH=arm", "GOARM=6"}, "arm1176"},
		"arm64": {"qemu-aarch64-static", []string{"GOARCH=arm64"}, "cortex-a53"},
	} {
		t.Run(name, func(t *testing.T) {
			needs(t, c.qemu)
			dir := t.TempDir()
			program, settings := devicetest.Program(t, append(c.env, "CGO_ENABLED=0")...), filepath.Join(dir,
				"timeclock.toml")
			text := fmt.Sprintf("state_dir = %q\nzeitstrom.token_file = %q\nzeitstrom.url = "+
				"\"http://127.0.0.1:1/\"\nreader.driver = \"simulated\"\ndisplay.driver = \"none\"\n",
				filepath.Join(dir, "state"), filepath.Join(dir, "token"))
			if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			command := func(args ...string) *exec.Cmd {
				return exec.Command(c.qemu, append([]string{"-cpu", c.cpu, program}, args...)...)
			}
			says := func(want string, args ...string) {
				t.Helper()
				if out, err := command(args...).CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
					t.Errorf("%v: %v\n%s", args, err, out)
				}
			}
			says("linux/"+strings.TrimPrefix(c.env[0], "GOARCH="), "version")
			says("is good", "config", "check", settings)
			says("added", "badge", "add", "-config", settings, "01020304", "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
				"Anna")
			daemon := command("run", "-config", settings)
			var log bytes.Buffer
			daemon.Stderr = &log
			if err := daemon.Start(); err != nil {
				t.Fatal(err)
			}
			defer daemon.Process.Kill()
			err := devicetest.Until(devicetest.Deadline(t), func() error {
				out, err := command("status", "-config", settings, "-json").CombinedOutput()
				if err == nil && !strings.Contains(string(out), `"healthy":true`) {
					err = fmt.Errorf("not ready: %s", out)
				}
				return err
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, &log)
			}
			says(`"outcome":"checkin"`, "tap", "-config", settings, "-json", "01020304")
			says("1 pending", "status", "-config", settings)
			if err := daemon.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if err := daemon.Wait(); err != nil {
				t.Errorf("%v: %s", err, &log)
			}
		})
	}
}
