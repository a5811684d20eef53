package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"timeclock/deploy/flash"
	"timeclock/device/config"
	"timeclock/sync/zeitstrom"

	"golang.org/x/text/encoding/unicode"
)

// card is what one card is prepared with: the values of the flags of the same names.
type card map[string]string

// cardFlags are those that may differ from card to card.
var cardFlags = []struct{ name, usage string }{
	{"name", "the device's `name` in the network; SERIAL in it becomes the last 8 digits of the board's serial number"},
	{"token", "the `file` of the API token"},
	{"package", "the Debian package, or the `folder` that has them; else those beside this program"},
	{"timezone", "its time `zone`, such as Europe/Berlin; else [clock] zone of the settings"},
	{"wifi", "a `file` with ssid, password and country in TOML; none: by cable"},
	{"ssh-key", "the `file` of a public SSH key; none: nobody can log in"},
}

// cards are those that one call prepares.
type cards struct {
	*call
	flags   *flags
	values  map[string]*string
	user    *string
	devices *string
	dry     *bool
	verbose *bool
	tried   map[string]error // what Zeitstrom said of a token, so that each is tried once
	// sure asks a person, before anything is done; nil: the flags have said it.
	sure func(r ready, system flash.System, to string, changes []flash.Change) error
}

// declareCards declares the flags that `flash` and `image` share.
func declareCards(f *flags) *cards {
	c := &cards{flags: f, values: map[string]*string{}, tried: map[string]error{}}
	for _, v := range cardFlags {
		c.values[v.name] = f.text(v.name, "", v.usage)
	}
	c.user = f.text("user", "pi", "`who` may log in by the SSH key")
	c.devices = f.text("devices", "", "a `list` of devices, as CSV or XLSX: a column name, and others that are "+
		"called as the flags in which they differ")
	c.dry = f.truth("dry-run", "only show what would be done")
	c.verbose = f.truth("v", "with -dry-run: show each change")
	return c
}

// given is what the flags say.
func (c *cards) given() card {
	k := card{"config": c.config}
	for name, value := range c.values {
		k[name] = *value
	}
	return k
}

// ready is a card of which all is known.
type ready struct {
	card
	device flash.Device
	cfg    config.Config
}

