package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

var released = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// The same files make the same archive, whenever and by whomever they were written; programs stay programs.
func TestPack(t *testing.T) {
	want := map[string]string{"tc-1.0/timeclock": "0755 program", "tc-1.0/sub/START.txt": "0644 text"}
	for _, end := range []string{".zip", ".tar.gz"} {
		var made [][]byte
		for i := range 2 {
			dir := filepath.Join(t.TempDir(), "tc-1.0")
			if err := errors.Join(
				os.MkdirAll(filepath.Join(dir, "sub"), 0o700),
				os.WriteFile(filepath.Join(dir, "timeclock"), []byte("program"), 0o700+0o055*os.FileMode(i)),
				os.WriteFile(filepath.Join(dir, "sub", "START.txt"), []byte("text"), 0o600+0o044*os.FileMode(i)),
				os.Chtimes(filepath.Join(dir, "timeclock"), time.Now(), time.Unix(int64(i)*1e8, 0)),
				pack(dir+end, dir, released),
			); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(dir + end)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, b)
		}
		if !bytes.Equal(made[0], made[1]) {
			t.Errorf("%s: two runs differ", end)
		}
		if got := unpacked(t, made[0], end); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", end, got, want)
		}
	}
	if err := pack(filepath.Join(t.TempDir(), "x.rar"), ".", released); err == nil {
		t.Error("x.rar is packed")
	}
}

func unpacked(t *testing.T, b []byte, end string) map[string]string {
	got := map[string]string{}
	add := func(name string, mode os.FileMode, at time.Time, r io.Reader) {
		text, err := io.ReadAll(r)
		if err != nil || !at.Equal(released) {
			t.Errorf("%s: %v, %v", name, err, at)
		}
		got[name] = map[os.FileMode]string{0o755: "0755 ", 0o644: "0644 "}[mode.Perm()] + string(text)
	}
	if end == ".zip" {
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			add(f.Name, f.Mode(), f.Modified, r)
		}
		return got
	}
	g, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(g); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		add(h.Name, h.FileInfo().Mode(), h.ModTime, r)
	}
}

// What a program was linked from is listed, with the Go that made it.
func TestBom(t *testing.T) {
	program, err := os.Executable() // this test
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := bom(&out, "1.0", released, []string{program}); err != nil {
		t.Fatal(err)
	}
	var b cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(out.Bytes()), cdx.BOMFileFormatJSON).Decode(&b); err != nil {
		t.Fatal(err)
	}
	all := out.String()
	for _, want := range []string{
		`"pkg:golang/github.com/CycloneDX/cyclonedx-go@v`, `"pkg:golang/std@1.`, `"timestamp": "2026-11-22T12:00:00Z"`,
		`"pkg:generic/timeclock@1.0"`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not in\n%s", want, all)
		}
	}
	if b.SerialNumber != "" { // it would be another one each time
		t.Error(b.SerialNumber)
	}
	if err := bom(&out, "1.0", released, []string{"release_test.go"}); err == nil {
		t.Error("a text is a program")
	}
}
