// Package imagetest makes images of cards in the layout of those of Raspberry Pi OS, by the tools
// with which pi-gen makes them (export-image/prerun.sh): sfdisk, mkfs.vfat, mkfs.ext4, xz. They are
// smaller, and no Pi boots from one.
package imagetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// Image is what an image has that matters. The zero one is Lite of 24 November 2025, 64-bit, with
// partitions at 8 MiB.
type Image struct {
	At      int               // where the boot partition begins, in MiB; 0: 8
	BootMB  int               // its size; 0: 40
	Files   map[string]string // of the boot partition, beside or instead of the usual ones; "-": it lacks that one
	Root    string            // an ext4 file system to take instead of an empty one of 8 MiB
	Packed  bool              // by xz
	BadSize bool              // the partition is said to be larger than the image
}

// Usual are the files of a boot partition that matter here.
var Usual = map[string]string{
	"config.txt": "# For more options and information see\n# http://rptl.io/configtxt\ndtparam=audio=on\n[all]\n",
	"cmdline.txt": "console=serial0,115200 console=tty1 root=PARTUUID=1 rootfstype=ext4 rootwait " +
		"ds=nocloud;i=rpios-image-1\n",
	"issue.txt": "Raspberry Pi reference 2025-11-24\nGenerated using pi-gen, https://github.com/RPi-Distro/pi-gen, " +
		"cb05dfcc, stage2\n",
	"meta-data": "instance-id: rpios-image\n", "network-config": "#network:\n",
	"user-data": "#cloud-config\n\n#hostname: raspberrypi\n", "kernel8.img": "\x00", "kernel_2712.img": "\x00",
}

// Make makes one in a directory, and returns its path.
func (i Image) Make(t testing.TB, dir, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: images are made and read by one goroutine, and what is short looks for races")
	}
	for _, program := range []string{"sfdisk", "mkfs.vfat", "mkfs.ext4", "mcopy", "xz"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: there is no %s: apt-get install fdisk dosfstools e2fsprogs mtools xz-utils", program)
		}
	}
	boot := t.TempDir()
	files := map[string]string{}
	for _, all := range []map[string]string{Usual, i.Files} {
		for file, text := range all {
			files[file] = text
		}
	}
	for file, text := range files {
		if text == "-" {
			continue
		}
		path := filepath.Join(boot, file)
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, name)
	at, size := max(i.At, 8*(1-min(i.At, 1))), i.BootMB
	if size == 0 {
		size = 40
	}
	said := size
	if i.BadSize {
		said = 4 * size
	}
	out, err := exec.Command("bash", "-c", script, "sh", path, strconv.Itoa(at), strconv.Itoa(size), strconv.Itoa(said),
		boot, i.Root).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !i.Packed {
		return path
	}
	if out, err := exec.Command("xz", "-T2", "-1", "--block-size=8MiB", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path + ".xz"
}

const script = `
set -eu
image=$1 at=$2 size=$3 said=$4 boot=$5 root=$6
truncate -s $((at + size))M "$image"
mkfs.vfat -n bootfs -F 32 -s 1 --offset $((at * 2048)) "$image" $((size * 1024)) >/dev/null
(cd "$boot" && find . -type f | sort | cut -c 3- | while read -r file; do
	case $file in */*) mmd -D s -i "$image@@${at}M" "::$(dirname "$file")" >/dev/null 2>&1 || true ;; esac
	mcopy -i "$image@@${at}M" "$file" "::$file"
done)
if [ -z "$root" ]; then
	root=$image.root
	truncate -s 8M "$root"
	mkfs.ext4 -q -L rootfs "$root"
	rm_root=$root
fi
cat "$root" >>"$image"
[ -z "${rm_root:-}" ] || rm "$rm_root"
printf 'label: dos\n%sMiB,%sMiB,c\n%sMiB,,83\n' "$at" "$said" $((at + said)) >"$image.table"
[ "$said" = "$size" ] || truncate -s $((at + said + 8))M "$image"
sfdisk -q "$image" <"$image.table"
[ "$said" = "$size" ] || truncate -s $((at + size + 8))M "$image"
rm "$image.table"
`
