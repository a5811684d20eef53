package flash

import (
	"fmt"
	"regexp"
	"strings"
)

// preseedFile is what rpi-preseed reads, which is to follow cloud-init on Raspberry Pi OS.
// Its format is that of github.com/raspberrypi/rpi-preseed v0.1.0 (commit 64c2986: schema,
// src/lib/toml.sh, systemd units) and of what Raspberry Pi Imager writes for it (rpi-imager
// commit 72ad117, src/customization_generator.cpp). No image with it has been seen yet, and
// those sources name no mark by which one could be told: a card still needs what cloud-init
// images have (Look), and gets both formats. Each ignores the other.
const preseedFile = "rpi-preseed.toml"

// preseedHeader tells ours from what others have written.
const preseedHeader = "# timeclock flash wrote this for images with rpi-preseed; those with cloud-init ignore it\n"

// preseed says the same as userData and networkConfig. Its early commands run once, each
// with a time limit, before there is a network; the late ones wait for a time server, and
// would never come on a device without a network.
func (d Device) preseed() []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	b.WriteString(preseedHeader)
	line(`config_version = "1.1"`)
	if !d.bySerial() {
		line("\n[system]\nhostname = %s", quote(d.Name))
	}
	var names []string
	for group := range strings.SplitSeq(groups, ",") {
		names = append(names, quote(group))
	}
	line("\n[user]\nname = %s\ngroups = [%s]\npasswordless_sudo = true", quote(d.User), strings.Join(names, ", "))
	line("\n[ssh]\nenabled = %v\npassword_authentication = false", d.SSHKey != "")
	if d.SSHKey != "" {
		line("authorized_keys = [%s]", quote(d.SSHKey))
	}
	if w := d.Wifi; w != nil {
		line("\n[wlan]\nssid = %s\nhidden = %v\ncountry = %s", quote(w.SSID), w.Hidden, quote(w.Country))
		if w.Password != "" {
			line("password = %s\npassword_encrypted = %v", quote(w.Password), rawKey.MatchString(w.Password))
		} else {
			line(`key_mgmt = "none"`)
		}
	}
	if d.Zone != "" {
		line("\n[locale]\ntimezone = %s", quote(d.Zone))
	}
	line("\n[interfaces]\ni2c = true\nspi = true")
	line("\n[runcmd]\nearly = [%s]\nearly_cmd_timeout = 25", quote("sh "+onDevice+"/first-boot.sh start"))
	return []byte(b.String())
}

// rawKey is a Wi-Fi key that is no passphrase.
var rawKey = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)

// quote writes a string as rpi-preseed reads it: it knows these two escapes only. What it is
// given has no control characters.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
