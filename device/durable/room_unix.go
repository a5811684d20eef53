//go:build unix

package durable

import "syscall"

// RoomIn says how much room there is where a directory is.
func RoomIn(dir string) (Room, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return Room{}, err
	}
	const readOnly = 1 // ST_RDONLY of statfs(2)
	block := uint64(s.Bsize)
	return Room{
		Free: s.Bavail * block, Size: s.Blocks * block, //nolint:unconvert // their types differ between systems
		NoFiles: s.Files > 0 && s.Ffree < 100, ReadOnly: s.Flags&readOnly != 0,
	}, nil
}
