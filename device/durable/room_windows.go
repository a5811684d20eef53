package durable

import (
	"syscall"
	"unsafe"
)

var freeSpace = syscall.NewLazyDLL("kernel32.dll").NewProc("GetDiskFreeSpaceExW")

// RoomIn says how much room there is where a directory is.
func RoomIn(dir string) (r Room, err error) {
	name, err := syscall.UTF16PtrFromString(dir)
	if err != nil {
		return r, err
	}
	ok, _, err := freeSpace.Call(uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&r.Free)),
		uintptr(unsafe.Pointer(&r.Size)), 0)
	if ok == 0 {
		return Room{}, err
	}
	return r, nil
}
