package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// host is a computer that has these files.
func host(t *testing.T, files map[string]string) Host {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Host{root}
}

// want compares a finding by parts of what it says.
func want(t *testing.T, f Finding, v Verdict, found, do string) {
	t.Helper()
	if f.Verdict != v || !strings.Contains(f.Found, found) || !strings.Contains(f.Do, do) || (v == OK) != (f.Do == "") {
		t.Errorf("%+v, want %s, %q, %q", f, v, found, do)
	}
}

func TestHost(t *testing.T) {
	pi := host(t, map[string]string{
		"proc/device-tree/model":         "Raspberry Pi 4 Model B Rev 1.5\x00",
		"proc/device-tree/serial-number": "100000001234abcd\x00",
		"proc/meminfo":                   "MemTotal:  3884300 kB\nMemFree: 1 kB\nMemAvailable:   3514304 kB\n",
		"dev/spidev0.0":                  "",
		"dev/watchdog":                   "",
		"etc/os-release":                 "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n",
		"boot/firmware/config.txt":       "# comment\ndtparam=i2c_arm=on\n",
	})
	if !pi.IsPi() || pi.Serial() != "100000001234abcd" {
		t.Errorf("%q, serial number %q", pi.Model(), pi.Serial())
	}
	if name := pi.System(); name != "Debian GNU/Linux 13 (trixie)" {
		t.Errorf("system %q", name)
	}
	want(t, pi.Board(), OK, "Raspberry Pi 4 Model B Rev 1.5", "")
	want(t, pi.Memory(), OK, "3431 MB", "")
	want(t, pi.Watchdog(), OK, "", "")
	want(t, pi.Power(), OK, "", "")
	want(t, pi.Disk("/"), OK, "MB are free", "")
	want(t, pi.Disk("/nowhere"), Fail, "no such file", "make the directory")

	bare := host(t, map[string]string{
		"proc/meminfo": "MemAvailable:   20480 kB\n", "boot/config.txt": "dtparam=watchdog=on",
	})
	if bare.IsPi() || bare.Serial() != "" {
		t.Error("what is no Pi passes for one")
	}
	want(t, bare.Board(), OK, "does not say", "")
	want(t, bare.Memory(), Warn, "20 MB", "top")
	want(t, bare.Watchdog(), Warn, "no /dev/watchdog", "stands in /boot/config.txt already")
}

// Whatever keeps a device from being opened is named, and what to do about it.
func TestNode(t *testing.T) {
	const devices = "Character devices:\n  1 mem\n 89 i2c\n153 spi\n\nBlock devices:\n259 blkext\n"
	const bare = "Character devices:\n  1 mem\n153 spidev\n\nBlock devices:\n 89 i2c\n"
	firmware := func(lines string) map[string]string { return map[string]string{"boot/firmware/config.txt": lines} }
	with := func(files map[string]string, more ...string) map[string]string {
		for i := 0; i < len(more); i += 2 {
			files[more[i]] = more[i+1]
		}
		return files
	}
	for name, c := range map[string]struct {
		files     map[string]string
		path      string
		kind      Kind
		verdict   Verdict
		found, do string
	}{
		"opens": {map[string]string{"dev/spidev0.0": ""}, "/dev/spidev0.0", SPI, OK, "can be opened", ""},
		"overlay missing": {
			firmware("dtparam=i2c_arm=on\n"), "/dev/spidev0.0", SPI, Fail,
			"/dev/spidev0.0 does not exist",
			"put dtparam=spi=on into /boot/firmware/config.txt and restart",
		},
		"overlay not in force yet": {
			firmware("# x\ndtparam=i2c_arm=on\n"), "/dev/i2c-1", I2C, Fail,
			"/dev/i2c-1 does not exist", "stands in /boot/firmware/config.txt already: restart",
		},
		"module missing, I2C": {
			with(firmware("dtparam=i2c_arm=on\n"), "proc/devices", bare, "sys/class/i2c-adapter/i2c-1/name",
				"bcm2835 (i2c@7e804000)"),
			"/dev/i2c-1", I2C, Fail, "the kernel module i2c-dev is not loaded",
			"sudo modprobe i2c-dev && sudo systemctl restart timeclock",
		},
		"module missing, SPI": {
			with(firmware("dtparam=spi=on\n"), "proc/devices", bare, "sys/class/spi_master/spi0/uevent", ""),
			"/dev/spidev0.0", SPI, Fail, "the kernel module spidev is not loaded", "sudo modprobe spidev",
		},
		"taken by another overlay": {
			with(firmware("dtparam=spi=on\n"), "proc/devices", devices, "sys/class/spi_master/spi0/uevent", ""),
			"/dev/spidev0.1", SPI, Fail, "does not exist, though its bus is there", "another dtoverlay",
		},
		"cannot be opened": {
			with(firmware(""), "dev/i2c-1/x", ""), "/dev/i2c-1", I2C, Fail, "cannot be opened", "restart",
		},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, host(t, c.files).Node("node", c.path, c.kind), c.verdict, c.found, c.do)
		})
	}
	// What the kernel answers where a unit forbids a device is tried under the real
	// systemd, in the deploy tests.
	forbidden := &fs.PathError{Op: "open", Path: "/dev/spidev0.0", Err: syscall.EPERM}
	want(t, Host{}.explain("spi", "/dev/spidev0.0", SPI, forbidden), Fail, "forbidden by the unit",
		"DeviceAllow=char-spi rw")
	want(t, Host{}.explain("gpio", "/dev/gpiochip0", GPIO, forbidden), Fail, "forbidden by the unit",
		"DeviceAllow=char-gpiochip rw")
}

