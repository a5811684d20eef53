package deploy

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"timeclock/sync/zeitstrom/zeitstromtest"
)

var bootIt = flag.Bool("boot", false, "boot a whole Debian in QEMU, driven by what flash wrote; takes root, mmdebstrap, mtools, and about ten minutes")

// debianForPi makes a Debian that finds its first boot's orders where Raspberry Pi OS
// does: on the FAT partition, by cloud-init. It is kept for the next time.
const debianForPi = `
set -eu
tar=$1
[ ! -f "$tar" ] || exit 0
mkdir -p "$(dirname "$tar")"
mmdebstrap --quiet --variant=minbase \
	--include=systemd-sysv,linux-image-amd64,initramfs-tools,cloud-init,netplan.io,wpasupplicant,openssh-server,sudo,dbus,udev,kmod,ca-certificates,tzdata,init-system-helpers,iproute2 \
	--customize-hook='printf "LABEL=bootfs /boot/firmware vfat defaults 0 2\n/dev/vda / ext4 defaults 0 1\n" >"$1/etc/fstab"
		mkdir -p "$1/boot/firmware"
		printf "datasource_list: [NoCloud]\ndatasource: {NoCloud: {seedfrom: /boot/firmware/}}\n" >"$1/etc/cloud/cloud.cfg.d/99-pi.cfg"
		printf "i2c-dev\ni2c-piix4\n" >"$1/etc/modules-load.d/i2c.conf"
		chroot "$1" systemctl enable systemd-networkd
		chroot "$1" systemctl disable ssh' \
	"$(. /etc/os-release && echo "$VERSION_CODENAME")" "${tar%.tar}-part.tar"
mv "${tar%.tar}-part.tar" "$tar"
`

// images makes the root and boot partitions.
const images = `
set -eu
tar=$1 work=$2
mkdir "$work/root"
tar x -C "$work/root" -f "$tar" --exclude='./dev/*'
cp "$work"/root/boot/vmlinuz-* "$work/vmlinuz"
cp "$work"/root/boot/initrd.img-* "$work/initrd"
mkfs.ext4 -q -d "$work/root" "$work/root.img" 3G
rm -rf "$work/root"
mkfs.vfat -C -n bootfs "$work/boot.img" 131072 >/dev/null
mcopy -s -i "$work/boot.img" "$work"/bootfs/* ::
`

