package deploy

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"timeclock/sync/zeitstrom/zeitstromtest"
)

var bootIt = flag.Bool("boot", false, "boot whole Debians in QEMU, from card files by `timeclock image`; "+
	"takes root, mmdebstrap, mtools, fdisk, qemu, and up to an hour and a half the first time")

// needsBoot skips a test that boots a Debian, unless it is asked for.
func needsBoot(t *testing.T, programs ...string) {
	t.Helper()
	if !*bootIt {
		t.Skipf("SKIPPED: booting a Debian takes minutes: go test -v -run %s ./deploy -boot -timeout 2h", t.Name())
	}
	needs(t, append(programs, "mmdebstrap", "sfdisk", "mcopy", "mkfs.vfat", "ssh")...)
}

// A first boot makes a clock with an SSH key and without, with Wi-Fi and without, on a network
// and without one, and when its power is cut, at whatever moment. Nothing waits for a keyboard.
func TestFirstBoot(t *testing.T) {
	needsBoot(t, "qemu-system-x86_64")
	for i, c := range []struct {
		key, wifi bool
		cut       string // until when the power stays on at first; empty: it stays on
	}{
		{key: true, wifi: true},
		{key: true, wifi: false},
		{key: false, wifi: true},
		{key: false, wifi: false},
		{key: true, wifi: true, cut: "systemctl is-active -q cloud-init-local"},
		{key: true, wifi: false, cut: "systemctl show -p ActiveState timeclock-first-boot | grep -q activating"},
		{key: false, wifi: true, cut: "[ -e /usr/bin/timeclock ]"},
		{key: false, wifi: false, cut: "[ -e /boot/firmware/timeclock-installed.txt ]"},
	} {
		name := fmt.Sprint(i + 1)
		for _, part := range []struct {
			what string
			has  bool
		}{{"-key", c.key}, {"-wifi", c.wifi}, {"-cut", c.cut != ""}} {
			if part.has {
				name += part.what
			}
		}
		t.Run(name, func(t *testing.T) {
			work := t.TempDir()
			card{
				settings: "reader.driver = \"simulated\"\ndisplay.driver = \"none\"\n", arch: "amd64", key: c.key,
				wifi: c.wifi,
			}.write(t, work)
			m := newMachine(t, work, "amd64")
			if !c.key {
				m.network = []string{"-nic", "none"}
			}
			began := time.Now()
			m.powerOn()
			defer func() { m.powerCut() }() // also of one that was powered on anew
			const patience = 10 * time.Minute
			if c.cut != "" {
				m.root(patience, "until "+c.cut+"; do sleep 0.1; done")
				m.powerCut()
				t.Logf("the power is cut after %v", time.Since(began).Round(time.Second))
				m.powerOn()
			}
			m.root(patience, `until timeclock status -json | grep '"reader":{"healthy":true'; do sleep 1; done`)
			t.Logf("a clock after %v", time.Since(began).Round(time.Second))
			m.root(patience,
				"until [ -e /boot/firmware/timeclock-installed.txt ] && ! [ -e /boot/firmware/timeclock ] && "+
					"! systemctl list-jobs --no-legend | grep -q .; do sleep 1; done")
			t.Logf("nothing is left to do after %v", time.Since(began).Round(time.Second))
			m.isClock(c.key, c.wifi)
			m.root(patience, "sync")
			m.powerCut()
			// Wiped is wiped: not only no file has them.
			raw := make([]byte, (bootAt+bootMB)<<20)
			disk, err := os.Open(work + "/card.img")
			if err == nil {
				_, err = io.ReadFull(disk, raw)
				disk.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"very-secret-token", "very-secret-password"} {
				if bytes.Contains(raw, []byte(secret)) {
					t.Errorf("%s is left on the boot partition", secret)
				}
			}
		})
	}
}

// isClock looks at what a first boot has made.
func (m *machine) isClock(key, wifi bool) {
	m.t.Helper()
	wants := func(want, command string) {
		m.t.Helper()
		if out := m.root(time.Minute, command); !strings.Contains(out, want) {
			m.t.Errorf("%s says\n%s\nwant %s", command, out, want)
		}
	}
	wants("active", "systemctl is-active timeclock")
	wants("door-1", "hostname")
	wants("Europe/Berlin", "readlink /etc/localtime")
	wants("masked", "systemctl is-enabled userconfig")
	wants("none", "systemctl list-jobs --no-legend | grep . || echo none")
	wants("none", "[ -e /etc/systemd/system/timeclock-first-boot.service ] || echo none")
	wants("pi L ", "passwd -S pi")
	for _, group := range []string{"adm", "dialout", "sudo", "video", "plugdev", "input", "gpio", "spi", "i2c"} {
		wants("has "+group, "id -nG pi | tr ' ' '\\n' | sed 's/^/has /'")
	}
	wants("NOPASSWD: ALL", "sudo -l -U pi")
	wants("600 timeclock", "stat -c '%a %U' /etc/timeclock/token")
	if wifi {
		wants("very-secret-password", "netplan get wifis.wlan0.access-points.office")
	}
	if key {
		m.eventually(time.Minute, "root", "sudo -n id -un")
		wants("no", "sshd -T 2>/dev/null | sed -n 's/^passwordauthentication //p'")
	} else {
		wants("inactive", "systemctl is-active ssh")
	}
}

