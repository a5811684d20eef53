// Package flash prepares the boot partition of a card on which Raspberry Pi OS was
// just written, or of a card's image, so that its first boot makes a time clock of it, without a network:
// buses and watchdog in config.txt; host name, time zone, Wi-Fi and an SSH key for
// cloud-init; and the package with settings and token where the first boot installs
// them, and from where it then removes them.
//
// It knows no images and formats nothing. What it finds on the partition it keeps, and
// doing it again changes nothing.
package flash

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Device is what becomes of a card.
type Device struct {
	// Name is that of the host. Where it has the word SERIAL, the first boot puts the last eight digits
	// of the board's serial number: one card file then does for many boards.
	Name     string
	Names    map[string]string // of boards whose serial numbers, or their last digits, are known
	Zone     string            // such as Europe/Berlin; empty: as the image has it
	Config   []byte            // the clock's settings, judged already
	Token    []byte            // Zeitstrom's
	Files    map[string][]byte // further ones that the settings name, by their names in /etc/timeclock
	Packages []string
	Wifi     *Wifi  // nil: cable only
	User     string // who is made on the device, and may log in by the key
	SSHKey   string // public; empty: nobody may
}

// Change is a file that is not yet as it is to be.
type Change struct {
	Path   string // below the boot partition
	Before []byte // nil: there is none
	After  []byte // nil: it is to go
	Secret bool   // its text is not for screens
}

// folder is where what the first boot installs waits, and done is what tells that it
// has.
const (
	folder   = "timeclock"
	onDevice = "/boot/firmware/" + folder
	done     = "timeclock-installed.txt"
)

//go:embed first-boot.sh
var firstBoot []byte