func sh(t *testing.T, script string, args ...string) string {
	t.Helper()
	out, err := exec.Command("bash", append([]string{"-c", script, "sh"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	return string(out)
}

// machine is a computer in QEMU with a boot and a root partition.
type machine struct {
	t       *testing.T
	work    string
	ssh     string // port
	monitor string // port
	qemu    *exec.Cmd
}

func (m *machine) powerOn() {
	m.t.Helper()
	console, err := os.OpenFile(filepath.Join(m.work, "console.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	defer console.Close()
	m.qemu = exec.Command("qemu-system-x86_64", "-M", "pc", "-cpu", "max", "-smp", "2", "-m", "1024", "-display", "none", "-serial", "stdio",
		"-kernel", m.work+"/vmlinuz", "-initrd", m.work+"/initrd", "-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet",
		"-drive", "file="+m.work+"/root.img,if=virtio,format=raw", "-drive", "file="+m.work+"/boot.img,if=virtio,format=raw",
		"-netdev", "user,id=n,hostfwd=tcp:127.0.0.1:"+m.ssh+"-:22,hostfwd=tcp:127.0.0.1:"+m.monitor+"-:9471", "-device", "virtio-net-pci,netdev=n", "-device", "i6300esb")
	m.qemu.Stdout, m.qemu.Stderr = console, console
	if err := m.qemu.Start(); err != nil {
		m.t.Fatal(err)
	}
}

// healthy waits until there is a clock that says so.
func (m *machine) healthy(patience time.Duration) {
	m.t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) {
		resp, err := client.Get("http://127.0.0.1:" + m.monitor + "/healthz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			m.t.Fatalf("there is no healthy clock after %v: %v", patience, err)
		}
	}
}

// consoleSays waits for a text on the console.
func (m *machine) consoleSays(patience time.Duration, want string) {
	m.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		log, err := os.ReadFile(filepath.Join(m.work, "console.log"))
		if err == nil && bytes.Contains(log, []byte(want)) {
			return
		}
		if time.Now().After(end) {
			m.t.Fatalf("the console does not say %q, %v:\n%s", want, err, log[max(0, len(log)-6000):])
		}
	}
}

// powerCut is what a tripped fuse does.
func (m *machine) powerCut() {
	m.qemu.Process.Kill()
	m.qemu.Wait()
}

func (m *machine) try(command string) (string, error) {
	out, err := exec.Command("ssh", "-q", "-i", m.work+"/key", "-p", m.ssh, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "ConnectTimeout=20", "-o", "BatchMode=yes", "pi@127.0.0.1", command).CombinedOutput()
	return string(out), err
}

// eventually waits for a command to succeed and to say something.
func (m *machine) eventually(patience time.Duration, want, command string) {
	m.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Second) {
		out, err := m.try(command)
		if err == nil && strings.Contains(out, want) {
			return
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(m.work, "console.log"))
			m.t.Fatalf("%s, after %v: %v\n%s\nconsole:\n%s", command, patience, err, out, log[max(0, len(log)-6000):])
		}
	}
}

func (m *machine) says(want, command string) {
	m.t.Helper()
	if out, err := m.try(command); err != nil || !strings.Contains(out, want) {
		m.t.Errorf("%s: %v\n%s\nwant %s", command, err, out, want)
	}
}

// A Debian whose first boot is driven by what flash wrote ends as a clock that books, at
// an API outside of it; also after a power cut, and after an update.
func TestFirstBoot(t *testing.T) {
	if !*bootIt {
		t.Skip("SKIPPED: booting a Debian takes minutes: go test -v -run TestFirstBoot ./deploy -boot -timeout 1h")
	}
	needs(t, "mmdebstrap", "qemu-system-x86_64", "mcopy", "mkfs.vfat", "ssh", "minisign")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	work, tar := t.TempDir(), filepath.Join(cache, "timeclock", "boot.tar")
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

	// The packages, and the card.
	sh(t, debianForPi, tar)
	lap("there is a Debian")
	sh(t, `set -eu; cd "$1"; minisign -G -W -p minisign.pub -s key.sec >/dev/null; ssh-keygen -q -t ed25519 -N '' -f key; go build -C "$2" -o "$1/timeclock" ./cmd/timeclock
		VERSION=1.0 ARCHS=amd64 "$2/deploy/package.sh" "$1/debs" >/dev/null; VERSION=2.0 ARCHS=amd64 "$2/deploy/package.sh" "$1/new" >/dev/null
		minisign -S -s key.sec -m new/*.deb </dev/null >/dev/null; mkdir bootfs; touch bootfs/config.txt bootfs/cmdline.txt; echo "instance-id: rpios-image" >bootfs/meta-data`,
		work, must(t)(filepath.Abs("..")))
	public := strings.Fields(sh(t, `tail -n 1 "$1"`, work+"/minisign.pub"))[0]
	for name, text := range map[string]string{
		"door.toml": fmt.Sprintf("zeitstrom.url = \"http://10.0.2.2:%s%s\"\nzeitstrom.plain_http_host = \"10.0.2.2\"\nreader.driver = \"simulated\"\nterminal.lockout = \"0s\"\nclock.trust = \"auto\"\nclock.zone = \"Europe/Berlin\"\ndisplay.i2c = \"/dev/i2c-0\"\nmonitor.listen = \":9471\"\n",
			port, zeitstromtest.Base),
		"token":     "very-secret-token\n",
		"wifi.toml": "ssid = \"office\"\npassword = \"very-secret-password\"\ncountry = \"DE\"\n",
	} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flash := exec.Command("./timeclock", "flash", "-boot", "bootfs", "-config", "door.toml", "-token", "token", "-wifi", "wifi.toml", "-package", "debs", "-name", "door-1", "-ssh-key", "key.pub")
	flash.Dir = work
	if out, err := flash.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("the card is ready")) {
		t.Fatalf("%v\n%s", err, out)
	}
	sh(t, images, tar, work)
	lap("the card is written")

	sshPort := freePort(t)
	m := &machine{t: t, work: work, ssh: sshPort, monitor: freePort(t)}
	defer func() { m.powerCut() }()

	// Somebody pulls the plug of a first boot that has only begun. What cloud-init makes
	// of that is its own affair; a clock there will be.
	sh(t, `cd "$1" && cp --sparse=always root.img root.kept && cp boot.img boot.kept`, work)
	m.powerOn()
	m.consoleSays(10*time.Minute, "door-1 login:")
	m.powerCut()
	m.powerOn()
	m.healthy(15 * time.Minute)
	lap("a first boot that was cut off has made a clock")
	m.powerCut()
	sh(t, `cd "$1" && mv root.kept root.img && mv boot.kept boot.img && rm console.log`, work)

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
	copied := exec.Command("bash", "-c", `tar c -C "$1/new" . | ssh -q -i "$1/key" -p "$2" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null pi@127.0.0.1 'mkdir /tmp/new && tar x -C /tmp/new'`, "sh", work, sshPort)
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.says("", "echo 2.0 >/tmp/new/latest.txt; sudo systemd-run -q python3 -m http.server --bind 127.0.0.1 --directory /tmp/new 8000")
	m.says("", `printf '[update]\nurl = "http://127.0.0.1:8000/"\nhours = "00:00-23:59"\nkey = "`+public+`"\n' | sudo tee -a /etc/timeclock/timeclock.toml`)
	m.eventually(time.Minute, "", "sudo systemctl start timeclock-fetch") // which has the rest done by the unit for updates
	m.eventually(5*time.Minute, `"version":"2.0"`, "sudo timeclock status -json")
	m.eventually(5*time.Minute, "none", "sudo test -e /var/lib/timeclock-update/plan.json || echo none")
	lap("updated")
	m.says("version 2.0 runs and is healthy", "sudo journalctl -u timeclock-update")
	m.says(`"pending":1`, "sudo timeclock status -json")
	m.says("inactive", "systemctl is-active timeclock-update || true")
	m.says("2.0", "dpkg-query -f '${Version}' -W timeclock")
	away.Store(false)
	has(3)
	lap("the booking before the update is at Zeitstrom")
	if got := server.Timestamps(); got[0].Intent != "checkin" || got[1].Intent != "checkout" || got[2].Intent != "checkin" {
		t.Errorf("%+v", got)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// must returns a value, or ends the test with the error beside it.
func must(t *testing.T) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}
