package doctor

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"timeclock/device/durable"
)

// Host is the computer that the clock runs on. The zero Host is this one; Root is
// where else its file system is.
type Host struct{ Root string }

func (h Host) read(path string) string {
	text, err := os.ReadFile(filepath.Join("/", h.Root, path))
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(text), "\x00\n ")
}

// Model is what the computer calls itself; empty if it does not say.
func (h Host) Model() string { return h.read("proc/device-tree/model") }

// Serial is the computer's serial number; empty if it has none.
func (h Host) Serial() string { return h.read("proc/device-tree/serial-number") }

// System is the operating system's name; empty if it does not say.
func (h Host) System() string {
	for line := range strings.Lines(h.read("etc/os-release")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return ""
}

// IsPi reports whether it is a Raspberry Pi.
func (h Host) IsPi() bool { return strings.HasPrefix(h.Model(), "Raspberry Pi") }

// Board says what computer it is.
func (h Host) Board() Finding {
	if model := h.Model(); model != "" {
		return Good("board", "%s", model)
	}
	return Good("board", "a computer that does not say what it is; a Raspberry Pi would")
}

// configTxt is where a Pi's firmware reads its settings, of today's and of older systems.
var configTxt = []string{"boot/firmware/config.txt", "boot/config.txt"}

// Setting says how to bring a line into config.txt.
func (h Host) Setting(line string) string {
	for _, path := range configTxt {
		lines := strings.Split(h.read(path), "\n")
		if slices.ContainsFunc(lines, func(l string) bool { return strings.TrimSpace(l) == line }) {
			return fmt.Sprintf("%s stands in /%s already: restart the Pi", line, path)
		}
	}
	return fmt.Sprintf("put %s into /%s and restart the Pi", line, configTxt[0])
}

// Watchdog looks for the chip that starts the Pi anew when its kernel hangs.
func (h Host) Watchdog() Finding {
	if _, err := os.Stat(filepath.Join("/", h.Root, "dev/watchdog")); err != nil {
		return Finding{
			"watchdog", Warn, "there is no /dev/watchdog: a Pi whose kernel hangs stays so",
			h.Setting("dtparam=watchdog=on"),
		}
	}
	return Good("watchdog", "the hardware has one")
}

// What the firmware says of the supply: bits of get_throttled, as the Raspberry Pi
// documentation lists them under vcgencmd. The upper half is the same since the start.
const (
	underVoltage = 1 << 0
	capped       = 1 << 1
	throttled    = 1 << 2
	hot          = 1 << 3
	sinceStart   = 16
)

// Power asks the firmware whether the supply holds and the chip stays cool.
func (h Host) Power() Finding {
	found, _ := filepath.Glob(filepath.Join("/", h.Root, "sys/devices/platform/soc*/*firmware/get_throttled"))
	if len(found) == 0 {
		return Good("power", "this computer does not say how its supply is")
	}
	path, err := filepath.Rel(filepath.Join("/", h.Root), found[0])
	if err != nil {
		return Good("power", "this computer does not say how its supply is")
	}
	bits, err := strconv.ParseUint(strings.TrimPrefix(h.read(path), "0x"), 16, 64)
	now, since := bits, bits>>sinceStart
	const supply = "use the official power supply and a short, thick cable; nothing else shall hang on it"
	switch {
	case err != nil:
		return Finding{
			"power", Warn, fmt.Sprintf("the firmware's word on the supply cannot be read: %s", h.read(path)),
			"update the Pi's firmware",
		}
	case now&underVoltage != 0:
		return Finding{"power", Fail, "the supply is below 4.63 V right now", supply}
	case since&underVoltage != 0:
		return Finding{"power", Warn, "the supply has been below 4.63 V since the start", supply}
	case (now|since)&hot != 0, (now|since)&throttled != 0, (now|since)&capped != 0:
		return Finding{"power", Warn, "the Pi is or was too hot and runs slower", "give it air, or a heat sink"}
	}
	return Good("power", "the supply holds, and it is cool enough")
}

// lowMemory is what a Pi must have left, in MB: the clock takes less than ten.
const lowMemory = 40

// Memory looks how much is available.
func (h Host) Memory() Finding {
	s := bufio.NewScanner(strings.NewReader(h.read("proc/meminfo")))
	for s.Scan() {
		var kb int
		if _, err := fmt.Sscanf(s.Text(), "MemAvailable: %d kB", &kb); err != nil {
			continue
		}
		if mb := kb >> 10; mb < lowMemory {
			return Finding{
				"memory", Warn, fmt.Sprintf("%d MB are available", mb),
				"see with `top` what takes the memory; a clock needs no desktop",
			}
		}
		return Good("memory", "%d MB are available", kb>>10)
	}
	return Good("memory", "this computer does not say")
}

// Limits of the disk, in MB: a year of bookings of a hundred people takes about 50.
const (
	noSpace  = 20
	lowSpace = 200
)

// Disk looks whether bookings find room in a directory.
func (h Host) Disk(dir string) Finding {
	r, err := durable.RoomIn(filepath.Join("/", h.Root, dir))
	if err != nil {
		return Finding{"disk", Fail, fmt.Sprintf("%s: %v", dir, err), "make the directory, owned by the clock's user"}
	}
	return room(dir, r.Free>>20, r.NoFiles, r.ReadOnly)
}

// room judges what is left where the bookings are, in MB.
func room(dir string, mb uint64, noFiles, readOnly bool) Finding {
	const clean = "delete what is not needed there; `journalctl --vacuum-size=50M` shrinks the system's log"
	switch {
	case readOnly:
		return Finding{
			"disk", Fail, fmt.Sprintf("the file system of %s is read-only: the card may be worn out", dir),
			"restart the Pi; if it comes back, put in a new card",
		}
	case mb < noSpace:
		return Finding{"disk", Fail, fmt.Sprintf("%d MB are free in %s", mb, dir), clean}
	case noFiles:
		return Finding{"disk", Fail, fmt.Sprintf("there is no room for more files in %s", dir), clean}
	case mb < lowSpace:
		return Finding{"disk", Warn, fmt.Sprintf("%d MB are free in %s", mb, dir), clean}
	}
	return Good("disk", "%d MB are free in %s", mb, dir)
}

// Zone looks whether the display will show the time of a place.
func Zone(zone *time.Location, now time.Time) Finding {
	if name, offset := now.In(zone).Zone(); offset == 0 && name == "UTC" {
		return Finding{
			"zone", Warn, "the clock shows UTC", "set [clock] zone, such as \"Europe/Berlin\", or the system's: " +
				"sudo timedatectl set-timezone Europe/Berlin",
		}
	}
	return Good("zone", "%s, where it is %s", zone, now.In(zone).Format("15:04"))
}
