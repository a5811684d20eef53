package deploy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"timeclock/deploy/image/imagetest"
	"timeclock/device/devicetest"
)

// debianForPi makes a Debian 13, the base of today's Raspberry Pi OS, for a processor. It
// is kept for the next time. Another processor's programs are run by qemu-user.
const debianForPi = `
set -eu
tar=$1 arch=$2
[ ! -f "$tar" ] || exit 0
if [ "$arch" = arm64 ] && [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
	[ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
	cat /usr/lib/binfmt.d/qemu-aarch64.conf >/proc/sys/fs/binfmt_misc/register
fi
mkdir -p "$(dirname "$tar")"
mmdebstrap --quiet --variant=minbase --architectures=$arch \
	--include=systemd-sysv,linux-image-$arch,initramfs-tools,cloud-init,netplan.io,wpasupplicant,openssh-server \
	--include=sudo,dbus,udev,kmod,ca-certificates,tzdata,init-system-helpers,iproute2,e2fsprogs,systemd-timesyncd \
	trixie "${tar%.tar}-part.tar"
mv "${tar%.tar}-part.tar" "$tar"
`

// likePi makes a root partition of it that finds its first boot's orders where Raspberry Pi
// OS does: on the FAT partition, by cloud-init. As there, SSH is off and has no keys, sudo asks
// for a password, and somebody asks for a user's name at the console, which all else waits for
// (userconf-pi: debian/userconf-pi.userconfig.service; the dialog is a read that never ends).
const likePi = `
set -eu
tar=$1 image=$2
[ ! -f "$image" ] || exit 0
root=$image.d
rm -rf "$root" && mkdir "$root"
tar x -C "$root" -f "$tar" --exclude='./dev/*'
printf 'LABEL=bootfs /boot/firmware vfat defaults 0 2\nLABEL=rootfs / ext4 defaults 0 1\n' >"$root/etc/fstab"
mkdir -p "$root/boot/firmware"
printf 'datasource_list: [NoCloud]\ndatasource: {NoCloud: {seedfrom: /boot/firmware/}}\n' >"$root/etc/cloud/cloud.cfg.d/99-pi.cfg"
for group in input spi i2c gpio; do chroot "$root" groupadd -f -r $group; done
cat >"$root/usr/lib/systemd/system/userconfig.service" <<END
[Unit]
Description=User configuration dialog
After=systemd-user-sessions.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'while ! read -r name; do sleep 1; done'
StandardInput=tty
Restart=on-failure
TTYPath=/dev/tty8
TTYReset=yes
TTYVHangup=yes
TTYVTDisallocate=yes
[Install]
WantedBy=multi-user.target
END
rm -f "$root"/etc/ssh/ssh_host_*
systemctl --quiet --root="$root" enable systemd-networkd userconfig
systemctl --quiet --root="$root" disable ssh ssh.socket sshd-keygen 2>/dev/null || true
cp "$root"/boot/vmlinuz-* "${image%.img}.vmlinuz"
cp "$root"/boot/initrd.img-* "${image%.img}.initrd"
mkfs.ext4 -q -L rootfs -d "$root" "$image.part" 3G
rm -rf "$root"
mv "$image.part" "$image"
`

// rootOf makes such a partition, or finds it made, and returns its path without .img.
func rootOf(t *testing.T, arch string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	tar := filepath.Join(cache, "timeclock", "trixie-"+arch+".tar")
	sh(t, debianForPi, tar, arch)
	made := sha256.Sum256([]byte(likePi))
	image := filepath.Join(cache, "timeclock", fmt.Sprintf("pi-%s-%x", arch, made[:4]))
	sh(t, likePi, tar, image+".img")
	return image
}

// card is what a technician gives `timeclock image`.
type card struct {
	settings string // more of them
	arch     string
	key      bool
	wifi     bool
}

const wifiFile = "ssid = \"office\"\npassword = \"very-secret-password\"\ncountry = \"DE\"\n"

// bootMB is the size of a card's boot partition, which begins at bootAt, in MiB.
const bootAt, bootMB = 8, 128