// all reads what the cards are prepared with. All are judged before the first one is touched: look
// judges what the command itself knows of one.
func (c *cards) all(ctx context.Context, list []card, look func(i int, r ready) error) ([]ready, error) {
	out := make([]ready, len(list))
	var faults []error
	for i, k := range list {
		var err error
		if out[i], err = c.ready(ctx, k); err == nil {
			err = look(i, out[i])
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s%w", where(k, *c.devices), err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	c.warn(out)
	return out, nil
}

func where(k card, list string) string {
	if list == "" {
		return ""
	}
	return fmt.Sprintf("%s, device %q: ", list, k["name"])
}

// ready reads what a card is prepared with.
func (c *cards) ready(ctx context.Context, k card) (r ready, err error) {
	for _, name := range []string{"name", "token"} {
		if k[name] == "" {
			return r, fmt.Errorf("%w: -%s is missing", errUsage, name)
		}
	}
	r.card = k
	d := &r.device
	*d = flash.Device{Name: k["name"], Zone: k["timezone"], User: *c.user}
	if err := r.readSettings(k["config"]); err != nil {
		return r, err
	}
	if d.Token, err = readToken(k["token"]); err != nil {
		return r, err
	}
	if d.Packages, err = packages(k["package"]); err != nil {
		return r, err
	}
	if d.Wifi, err = readWifi(k["wifi"]); err != nil {
		return r, err
	}
	if d.SSHKey, err = readKey(k["ssh-key"]); err != nil {
		return r, err
	}
	if err := d.Check(); err != nil {
		return r, err
	}
	return r, c.tryToken(ctx, r)
}

// readSettings reads a device's settings, and the files that they name. Where none are named, and this is no
// device, they are those that the package comes with.
func (r *ready) readSettings(path string) (err error) {
	d := &r.device
	d.Config, err = readText(path)
	if errors.Is(err, fs.ErrNotExist) && path == config.DefaultPath {
		d.Config, err = []byte(config.Reference), nil
	}
	if err != nil {
		return err
	}
	if r.cfg, err = config.Parse(path, d.Config, knownLanguage); err != nil {
		return err
	}
	if zone := r.cfg.Clock.Zone.String(); d.Zone == "" && zone != "Local" {
		d.Zone = zone
	}
	d.Files, err = furtherFiles(r.cfg, filepath.Dir(path))
	return err
}

func readToken(path string) ([]byte, error) {
	text, err := readText(path)
	if err != nil {
		return nil, fmt.Errorf("the token: %w", err)
	}
	if !isToken(string(text)) {
		return nil, fmt.Errorf("%s must hold the API token and nothing else", path)
	}
	return text, nil
}

// isToken reports whether a text can be a token: it goes into a header of HTTP.
func isToken(text string) bool {
	text = strings.TrimSpace(text)
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// readText reads a text that somebody has written on any system: Windows marks UTF-8, and its PowerShell writes
// UTF-16.
func readText(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(text, []byte("\xFF\xFE")) || bytes.HasPrefix(text, []byte("\xFE\xFF")) {
		text, err = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(text)
	}
	return bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF")), err
}

func readWifi(path string) (*flash.Wifi, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readText(path)
	var w *flash.Wifi
	if err == nil {
		w, err = flash.ParseWifi(text)
	}
	if err != nil {
		return nil, fmt.Errorf("Wi-Fi, %s: %w", path, err)
	}
	return w, nil
}

func readKey(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := readText(path)
	key := strings.TrimSpace(string(text))
	known := slices.ContainsFunc([]string{"ssh-", "ecdsa-", "sk-"},
		func(kind string) bool { return strings.HasPrefix(key, kind) })
	if err == nil && (!known || strings.Contains(key, "\n")) {
		err = fmt.Errorf("%s is no public SSH key: it has one line and begins with ssh-ed25519, say", path)
	}
	return key, err
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
		if !strings.HasPrefix(path, settingsDir+"/") || strings.Contains(path[len(settingsDir)+1:], "/") {
			return nil, fmt.Errorf("%s names %s, which will not be on a new device: use a name in %s, "+
				"and put the file beside the settings", key, path, settingsDir)
		}
		name := strings.TrimPrefix(path, settingsDir+"/")
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, fmt.Errorf("%s names %s: put that file beside the settings: %w", key, path, err)
		}
		files[name] = text
	}
	return files, nil
}

// settingsDir is where the settings are on a device, whatever computer this is.
const settingsDir = "/etc/timeclock"

// packages are a package, or those of a folder. A release has them beside the program.
func packages(path string) ([]string, error) {
	if path == "" {
		program, err := os.Executable()
		if err != nil {
			return nil, nil //nolint:nilerr // then there are none
		}
		return filepath.Glob(filepath.Join(filepath.Dir(program), "timeclock_*.deb"))
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	found, err := filepath.Glob(filepath.Join(path, "timeclock_*.deb"))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("there is no timeclock_*.deb in %s: a release has them", path)
	}
	return found, err
}

// tokenTime is how long Zeitstrom is asked whether it takes a token.
const tokenTime = 5 * time.Second

// tryToken asks Zeitstrom whether it takes the token, if there is a way to it from here. Only its own no is
// one: the device may stand in another network.
func (c *cards) tryToken(ctx context.Context, r ready) error {
	if !strings.HasPrefix(r.cfg.Zeitstrom.URL, "http") {
		return nil
	}
	token := strings.TrimSpace(string(r.device.Token))
	id := r.cfg.Zeitstrom.URL + " " + token
	if refused, done := c.tried[id]; done {
		return refused
	}
	ctx, stop := context.WithTimeout(ctx, tokenTime)
	defer stop()
	cfg := r.cfg
	if cfg.Zeitstrom.CAFile != "" { // it is beside the settings yet
		cfg.Zeitstrom.CAFile = filepath.Join(filepath.Dir(r.card["config"]), filepath.Base(cfg.Zeitstrom.CAFile))
	}
	may, err := clientBy(cfg, "", token).Rights(ctx)
	var e *zeitstrom.Error
	c.tried[id] = nil
	switch {
	case errors.As(err, &e) && e.Kind == zeitstrom.Unauthorized && e.Own():
		c.tried[id] = fmt.Errorf("the token in %s: Zeitstrom does not take it: %s", r.card["token"], e.Words())
	case err != nil:
		fmt.Fprintf(c.stderr, "warning: nobody could be asked whether the token is good; go on if it is: %v\n", err)
	case !may.Timespans:
		fmt.Fprintln(c.stderr, "warning: the token may not read timespans at Zeitstrom: bookings of other doors "+
			"will not count. Give it the permission")
	}
	return c.tried[id]
}
