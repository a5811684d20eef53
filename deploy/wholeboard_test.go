package deploy

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"timeclock/sync/zeitstrom/zeitstromtest"
)

// A whole Debian 13 for 64-bit Pis, on a board whose buses are the real kernel's: what flash
// wrote makes a clock of it, and the packaged unit may use SPI, I2C and GPIO from inside its
// sandbox. Nothing is loaded by hand that the package is to load. Then a badge goes all the way,
// through the kernel's spidev to a booking at Zeitstrom.
func TestWholeBoard(t *testing.T) {
	needsBoot(t, "qemu-system-aarch64", "dtc", "qemu-aarch64-static", "arch-test")
	kit, work := boardKit(t), t.TempDir()
	began := time.Now()
	lap := func(what string) { t.Logf("%s after %v", what, time.Since(began).Round(time.Second)) }

	server := &zeitstromtest.Server{Token: "very-secret-token"}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(listener, server)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	card{
		settings: fmt.Sprintf("zeitstrom.url = \"http://10.0.2.2:%s%s\"\nzeitstrom.plain_http_host = \"10.0.2.2\"\n"+
			"display.i2c = \"/dev/i2c-0\"\nsignal.buzzer_pin = \"GPIO17\"\n",
			port, zeitstromtest.Base),
		arch: "arm64", key: true,
	}.write(t, work)
	m := newMachine(t, work, "arm64")
	m.board = kit
	lap("the card is written")
	m.powerOn()
	defer func() { m.powerCut() }()
	m.eventually(25*time.Minute, "active", "systemctl is-active timeclock")
	lap("the first boot has made a clock")
	if made, runs := kernelOf(t, kit), strings.TrimSpace(m.eventually(time.Minute, "", "uname -r")); made != runs {
		t.Fatalf("the board's modules are for the kernel %s, and %s runs: they were made at different times; "+
			"remove %s and its neighbours, and try again",
			made, runs, kit)
	}

	devices := m.eventually(time.Minute, "Character", "cat /proc/devices")
	for _, name := range allowedDevices(t) {
		if !regexp.MustCompile(`(?m)^ *\d+ ` + name + `$`).MatchString(devices) {
			t.Errorf("the unit allows char-%s, which /proc/devices does not have:\n%s", name, devices)
		}
	}
	m.says("i2c_dev", "lsmod")
	m.openedNotForbidden()
	lap("every device is opened")

	// The kernel's bus, with a chip behind it that is a program.
	buildChip(t, filepath.Join(work, "chip"))
	m.bring(filepath.Join(work, "chip"), ".")
	m.bring(filepath.Join(kit, "spichip.ko"), ".")
	m.says("", "until sudo rmmod spi_gpio 2>/dev/null; do sleep 0.1; done; sudo insmod spichip.ko")
	m.says("", "sudo mkfifo /run/commands; sudo systemd-run -q --unit=chip sh -c 'exec 3<>/run/commands; "+
		"exec /home/pi/chip </run/commands'")
	m.eventually(2*time.Minute, `"reader":{"healthy":true`, "sudo timeclock status -json")
	m.says("added", "sudo timeclock badge add 04112233445502 a1b2c3d4-e5f6-7890-abcd-ef1234567890 Anna")
	m.says("added", "sudo timeclock badge add A1B2C301 a1b2c3d4-e5f6-7890-abcd-ef1234567891 Ben")
	for n, clock := range []string{"1", "0.5", "1.6", "jumps"} {
		badge := []string{"04112233445502", "A1B2C301"}[n%2] // in turn: each was away when it comes again
		m.says("", fmt.Sprintf("printf 'clock %s\\nplace %s\\n' | sudo tee /run/commands", clock, badge))
		for end := time.Now().Add(time.Minute); len(server.Timestamps()) <= n; time.Sleep(time.Second) {
			if time.Now().After(end) {
				t.Fatalf("at %s times the bus clock no booking came; Zeitstrom has %d\n%s",
					clock, len(server.Timestamps()),
					m.eventually(time.Minute, "", "sudo timeclock status -json; "+
						"sudo journalctl -u timeclock -u chip | tail -n 40"))
			}
		}
		m.says("", "echo remove | sudo tee /run/commands")
	}
	lap("badges are bookings at Zeitstrom, at four speeds of the bus")

	// A unit that forbids the bus is named as the cause.
	m.says("", `sudo mkdir /etc/systemd/system/timeclock.service.d
		{ printf '[Service]\nDeviceAllow=\n'; printf 'DeviceAllow=char-%s rw\n' spidev i2c gpiochip; } |
			sudo tee /etc/systemd/system/timeclock.service.d/wrong.conf
		sudo systemctl daemon-reload; sudo systemctl restart timeclock`)
	m.eventually(2*time.Minute, "/dev/spidev0.0 is forbidden by the unit", "sudo timeclock doctor -json || true")
	m.says("", "sudo rm -r /etc/systemd/system/timeclock.service.d")
	lap("a wrong unit is named")

	// And all of it again after a power cut.
	m.powerCut()
	m.powerOn()
	m.eventually(15*time.Minute, "active", "systemctl is-active timeclock")
	m.openedNotForbidden()
	m.eventually(5*time.Minute, "none", "systemctl list-jobs --no-legend | grep . || echo none")
	lap("the same after a power cut")
}

// openedNotForbidden looks whether the clock may use its devices: nobody is at the other end
// of them.
func (m *machine) openedNotForbidden() {
	m.t.Helper()
	status := m.eventually(2*time.Minute, "VersionReg reads 00: nothing is connected there",
		"sudo timeclock status -json")
	var s struct {
		Display, Signal struct {
			Healthy bool
			Problem string
		}
	}
	if err := json.Unmarshal([]byte(status), &s); err != nil {
		m.t.Fatal(err)
	}
	if !strings.Contains(s.Display.Problem, "does not answer at I2C address 3C") || !s.Signal.Healthy {
		m.t.Errorf("display: %+v, signal: %+v", s.Display, s.Signal)
	}
	m.says(`"check":"spi","verdict":"ok"`, "sudo timeclock doctor -json || true")
	m.says(`"check":"i2c","verdict":"ok"`, "sudo timeclock doctor -json || true")
	lines := m.eventually(time.Minute, "GPIO17", "sudo cat /sys/kernel/debug/gpio")
	if !regexp.MustCompile(`\(GPIO17 +\|timeclock@\d+ *\) out lo`).MatchString(lines) {
		m.t.Errorf("the buzzer's pin is not driven:\n%s", lines)
	}
	if log, _ := m.try("sudo journalctl -b -u timeclock | grep -i -e 'operation not permitted' -e " +
		"forbidden"); log != "" {
		m.t.Errorf("something is forbidden:\n%s", log)
	}
}

// kernelOf is the version of the kernel that a kit is for.
func kernelOf(t *testing.T, kit string) string {
	t.Helper()
	found, err := filepath.Glob(kit + "/kernel/usr/lib/modules/*")
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	return filepath.Base(found[0])
}
