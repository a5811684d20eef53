package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"timeclock/deploy/flash"
	"timeclock/device/config"
)

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
		all = append(all, "the reader is a simulated one, which no badge can be held to: "+
			"set reader.driver = \"mfrc522\"")
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
		{"settings", strings.Replace(r.card["config"], config.DefaultPath, "the standard ones", 1)},
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