// write makes a card file in a directory, out of an image in the layout of Raspberry Pi OS. The key that
// belongs to it is there too.
func (c card) write(t *testing.T, work string) {
	t.Helper()
	for name, text := range map[string]string{
		"door.toml": "clock.zone = \"Europe/Berlin\"\nterminal.lockout = \"0s\"\nclock.trust = \"auto\"\n" + c.settings,
		"token":     "very-secret-token\n", "wifi.toml": wifiFile,
	} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sh(t, `set -eu; cd "$1"; ssh-keygen -q -t ed25519 -N '' -f key; cp "$4" timeclock
		VERSION=1.0 ARCHS=$3 "$2/deploy/package.sh" "$1/debs" >/dev/null`,
		work, must(t)(filepath.Abs("..")), c.arch, devicetest.Program(t))
	// Its kernel and processor are not a Pi's.
	files := map[string]string{"kernel8.img": "-", "kernel_2712.img": "-", "config.txt": "", "cmdline.txt": ""}
	from := imagetest.Image{At: bootAt, BootMB: bootMB, Files: files, Root: rootOf(t, c.arch) + ".img"}.
		Make(t, work, "os.img")
	args := []string{
		"image", "-from", from, "-out", "card.img", "-config", "door.toml", "-token", "token", "-package", "debs",
		"-name", "door-1",
	}
	if c.key {
		args = append(args, "-ssh-key", "key.pub")
	}
	if c.wifi {
		args = append(args, "-wifi", "wifi.toml")
	}
	image := exec.Command("./timeclock", args...)
	image.Dir = work
	if out, err := image.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("the card file is ready")) {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Remove(from); err != nil {
		t.Fatal(err)
	}
}

func sh(t *testing.T, script string, args ...string) string {
	t.Helper()
	out, err := exec.Command("bash", append([]string{"-c", script, "sh"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	return string(out)
}

// machine is a computer in QEMU with a card.
type machine struct {
	t       *testing.T
	work    string // has the card
	arch    string
	board   string   // of arm64: the directory of its kit
	network []string // QEMU's words for it
	ssh     string   // port
	qemu    *exec.Cmd
	shell   *bufio.ReadWriter // root's, of a PC: it needs no network, no user and no key
	said    int
}

func newMachine(t *testing.T, work, arch string) *machine {
	m := &machine{t: t, work: work, arch: arch, ssh: freePort(t)}
	m.network = []string{
		"-netdev", "user,id=n,hostfwd=tcp:127.0.0.1:" + m.ssh + "-:22", "-device", "virtio-net-pci,netdev=n",
	}
	return m
}

func (m *machine) powerOn() {
	m.t.Helper()
	console, err := os.OpenFile(filepath.Join(m.work, "console.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	defer console.Close()
	root := rootOf(m.t, m.arch)
	// A kernel that panics starts anew: QEMU 7.2 without KVM lets one do so now and then, early.
	kernel := "root=/dev/vda2 rw net.ifnames=0 quiet panic=3 console="
	args := []string{
		"-smp", "2", "-m", "1024", "-display", "none", "-serial", "stdio", "-kernel", root + ".vmlinuz", "-initrd",
		root + ".initrd",
		"-drive", "file=" + m.work + "/card.img,if=virtio,format=raw",
	}
	if m.arch == "arm64" {
		m.qemu = exec.Command("qemu-system-aarch64", append(args, "-M", "virt,gic-version=2", "-cpu", "cortex-a53",
			"-dtb", m.board+"/board.dtb", "-append", kernel+"ttyAMA0")...)
	} else {
		os.Remove(m.work + "/shell")
		m.qemu = exec.Command("qemu-system-x86_64", append(args, "-M", "pc", "-cpu", "max", "-device", "i6300esb",
			"-serial", "unix:"+m.work+"/shell,server=on,wait=off", "-append", kernel+
				"ttyS0 systemd.debug_shell=ttyS1")...)
	}
	m.qemu.Args = append(m.qemu.Args, m.network...)
	m.qemu.Stdout, m.qemu.Stderr = console, console
	if err := m.qemu.Start(); err != nil {
		m.t.Fatal(err)
	}
}

// root has the debug shell of a PC run a command, and returns what that says.
func (m *machine) root(patience time.Duration, command string) string {
	m.t.Helper()
	if m.shell == nil {
		m.openShell(patience)
	}
	m.said++
	fmt.Fprintf(m.shell, "{ %s; } 2>&1; echo said-\\%d\n", command, m.said)
	m.shell.Flush()
	return m.hear(patience, fmt.Sprintf("said-%d", m.said))
}

func (m *machine) openShell(patience time.Duration) {
	m.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		conn, err := net.Dial("unix", m.work+"/shell")
		if err == nil {
			m.shell = bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn))
			m.t.Cleanup(func() { conn.Close() })
			break
		}
		if time.Now().After(end) {
			m.t.Fatalf("no shell: %v", err)
		}
	}
	heard := make(chan struct{})
	defer close(heard)
	go func(shell *bufio.ReadWriter) { // nobody listens until the shell is there
		for {
			select {
			case <-heard:
				return
			case <-time.After(time.Second):
				// What is lost of it must not leave a quote open. The backslash tells the answer from its echo.
				shell.WriteString("stty -echo; echo shell-\\ready\n")
				shell.Flush()
			}
		}
	}(m.shell)
	m.hear(patience, "shell-ready")
}

// hear returns what the shell says up to a line.
func (m *machine) hear(patience time.Duration, last string) string {
	m.t.Helper()
	type heard struct {
		text string
		err  error
	}
	all := make(chan heard, 1)
	go func() {
		var text strings.Builder
		for {
			line, err := m.shell.ReadString('\n')
			if line = strings.TrimSpace(line); err != nil || strings.HasSuffix(line, last) {
				text.WriteString(strings.TrimSuffix(line, last))
				all <- heard{text.String(), err}
				return
			}
			text.WriteString(line + "\n")
		}
	}()
	select {
	case h := <-all:
		if h.err != nil {
			m.t.Fatalf("the shell ends: %v", h.err)
		}
		return h.text
	case <-time.After(patience):
		m.t.Fatalf("the shell does not say %q within %v\n%s", last, patience, m.console())
	}
	panic("not reached")
}

func (m *machine) console() string {
	log, _ := os.ReadFile(filepath.Join(m.work, "console.log"))
	return "console:\n" + string(log[max(0, len(log)-6000):])
}

// powerCut is what a tripped fuse does.
func (m *machine) powerCut() {
	m.qemu.Process.Kill()
	m.qemu.Wait()
	m.shell = nil
}

// sshOptions let the card's key in, whatever the machine's own key is.
func (m *machine) sshOptions() []string {
	return []string{
		"-q", "-i", m.work + "/key", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "ConnectTimeout=20", "-o", "BatchMode=yes",
	}
}

// try runs a command as the user whom the key lets in. A first boot takes SSH away again for
// a moment: then it is tried once more.
func (m *machine) try(command string) (string, error) {
	for tries := 0; ; tries++ {
		out, err := exec.Command("ssh",
			append(m.sshOptions(), "-p", m.ssh, "pi@127.0.0.1", command)...).CombinedOutput()
		const noConnection = 255 // ssh(1)
		var exit *exec.ExitError
		if tries == 10 || !errors.As(err, &exit) || exit.ExitCode() != noConnection {
			return string(out), err
		}
		time.Sleep(2 * time.Second)
	}
}

// bring copies a file or a directory to the machine.
func (m *machine) bring(from, to string) {
	m.t.Helper()
	copied := exec.Command("scp", append(m.sshOptions(), "-r", "-P", m.ssh, from, "pi@127.0.0.1:"+to)...)
	if out, err := copied.CombinedOutput(); err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
}

// eventually waits for a command to succeed and to say something.
func (m *machine) eventually(patience time.Duration, want, command string) string {
	m.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Second) {
		out, err := m.try(command)
		if err == nil && strings.Contains(out, want) {
			return out
		}
		if time.Now().After(end) {
			m.t.Fatalf("%s, after %v: %v\n%s\nwant %s\n%s", command, patience, err, out, want, m.console())
		}
	}
}

func (m *machine) says(want, command string) {
	m.t.Helper()
	if out, err := m.try(command); err != nil || !strings.Contains(out, want) {
		m.t.Errorf("%s: %v\n%s\nwant %s", command, err, out, want)
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