// A node that this user may not open is told apart from one that a unit forbids.
func TestForbiddenNode(t *testing.T) {
	h := host(t, map[string]string{"dev/spidev0.0": ""})
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can be somebody else")
	}
	path := filepath.Join(h.Root, "dev/spidev0.0")
	for _, dir := range []string{h.Root, filepath.Dir(h.Root)} { // others may look into it
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread() // and never unlock it: the thread ends with this goroutine
	defer unix.Setfsuid(0)
	if err := unix.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	unix.Setfsgid(65534)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	look := func(mode os.FileMode) Finding {
		unix.Setfsuid(os.Geteuid())
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		unix.Setfsuid(65534)
		return h.Node("spi", "/dev/spidev0.0", SPI)
	}
	want(t, look(0o600), Fail, "its permissions keep its group out", "sudo udevadm trigger")
	want(t, look(0o660), Fail, "may not be opened by the user "+me.Username, "usermod -aG spi "+me.Username)
}

func TestPower(t *testing.T) {
	for bits, w := range map[string]struct {
		verdict   Verdict
		found, do string
	}{
		"0":      {OK, "holds", ""},
		"50005":  {Fail, "right now", "power supply"},
		"0x1":    {Fail, "right now", "power supply"},
		"50000":  {Warn, "since the start", "power supply"},
		"80008":  {Warn, "too hot", "air"},
		"20000":  {Warn, "too hot", "air"},
		"garble": {Warn, "cannot be read: garble", "firmware"},
	} {
		h := host(t, map[string]string{"sys/devices/platform/soc/soc:firmware/get_throttled": bits + "\n"})
		want(t, h.Power(), w.verdict, w.found, w.do)
	}
}

func TestRoom(t *testing.T) {
	want(t, room("/x", 5000, false, false), OK, "5000 MB are free in /x", "")
	want(t, room("/x", 100, false, false), Warn, "100 MB", "journalctl")
	want(t, room("/x", 10, false, false), Fail, "10 MB", "journalctl")
	want(t, room("/x", 5000, true, false), Fail, "more files", "delete")
	want(t, room("/x", 5000, false, true), Fail, "read-only", "new card")
}

func TestZone(t *testing.T) {
	summer := time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC)
	for name, w := range map[string]Verdict{"Europe/Berlin": OK, "Europe/London": OK, "UTC": Warn, "Etc/UTC": Warn} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		if f := Zone(zone, summer); f.Verdict != w {
			t.Errorf("%s: %+v", name, f)
		}
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	want(t, Zone(london, summer.AddDate(0, 6, 0)), OK, "Europe/London", "") // GMT is not UTC to whoever lives there
}

func TestNetwork(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	found, answers := Network{URL: server.URL, Roots: roots}.Look(t.Context())
	if !answers || len(found) != 3 {
		t.Fatalf("a good server: %+v", found)
	}
	want(t, found[0], OK, "127.0.0.1", "")
	want(t, found[1], OK, "none", "")
	want(t, found[2], OK, "TLS 1.3, certified by O=Acme Co until", "")

	last := func(n Network) Finding {
		found, answers := n.Look(t.Context())
		if answers {
			t.Errorf("%s answers: %+v", n.URL, found)
		}
		return found[len(found)-1]
	}
	want(t, last(Network{URL: server.URL}), Fail, "nobody vouches for the server's certificate, which is by O=Acme Co",
		"zeitstrom.ca_file")
	want(t, last(Network{URL: "https://localhost:" + port, Roots: roots}), Fail, "certificate is valid for",
		"log-in page")
	want(t, last(Network{URL: "https://nobody.invalid/"}), Fail, "nobody.invalid", "")
	server.Close()
	want(t, last(Network{URL: server.URL, Roots: roots}), Fail, "refused", "firewall")
}

// A certificate that ends soon is told before it has; one that has ended is told from
// one that nobody vouches for.
func TestCertificateEnds(t *testing.T) {
	for life, w := range map[time.Duration]Verdict{24 * time.Hour: Warn, -time.Hour: Fail} {
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		cert, roots := certificate(t, time.Now().Add(life))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		server.StartTLS()
		found, _ := Network{URL: server.URL, Roots: roots}.Look(t.Context())
		want(t, found[len(found)-1], w, "certificate", "must renew")
		server.Close()
	}
}

func TestProxyThatIsGone(t *testing.T) {
	want(t,
		through(context.Background(),
			&url.URL{Scheme: "http", Host: "127.0.0.1:1", User: url.UserPassword("me", "secret")}), Fail,
		"http://me:xxxxx@127.0.0.1:1 does not answer", "still the right one")
}
