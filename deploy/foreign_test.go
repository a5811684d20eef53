package deploy

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The programs for a Pi do their work: on the oldest one's processor (ARMv6), and on
// 64-bit ones. QEMU stands in for them.
func TestForeignProcessors(t *testing.T) {
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
			program, settings := filepath.Join(dir, "timeclock"), filepath.Join(dir, "timeclock.toml")
			build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "../cmd/timeclock")
			build.Env = append(os.Environ(), append(c.env, "CGO_ENABLED=0")...)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			text := fmt.Sprintf("state_dir = %q\nzeitstrom.token_file = %q\nzeitstrom.url = \"http://127.0.0.1:1/\"\nreader.driver = \"simulated\"\ndisplay.driver = \"none\"\n",
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
			says("added", "badge", "add", "-config", settings, "01020304", "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "Anna")
			daemon := command("run", "-config", settings)
			var log bytes.Buffer
			daemon.Stderr = &log
			if err := daemon.Start(); err != nil {
				t.Fatal(err)
			}
			defer daemon.Process.Kill()
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
				if out, err := command("status", "-config", settings, "-json").Output(); err == nil && strings.Contains(string(out), `"healthy":true`) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("not ready: %s", &log)
				}
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
