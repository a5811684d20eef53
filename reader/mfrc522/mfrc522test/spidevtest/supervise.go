//go:build linux && (amd64 || arm64)

package spidevtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"unsafe"

	"timeclock/reader/mfrc522/mfrc522test"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// Device is the SPI device of one program.
type Device struct {
	path     string
	chip     *mfrc522test.Chip
	listener int
	done     chan struct{}
	ioctls   atomic.Int64
}

// Start starts cmd with a device at path, such as /dev/spidev0.0, that chip
// answers. Launch must be called in TestMain. The device lives as long as cmd.
func Start(cmd *exec.Cmd, path string, chip *mfrc522test.Chip) (*Device, error) {
	listener, err := start(cmd)
	if err != nil {
		return nil, fmt.Errorf("spidevtest: %w", err)
	}
	d := &Device{path: path, chip: chip, listener: listener, done: make(chan struct{})}
	go d.serve()
	return d, nil
}

// Transfers returns how many SPI transfers (ioctls) the program asked for.
func (d *Device) Transfers() int { return int(d.ioctls.Load()) }

// Wait returns after the program has ended and the device is gone.
func (d *Device) Wait() { <-d.done }

// notification, response and addition are the kernel's struct seccomp_notif,
// seccomp_notif_resp and seccomp_notif_addfd (linux/seccomp.h).
type notification struct {
	ID    uint64
	PID   uint32
	Flags uint32
	Nr    int32
	Arch  uint32
	IP    uint64
	Args  [6]uint64
}

type response struct {
	ID    uint64
	Val   int64
	Error int32
	Flags uint32
}

type addition struct {
	ID         uint64
	Flags      uint32
	SrcFD      uint32
	NewFD      uint32
	NewFDFlags uint32
}

func (d *Device) serve() {
	defer close(d.done)
	defer unix.Close(d.listener)
	for {
		fds := []unix.PollFd{{Fd: int32(d.listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); errors.Is(err, unix.EINTR) {
			continue
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			return // the last thread under the filter has ended
		}
		var n notification
		if ioctl(d.listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)) != 0 {
			continue // its thread was killed
		}
		r := response{ID: n.ID}
		switch n.Nr {
		case unix.SYS_OPENAT:
			if d.open(n, &r) {
				continue // answered by handing over a descriptor
			}
		default:
			r.Error = -int32(d.ioctl(n))
		}
		ioctl(d.listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r))
	}
}

func ioctl(fd int, request uint, arg unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg))
	return errno
}

// open answers an openat: the device by a descriptor that stands for it, any
// other file by letting the kernel go on.
func (d *Device) open(n notification, r *response) (answered bool) {
	path := make([]byte, len(d.path)+1)
	if err := peek(n.PID, n.Args[1], path); err != nil || !bytes.Equal(path, append([]byte(d.path), 0)) {
		r.Flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
		return false
	}
	if _, err := d.chip.Connect(10*physic.MegaHertz, spi.Mode0, 8); err != nil {
		r.Error = -int32(unix.ENOENT)
		return false
	}
	stand, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		r.Error = -int32(unix.EMFILE)
		return false
	}
	defer stand.Close()
	a := addition{ID: n.ID, Flags: unix.SECCOMP_ADDFD_FLAG_SEND, SrcFD: uint32(stand.Fd()), NewFDFlags: unix.O_CLOEXEC}
	return ioctl(d.listener, unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&a)) == 0
}

// spiMagic is the type of spidev's ioctls (linux/spi/spidev.h).
const spiMagic = 'k'

// transferSize is that of struct spi_ioc_transfer.
const transferSize = 32

// ioctl answers an ioctl of spidev.
func (d *Device) ioctl(n notification) unix.Errno {
	request := n.Args[1]
	if nr := request & 0xFF; nr != 0 {
		return 0 // mode, bits and speed: the driver under test sends them with each transfer
	}
	d.ioctls.Add(1)
	raw := make([]byte, request>>16&0x3FFF)
	if len(raw)%transferSize != 0 || peek(n.PID, n.Args[2], raw) != nil {
		return unix.EFAULT
	}
	var selects []mfrc522test.Select
	for at := 0; at < len(raw); at += transferSize {
		t := raw[at : at+transferSize]
		last := at+transferSize == len(raw)
		length := binary.NativeEndian.Uint32(t[16:])
		x := mfrc522test.Select{
			W: make([]byte, length), R: make([]byte, length), KeepCS: (t[27] == 0) != last,
			Speed: physic.Frequency(binary.NativeEndian.Uint32(t[20:])) * physic.Hertz,
		}
		if from := binary.NativeEndian.Uint64(t); from != 0 && peek(n.PID, from, x.W) != nil {
			return unix.EFAULT
		}
		selects = append(selects, x)
	}
	if err := d.chip.Transfer(selects); err != nil {
		return unix.ENODEV
	}
	for i, x := range selects {
		if to := binary.NativeEndian.Uint64(raw[i*transferSize+8:]); to != 0 && poke(n.PID, to, x.R) != nil {
			return unix.EFAULT
		}
	}
	return 0
}

// peek and poke reach the program's memory.
func peek(pid uint32, at uint64, to []byte) error {
	local := []unix.Iovec{{Base: &to[0], Len: uint64(len(to))}}
	_, err := unix.ProcessVMReadv(int(pid), local, []unix.RemoteIovec{{Base: uintptr(at), Len: len(to)}}, 0)
	return err
}

func poke(pid uint32, at uint64, from []byte) error {
	local := []unix.Iovec{{Base: &from[0], Len: uint64(len(from))}}
	_, err := unix.ProcessVMWritev(int(pid), local, []unix.RemoteIovec{{Base: uintptr(at), Len: len(from)}}, 0)
	return err
}
