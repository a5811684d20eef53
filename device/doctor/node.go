package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// Kind is a kind of device, and what must be so that one is there.
type Kind struct {
	group   string // that owns it
	setting string // of config.txt that makes its bus; empty: it is always there
	module  string // of the kernel that makes its device
	driver  string // that module's name in /proc/devices, by which a unit allows it
	buses   string // where the kernel lists its buses; their names end as that of the device
}

// The kinds of devices that a clock uses. The names in /proc/devices are those of the
// kernel's drivers/spi/spidev.c ("spi", not "spidev"), drivers/i2c/i2c-dev.c and
// drivers/gpio/gpiolib-cdev.c.
var (
	SPI  = Kind{"spi", "dtparam=spi=on", "spidev", "spi", "sys/class/spi_master/spi"}
	I2C  = Kind{"i2c", "dtparam=i2c_arm=on", "i2c-dev", "i2c", "sys/class/i2c-adapter/i2c-"}
	GPIO = Kind{"gpio", "", "", "gpiochip", ""}
)

// Node looks whether a device can be opened; that alone decides. All else is looked at to
// say why it cannot.
func (h Host) Node(check, path string, kind Kind) Finding {
	f, err := os.OpenFile(filepath.Join("/", h.Root, path), os.O_RDWR, 0)
	if err != nil {
		return h.explain(check, path, kind, err)
	}
	f.Close()
	return Good(check, "%s can be opened", path)
}

// explain says why a device cannot be opened, by what open(2) said.
func (h Host) explain(check, path string, kind Kind, err error) Finding {
	fail := func(do, found string, args ...any) Finding {
		return Finding{check, Fail, fmt.Sprintf(found, args...), do}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && kind.setting != "" && !h.hasBus(path, kind):
		return fail(h.Setting(kind.setting), "%s does not exist", path)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		if kind.module != "" && !h.hasDriver(kind.driver) {
			return fail(fmt.Sprintf("load it: sudo modprobe %s && sudo systemctl restart timeclock "+
				"(the package has it loaded at each start: /usr/lib/modules-load.d/timeclock.conf)",
				kind.module),
				"%s does not exist: its bus is there, but the kernel module %s is not loaded", path, kind.module)
		}
		return fail("see whether another dtoverlay in config.txt takes it, and whether the settings name the right "+
			"one (ls /dev)",
			"%s does not exist, though its bus is there", path)
	case errors.Is(err, syscall.EPERM): // what permissions forbid is EACCES
		return fail(fmt.Sprintf("restart the clock (sudo systemctl restart timeclock); if it stays so, "+
			"its unit must say DeviceAllow=char-%s rw: see `systemctl cat timeclock` for changes, "+
			"or install the package again",
			kind.driver),
			"%s is forbidden by the unit of the clock's service (DevicePolicy, DeviceAllow)", path)
	case errors.Is(err, fs.ErrPermission) && !h.groupMay(path):
		return fail("have udev set it right: sudo udevadm trigger; if it stays so, install the package again",
			"%s may not be opened: its permissions keep its group out", path)
	case errors.Is(err, fs.ErrPermission):
		who := "USER"
		if u, err := user.Current(); err == nil {
			who = u.Username
		}
		return fail(fmt.Sprintf("add it to the group %s (sudo usermod -aG %s %s), and log in or restart the clock",
			kind.group, kind.group, who),
			"%s may not be opened by the user %s", path, who)
	}
	return fail("restart the Pi; if it stays so, its system is damaged", "%s cannot be opened: %v", path, err)
}

// groupMay reports whether the permissions of a device let its group read and write.
func (h Host) groupMay(path string) bool {
	info, err := os.Stat(filepath.Join("/", h.Root, path))
	return err == nil && info.Mode().Perm()&0o060 == 0o060
}

// hasDriver reports whether a driver of character devices is loaded.
func (h Host) hasDriver(name string) bool {
	for line := range strings.Lines(h.read("proc/devices")) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[1] == name {
			return true
		}
		if strings.HasPrefix(line, "Block devices") {
			break
		}
	}
	return false
}

var busNumber = regexp.MustCompile(`[a-z-](\d+)(\.\d+)?$`)

// hasBus reports whether the kernel has the bus of a device: /dev/spidev0.1 is on the
// SPI bus 0, /dev/i2c-1 is the I2C bus 1.
func (h Host) hasBus(path string, kind Kind) bool {
	number := busNumber.FindStringSubmatch(path)
	if number == nil {
		return false
	}
	_, err := os.Stat(filepath.Join("/", h.Root, kind.buses+number[1]))
	return err == nil
}
