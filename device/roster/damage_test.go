package roster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"timeclock/device"
)

// damages are what can become of a file.
var damages = map[string]func(path string) error{
	"missing": os.Remove,
	"empty":   func(path string) error { return os.WriteFile(path, nil, 0o600) },
	"zeros":   func(path string) error { return change(path, func(b []byte) []byte { return make([]byte, len(b)) }) },
	"half":    func(path string) error { return change(path, func(b []byte) []byte { return b[:len(b)/2] }) },
	"a line less": func(path string) error {
		return change(path, func(b []byte) []byte { return b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1] })
	},
	"a directory": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
}

func change(path string, how func([]byte) []byte) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, how(content), 0o600)
}

// employees of a badge map with n badges.
func filled(t *testing.T, n int) (path string, want string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "roster.csv")
	var list strings.Builder
	fmt.Fprintln(&list, "uid,employee_id,name")
	for i := range n {
		fmt.Fprintf(&list, "04%012X,a1b2c3d4-e5f6-7890-abcd-%012d,\"Müller, %d\"\n", 0xA1B2C3D4+i, i, i)
	}
	r := open(t, path)
	if _, err := r.Import(strings.NewReader(list.String()), Options{}); err != nil {
		t.Fatal(err)
	}
	return path, fmt.Sprint(badges(r))
}

// A damaged file is replaced by its copy, and nothing is lost.
func TestDamagedFile(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			path, want := filled(t, 12)
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			r := Open(path)
			if got := fmt.Sprint(badges(r)); got != want || !r.Whole() || r.Damage().Problem == "" {
				t.Errorf("it has %s, want %s; %+v", got, want, r.Damage())
			}
			r = open(t, path) // it is mended
			if got := fmt.Sprint(badges(r)); got != want {
				t.Errorf("afterwards it has %s", got)
			}
			aside, _ := filepath.Glob(path + damagedSuffix + "*")
			if kept := name != "missing"; len(aside) > 0 != kept {
				t.Errorf("set aside: %v", aside)
			}
		})
	}
}

// Without a copy what can be read counts, and an import mends the rest.
func TestDamagedFileWithoutACopy(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			path, _ := filled(t, 12)
			if err := errors.Join(damage(path), os.Remove(path+copySuffix)); err != nil {
				t.Fatal(err)
			}
			for range 2 { // it stays so over a restart
				r := Open(path)
				if lost := name != "missing"; r.Whole() == lost || lost &&
					!strings.Contains(r.Damage().Problem, "badge import") {
					t.Fatalf("%+v", r.Damage())
				}
				if name == "missing" { // a new clock
					return
				}
				if n := map[string]int{"a line less": 11}[name]; n > 0 && r.Len() != n {
					t.Errorf("%d badges can be used", r.Len())
				}
			}
			r := Open(path)
			if _, err := r.Add(device.Badge{UID: uid(t, "0A0B0C0D"), Employee: device.Employee{ID: ben}},
				false); err != nil {
				t.Fatal(err)
			}
			if r = Open(path); r.Whole() {
				t.Error("a badge that is given out makes it whole")
			}
			if _, err := r.Import(strings.NewReader("uid,employee_id,name\n01020304,"+anna+",Anna\n"),
				Options{}); err != nil {
				t.Fatal(err)
			}
			if r = open(t, path); !r.Whole() {
				t.Error("an import does not mend it")
			}
		})
	}
}

// Whatever bit of the file is wrong, nobody gets somebody else's badge, and with a copy
// nobody loses theirs.
func TestEveryFlippedBit(t *testing.T) {
	path, want := filled(t, 3)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good := open(t, path).all()
	for _, copied := range []bool{true, false} {
		for bit := range 8 * len(whole) {
			dir := t.TempDir()
			path := filepath.Join(dir, "roster.csv")
			flipped := bytes.Clone(whole)
			flipped[bit/8] ^= 1 << (bit % 8)
			os.WriteFile(path, flipped, 0o600)
			if copied {
				os.WriteFile(path+copySuffix, whole, 0o600)
			}
			r := Open(path)
			for _, b := range badges(r) {
				if b != good[b.UID] {
					t.Fatalf("bit %d: %+v", bit, b)
				}
			}
			if got := fmt.Sprint(badges(r)); copied && got != want {
				t.Fatalf("bit %d: %s, want %s", bit, got, want)
			} else if got != want && (r.Whole() || r.Damage().Problem == "") {
				t.Fatalf("bit %d: %d badges, and nobody says so", bit, r.Len())
			}
		}
	}
}

// A line that somebody has edited is not used until the file is imported.
func TestEditByHand(t *testing.T) {
	path, _ := filled(t, 3)
	err := change(path, func(b []byte) []byte {
		return bytes.Replace(b, []byte("000000000001"), []byte("000000000099"), 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	r := Open(path)
	if d := r.Damage(); !strings.Contains(d.Problem, "line 3") || !strings.Contains(d.Problem, "badge import "+path) ||
		d.Lost {
		t.Errorf("%+v", d)
	}
	edited, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer edited.Close()
	if _, err := r.Import(edited, Options{}); err != nil {
		t.Fatal(err)
	}
	if b, _ := open(t, path).Lookup(uid(t, "040000A1B2C3D5")); !strings.HasSuffix(string(b.Employee.ID), "99") {
		t.Errorf("after the import: %+v", b)
	}
}

// Version 0.9 wrote no checksums; its files are believed, and get them.
func TestFileOf09(t *testing.T) {
	path, want := filled(t, 3)
	old := open(t, path)
	var list bytes.Buffer
	if err := Export(&list, badges(old)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, list.Bytes(), 0o600), os.Remove(path+copySuffix)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(badges(open(t, path))); got != want {
		t.Errorf("it has %s", got)
	}
	for _, file := range []string{path, path + copySuffix} {
		if content, err := os.ReadFile(file); err != nil || !bytes.Contains(content, []byte("checksum of 3")) {
			t.Errorf("%s: %s, %v", file, content, err)
		}
	}
}
