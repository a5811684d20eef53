package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What somebody else may have put there is no way to other files, and nothing to wait for.
func TestReadRegular(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.WriteFile(path("file"), []byte("0123456789"), 0o600),
		os.Symlink(path("file"), path("link")),
		syscall.Mkfifo(path("pipe"), 0o600),
		os.Mkdir(path("folder"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadRegular(path("file"), 10); err != nil || string(text) != "0123456789" {
		t.Errorf("%q, %v", text, err)
	}
	for name, want := range map[string]string{"link": "is a link", "pipe": "is no file", "folder": "is no file"} {
		if _, err := ReadRegular(path(name), 10); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadRegular(path("file"), 9); err == nil || !strings.Contains(err.Error(), "more than 9 bytes") {
		t.Errorf("a large file: %v", err)
	}
	if _, err := ReadRegular(path("none"), 9); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
