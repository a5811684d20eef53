package image_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"timeclock/deploy/image"
	"timeclock/deploy/image/imagetest"
)

func quiet(int64, int64) {}

// make makes a card file with these changes.
func make(ctx context.Context, from, to string, changes map[string][]byte) error {
	s, err := image.OpenSource(from)
	if err != nil {
		return err
	}
	defer s.Close()
	d, err := image.NewDraft(to)
	if err != nil {
		return err
	}
	defer d.Drop()
	if err := d.Begin(ctx, s, quiet); err != nil {
		return err
	}
	for name, content := range changes {
		if content == nil {
			err = d.Boot.Remove(name)
		} else {
			err = d.Boot.WriteFile(name, content)
		}
		if err != nil {
			return err
		}
	}
	if err := d.Complete(ctx); err != nil {
		return err
	}
	return d.Finish(changes)
}

// sh runs a command and returns what it says.
func sh(t *testing.T, command string, args ...string) string {
	t.Helper()
	out, err := exec.Command("bash", append([]string{"-c", "set -euo pipefail; " + command, "sh"}, args...)...).
		CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// Out of an image, packed or not, with partitions at 8 or 16 MiB, becomes a card file that others read,
// with nothing changed but what was to change. The image itself is as it was.
func TestCardFile(t *testing.T) {
	for name, i := range map[string]imagetest.Image{
		"raw": {}, "xz": {Packed: true}, "16 MiB": {At: 16, BootMB: 64},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			from, to := i.Make(t, dir, "os.img"), filepath.Join(dir, "door.img")
			before := sh(t, `sha256sum "$1"`, from)
			big := bytes.Repeat([]byte("0123456789abcde\n"), 100_000)
			if err := make(t.Context(), from, to, map[string][]byte{
				"config.txt": []byte("dtparam=spi=on\n"), "timeclock/package.deb": big, "meta-data": nil,
			}); err != nil {
				t.Fatal(err)
			}
			if after := sh(t, `sha256sum "$1"`, from); after != before {
				t.Error("the image has changed")
			}
			if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v: the file has a token", info, err)
			}
			at := max(i.At, 8)
			got := sh(t, `at=$2; size=$(sfdisk -l -o size -q "$1" | sed -n 's/ //g;2p')
				dd if="$1" of="$1.boot" bs=1M skip=$at count=${size%M} status=none
				fsck.vfat -n "$1.boot"
				mtype -i "$1@@${at}M" ::config.txt
				mtype -i "$1@@${at}M" ::timeclock/package.deb | tail -c 20
				mdir -b -i "$1@@${at}M" ::
				dd if="$1" of="$1.root" bs=1M skip=$((at+${size%M})) status=none && fsck.ext4 -fn "$1.root" 2>&1
				rm "$1.boot" "$1.root"`,
				to, strconv.Itoa(at))
			for _, want := range []string{"abcde\n", "kernel8.img", "rootfs: 11/"} {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
			if strings.Contains(got, "meta-data") {
				t.Error("meta-data was to go")
			}
			// All beside the boot partition is the same, byte by byte.
			sh(t, `case $2 in *.xz) xz -dkf "$2"; set -- "$1" "${2%.xz}" "$3" ;; esac
				cmp <(head -c $(($3*1048576)) "$1") <(head -c $(($3*1048576)) "$2")
				cmp <(tail -c 8M "$1") <(tail -c 8M "$2")`, to, from, strconv.Itoa(at))
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("%v are left", left)
			}
		})
	}
}

