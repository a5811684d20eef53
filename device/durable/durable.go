// Package durable keeps files through power cuts: a file is replaced as a whole or not at
// all, and what was replaced is on the disk when the function returns. It also reads files
// that somebody else may have put where ours are expected.
//
// It knows nothing of what is in them.
package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// WriteFile replaces a file that only its owner may read, so that a power cut
// leaves the old one or the new one, and the new one once WriteFile has returned.
func WriteFile(path string, content []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// Write is WriteFile for what comes bit by bit. If it does not come to its end the file stays as it
// was.
func Write(path string, content func(io.Writer) error) error {
	// Always the same name: what a crash leaves behind is overwritten next time.
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := content(f); err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return Rename(f.Name(), path)
}

// Rename gives a file its name for good: the directory is on the disk too.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// SyncDir returns when the names in a directory are on the disk: which files there are, and
// which there are not any more.
func SyncDir(path string) error {
	if runtime.GOOS == "windows" { // which opens no directories, and needs none of this
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// ErrLocked says that another process has a directory.
var ErrLocked = errors.New("another process has it")

// Room is what is left of a file system.
type Room struct {
	Free, Size uint64 // bytes
	NoFiles    bool   // there is no room for the names of more files
	ReadOnly   bool
}
