package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"timeclock/deploy/flash"
	"timeclock/device/config"
)

var flashCommand = command{
	name: "flash", help: "prepare a card with Raspberry Pi OS Lite: its first boot makes a time clock of it",
	flags: func(f *flags) action {
		k := card{}
		given := map[string]*string{}
		for _, name := range cardValues {
			if name != "config" { // which every command has
				given[name] = f.text(name, "", cardUsage[name])
			}
		}
		user := f.text("user", "pi", "`who` may log in by the SSH key")
		devices := f.text("devices", "", "a CSV `file` with a device to a line: name, and if they differ boot, "+
			"config, token, wifi, timezone, package, ssh-key")
		dry := f.truth("dry-run", "only show what would change")
		return func(_ context.Context, c *call) error {
			for name, value := range given {
				k[name] = *value
			}
			k["config"] = c.config
			return (&flasher{c, *user, *devices, *dry}).run(k)
		}
	},
}

// cardValues are the flags that may differ from card to card.
var cardValues = []string{"boot", "config", "token", "package", "name", "timezone", "wifi", "ssh-key"}

var cardUsage = map[string]string{
	"boot":     "the `folder` where the card's boot partition is mounted",
	"token":    "the `file` of the API token",
	"package":  "the Debian package, or the `folder` that deploy/package.sh has filled",
	"name":     "the device's `name` in the network",
	"timezone": "its time `zone`, such as Europe/Berlin; else [clock] zone of the settings",
	"wifi":     "a `file` with ssid, password and country in TOML; none: by cable",
	"ssh-key":  "the `file` of a public SSH key; none: nobody can log in",
}

// flasher prepares cards.
type flasher struct {
	*call
	user    string
	devices string // a list of devices; empty: one
	dry     bool
}

// card is what one card is prepared with: the values of the flags of the same names.
type card map[string]string

// run prepares one card, or one after the other those of a list.
func (c *flasher) run(flags card) error {
	cards := []card{flags}
	if c.devices != "" {
		var err error
		if cards, err = readCards(c.devices, flags); err != nil {
			return err
		}
	}
	// All are judged before the first card is touched.
	ready := make([]flash.Device, len(cards))
	var faults []error
	for i, k := range cards {
		var err error
		ready[i], err = c.device(k)
		// the others are not in yet
		if first := slices.IndexFunc(cards, func(o card) bool { return o["boot"] == k["boot"] }); err == nil &&
			first == i {
			_, err = flash.Plan(k["boot"], ready[i])
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s%w", where(k, c.devices), err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	in := bufio.NewReader(c.stdin)
	for i, k := range cards {
		for i > 0 && !c.dry && cards[i-1]["boot"] == k["boot"] {
			if err := c.nextCard(in, k, cards[i-1]["name"]); err != nil {
				return err
			}
			if other := flash.PreparedFor(k["boot"]); other == "" || other == k["name"] {
				break
			}
		}
		if err := c.prepare(k["boot"], ready[i]); err != nil {
			return fmt.Errorf("%s%w", where(k, c.devices), err)
		}
	}
	return nil
}

func where(k card, list string) string {
	if list == "" {
		return ""
	}
	return fmt.Sprintf("%s, device %q: ", list, k["name"])
}

// nextCard waits until somebody has put in the next card.
func (c *flasher) nextCard(in *bufio.Reader, k card, last string) error {
	fmt.Fprintf(c.stdout, "Take out the card of %s, put in that for %s, and press Enter. ", last, k["name"])
	if _, err := in.ReadString('\n'); err != nil {
		return fmt.Errorf("nobody put in the card for %s: call it again with the devices that are left", k["name"])
	}
	return nil
}

// device reads what a card is prepared with.
func (c *flasher) device(k card) (d flash.Device, err error) {
	for _, name := range []string{"boot", "name", "token"} {
		if k[name] == "" {
			return d, fmt.Errorf("%w: -%s is missing", errUsage, name)
		}
	}
	d = flash.Device{Name: k["name"], Zone: k["timezone"], User: c.user}
	cfg, err := loadConfig(k["config"])
	if err != nil {
		return d, err
	}
	if zone := cfg.Clock.Zone.String(); d.Zone == "" && zone != "Local" {
		d.Zone = zone
	}
	if d.Config, err = os.ReadFile(k["config"]); err != nil {
		return d, err
	}
	if d.Token, err = os.ReadFile(k["token"]); err != nil {
		return d, fmt.Errorf("the token: %w", err)
	}
	if len(strings.Fields(string(d.Token))) != 1 {
		return d, fmt.Errorf("%s must hold the API token and nothing else", k["token"])
	}
	if d.Files, err = furtherFiles(cfg, filepath.Dir(k["config"])); err != nil {
		return d, err
	}
	if d.Packages, err = packages(k["package"]); err != nil {
		return d, err
	}
	if path := k["wifi"]; path != "" {
		text, err := os.ReadFile(path)
		if err == nil {
			d.Wifi, err = flash.ParseWifi(text)
		}
		if err != nil {
			return d, fmt.Errorf("Wi-Fi, %s: %w", path, err)
		}
	}
	if path := k["ssh-key"]; path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return d, err
		}
		d.SSHKey = strings.TrimSpace(string(text))
		if !strings.HasPrefix(d.SSHKey, "ssh-") && !strings.HasPrefix(d.SSHKey, "ecdsa-") &&
			!strings.HasPrefix(d.SSHKey, "sk-") || strings.Contains(d.SSHKey, "\n") {
			return d, fmt.Errorf("%s is no public SSH key: it has one line and begins with ssh-ed25519, say", path)
		}
	}
	return d, nil
}

