package fat

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// disk makes a file system as pi-gen does (export-image/prerun.sh), of so many KB, that begins at an
// offset; with sectors to a cluster.
func disk(t testing.TB, kb, offset int64, perCluster string) (*os.File, int64) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: it has one goroutine, and what is short looks for races")
	}
	for _, program := range []string{"mkfs.vfat", "fsck.vfat", "mcopy"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: there is no %s: apt-get install dosfstools mtools", program)
		}
	}
	path := filepath.Join(t.TempDir(), "boot.img")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(offset + kb<<10); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.vfat", "-n", "bootfs", "-F", "32", "-s", perCluster, "--offset",
		itoa(offset/512), path, itoa(kb)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return f, kb << 10
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// mtools works on the disk's file.
func mtools(t testing.TB, f *os.File, offset int64, args ...string) string {
	t.Helper()
	args = slices.Insert(args, 1, "-i", f.Name()+"@@"+itoa(offset))
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// whole has fsck.vfat, and our own pass, look at the file system.
func whole(t testing.TB, f *os.File, offset, size int64) {
	t.Helper()
	if faults, err := Check(f, offset, size); err != nil || len(faults) > 0 {
		t.Errorf("our pass: %v, %v", faults, err)
	}
	path := f.Name()
	if offset > 0 {
		raw := make([]byte, size)
		if _, err := f.ReadAt(raw, offset); err != nil {
			t.Fatal(err)
		}
		path += ".part"
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("fsck.vfat", "-n", path).CombinedOutput(); err != nil {
		t.Errorf("fsck.vfat: %v\n%s", err, out)
	}
}

// What others have written is read, changed beside what they write, and read by them again.
func TestWithOthers(t *testing.T) {
	const offset = 8 << 20
	f, size := disk(t, 64<<10, offset, "1")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config.txt": "dtparam=audio=on\n", "meta-data": "", "user-data": strings.Repeat("#\n", 3000),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		mtools(t, f, offset, "mcopy", filepath.Join(dir, name), "::"+name)
	}
	mtools(t, f, offset, "mmd", "::overlays")
	for i := range 60 { // names that fill some clusters of the folder, and leave holes
		mtools(t, f, offset, "mcopy", filepath.Join(dir, "config.txt"), "::overlays/a-long-name-"+itoa(int64(i))+".dtbo")
	}
	mtools(t, f, offset, "mdel", "::overlays/a-long-name-1*.dtbo")

	v, err := Open(f, offset, size)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := v.ReadFile("CONFIG.TXT"); err != nil || string(text) != "dtparam=audio=on\n" {
		t.Fatalf("%q, %v", text, err)
	}
	if text, err := v.ReadFile("meta-data"); err != nil || len(text) != 0 {
		t.Fatalf("%q, %v", text, err)
	}
	if _, err := v.ReadFile("timeclock/token"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if names, err := v.Names("overlays"); err != nil || len(names) != 49 || names[0] != "a-long-name-0.dtbo" {
		t.Errorf("%v, %v", names, err)
	}
	wrote := map[string]string{
		"config.txt": "short\n", "meta-data": "instance-id: x\n", "user-data": "", // longer, shorter, empty
		"timeclock/timeclock_1.0~rc1+2_arm64.deb": strings.Repeat("!", 70_000),
		"timeclock/files/Büro-CA.pem":             "pem",
		"timeclock/a name of thirteen":            "x", "timeclock/token": "secret\n",
		"overlays/a-long-name-of-our-own.dtbo": "y",
	}
	for _, name := range slices.Sorted(maps.Keys(wrote)) {
		if err := v.WriteFile(name, []byte(wrote[name])); err != nil {
			t.Fatal(name, err)
		}
	}
	if err := errors.Join(v.WriteFile("timeclock/gone", []byte("z")), v.Remove("timeclock/gone"), v.Flush()); err != nil {
		t.Fatal(err)
	}
	whole(t, f, offset, size)
	for name, text := range wrote {
		if name == "timeclock/files/Büro-CA.pem" { // mtools has its own idea of such letters
			continue
		}
		if got := mtools(t, f, offset, "mtype", "::"+name); got != text {
			t.Errorf("%s is %.40q for mtools, want %.40q", name, got, text)
		}
	}
	if list := mtools(t, f, offset, "mdir", "-b", "::timeclock"); strings.Contains(list, "gone") ||
		!strings.Contains(list, "timeclock_1.0~rc1+2_arm64.deb") {
		t.Error(list)
	}
}

// Whatever is written, made longer, shorter and removed, in whatever order, up to a full partition:
// all is read back, and fsck.vfat has nothing to say.
func TestAnything(t *testing.T) {
	f, size := disk(t, 34<<10, 0, "1")
	blank, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		if _, err := f.WriteAt(blank, 0); err != nil {
			r.Fatal(err)
		}
		v, err := Open(f, 0, size)
		if err != nil {
			r.Fatal(err)
		}
		has := map[string][]byte{}
		names := rapid.SampledFrom([]string{
			"a", "A.B", "timeclock/token", "timeclock/tokens", "timeclock/files/ca.pem", "a long name of a file.text",
			"x/1", "x/2", "x/3", "x/a/b/c/d", ".hidden", "...", "UPPER.TXT", "Überall.toml",
		})
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			name := names.Draw(r, "name")
			if _, there := has[name]; there && rapid.IntRange(0, 2).Draw(r, "what") == 0 {
				if err := v.Remove(name); err != nil {
					r.Fatal(name, err)
				}
				delete(has, name)
				continue
			}
			content := bytes.Repeat([]byte{rapid.Byte().Draw(r, "byte")},
				rapid.OneOf(rapid.IntRange(0, 2000), rapid.IntRange(0, 12<<20)).Draw(r, "size"))
			switch err := v.WriteFile(name, content); {
			case errors.Is(err, ErrFull):
			case err != nil:
				r.Fatal(name, err)
			default:
				has[name] = content
			}
		}
		if err := v.Flush(); err != nil {
			r.Fatal(err)
		}
		again, err := Open(f, 0, size)
		if err != nil {
			r.Fatal(err)
		}
		for name, content := range has {
			if got, err := again.ReadFile(name); err != nil || !bytes.Equal(got, content) {
				r.Fatalf("%s: %d bytes, %v, want %d", name, len(got), err, len(content))
			}
		}
		whole(t, f, 0, size)
		if t.Failed() {
			r.FailNow()
		}
	})
}

// A folder that fills its clusters grows, and uses what was freed.
func TestGrows(t *testing.T) {
	f, size := disk(t, 34<<10, 0, "1")
	v, err := Open(f, 0, size)
	if err != nil {
		t.Fatal(err)
	}
	name := func(i int) string { return "timeclock/a file with a rather long name " + itoa(int64(i)) }
	for i := range 300 {
		if err := v.WriteFile(name(i), []byte(itoa(int64(i)))); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < 300; i += 2 {
		if err := v.Remove(name(i)); err != nil {
			t.Fatal(err)
		}
	}
	left := v.Free()
	for i := 0; i < 300; i += 2 {
		if err := v.WriteFile(name(i), []byte(itoa(int64(-i)))); err != nil {
			t.Fatal(err)
		}
	}
	if took := left - v.Free(); took != 150*512 {
		t.Errorf("150 files of a cluster each have taken %d bytes", took)
	}
	if err := v.Flush(); err != nil {
		t.Fatal(err)
	}
	whole(t, f, 0, size)
}

// Each kind of damage is seen; fsck.vfat sees it, too.
func TestDamage(t *testing.T) {
	for want, damage := range map[string]func(v *Volume) error{
		"its tables differ": func(v *Volume) error { return v.write([]byte{7}, v.tableAt+v.table+4*9) },
		"are said to be free": func(v *Volume) error {
			return v.write([]byte{1, 0, 0, 0}, v.infoAt+infoCount)
		},
		"clusters belong to no file": func(v *Volume) error {
			_, err := v.allocate(3)
			return errors.Join(err, v.Flush())
		},
		"breaks off": func(v *Volume) error { v.set(one(v, "b"), free); return v.Flush() },
		"leads to":   func(v *Volume) error { v.set(one(v, "b"), v.count+9); return v.Flush() },
		"share a cluster": func(v *Volume) error {
			v.set(one(v, "a"), one(v, "b"))
			return v.Flush()
		},
		"has no end": func(v *Volume) error { v.set(one(v, "b"), one(v, "b")); return v.Flush() },
		"bytes in":   func(v *Volume) error { v.set(one(v, "b"), end); return v.Flush() },
		"does not know where it is": func(v *Volume) error {
			return v.write([]byte{9}, v.offset(one(v, "d"))+slot+26)
		},
		"is there twice": func(v *Volume) error {
			f, err := v.open(v.root)
			b, _ := f.find("b")
			a, _ := f.find("a")
			copy(f.raw[(b.to-1)*slot:][:11], a.short[:])
			return errors.Join(err, v.save(f))
		},
	} {
		f, size := disk(t, 34<<10, 0, "1")
		v, err := Open(f, 0, size)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(v.WriteFile("a", make([]byte, 600)), v.WriteFile("b", make([]byte, 2000)),
			v.WriteFile("d/e", nil), v.Flush()); err != nil {
			t.Fatal(err)
		}
		whole(t, f, 0, size)
		if err := damage(v); err != nil {
			t.Fatal(err)
		}
		if faults, err := Check(f, 0, size); err != nil || !strings.Contains(fmt.Sprint(faults), want) {
			t.Errorf("%v, %v, want %q", faults, err, want)
		}
		if out, err := exec.Command("fsck.vfat", "-n", f.Name()).CombinedOutput(); err == nil {
			t.Errorf("%s: fsck.vfat sees nothing:\n%s", want, out)
		}
	}
}

// one is the first cluster of a file or folder in the root.
func one(v *Volume, name string) uint32 {
	f, err := v.open(v.root)
	if err != nil {
		panic(err)
	}
	e, _ := f.find(name)
	return e.cluster
}

// Whatever stands on a disk, it is refused or read, and never more than that.
func FuzzOpen(f *testing.F) {
	d, size := disk(f, 34<<10, 0, "1")
	v, err := Open(d, 0, size)
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(v.WriteFile("dir/a long name", []byte("text")), v.Flush()); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(d.Name())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:512], whole[v.tableAt:][:64], whole[v.dataAt:][:2048])
	f.Fuzz(func(t *testing.T, boot, table, data []byte) {
		b := slices.Clone(whole[:2<<20])
		copy(b, boot)
		copy(b[v.tableAt:], table)
		copy(b[v.dataAt:], data)
		m := &memory{b}
		Check(m, 0, size)
		if w, err := Open(m, 0, size); err == nil {
			w.ReadFile("dir/a long name")
			w.WriteFile("dir/another", []byte("x"))
			w.Remove("dir/a long name")
			w.Flush()
		}
	})
}

// memory is a disk whose end is not written.
type memory struct{ b []byte }

func (m *memory) ReadAt(p []byte, at int64) (int, error) {
	clear(p)
	if at < int64(len(m.b)) {
		copy(p, m.b[at:])
	}
	return len(p), nil
}

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if at < int64(len(m.b)) {
		copy(m.b[at:], p)
	}
	return len(p), nil
}
