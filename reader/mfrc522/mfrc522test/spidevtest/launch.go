//go:build linux && (amd64 || arm64)

package spidevtest

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// launchEnv makes the test binary start another program under the filter; its
// value is that program's path.
const launchEnv = "SPIDEVTEST_LAUNCH"

const socketFD = 3 // to the supervisor

// Launch must be called first in TestMain: the test binary starts itself anew
// to put the program under the filter. It returns at once otherwise.
func Launch() {
	path := os.Getenv(launchEnv)
	if path == "" {
		return
	}
	os.Unsetenv(launchEnv)
	err := launch(path)
	fmt.Fprintln(os.Stderr, "spidevtest:", err)
	os.Exit(126)
}

func launch(path string) error {
	runtime.LockOSThread() // the filter is this thread's, and exec keeps it
	listener, err := install()
	if err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	if err := unix.Sendmsg(socketFD, []byte{0}, unix.UnixRights(listener), nil, 0); err != nil {
		return err
	}
	unix.Close(listener)
	unix.CloseOnExec(socketFD)
	return syscall.Exec(path, os.Args, os.Environ())
}

// install puts the filter on this thread and returns its listener.
func install() (int, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		and   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
		// Offsets in struct seccomp_data.
		number  = 0
		request = 24 // low half of the second argument
	)
	filter := []unix.SockFilter{
		{Code: load, K: number},
		{Code: equal, K: unix.SYS_OPENAT, Jt: 4},
		{Code: equal, K: unix.SYS_IOCTL, Jf: 4},
		{Code: load, K: request},
		{Code: and, K: 0xFF00},
		{Code: equal, K: spiMagic << 8, Jf: 1},
		{Code: ret, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// Killable: a signal of the Go runtime must not repeat a transfer.
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags,
		uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}

// start starts the test binary as the launcher of cmd and returns the filter's
// listener.
func start(cmd *exec.Cmd) (listener int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	ours, theirs := pair[0], os.NewFile(uintptr(pair[1]), "launcher")
	defer unix.Close(ours)
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, launchEnv+"="+cmd.Path)
	cmd.Path = self
	cmd.ExtraFiles = []*os.File{theirs}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return 0, err
	}
	data, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(ours, data, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) == 0 {
		return 0, fmt.Errorf("this system does not let the filter be installed: %w", cmd.Wait())
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return 0, err
	}
	return fds[0], nil
}