// What is no image, not all of one, or one of another kind is refused, and nothing is left.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	raw := imagetest.Image{}.Make(t, dir, "raw.img")
	packed := imagetest.Image{Packed: true}.Make(t, dir, "packed.img")
	sh(t, `cd "$1"
		head -c 20M raw.img >half.img; head -c $(($(stat -c %s packed.img.xz) - 1000)) packed.img.xz >half.img.xz
		head -c 100 packed.img.xz >begin.img.xz; : >empty.img; head -c 1M /dev/zero >zeros.img
		cp packed.img.xz bad.img.xz; printf x | dd of=bad.img.xz bs=1 seek=30000 conv=notrunc status=none
		gzip -k <raw.img >raw.img.gz; printf 'PK\003\004' >raw.zip; mkdir folder
		cp raw.img gpt.img; printf 'label: gpt\n,10MiB\n' | sfdisk -q gpt.img
		cp raw.img one.img; printf 'label: dos\n,10MiB,c\n' | sfdisk -q one.img
		cp raw.img nofat.img; dd if=/dev/zero of=nofat.img bs=1M seek=8 count=1 conv=notrunc status=none
		cp raw.img torn.img; printf '\x77\x77\x77\x07' | dd of=torn.img bs=1 seek=$((8*1048576+32*512+4*5)) conv=notrunc status=none
		: >there.img`, dir)
	for name, want := range map[string]string{
		"none.img": "no such file", "folder": "is no file", "/dev/null": "is no file", "half.img": "cut off",
		"half.img.xz": "cut off", "begin.img.xz": "cut off", "bad.img.xz": "cut off or damaged", "empty.img": "no image of a card",
		"zeros.img": "no image of a card", "raw.img.gz": "packed by gzip", "raw.zip": "a ZIP archive",
		"gpt.img": "another layout (GPT)", "one.img": "another layout (partitions 0C", "nofat.img": "no FAT32 file system",
		"torn.img": "its boot partition: its tables differ",
	} {
		from := in(name)
		if name[0] == '/' {
			from = name
		}
		err := make(t.Context(), from, in("out.img"), map[string][]byte{"config.txt": []byte("x")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	for to, want := range map[string]string{
		"there.img": "is there already", "folder": "is a folder", "/dev/null": "is a device", "none/out.img": "there is no folder",
		"raw.img": "is there already", // the image itself
	} {
		if to[0] != '/' {
			to = in(to)
		}
		if err := make(t.Context(), raw, to, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("to %s: %v, want %q", to, err, want)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := make(ctx, packed, in("out.img"), nil); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Error(err)
	}
	left, _ := filepath.Glob(in(".*"))
	if _, err := os.Stat(in("out.img")); err == nil || len(left) > 0 {
		t.Errorf("%v, %v are left", err, left)
	}
}

// A card file that is not what it should be gets no name.
func TestFinish(t *testing.T) {
	dir := t.TempDir()
	from := imagetest.Image{}.Make(t, dir, "os.img")
	for want, harm := range map[string]func(t *testing.T, d *image.Draft, part string){
		"config.txt is not what was written": func(*testing.T, *image.Draft, string) {},
		"its tables differ": func(t *testing.T, _ *image.Draft, part string) {
			sh(t, `printf '\x77' | dd of="$1" bs=1 seek=$((8*1048576+32*512+4*900)) conv=notrunc status=none`, part)
		},
		"is there already": func(t *testing.T, _ *image.Draft, part string) {
			os.WriteFile(filepath.Join(dir, "door.img"), nil, 0o600)
		},
	} {
		s, err := image.OpenSource(from)
		if err != nil {
			t.Fatal(err)
		}
		d, err := image.NewDraft(filepath.Join(dir, "door.img"))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(d.Begin(t.Context(), s, quiet), d.Boot.WriteFile("config.txt", []byte("a")),
			d.Complete(t.Context())); err != nil {
			t.Fatal(err)
		}
		harm(t, d, filepath.Join(dir, ".door.img.part"))
		says := "b"
		if want[0] == 'i' {
			says = "a"
		}
		if err := d.Finish(map[string][]byte{"config.txt": []byte(says)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		d.Drop()
		s.Close()
		os.Remove(filepath.Join(dir, "door.img"))
		if left, _ := filepath.Glob(filepath.Join(dir, "*door*")); len(left) > 0 {
			t.Errorf("%s: %v are left", want, left)
		}
	}
}

// Whatever stands at the end of a file that begins as xz does, it is refused or has a size.
func FuzzOpenSource(f *testing.F) {
	dir := f.TempDir()
	path := imagetest.Image{Packed: true}.Make(f, dir, "os.img")
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:40], whole[len(whole)-200:])
	f.Add([]byte("PK\x03\x04"), make512())
	f.Fuzz(func(t *testing.T, head, tail []byte) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, append(head, tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := image.OpenSource(path)
		if err != nil {
			return
		}
		defer s.Close()
		d, err := image.NewDraft(path + ".out")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Drop()
		if d.Begin(t.Context(), s, quiet) == nil {
			d.Complete(t.Context())
		}
	})
}

func make512() []byte {
	b, _ := io.ReadAll(io.LimitReader(zero{}, 512))
	return b
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }
