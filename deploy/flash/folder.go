package flash

import (
	"math"
	"os"
	"path/filepath"

	"timeclock/device/durable"
)

// Folder is the boot partition of a card, where it is mounted.
type Folder string

var _ Partition = Folder("")

func (f Folder) path(name string) string { return filepath.Join(string(f), filepath.FromSlash(name)) }

// ReadFile implements Partition.
func (f Folder) ReadFile(name string) ([]byte, error) { return os.ReadFile(f.path(name)) }

// Names implements Partition.
func (f Folder) Names(dir string) (names []string, err error) {
	all, err := os.ReadDir(f.path(dir))
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names, err
}

// WriteFile implements Partition: a power cut, or a card that is pulled out, leaves the old file or the
// new one.
func (f Folder) WriteFile(name string, content []byte) error {
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(path, content)
}

// Remove implements Partition.
func (f Folder) Remove(name string) error { return os.Remove(f.path(name)) }

// Free implements Partition.
func (f Folder) Free() int64 {
	room, err := durable.RoomIn(string(f))
	if err != nil { // then writing will tell
		return math.MaxInt64
	}
	return int64(min(room.Free, math.MaxInt64))
}