// furtherFiles are those that the settings name beside the token. They lie beside the
// settings, under the names that they get on the device.
func furtherFiles(cfg config.Config, folder string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for key, path := range map[string]string{
		"zeitstrom.ca_file": cfg.Zeitstrom.CAFile, "zeitstrom.admin_token_file": cfg.Zeitstrom.AdminTokenFile,
		"web.cert_file": cfg.Web.CertFile, "web.key_file": cfg.Web.KeyFile,
	} {
		if path == "" {
			continue
		}
		if filepath.Dir(path) != filepath.Dir(config.DefaultPath) {
			return nil, fmt.Errorf("%s names %s, which will not be on a new device: use a name in %s, "+
				"and put the file beside the settings", key, path, filepath.Dir(config.DefaultPath))
		}
		text, err := os.ReadFile(filepath.Join(folder, filepath.Base(path)))
		if err != nil {
			return nil, fmt.Errorf("%s names %s: put that file beside the settings: %w", key, path, err)
		}
		files[filepath.Base(path)] = text
	}
	return files, nil
}

// packages are a package, or those of a folder.
func packages(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	found, err := filepath.Glob(filepath.Join(path, "timeclock_*.deb"))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("there is no timeclock_*.deb in %s: deploy/package.sh makes them", path)
	}
	return found, err
}

// prepare brings one card into shape.
func (c *flasher) prepare(boot string, d flash.Device) error {
	changes, err := flash.Plan(boot, d)
	if err != nil {
		return err
	}
	for _, change := range changes {
		if c.dry {
			fmt.Fprint(c.stdout, change.Diff())
		} else {
			fmt.Fprintf(c.stdout, "%s: %s\n", d.Name, change.Path)
		}
	}
	switch {
	case c.dry:
		_, err = fmt.Fprintf(c.stdout, "%s: %d files would change in %s\n", d.Name, len(changes), boot)
		return err
	case len(changes) > 0:
		err = flash.Apply(boot, changes)
	}
	if err == nil {
		_, err = fmt.Fprintf(c.stdout, "%s: the card is ready. Eject it, put it into the Pi, and give it power: "+
			"after some minutes the display shows the time\n", d.Name)
	}
	return err
}

// readCards reads a list of devices. What a line leaves empty is as the flags say; its
// files are named from the list's folder.
func readCards(path string, flags card) ([]card, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.TrimLeadingSpace = true
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, column := range header {
		if _, known := flags[column]; !known {
			return nil, fmt.Errorf("%s: there is no column %q: use name, boot, config, token, wifi, timezone, "+
				"package, ssh-key", path, column)
		}
	}
	var cards []card
	for {
		line, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		k := card{}
		for name, value := range flags {
			k[name] = value
		}
		for i, value := range line {
			if value == "" {
				continue
			}
			if name := header[i]; name != "name" && name != "timezone" && !filepath.IsAbs(value) {
				value = filepath.Join(filepath.Dir(path), value)
			}
			k[header[i]] = value
		}
		if slices.ContainsFunc(cards, func(o card) bool { return o["name"] == k["name"] }) {
			number, _ := in.FieldPos(0)
			return nil, fmt.Errorf("%s, line %d: %q is there twice", path, number, k["name"])
		}
		cards = append(cards, k)
	}
	if len(cards) == 0 {
		return nil, fmt.Errorf("%s names no device", path)
	}
	return cards, nil
}
