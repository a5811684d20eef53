package deploy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"timeclock/device/devicetest"
)

var boardToo = flag.Bool("board", false, "boot a board with the real kernel's drivers in QEMU; "+
	"takes root, mmdebstrap, qemu-system-aarch64, dtc, and a minute")

// boardKit makes what a board in QEMU needs, or finds it made, and returns its directory.
func boardKit(t *testing.T) string {
	t.Helper()
	needs(t, "mmdebstrap", "qemu-system-aarch64", "dtc", "cpio")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	kit := filepath.Join(cache, "timeclock", "board")
	sh(t, `board/board.sh "$1"`, kit)
	return kit
}

// bareInit is all that runs on a bare board: what udev would do for the buses, what the
// package says about modules, and the clock. Each line that begins with "== " is a mark for
// the test.
const bareInit = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /var/lib
/bin/busybox --install -s /bin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev; mount -t debugfs g /sys/kernel/debug; ip link set lo up
for m in spi-bitbang spi-gpio i2c-algo-bit i2c-gpio; do insmod /mod/$m.ko; done   # udev's part
for m in $(grep -v '^#' /modules-load.conf); do [ ! -e /mod/$m.ko ] || insmod /mod/$m.ko; done   # spidev is built in here
echo "== devices"; cat /proc/devices
timeclock badge import /badges.csv
timeclock run >/run/log 2>&1 &
until timeclock status >/dev/null 2>&1; do sleep 0.2; done
# healthy WANT, within the five seconds that the manual promises (here a little more)
healthy() { for n in $(seq 50); do timeclock status -json | grep -q '"healthy":'$1',"chip"' && return; sleep 0.2; done; echo "== NOT $1"; }
reads() { timeclock status -json | sed 's/.*"reads":\([0-9]*\).*/\1/'; }
# read_badge UID WANT: a badge stays until that many were read, however slow this computer is
read_badge() {
	echo "place $1" >&3
	for n in $(seq 150); do [ $(reads) -ge $2 ] && break; sleep 0.1; done
	echo remove >&3
}
sleep 1
echo "== nobody there"; timeclock status -json; timeclock doctor -json; cat /sys/kernel/debug/gpio
rmmod spi-gpio; insmod /mod/spichip.ko
mkfifo /run/commands; chip </run/commands >/run/chip 2>&1 & exec 3>/run/commands
healthy true
cat /runs | while read clock; do
	echo "clock $clock" >&3
	before=$(reads)
	read_badge A1B2C301 $((before + 1))
	read_badge 04112233445502 $((before + 2))
	read_badge 04010203050607080903 $((before + 3))
	sleep 1   # none is read twice
	echo "== clock $clock: $(($(reads) - before)) of 3"
