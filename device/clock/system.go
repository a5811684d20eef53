package clock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"timeclock/device"
)

var _ Kernel = System{}

// System is the kernel that this program runs on.
type System struct{}

// Wall implements Kernel: without the monotonic reading by which Go would compare.
func (System) Wall() time.Time { return time.Now().Round(0) }

var bootID = sync.OnceValue(func() device.BootID {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // none: nothing is concluded from it
	return device.ParseBootID(string(text))
})

// BootID implements Kernel.
func (System) BootID() device.BootID { return bootID() }

// ClockChip implements Kernel. A chip that lost its power says so, and cannot be
// read.
func (System) ClockChip() (Chip, error) {
	c, err := clockChip("/sys/class/rtc")
	c.Cold = poweredOn("/proc/device-tree/chosen/bootloader/rsts")
	return c, err
}

// poweredOn reports whether a Pi was without power before it started. The bootloader leaves
// the register PM_RSTS there, most significant byte first (Raspberry Pi documentation,
// config_txt/conditional.adoc); its bit 12 is HADPOR, "had power-on reset". Not tried on a
// board yet.
func poweredOn(path string) bool {
	const hadPOR = 1 << 12
	rsts, err := os.ReadFile(path)
	return err == nil && len(rsts) == 4 && binary.BigEndian.Uint32(rsts)&hadPOR != 0
}

// clockChip chooses among those that the kernel knows: one that was wired before the
// computer's own, whatever their numbers.
func clockChip(dir string) (Chip, error) {
	names, _ := filepath.Glob(filepath.Join(dir, "rtc*", "name"))
	var wired, own []string
	for _, path := range names {
		if onBoard(path) {
			own = append(own, path)
		} else {
			wired = append(wired, path)
		}
	}
	err := errors.New("there is no clock chip (RTC)")
	for _, path := range append(wired, own...) {
		var c Chip
		if c, err = readChip(path); err == nil {
			return c, nil
		}
	}
	return Chip{}, err
}

// onBoard reports whether a chip is that of a Pi 5, by its name in sysfs: driver and
// device are called after raspberrypi,rpi-rtc (drivers/rtc/rtc-rpi.c of Raspberry Pi's
// kernel).
func onBoard(path string) bool {
	name, _ := os.ReadFile(path)
	return strings.Contains(strings.ReplaceAll(string(name), "_", "-"), "rpi-rtc")
}

func readChip(path string) (Chip, error) {
	name, _ := os.ReadFile(path)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(path), "since_epoch"))
	if err != nil {
		return Chip{}, fmt.Errorf("the clock chip (RTC) has lost its time (is its battery empty?): %w", err)
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return Chip{}, fmt.Errorf("the clock chip (RTC) cannot be read: %w", err)
	}
	return Chip{Name: strings.TrimSpace(string(name)), OnBoard: onBoard(path), Time: time.Unix(seconds, 0)}, nil
}
