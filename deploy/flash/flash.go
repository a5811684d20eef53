// Package flash prepares the boot partition of a card on which Raspberry Pi OS was
// just written, so that its first boot makes a time clock of it, without a network:
// buses and watchdog in config.txt; host name, time zone, Wi-Fi and an SSH key for
// cloud-init; and the package with settings and token where the first boot installs
// them, and from where it then removes them.
//
// It writes no image and formats nothing. What it finds on the partition it keeps, and
// doing it again changes nothing.
package flash

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"timeclock/device/durable"

	"github.com/rogpeppe/go-internal/diff"
)

// Device is what becomes of a card.
type Device struct {
	Name     string            // of the host
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
	hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	userName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`) // as Raspberry Pi OS takes them (userconf-service)
	zoneName = regexp.MustCompile(`^[A-Za-z0-9_+/-]*$`)
)

// systemUsers are those whom Debian (base-passwd) and this program's package have already.
var systemUsers = strings.Fields("root daemon bin sys sync games man lp mail " +
	"news uucp proxy www-data backup list irc nobody sshd messagebus timeclock")

// Plan says what is to change on the partition in a directory. It changes nothing.
func Plan(boot string, d Device) ([]Change, error) {
	if err := look(boot); err != nil {
		return nil, err
	}
	if err := d.named(); err != nil {
		return nil, err
	}
	packages, err := d.packages(boot)
	if err != nil {
		return nil, err
	}
	all := []Change{
		{Path: "config.txt", After: nil},
		{Path: filepath.Join(folder, "first-boot.sh"), After: firstBoot},
		{Path: filepath.Join(folder, "device"), After: d.variables()},
		{Path: filepath.Join(folder, "authorized_keys"), After: []byte(d.SSHKey + "\n")},
		{Path: filepath.Join(folder, "timeclock.toml"), After: d.Config},
		{Path: filepath.Join(folder, "token"), After: append(bytes.TrimSpace(d.Token), '\n'), Secret: true},
	}
	all = append(all, packages...)
	for _, name := range slices.Sorted(maps.Keys(d.Files)) {
		all = append(all, Change{Path: filepath.Join(folder, "files", name), After: d.Files[name], Secret: true})
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
		if c.Before, err = os.ReadFile(filepath.Join(boot, c.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		switch c.Path {
		case filepath.Join(folder, "authorized_keys"):
			if d.SSHKey == "" {
				c.After = nil
			}
		case preseedFile:
			if c.Before != nil && !bytes.HasPrefix(c.Before, []byte(preseedHeader)) {
				return nil, fmt.Errorf("%s is not by this program: write the card again, without customisation",
					filepath.Join(boot, c.Path))
			}
		case "config.txt":
			c.After = firmware(c.Before)
		case "user-data":
			if c.After, err = userData(c.Before, d); err != nil {
				return nil, fmt.Errorf("%s: %w", filepath.Join(boot, c.Path), err)
			}
		}
	}
	return slices.DeleteFunc(all, func(c Change) bool {
		return (c.Before == nil) == (c.After == nil) && bytes.Equal(c.Before, c.After)
	}), nil
}

// named makes sure that the names of a device can be names.
func (d Device) named() error {
	switch {
	case !hostName.MatchString(d.Name):
		return fmt.Errorf("%q cannot be a device's name: use lower-case letters, digits and hyphens, 63 at most",
			d.Name)
	case !userName.MatchString(d.User) || slices.Contains(systemUsers, d.User):
		return fmt.Errorf("%q cannot be the user's name: use lower-case letters, digits and hyphens, "+
			"32 at most, a letter first, and no name of the system's", d.User)
	case !zoneName.MatchString(d.Zone):
		return fmt.Errorf("%q is no time zone: it looks like Europe/Berlin", d.Zone)
	}
	return nil
}

// look makes sure that a directory is the boot partition of a fresh card.
func look(boot string) error {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(boot, name))
		return err == nil
	}
	switch {
	case !has("config.txt") || !has("cmdline.txt"):
		return fmt.Errorf("%s is no Pi's boot partition: it has no config.txt and cmdline.txt. "+
			"Write Raspberry Pi OS Lite to the card, put it in again, and name the folder where its partition "+
			"bootfs is mounted", boot)
	case has(done):
		return fmt.Errorf("this card has been through its first boot already (%s): write it anew, "+
			"or change the running device", done)
	case !has("meta-data"): // in its images since pi-gen cb05dfcc
		return fmt.Errorf("the image on the card has no cloud-init (%s has no meta-data): "+
			"take Raspberry Pi OS Lite of 24 November 2025 or later", boot)
	}
	return nil
}

// variables are what first-boot.sh reads: names that need no quoting.
func (d Device) variables() []byte {
	return fmt.Appendf(nil, "name=%s\nzone=%s\nuser=%s\n", d.Name, d.Zone, d.User)
}

// packages are the files that the first boot installs the right one of: one for each
// architecture. Those that wait there already do if none are given, and go if some are.
func (d Device) packages(boot string) ([]Change, error) {
	there, _ := filepath.Glob(filepath.Join(boot, folder, "*.deb"))
	if len(d.Packages)+len(there) == 0 {
		return nil, errors.New("there is no package to install: name it, or the folder that deploy/package.sh has " +
			"filled, with -package")
	}
	var all []Change
	for _, path := range d.Packages {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(text, []byte("!<arch>\ndebian-binary")) {
			return nil, fmt.Errorf("%s is no Debian package: deploy/package.sh makes them", path)
		}
		c := Change{Path: filepath.Join(folder, filepath.Base(path)), After: text}
		if i := slices.IndexFunc(all,
			func(o Change) bool { return architecture(o.Path) == architecture(c.Path) }); i >= 0 {
			return nil, fmt.Errorf("%s and %s are for the same kind of Pi: which one shall it be? Name that with "+
				"-package", filepath.Base(all[i].Path), filepath.Base(path))
		}
		all = append(all, c)
	}
	for _, path := range there {
		old := filepath.Join(folder, filepath.Base(path))
		if len(d.Packages) > 0 && !slices.ContainsFunc(all, func(c Change) bool { return c.Path == old }) {
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
func Apply(boot string, changes []Change) error {
	if err := os.MkdirAll(filepath.Join(boot, folder, "files"), 0o700); err != nil {
		return err
	}
	for _, c := range changes {
		path, err := filepath.Join(boot, c.Path), error(nil)
		if c.After == nil {
			err = os.Remove(path)
		} else {
			err = durable.WriteFile(path, c.After)
		}
		if err != nil {
			return fmt.Errorf("the card is not finished: %w. See that it is not write-protected, nor full, "+
				"and do it again", err)
		}
	}
	return nil
}