done
echo early >&3; read_badge A1B2C301 $(($(reads) + 1))
echo "== early"; timeclock status -json
echo "== bookings"; timeclock queue list -all -json
echo "== a key is to be pressed"
for n in $(seq 150); do grep -q "key pressed" /run/log && break; sleep 0.2; done
echo "== keys"; grep "key pressed" /run/log | head -n 1; timeclock status -json
echo "== end"; cat /run/log /run/chip; echo "== off"
poweroff -f
`

// The clock on a real kernel with real buses: it may open its devices, finds no chip where
// there is none, drives its pin, reads every badge through the kernel's spidev, however
// fast the bus really is, and hears a key. QEMU's power button is the key.
func TestBoard(t *testing.T) {
	if !*boardToo {
		t.Skip("SKIPPED: no board was booted: go test -v -run TestBoard ./deploy -board")
	}
	kit, root := boardKit(t), t.TempDir()
	clocks := []string{"0.25", "0.6", "1", "1.6", "2.5", "jumps"}
	for name, text := range map[string]string{
		"init": bareInit, "runs": strings.Join(clocks, "\n") + "\n",
		"badges.csv": "uid,employee_id,name\n" +
			"A1B2C301,a1b2c3d4-e5f6-7890-abcd-000000000001,A\n" +
			"04112233445502,a1b2c3d4-e5f6-7890-abcd-000000000002,B\n" +
			"04010203050607080903,a1b2c3d4-e5f6-7890-abcd-000000000003,C\n",
		"etc/timeclock/timeclock.toml": "zeitstrom.url = \"http://127.0.0.1:9/\"\n" +
			"terminal.lockout = \"0s\"\nterminal.ask = \"0s\"\nclock.trust = \"always\"\n" +
			"display.i2c = \"/dev/i2c-0\"\nsignal.buzzer_pin = \"GPIO17\"\nkeys.POWER = \"hours\"\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	buildChip(t, filepath.Join(root, "bin", "chip"))
	sh(t, `set -eu; root=$1 kit=$2
		mkdir -p "$root/bin" "$root/mod"
		cp "$3" "$root/bin/timeclock"
		cp "$kit"/kernel/usr/bin/busybox "$root/bin/"; cp package/modules-load.conf "$root/"; cp "$kit/spichip.ko" "$root/mod/"
		cd "$kit"/kernel/usr/lib/modules/*/kernel/drivers
		for m in spi/spi-bitbang spi/spi-gpio i2c/algos/i2c-algo-bit i2c/busses/i2c-gpio i2c/i2c-dev; do
			xz -dc $m.ko.xz >"$root/mod/$(basename $m).ko"
		done
		cd "$root" && find . | cpio --quiet -o -H newc | gzip -1 >"$root.gz"`, root, kit, devicetest.Program(t, "GOARCH=arm64", "CGO_ENABLED=0"))
	started := time.Now()
	out := sh(t, `console=$3
		press() { # until QEMU has gone
			until grep -q '^== a key' "$console"; do echo || return 0; sleep 1; done
			while echo system_powerdown; do sleep 1; done
		}
		touch "$console"; press 2>/dev/null | timeout 400 qemu-system-aarch64 -M virt,gic-version=2 -cpu cortex-a53 -m 1024 -smp 2 \
			-nic none -display none -serial "file:$console" -monitor stdio -no-reboot \
			-kernel "$1"/kernel/boot/vmlinuz-* -dtb "$1/board.dtb" -initrd "$2" \
			-append "console=ttyAMA0 quiet panic=-1" >/dev/null
		cat "$console"`, kit, root+".gz", filepath.Join(t.TempDir(), "console"))
	t.Logf("from power on to power off: %v", time.Since(started).Round(time.Second))
	says := marks(out)
	log := says["end"]

	// The names by which the unit allows devices exist on this kernel.
	for _, name := range allowedDevices(t) {
		if !regexp.MustCompile(`(?m)^ *\d+ ` + name + `\r?$`).MatchString(says["devices"]) {
			t.Errorf("the unit allows char-%s, which /proc/devices does not have:\n%s", name, says["devices"])
		}
	}
	// Without a chip: it is the chip that does not answer, and nothing is forbidden.
	status, found, _ := strings.Cut(says["nobody there"], "\n")
	var s struct {
		Reader, Display, Signal struct {
			Healthy bool
			Problem string
		}
	}
	if err := json.Unmarshal([]byte(status), &s); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if s.Reader.Healthy || !strings.Contains(s.Reader.Problem, "VersionReg reads 00: nothing is connected there") {
		t.Errorf("reader: %+v", s.Reader)
	}
	if s.Display.Healthy || s.Display.Problem == "" || !s.Signal.Healthy {
		t.Errorf("display: %+v, signal: %+v", s.Display, s.Signal)
	}
	for _, want := range []string{"/dev/spidev0.0 can be opened", "/dev/i2c-0 can be opened"} {
		if !strings.Contains(found, want) {
			t.Errorf("doctor does not say %q:\n%s", want, found)
		}
	}
	if !regexp.MustCompile(`\(GPIO17 +\|timeclock@\d+ *\) out lo`).MatchString(found) {
		t.Errorf("the buzzer's pin is not driven:\n%s", found)
	}
	if strings.Contains(out, "operation not permitted") || strings.Contains(out, "forbidden") {
		t.Errorf("something is forbidden:\n%s", out)
	}
	if !strings.Contains(says["keys"], `msg="key pressed" function=hours`) ||
		!strings.Contains(says["keys"], `"keys":{"healthy":true`) {
		t.Errorf("the key: %s", says["keys"])
	}
	// With one: every badge, however fast the bus.
	for _, clock := range clocks {
		if got, ok := says["clock "+clock+": 3 of 3"]; !ok {
			t.Errorf("at %s times the bus clock not all badges were read %s", clock, got)
		}
	}
	if !strings.Contains(says["early"], `"healthy":true`) ||
		!strings.Contains(says["early"], "raspberrypi/linux issue 5655") {
		t.Errorf("chip-selects that end early: %s", says["early"])
	}
	var bookings []struct {
		Employee string `json:"employee_id"`
	}
	if err := json.Unmarshal([]byte(strings.TrimSpace(says["bookings"])), &bookings); err != nil {
		t.Errorf("%v in %s", err, says["bookings"])
	}
	count := map[string]int{}
	for _, b := range bookings {
		count[b.Employee[len(b.Employee)-1:]]++
	}
	n := len(clocks)
	if count["1"] != n+1 || count["2"] != n || count["3"] != n {
		t.Errorf("bookings by employee: %v, want %d each, and one more of the first", count, n)
	}
	if t.Failed() {
		t.Logf("the clock's log and the chip's:\n%s", log)
		t.Logf("all:\n%s", out)
	}
}

// marks splits what a console said at its marks.
func marks(console string) map[string]string {
	says := map[string]string{}
	parts := regexp.MustCompile(`(?m)^== (.*)\r?$`).Split(strings.ReplaceAll(console, "\r", ""), -1)
	for i, m := range regexp.MustCompile(`(?m)^== (.*)$`).FindAllStringSubmatch(strings.ReplaceAll(console, "\r", ""),
		-1) {
		says[m[1]] = strings.TrimPrefix(parts[i+1], "\n")
	}
	return says
}

// allowedDevices are the names in the unit's DeviceAllow.
func allowedDevices(t *testing.T) (names []string) {
	t.Helper()
	unit, err := os.ReadFile("timeclock.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^DeviceAllow=(\S+) rw$`).FindAllSubmatch(unit, -1) {
		name, isChar := bytes.CutPrefix(m[1], []byte("char-"))
		if _, err := strconv.Atoi(string(name)); !isChar || err == nil {
			t.Fatalf("DeviceAllow=%s: give it by its name in /proc/devices", m[1])
		}
		names = append(names, string(name))
	}
	if len(names) != 3 {
		t.Errorf("the unit allows %v", names)
	}
	return names
}
