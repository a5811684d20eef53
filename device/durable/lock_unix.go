//go:build unix

package durable

import (
	"errors"
	"os"
	"syscall"
)

// Lock takes a directory that is open, until it is closed or the program ends. ErrLocked says that
// another process has it; with wait it is waited for.
func Lock(dir *os.File, wait bool) error {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	err := syscall.Flock(int(dir.Fd()), how)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}
