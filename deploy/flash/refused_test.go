package flash

import (
	"os"
	"strings"
	"testing"
)

// What cannot become a clock is refused, and left as it is.
func TestRefused(t *testing.T) {
	without := func(name string) map[string]string {
		files := map[string]string{}
		for n, text := range fresh {
			if n != name {
				files[n] = text
			}
		}
		return files
	}
	with := func(name, text string) map[string]string {
		files := without(name)
		files[name] = text
		return files
	}
	for want, c := range map[string]struct {
		files  map[string]string
		change func(*Device)
	}{
		"is no Pi's boot partition":   {without("config.txt"), nil},
		"has no cloud-init":           {without("meta-data"), nil},
		"through its first boot":      {with(done, ""), nil},
		`"Door 1" cannot be`:          {fresh, func(d *Device) { d.Name = "Door 1" }},
		`"Pi" cannot be the user`:     {fresh, func(d *Device) { d.User = "Pi" }},
		`"root" cannot be the user`:   {fresh, func(d *Device) { d.User = "root" }},
		`"timeclock" cannot be the`:   {fresh, func(d *Device) { d.User = "timeclock" }},
		"line 3: there is a user by":  {with("user-data", "#cloud-config\nuser:\n  name: pi\n  passwd: x\n"), nil},
		`is no time zone`:             {fresh, func(d *Device) { d.Zone = "$(reboot)" }},
		"is not by this program":      {with(preseedFile, "config_version = \"1.1\"\n"), nil},
		"of 24 November 2025 or":      {without("meta-data"), nil},
		"none of the packages is for": {with("kernel7.img", ""), nil},
		"is no serial number":         {fresh, func(d *Device) { d.Names = map[string]string{"xyz": "door"} }},
		"may be those of the same":    {fresh, func(d *Device) { d.Names = map[string]string{"12345678": "a", "0012345678": "b"} }},
		`"Gate" cannot be`:            {fresh, func(d *Device) { d.Names = map[string]string{"12345678": "Gate"} }},
		"there is no package":         {fresh, func(d *Device) { d.Packages = nil }},
		"is no Debian package":        {fresh, func(d *Device) { d.Packages = []string{os.Args[0]} }},
		"it is no YAML":               {with("user-data", "#cloud-config\n\tx: [\n"), nil},
		"it is no cloud-config":       {with("user-data", "#!/bin/sh\necho: hello\n"), nil},
		"line 2: bootcmd is no list":  {with("user-data", "#cloud-config\nbootcmd: ls\n"), nil},
		"line 2: users is no list":    {with("user-data", "#cloud-config\nusers: default\n"), nil},
	} {
		boot := partition(t, c.files)
		d := door(t)
		if c.change != nil {
			c.change(&d)
		}
		if changes, err := Plan(Folder(boot), d); err == nil || !strings.Contains(err.Error(), want) || changes != nil {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// small is a partition that is nearly full.
type small struct{ Folder }

func (small) Free() int64 { return 100_000 }

// What does not fit is refused before anything is written.
func TestNoRoom(t *testing.T) {
	boot := Folder(partition(t, fresh))
	_, err := Plan(small{boot}, door(t))
	if err == nil || !strings.Contains(err.Error(), "the boot partition has 0.1 MB left and needs 0.2") {
		t.Error(err)
	}
}

// However early it is interrupted, nothing starts before all is there; to do it again
// finishes it.
func TestInterrupted(t *testing.T) {
	whole := partition(t, fresh)
	d := door(t)
	n := len(prepare(t, whole, d))
	for after := range n {
		boot := partition(t, fresh)
		changes, err := Plan(Folder(boot), d)
		if err != nil {
			t.Fatal(err)
		}
		if err := Apply(Folder(boot), changes[:after]); err != nil {
			t.Fatal(err)
		}
		if name := PreparedFor(Folder(boot)); name != "" {
			t.Errorf("after %d of %d files the card is ready for %s", after, n, name)
		}
		prepare(t, boot, d)
		for _, c := range changes {
			if read(t, boot, c.Path) != read(t, whole, c.Path) {
				t.Errorf("after %d of %d files %s ends up different", after, n, c.Path)
			}
		}
	}
}

// What is shown of a change has no secrets.
func TestDiff(t *testing.T) {
	changes, err := Plan(Folder(partition(t, fresh)), door(t))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, c := range changes {
		all.WriteString(c.Diff())
	}
	for _, secret := range []string{"secret-token", "pass: word"} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("%q shows", secret)
		}
	}
	for _, want := range []string{
		"+dtparam=i2c_arm=on", "+hostname: door-1", "timeclock/token: 13 bytes, a secret",
		"timeclock_1.0_arm64.deb: 0.0 MB",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q does not show in\n%s", want, &all)
		}
	}
}

func TestParseWifi(t *testing.T) {
	if w, err := ParseWifi([]byte("ssid = \"office\"\npassword = \"12345678\"\ncountry = \"DE\"\nhidden = " +
		"true\n")); err != nil || *w != (Wifi{"office", "12345678", "DE", true}) {
		t.Errorf("%+v, %v", w, err)
	}
	for text, want := range map[string]string{
		`ssid = "x"` + "\npsk = \"12345678\"":                     `it takes ssid`,
		`password = "12345678"` + "\ncountry = \"DE\"":            "ssid must have",
		"ssid = \"x\"\npassword = \"short\"\ncountry = \"DE\"":    "password must have 8",
		"ssid = \"x\"\npassword = \"12345678\"\ncountry = \"de\"": "two capital letters",
		"ssid = \"x\\ny\"\ncountry = \"DE\"":                      "control characters",
	} {
		if _, err := ParseWifi([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Whatever stands in user-data, it is refused or becomes ours with nothing lost, and
// then stays so.
func FuzzUserData(f *testing.F) {
	f.Add(fresh["user-data"])
	f.Add("#cloud-config\nusers:\n  - default\nruncmd: []\n")
	f.Add("#cloud-config\nhostname: &a x\nother: *a\n")
	f.Fuzz(func(t *testing.T, before string) {
		d := Device{Name: "door", Zone: "UTC", User: "pi", SSHKey: "ssh-ed25519 A"}
		once, err := userData([]byte(before), d)
		if err != nil {
			return
		}
		twice, err := userData(once, d)
		if err != nil || string(twice) != string(once) {
			t.Errorf("%v: from\n%s\nto\n%s", err, once, twice)
		}
	})
}

func FuzzFirmware(f *testing.F) {
	f.Add(fresh["config.txt"])
	f.Add(begins)
	f.Fuzz(func(t *testing.T, before string) {
		once := firmware([]byte(before))
		if twice := firmware(once); string(twice) != string(once) || !strings.HasSuffix(string(once), needs) {
			t.Errorf("%q, then %q", once, twice)
		}
	})
}
