package deploy

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"timeclock/deploy/image/imagetest"
)

var underWine = flag.Bool("wine", false, "run the program for Windows under the Wine of Debian 13; "+
	"takes root, mmdebstrap, and some minutes the first time")

// wineDebian makes a Debian 13 with Wine, which that of Debian 12 is too old for (Go wants
// bcryptprimitives.dll), and unpacks it.
const wineDebian = `
set -eu
tar=$1 root=$2
if [ ! -f "$tar" ]; then
	mkdir -p "$(dirname "$tar")"
	mmdebstrap --quiet --variant=apt --include=wine64 trixie "${tar%.tar}-part.tar"
	mv "${tar%.tar}-part.tar" "$tar"
fi
tar x -C "$root" -f "$tar" --exclude='./dev/*'
mount -t proc proc "$root/proc"
`

// The program for Windows starts, says why it is no clock there, and makes the same card file as the one for
// Linux does.
func TestWindows(t *testing.T) {
	if !*underWine {
		t.Skip("SKIPPED: Windows programs take Wine, and some minutes: go test -v -run TestWindows ./deploy -wine")
	}
	needs(t, "mmdebstrap", "mcopy", "sfdisk", "mkfs.vfat", "xz")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	t.Cleanup(func() { exec.Command("umount", filepath.Join(root, "proc")).Run() })
	sh(t, wineDebian, filepath.Join(cache, "timeclock", "wine-trixie.tar"), root)
	work := filepath.Join(root, "root")
	for name, text := range map[string]string{
		"door.toml": "clock.zone = \"Europe/Berlin\"\ndisplay.language = \"de\"\nweb.listen = \":8443\"\n" +
			"zeitstrom.url = \"http://127.0.0.1:9/\"\n",
		"token": "secret\n", "timeclock_1.0_arm64.deb": "!<arch>\ndebian-binary \x00",
		"wifi.toml": "ssid = \"office\"\npassword = \"wlan-password\"\ncountry = \"DE\"\n",
	} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	imagetest.Image{Packed: true}.Make(t, work, "lite.img")
	sh(t, `set -eu; cd ..
		CGO_ENABLED=0 GOOS=windows GOARCH=amd64 go build -o "$1/timeclock.exe" ./cmd/timeclock
		CGO_ENABLED=0 go build -o "$1/timeclock" ./cmd/timeclock`, work)
	run := func(command string) string {
		t.Helper()
		out, err := exec.Command("chroot", root, "env", "-i", "HOME=/root", "WINEDEBUG=-all",
			"PATH=/usr/bin:/bin", "sh", "-c", "cd /root; "+command+" 2>&1; echo exit $?").CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	const wine = "/usr/lib/wine/wine64 timeclock.exe "
	flags := "image -from lite.img.xz -config door.toml -token token -package timeclock_1.0_arm64.deb -wifi wifi.toml " +
		"-name door-1 -out "
	for command, want := range map[string]string{
		wine + "version":                     "windows/amd64",
		wine + "status":                      "it works on a clock, which runs on Linux",
		wine + "config check door.toml":      "exit 0",
		wine + "badge explain 04A1B2C3":      "exit 0",
		wine + flags + "windows.img":         "door-1: the card file is ready: windows.img",
		wine + flags + "other.img -dry-run":  "Raspberry Pi OS Lite (64-bit) of 2025-11-24",
		"./timeclock " + flags + "linux.img": "door-1: the card file is ready: linux.img",
		wine + "flash -boot nowhere -name x -token token -config door.toml": "nowhere: this is no Pi's boot partition",
	} {
		if out := run(command); !strings.Contains(out, want) {
			t.Errorf("%s says\n%s\nwant %s", command, out, want)
		}
	}
	got := sh(t, `cd "$1"; for made in windows linux; do
			mcopy -s -i $made.img@@8M :: $made-files && dd if=$made.img of=part bs=1M skip=8 count=40 status=none && fsck.vfat -n part
		done; diff -r windows-files linux-files && echo same`, work)
	if !strings.HasSuffix(got, "same\n") {
		t.Error(got)
	}
	if left, _ := filepath.Glob(filepath.Join(work, ".*.part")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}