var (
	hostName     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	serialNumber = regexp.MustCompile(`^[0-9a-f]{8,16}$`)       // as /proc/device-tree/serial-number has it
	userName     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`) // as Raspberry Pi OS takes them (userconf-service)
	zoneName     = regexp.MustCompile(`^[A-Za-z0-9_+/-]*$`)
)

// systemUsers are those whom Debian (base-passwd) and this program's package have already.
var systemUsers = strings.Fields("root daemon bin sys sync games man lp mail " +
	"news uucp proxy www-data backup list irc nobody sshd messagebus timeclock")

// Partition is a boot partition: Folder, or one in an image. Names have slashes.
type Partition interface {
	ReadFile(name string) ([]byte, error)
	Names(dir string) ([]string, error)
	// WriteFile replaces a file as a whole or not at all, and makes its folders.
	WriteFile(name string, content []byte) error
	Remove(name string) error
	Free() int64 // bytes
}

// Plan says what is to change on a partition. It changes nothing.
func Plan(boot Partition, d Device) ([]Change, error) {
	if err := Look(boot); err != nil {
		return nil, err
	}
	if err := d.Check(); err != nil {
		return nil, err
	}
	packages, err := d.packages(boot)
	if err != nil {
		return nil, err
	}
	all := []Change{
		{Path: "config.txt", After: nil},
		{Path: path.Join(folder, "first-boot.sh"), After: firstBoot},
		{Path: path.Join(folder, "device"), After: d.variables()},
		{Path: path.Join(folder, "names"), After: d.names()},
		{Path: path.Join(folder, "authorized_keys"), After: d.key()},
		{Path: path.Join(folder, "timeclock.toml"), After: d.Config},
		{Path: path.Join(folder, "token"), After: append(bytes.TrimSpace(d.Token), '\n'), Secret: true},
	}
	all = append(all, packages...)
	for _, name := range slices.Sorted(maps.Keys(d.Files)) {
		all = append(all, Change{Path: path.Join(folder, "files", name), After: d.Files[name], Secret: true})
	}
	if d.Wifi != nil {
		text, err := d.Wifi.networkConfig()
		if err != nil {
			return nil, err
		}
		all = append(all, Change{Path: "network-config", After: text, Secret: true})
	}
	// The last: they start all the rest.
	all = append(all, Change{Path: preseedFile, After: d.preseed(), Secret: true}, Change{Path: "user-data"})
	for i := range all {
		c := &all[i]
		if c.Before, err = boot.ReadFile(c.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		switch c.Path {
		case preseedFile:
			if c.Before != nil && !bytes.HasPrefix(c.Before, []byte(preseedHeader)) {
				return nil, fmt.Errorf("%s is not by this program: write the card again, without customisation", c.Path)
			}
		case "config.txt":
			c.After = firmware(c.Before)
		case "user-data":
			if c.After, err = userData(c.Before, d); err != nil {
				return nil, fmt.Errorf("%s: %w", c.Path, err)
			}
		}
	}
	all = slices.DeleteFunc(all, func(c Change) bool {
		return (c.Before == nil) == (c.After == nil) && bytes.Equal(c.Before, c.After)
	})
	if err := fits(boot, all); err != nil {
		return nil, err
	}
	return all, nil
}

// fits sees that all finds room. The old file and the new one are there for a moment.
func fits(boot Partition, all []Change) error {
	var needs int64
	for _, c := range all {
		needs += int64(len(c.After)) + overhead
	}
	if left := boot.Free(); needs > left {
		return fmt.Errorf("the boot partition has %.1f MB left and needs %.1f: take a fresh Raspberry Pi OS Lite",
			float64(left)/1e6, float64(needs)/1e6)
	}
	return nil
}

// overhead is what a file takes beside its bytes, at most: half a cluster that stays empty, names.
const overhead = 16 << 10

// Named says why a name cannot be a device's; SERIAL in it stands for digits.
func Named(name string) error {
	if !hostName.MatchString(strings.ReplaceAll(name, serialWord, "00000000")) {
		return fmt.Errorf("%q cannot be a device's name: use lower-case letters, digits and hyphens, 63 at most. "+
			"SERIAL in it becomes the board's serial number", name)
	}
	return nil
}

// Check makes sure that the names of a device can be names.
func (d Device) Check() error {
	for _, name := range append(slices.Collect(maps.Values(d.Names)), d.Name) {
		if err := Named(name); err != nil {
			return err
		}
	}
	for serial := range d.Names {
		if !serialNumber.MatchString(serial) {
			return fmt.Errorf("%q is no serial number: it has 8 to 16 digits, 0 to 9 and a to f", serial)
		}
		for other := range d.Names {
			if other != serial && strings.HasSuffix(other, serial) {
				return fmt.Errorf("the serial numbers %s and %s may be those of the same board", serial, other)
			}
		}
	}
	switch {
	case !userName.MatchString(d.User) || slices.Contains(systemUsers, d.User):
		return fmt.Errorf("%q cannot be the user's name: use lower-case letters, digits and hyphens, "+
			"32 at most, a letter first, and no name of the system's", d.User)
	case !zoneName.MatchString(d.Zone):
		return fmt.Errorf("%q is no time zone: it looks like Europe/Berlin", d.Zone)
	}
	return nil
}

// ErrNoBoot says that there is no Pi's boot partition.
var ErrNoBoot = errors.New("this is no Pi's boot partition: it has no config.txt and cmdline.txt")

// Look makes sure that this is the boot partition of a fresh card.
func Look(boot Partition) error {
	names, err := boot.Names("")
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoBoot
	}
	if err != nil {
		return err
	}
	has := func(name string) bool { return slices.Contains(names, name) }
	switch {
	case !has("config.txt") || !has("cmdline.txt"):
		return ErrNoBoot
	case has(done):
		return fmt.Errorf("this card has been through its first boot already (%s): write it anew, "+
			"or change the running device", done)
	case !has("meta-data"): // in its images since pi-gen cb05dfcc
		return fmt.Errorf("%s has no cloud-init (there is no meta-data): "+
			"take Raspberry Pi OS Lite of 24 November 2025 or later", cmp.Or(About(boot).String(), "the image"))
	}
	return nil
}

// bySerial reports whether the first boot finds the name.
func (d Device) bySerial() bool { return strings.Contains(d.Name, serialWord) || len(d.Names) > 0 }

// serialWord is what stands in a name for a board's serial number. A host's name has no capitals.
const serialWord = "SERIAL"

// variables are what first-boot.sh reads: names that need no quoting.
func (d Device) variables() []byte {
	return fmt.Appendf(nil, "name=%s\nzone=%s\nuser=%s\n", d.Name, d.Zone, d.User)
}

// names are the serial numbers that first-boot.sh knows, and the names of their boards.
func (d Device) names() (text []byte) {
	for _, serial := range slices.Sorted(maps.Keys(d.Names)) {
		text = fmt.Appendf(text, "%s %s\n", serial, d.Names[serial])
	}
	return text
}

// key is who may log in; nil: nobody.
func (d Device) key() []byte {
	if d.SSHKey == "" {
		return nil
	}
	return []byte(d.SSHKey + "\n")
}

// packages are what the first boot installs, of the system's architecture if that is known. One that
// waits there already does if none are given, and goes if another is.
func (d Device) packages(boot Partition) ([]Change, error) {
	there, err := boot.Names(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	there = slices.DeleteFunc(there, func(name string) bool { return path.Ext(name) != ".deb" })
	if len(d.Packages)+len(there) == 0 {
		return nil, errors.New("there is no package to install: name it, or the folder that has them, with -package")
	}
	system := About(boot).Architecture()
	var all []Change
	for _, file := range d.Packages {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(text, []byte("!<arch>\ndebian-binary")) {
			return nil, fmt.Errorf("%s is no Debian package: a release has them", file)
		}
		c := Change{Path: path.Join(folder, filepath.Base(file)), After: text}
		if system != "" && architecture(c.Path) != system+".deb" {
			continue
		}
		if i := slices.IndexFunc(all,
			func(o Change) bool { return architecture(o.Path) == architecture(c.Path) }); i >= 0 {
			return nil, fmt.Errorf("%s and %s are for the same kind of Pi: which one shall it be? Name that with "+
				"-package", path.Base(all[i].Path), filepath.Base(file))
		}
		all = append(all, c)
	}
	if len(d.Packages) > 0 && len(all) == 0 {
		return nil, fmt.Errorf("none of the packages is for this system: it wants timeclock_VERSION_%s.deb", system)
	}
	for _, name := range there {
		old := path.Join(folder, name)
		if len(all) > 0 && !slices.ContainsFunc(all, func(c Change) bool { return c.Path == old }) {
			all = append(all, Change{Path: old})
		}
	}
	return all, nil
}

// architecture is the last part of a package's name.
func architecture(path string) string { return path[strings.LastIndex(path, "_")+1:] }

// The part of config.txt that is ours.
const (
	begins = "# timeclock: what the time clock needs begins here"
	ends   = "# timeclock: and ends here"
)

var needs = strings.Join([]string{
	begins,
	"[all]",
	"dtparam=spi=on",
	"dtparam=i2c_arm=on",
	"dtoverlay=i2c-rtc,ds3231",
	"dtparam=watchdog=on",
	ends, "",
}, "\n")

// firmware returns config.txt with our part at its end.
func firmware(before []byte) []byte {
	text := string(before)
	if from := strings.Index(text, begins); from >= 0 {
		rest := text[from:]
		if to := strings.Index(rest, ends); to >= 0 {
			rest = strings.TrimPrefix(rest[to+len(ends):], "\n")
		} else {
			rest = ""
		}
		text = text[:from] + rest
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return []byte(text + needs)
}

// Diff shows a change as people read it; of a secret only that there is one.
func (c Change) Diff() string {
	switch {
	case c.After == nil:
		return fmt.Sprintf("%s: removed\n", c.Path)
	case c.Secret:
		return fmt.Sprintf("%s: %d bytes, a secret\n", c.Path, len(c.After))
	case bytes.IndexByte(c.After, 0) >= 0:
		return fmt.Sprintf("%s: %.1f MB\n", c.Path, float64(len(c.After))/1e6)
	}
	return string(diff.Diff(c.Path, c.Before, c.Path, c.After))
}

// Apply makes the changes, in their order. What is interrupted is finished by doing it
// again: until the last file is there, a boot installs nothing.
func Apply(boot Partition, changes []Change) error {
	for _, c := range changes {
		var err error
		if c.After == nil {
			err = boot.Remove(c.Path)
		} else {
			err = boot.WriteFile(c.Path, c.After)
		}
		if err != nil {
			return fmt.Errorf("the card is not finished: %w. See that it is not write-protected, nor full, "+
				"and do it again", err)
		}
	}
	return nil
}
