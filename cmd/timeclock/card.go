package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"timeclock/deploy/flash"
	"timeclock/device/config"
	"timeclock/device/roster"
	"timeclock/sync/zeitstrom"
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
	values  map[string]*string
	user    *string
	devices *string
	dry     *bool
	verbose *bool
	tried   map[string]string // what was said of a token, so that each is tried once
}

// declareCards declares the flags that `flash` and `image` share.
func declareCards(f *flags) *cards {
	c := &cards{values: map[string]*string{}, tried: map[string]string{}}
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

// warn says what is odd, once, and of which devices.
func (c *cards) warn(all []ready) {
	var warnings []string
	of := map[string][]string{}
	for _, r := range all {
		for _, w := range r.odd() {
			if of[w] == nil {
				warnings = append(warnings, w)
			}
			of[w] = append(of[w], r.card["name"])
		}
	}
	for _, w := range warnings {
		who := ""
		if len(of[w]) < len(all) {
			who = strings.Join(of[w], ", ") + ": "
		}
		fmt.Fprintf(c.stderr, "warning: %s%s\n", who, w)
	}
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
	if d.Config, r.cfg, err = settingsFor(k["config"]); err != nil {
		return r, err
	}
	if zone := r.cfg.Clock.Zone.String(); d.Zone == "" && zone != "Local" {
		d.Zone = zone
	}
	if d.Token, err = readToken(k["token"]); err != nil {
		return r, err
	}
	if d.Files, err = furtherFiles(r.cfg, filepath.Dir(k["config"])); err != nil {
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
	return r, c.tryToken(ctx, r)
}

// settingsFor reads a device's settings. Where none are named, and this is no device, they are those that
// the package comes with.
func settingsFor(path string) (text []byte, cfg config.Config, err error) {
	text, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && path == config.DefaultPath {
		text, err = []byte(config.Reference), nil
	}
	if err == nil {
		cfg, err = config.Parse(path, text, knownLanguage)
	}
	return text, cfg, err
}

func readToken(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the token: %w", err)
	}
	if len(strings.Fields(string(text))) != 1 {
		return nil, fmt.Errorf("%s must hold the API token and nothing else", path)
	}
	return text, nil
}

func readWifi(path string) (*flash.Wifi, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
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
	text, err := os.ReadFile(path)
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
	if said, done := c.tried[id]; done {
		return orSaid(said)
	}
	ctx, stop := context.WithTimeout(ctx, tokenTime)
	defer stop()
	cfg := r.cfg
	if cfg.Zeitstrom.CAFile != "" { // it is beside the settings yet
		cfg.Zeitstrom.CAFile = filepath.Join(filepath.Dir(r.card["config"]), filepath.Base(cfg.Zeitstrom.CAFile))
	}
	may, err := clientBy(cfg, "", token).Rights(ctx)
	var e *zeitstrom.Error
	c.tried[id] = ""
	switch {
	case errors.As(err, &e) && e.Kind == zeitstrom.Unauthorized && e.Own():
		c.tried[id] = fmt.Sprintf("Zeitstrom does not take the token in %s: %s", r.card["token"], e.Words())
	case err != nil:
		fmt.Fprintf(c.stderr, "warning: nobody could be asked whether the token is good: %v\n", err)
	case !may.Timespans:
		fmt.Fprintln(c.stderr, "warning: the token may not read timespans at Zeitstrom: bookings of other doors "+
			"will not count. Give it the permission")
	}
	return orSaid(c.tried[id])
}

func orSaid(said string) error {
	if said == "" {
		return nil
	}
	return errors.New(said)
}

// odd lists what makes no sense at a door.
func (r ready) odd() (all []string) {
	cfg := r.cfg
	if zone := r.device.Zone; zone == "" || zone == "UTC" || zone == "Etc/UTC" {
		all = append(all, "the clock will show UTC: say -timezone Europe/Berlin, or set clock.zone")
	}
	if cfg.Web.Listen == "" {
		all = append(all, "there will be no admin's page: set web.listen = \":8443\" to have one")
	}
	german := slices.Contains([]string{"Europe/Berlin", "Europe/Vienna", "Europe/Zurich"}, r.device.Zone) ||
		r.device.Wifi != nil && slices.Contains([]string{"DE", "AT"}, r.device.Wifi.Country)
	if german && cfg.Display.Language == "en" && cfg.Display.Driver != config.NoDisplay {
		all = append(all, "the display will speak English: set display.language = \"de\" for German")
	}
	if cfg.Reader.Driver == config.Simulated {
		all = append(all, "the reader is a simulated one, which no badge can be held to: set reader.driver = \"mfrc522\"")
	}
	if cfg.Clock.Trust == config.Always && cfg.Reader.Driver != config.Simulated {
		all = append(all, "the system's time will be believed unseen (clock.trust = \"always\"): a Pi may wake in 1970")
	}
	return all
}

// summary says in twelve lines what becomes of a card.
func (r ready) summary(system flash.System, to string, changes []flash.Change) string {
	or := func(text, none string) string {
		if text == "" {
			return none
		}
		return text
	}
	d, cfg := r.device, r.cfg
	var files []string
	bytes := 0
	for _, change := range changes {
		bytes += len(change.After)
	}
	for _, p := range d.Packages {
		if system.Architecture() == "" || strings.HasSuffix(p, "_"+system.Architecture()+".deb") {
			files = append(files, filepath.Base(p))
		}
	}
	network := "by cable"
	if d.Wifi != nil {
		network = fmt.Sprintf("Wi-Fi %q (%s), or by cable", d.Wifi.SSID, d.Wifi.Country)
	}
	shown := "none"
	if cfg.Display.Driver != config.NoDisplay {
		shown = cfg.Display.Driver + ", language " + cfg.Display.Language
	}
	page := "off"
	if _, port, found := strings.Cut(cfg.Web.Listen, ":"); found {
		page = fmt.Sprintf("https://%s.local:%s", d.Name, port)
	}
	login := "nobody"
	if fields := strings.Fields(d.SSHKey); len(fields) > 0 {
		login = fmt.Sprintf("%s, by the key %s", d.User, or(strings.Join(fields[min(2, len(fields)):], " "), fields[0]))
	}
	var b strings.Builder
	for _, l := range [12][2]string{
		{"device", r.names()},
		{"system", or(system.String(), "it does not say")},
		{"package", or(strings.Join(files, ", "), "the one on the card")},
		{"settings", r.card["config"]},
		{"Zeitstrom", cfg.Zeitstrom.URL},
		{"time zone", or(d.Zone, "that of the system")},
		{"display", shown},
		{"network", network},
		{"admin's page", page},
		{"logs in", login},
		{"further files", or(strings.Join(slices.Sorted(maps.Keys(d.Files)), ", "), "none")},
		{"writes", fmt.Sprintf("%d files, %.1f MB, to %s", len(changes), float64(bytes)/1e6, to)},
	} {
		fmt.Fprintf(&b, "%-14s %s\n", l[0], l[1])
	}
	return b.String()
}

// names are what devices will be called.
func (r ready) names() string {
	if n := len(r.device.Names); n > 0 {
		return fmt.Sprintf("%s, and %d whose serial numbers are known", r.device.Name, n)
	}
	return r.device.Name
}

// readCards reads a list of devices. What a line leaves empty is as the flags say; its
// files are named from the list's folder.
func readCards(path string, flags card) (list []card, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var header []string
	known := map[string]int{}
	err = roster.Table(f, func(number int, fields []string, broken string) error {
		if broken != "" {
			return fmt.Errorf("line %d cannot be read: %s", number, broken)
		}
		if header == nil {
			header = make([]string, len(fields))
			for i, column := range fields {
				header[i] = strings.ToLower(strings.TrimSpace(column))
				if _, may := flags[header[i]]; !may && header[i] != "" {
					return fmt.Errorf("there is no column %q: use %s", column,
						strings.Join(slices.Sorted(maps.Keys(flags)), ", "))
				}
			}
			return nil
		}
		k, err := cardOf(path, header, fields, flags)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		for _, unique := range []string{"name", "serial", "out"} {
			value := k[unique]
			if at := known[unique+" "+value]; at > 0 && value != "" {
				return fmt.Errorf("line %d: %q is there twice, in line %d, too", number, value, at)
			}
			known[unique+" "+value] = number
		}
		list = append(list, k)
		return nil
	})
	if err == nil && len(list) == 0 {
		err = errors.New("it names no device")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// cardOf is a line of the list.
func cardOf(path string, header, fields []string, flags card) (card, error) {
	k := maps.Clone(flags)
	for i, value := range fields {
		value = strings.TrimSpace(value)
		switch {
		case value == "":
			continue
		case i >= len(header) || header[i] == "":
			return nil, fmt.Errorf("%q stands in a column without a name", value)
		}
		switch header[i] {
		case "name", "timezone":
		case "serial":
			value = strings.ToLower(value)
		default:
			if !filepath.IsAbs(value) {
				value = filepath.Join(filepath.Dir(path), value)
			}
		}
		k[header[i]] = value
	}
	return k, nil
}