// A clock that a first boot has made books, at an API outside of it, through a power cut and
// an update.
func TestLifeOfAClock(t *testing.T) {
	needsBoot(t, "qemu-system-x86_64", "minisign")
	work := t.TempDir()
	began := time.Now()
	lap := func(what string) {
		t.Logf("%s after %v", what, time.Since(began).Round(time.Second))
	}

	// Zeitstrom, which is away now and then.
	server := &zeitstromtest.Server{Token: "very-secret-token"}
	var away atomic.Bool
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		server.ServeHTTP(w, r)
	}))
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	has := func(n int) {
		t.Helper()
		for end := time.Now().Add(3 * time.Minute); len(server.Timestamps()) != n; time.Sleep(time.Second) {
			if time.Now().After(end) {
				t.Fatalf("Zeitstrom has %d bookings, want %d", len(server.Timestamps()), n)
			}
		}
	}

	card{
		settings: fmt.Sprintf("zeitstrom.url = \"http://10.0.2.2:%s%s\"\nzeitstrom.plain_http_host = \"10.0.2.2\"\n"+
			"reader.driver = \"simulated\"\ndisplay.i2c = \"/dev/i2c-0\"\n",
			port, zeitstromtest.Base),
		arch: "amd64", key: true, wifi: true,
	}.write(t, work)
	sh(t, `set -eu; cd "$1"; minisign -G -W -p minisign.pub -s key.sec >/dev/null
		VERSION=2.0 ARCHS=amd64 "$2/deploy/package.sh" "$1/new" >/dev/null
		minisign -S -s key.sec -m new/*.deb </dev/null >/dev/null`,
		work, must(t)(filepath.Abs("..")))
	public := strings.Fields(sh(t, `tail -n 1 "$1"`, work+"/minisign.pub"))[0]
	lap("the card is written")

	m := newMachine(t, work, "amd64")
	defer func() { m.powerCut() }()
	m.powerOn()
	m.eventually(15*time.Minute, "active", "systemctl is-active timeclock")
	lap("the first boot has made a clock")

	m.says("door-1", "hostname")
	m.says("Europe/Berlin", "cat /etc/timezone; readlink /etc/localtime")
	m.eventually(time.Minute, "Installed on", "cat /boot/firmware/timeclock-installed.txt")
	m.says("first boot: done", "cat /boot/firmware/timeclock-first-boot.log")
	m.says("none", "sudo grep -rl very-secret /boot/firmware || echo none")
	m.says("600 timeclock", "sudo stat -c '%a %U' /etc/timeclock/token")
	m.says("14s", "systemctl show -p RuntimeWatchdogUSec")
	m.says("NRestarts=0", "systemctl show -p NRestarts timeclock")
	m.says("0 pending", "systemctl show -p StatusText timeclock")

	// From inside the unit's limits: devices by their groups, sync status and clock chip.
	m.eventually(time.Minute, `"check":"i2c","verdict":"ok"`, "sudo timeclock doctor -json || true")
	m.says(`"check":"time","verdict":"ok"`, "sudo timeclock doctor -json || true")
	m.says(`"check":"token","verdict":"ok"`, "sudo timeclock doctor -json || true")

	const e = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
	m.says("added", "sudo timeclock badge add 01020304 "+e+" Anna")
	m.says(`"outcome":"checkin"`, "sudo timeclock tap -json 01020304")
	has(1)
	lap("the first booking is at Zeitstrom")

	// Zeitstrom is away, somebody taps, and the power is cut at that moment.
	away.Store(true)
	m.says(`"outcome":"checkout"`, "sudo timeclock tap -json 01020304")
	m.powerCut()
	away.Store(false)
	m.powerOn()
	has(2)
	lap("the booking before the power cut is at Zeitstrom")
	m.eventually(10*time.Minute, "active", "systemctl is-active timeclock")
	m.says("door-1", "hostname")

	// An update under the real systemd, with a booking that waits.
	away.Store(true)
	m.says(`"outcome":"checkin"`, "sudo timeclock tap -json 01020304")
	m.bring(filepath.Join(work, "new"), "/tmp/new")
	m.says("", "echo 2.0 >/tmp/new/latest.txt; sudo systemd-run -q python3 -m http.server --bind 127.0.0.1 "+
		"--directory /tmp/new 8000")
	m.says("", `printf '[update]\nurl = "http://127.0.0.1:8000/"\nhours = "00:00-23:59"\nkey = "`+public+
		`"\n' | sudo tee -a /etc/timeclock/timeclock.toml`)
	// which has the rest done by the unit for updates
	m.eventually(time.Minute, "", "sudo systemctl start timeclock-fetch")
	m.eventually(5*time.Minute, `"version":"2.0"`,
		"sudo timeclock status -json; sudo journalctl --no-pager -n 60 -u timeclock-fetch -u timeclock-stage -u "+
			"timeclock-update")
	m.eventually(5*time.Minute, "none", "sudo test -e /var/lib/timeclock-update/plan.json || echo none")
	lap("updated")
	m.says("version 2.0 runs and is healthy", "sudo journalctl -u timeclock-update")
	m.says(`"pending":1`, "sudo timeclock status -json")
	m.says("inactive", "systemctl is-active timeclock-update || true")
	m.says("2.0", "dpkg-query -f '${Version}' -W timeclock")
	away.Store(false)
	has(3)
	lap("the booking before the update is at Zeitstrom")
	if got := server.Timestamps(); got[0].Intent != "checkin" || got[1].Intent != "checkout" ||
		got[2].Intent != "checkin" {
		t.Errorf("%+v", got)
	}
}
