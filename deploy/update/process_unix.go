//go:build unix

package update

import (
	"os/exec"
	"syscall"
)

// standApart keeps an interrupt at the terminal, which is for us, from a program.
func standApart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// readable lets everybody read what is written until the function that it returns is called.
func readable() (back func()) {
	mask := syscall.Umask(0o022)
	return func() { syscall.Umask(mask) }
}
