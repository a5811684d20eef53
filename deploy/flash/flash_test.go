package flash

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"
)

// A boot partition, as Raspberry Pi OS Lite comes with it.
var fresh = map[string]string{
	"config.txt": "# For more options and information see\n# " +
		"http://rptl.io/configtxt\n\n#dtparam=spi=on\ndtparam=audio=on\n\n[cm5]\ndtoverlay=dwc2,dr_mode=host\n\n[all]\n",
	"cmdline.txt": "console=serial0,115200 console=tty1 root=PARTUUID=1 rootfstype=ext4 rootwait " +
		"ds=nocloud;i=rpios-image-1\n",
	"meta-data":      "instance-id: rpios-image\n",
	"user-data":      "#cloud-config\n\n# Set your hostname here:\n#hostname: raspberrypi\n",
	"network-config": "# Netplan\n#network:\n",
	"kernel8.img":    "\x00",
}

func partition(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func door(t *testing.T) Device {
	t.Helper()
	deb := filepath.Join(t.TempDir(), "timeclock_1.0_arm64.deb")
	if err := os.WriteFile(deb, []byte("!<arch>\ndebian-binary \x00\x01"), 0o644); err != nil {
		t.Fatal(err)
	}
	return Device{
		Name: "door-1", Zone: "Europe/Berlin", Config: []byte("display.language = \"de\"\n"),
		Token: []byte(" secret-token "), Packages: []string{deb},
		Wifi: &Wifi{SSID: "Büro: 1", Password: "pass: word#1", Country: "DE"}, User: "pi",
		SSHKey: "ssh-ed25519 AAAA tech@bench",
	}
}

func prepare(t *testing.T, boot string, d Device) []Change {
	t.Helper()
	changes, err := Plan(Folder(boot), d)
	if err != nil {
		t.Fatal(err)
	}
	if err := Apply(Folder(boot), changes); err != nil {
		t.Fatal(err)
	}
	return changes
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// decoded is a file as cloud-init understands it.
func decoded(t *testing.T, path ...string) (v map[string]any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path...)), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// A fresh card gets all that a first boot needs, and keeps what it had; to prepare it
// again changes nothing.
func TestFreshCard(t *testing.T) {
	boot := partition(t, fresh)
	d := door(t)
	prepare(t, boot, d)

	config := read(t, boot, "config.txt")
	if !strings.HasPrefix(config, fresh["config.txt"]) {
		t.Errorf("config.txt has lost something:\n%s", config)
	}
	for _, line := range []string{
		"dtparam=spi=on", "dtparam=i2c_arm=on", "dtoverlay=i2c-rtc,ds3231", "dtparam=watchdog=on",
	} {
		if !strings.Contains(config, "\n"+line+"\n") {
			t.Errorf("config.txt lacks %s", line)
		}
	}
	if token := read(t, boot, "timeclock", "token"); token != "secret-token\n" {
		t.Errorf("the token is %q", token)
	}
	if !strings.HasPrefix(read(t, boot, "user-data"), "#cloud-config\n") {
		t.Error("cloud-init will not read user-data")
	}
	want := map[string]any{
		"hostname": "door-1", "manage_etc_hosts": true, "timezone": "Europe/Berlin",
		"users": []any{map[string]any{
			"name": "pi", "groups": groups, "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL", "lock_passwd": true,
			"ssh_authorized_keys": []any{"ssh-ed25519 AAAA tech@bench"},
		}},
		"ssh_pwauth": false,
		"runcmd":     []any{[]any{"systemctl", "enable", "--now", "ssh"}},
		"bootcmd":    []any{[]any{start[0], start[1], start[2]}},
	}
	if got := decoded(t, boot, "user-data"); !reflect.DeepEqual(got, want) {
		t.Errorf("user-data: %v, want %v", got, want)
	}
	wlan := decoded(t, boot,
		"network-config")["network"].(map[string]any)["wifis"].(map[string]any)["wlan0"].(map[string]any)
	if points := wlan["access-points"]; wlan["regulatory-domain"] != "DE" ||
		!reflect.DeepEqual(points, map[string]any{"Büro: 1": map[string]any{"password": "pass: word#1"}}) {
		t.Errorf("network-config: %v", wlan)
	}
	if name := PreparedFor(Folder(boot)); name != "door-1" {
		t.Errorf("the card waits for %q", name)
	}

	if again, err := Plan(Folder(boot), d); err != nil || len(again) > 0 {
		t.Errorf("doing it again would change %d files, %v", len(again), err)
	}
	newer := filepath.Join(t.TempDir(), "timeclock_1.10_arm64.deb")
	if err := os.WriteFile(newer, []byte("!<arch>\ndebian-binary \x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	older := d.Packages
	d.Packages = []string{newer}
	if again := prepare(t, boot, d); len(again) != 2 ||
		again[1].Diff() != "timeclock/timeclock_1.0_arm64.deb: removed\n" {
		t.Errorf("another version changes %v", again)
	}
	d.Packages = append(older, newer)
	if _, err := Plan(Folder(boot), d); err == nil || !strings.Contains(err.Error(), "are for the same kind of Pi") {
		t.Errorf("two versions: %v", err)
	}
	d.Packages = nil // it is there already
	d.Name = "door-2"
	if again := prepare(t, boot, d); len(again) != 3 || PreparedFor(Folder(boot)) != "door-2" {
		t.Errorf("another name changes %d files", len(again))
	}
}

// What somebody has set up on the card by other means stays.
func TestPreparedByOthers(t *testing.T) {
	files := map[string]string{
		"config.txt": "dtparam=spi=on", "cmdline.txt": "", "meta-data": "",
		"user-data": "#cloud-config\n# by the imager\nhostname: other\npackage_update: " +
			"true # keep\nusers:\n  - name: pi\n    passwd: xyz\nruncmd:\n  - [echo, hello]\n",
	}
	boot := partition(t, files)
	d := door(t)
	d.Wifi = nil
	prepare(t, boot, d)
	got := decoded(t, boot, "user-data")
	if got["hostname"] != "door-1" || got["package_update"] != true ||
		!reflect.DeepEqual(got["runcmd"].([]any)[0], []any{"echo", "hello"}) {
		t.Errorf("user-data: %v", got)
	}
	if users := got["users"].([]any); len(users) != 1 || users[0].(map[string]any)["passwd"] != "xyz" ||
		len(users[0].(map[string]any)["ssh_authorized_keys"].([]any)) != 1 {
		t.Errorf("users: %v", got["users"])
	}
	if text := read(t, boot, "user-data"); !strings.Contains(text, "# by the imager") ||
		!strings.Contains(text, "# keep") || strings.Count(text, "#cloud-config") != 1 {
		t.Errorf("comments:\n%s", text)
	}
	if _, err := os.Stat(filepath.Join(boot, "network-config")); err == nil {
		t.Error("a device on the cable got a network-config")
	}
	if text := read(t, boot, "config.txt"); !strings.HasPrefix(text, "dtparam=spi=on\n"+begins) {
		t.Errorf("config.txt: %s", text)
	}
}

// Without a key there is a user all the same, into whom nobody can log in: else the image
// asks for one at the console, and waits.
func TestNoKey(t *testing.T) {
	boot := partition(t, fresh)
	d := door(t)
	d.SSHKey = ""
	prepare(t, boot, d)
	got := decoded(t, boot, "user-data")
	users, _ := got["users"].([]any)
	if len(users) != 1 {
		t.Fatalf("users: %v", got["users"])
	}
	want := map[string]any{
		"name": "pi", "groups": groups, "shell": "/bin/bash", "sudo": "ALL=(ALL) NOPASSWD:ALL", "lock_passwd": true,
	}
	if !reflect.DeepEqual(users[0], want) || got["runcmd"] != nil {
		t.Errorf("user-data: %v", got)
	}
	if _, err := os.Stat(filepath.Join(boot, folder, "authorized_keys")); err == nil {
		t.Error("there are keys")
	}
	if text := read(t, boot, preseedFile); !strings.Contains(text, "[ssh]\nenabled = false\n") {
		t.Errorf("%s:\n%s", preseedFile, text)
	}
	// A card that had one loses it.
	boot = partition(t, fresh)
	prepare(t, boot, door(t))
	prepare(t, boot, d)
	if _, err := os.Stat(filepath.Join(boot, folder, "authorized_keys")); err == nil {
		t.Error("the key of another preparation stays")
	}
}

// Called again with another user or key, or without one, it takes back what it had added, and
// nothing of others.
func TestAnotherUser(t *testing.T) {
	files := map[string]string{
		"config.txt": "", "cmdline.txt": "", "meta-data": "",
		"user-data": "#cloud-config\nusers:\n  - name: chief\n    ssh_authorized_keys: [theirs]\n",
	}
	boot := partition(t, files)
	d := door(t)
	d.Wifi = nil
	prepare(t, boot, d)
	d.User, d.SSHKey = "chief", "ssh-ed25519 BBBB"
	prepare(t, boot, d)
	users := func() string {
		text, err := json.Marshal(decoded(t, boot, "user-data")["users"])
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if want := `[{"name":"chief","ssh_authorized_keys":["theirs","ssh-ed25519 BBBB"]}]`; users() != want {
		t.Errorf("users %s, want %s", users(), want)
	}
	d.SSHKey = ""
	prepare(t, boot, d)
	if want := `[{"name":"chief","ssh_authorized_keys":["theirs"]}]`; users() != want {
		t.Errorf("users %s, want %s", users(), want)
	}
	if got := decoded(t, boot, "user-data"); got["ssh_pwauth"] != false || len(got["runcmd"].([]any)) != 0 {
		t.Errorf("user-data: %v", got)
	}
}

// An open network is written as Raspberry Pi Imager writes it.
func TestOpenWifi(t *testing.T) {
	boot := partition(t, fresh)
	d := door(t)
	d.Wifi = &Wifi{SSID: "guests", Country: "DE"}
	prepare(t, boot, d)
	wlan := decoded(t, boot,
		"network-config")["network"].(map[string]any)["wifis"].(map[string]any)["wlan0"].(map[string]any)
	want := map[string]any{"guests": map[string]any{"auth": map[string]any{"key-management": "none"}}}
	if !reflect.DeepEqual(wlan["access-points"], want) {
		t.Errorf("%v", wlan)
	}
	if text := read(t, boot, preseedFile); !strings.Contains(text, `key_mgmt = "none"`) ||
		strings.Contains(text, "password =") {
		t.Errorf("%s:\n%s", preseedFile, text)
	}
}

// What rpi-preseed gets is the TOML of its schema, and says what cloud-init gets.
func TestPreseed(t *testing.T) {
	d := door(t)
	d.Wifi = &Wifi{SSID: `Bü"ro\\1`, Password: `pass"word\`, Country: "DE", Hidden: true}
	var got struct {
		Version string `toml:"config_version"`
		System  struct{ Hostname string }
		User    struct {
			Name             string
			Groups           []string
			PasswordlessSudo bool `toml:"passwordless_sudo"`
		}
		SSH struct {
			Enabled      bool
			PasswordAuth bool     `toml:"password_authentication"`
			Keys         []string `toml:"authorized_keys"`
		}
		Wlan struct {
			SSID, Password, Country string
			Hidden                  bool
			Encrypted               bool `toml:"password_encrypted"`
		}
		Locale     struct{ Timezone string }
		Interfaces struct{ I2C, SPI bool }
		Runcmd     struct {
			Early   []string
			Timeout int `toml:"early_cmd_timeout"`
		}
	}
	in := toml.NewDecoder(bytes.NewReader(d.preseed())).DisallowUnknownFields()
	if err := in.Decode(&got); err != nil {
		t.Fatalf("%v\n%s", err, d.preseed())
	}
	if got.Version != "1.1" || got.System.Hostname != d.Name ||
		got.User.Name != d.User || strings.Join(got.User.Groups, ",") != groups ||
		!got.User.PasswordlessSudo ||
		!got.SSH.Enabled || got.SSH.PasswordAuth || len(got.SSH.Keys) != 1 || got.SSH.Keys[0] != d.SSHKey ||
		got.Locale.Timezone != d.Zone ||
		got.Wlan.SSID != d.Wifi.SSID || got.Wlan.Password != d.Wifi.Password ||
		got.Wlan.Country != "DE" || !got.Wlan.Hidden || got.Wlan.Encrypted ||
		!got.Interfaces.I2C || !got.Interfaces.SPI || len(got.Runcmd.Early) != 1 ||
		got.Runcmd.Early[0] != "sh /boot/firmware/timeclock/first-boot.sh start" {
		t.Errorf("%+v from\n%s", got, d.preseed())
	}
	d.Wifi.Password = strings.Repeat("0aF1", 16)
	if !bytes.Contains(d.preseed(), []byte("password_encrypted = true")) {
		t.Errorf("a raw key is no passphrase:\n%s", d.preseed())
	}
}

// One card for many boards: they find their names out in the first boot, and cloud-init gives none. Prepared
// anew for one, it is as if it had been for that one only.
func TestBySerial(t *testing.T) {
	boot, once := partition(t, fresh), partition(t, fresh)
	d := door(t)
	d.Name, d.Names = "door-SERIAL", map[string]string{"deadbeef": "gate", "10000000abcdef01": "back-door"}
	prepare(t, boot, d)
	if got, want := read(t, boot, "timeclock/names"), "10000000abcdef01 back-door\ndeadbeef gate\n"; got != want {
		t.Errorf("names: %q", got)
	}
	if v := decoded(t, boot, "user-data"); v["hostname"] != nil || v["preserve_hostname"] != true {
		t.Errorf("user-data: %v", v)
	}
	if strings.Contains(read(t, boot, preseedFile), "hostname") {
		t.Error("rpi-preseed gives a name")
	}
	if name := PreparedFor(Folder(boot)); name != "door-SERIAL" {
		t.Errorf("the card waits for %q", name)
	}
	d.Name, d.Names = "door-1", nil
	prepare(t, boot, d)
	prepare(t, once, d)
	for _, name := range []string{"user-data", preseedFile, "timeclock/device"} {
		if a, b := decodedOrText(t, boot, name), decodedOrText(t, once, name); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %v, want %v", name, a, b)
		}
	}
	if _, err := os.Stat(filepath.Join(boot, "timeclock/names")); err == nil {
		t.Error("names are left")
	}
}

// decodedOrText is a file whose keys may come in another order.
func decodedOrText(t *testing.T, boot, name string) any {
	if name == "user-data" {
		return decoded(t, boot, name)
	}
	return read(t, boot, name)
}
