package flash

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"
)

// Wifi is the network that a device joins.
type Wifi struct {
	SSID     string `toml:"ssid"`
	Password string `toml:"password"` // empty: an open network
	Country  string `toml:"country"`  // of the device, two letters: its law says which channels may be used
	Hidden   bool   `toml:"hidden"`
}

// ParseWifi reads what a technician has written: ssid, password and country, in TOML.
func ParseWifi(text []byte) (*Wifi, error) {
	w := &Wifi{}
	in := toml.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(w); err != nil {
		return nil, fmt.Errorf("%w: it takes ssid = \"...\", password = \"...\", country = \"DE\", "+
			"and hidden = true if it is", err)
	}
	return w, w.Check()
}

// Check says why a network cannot be like this (IEEE 802.11: SSID; WPA: pass phrase, or a key of 256 bits).
func (w Wifi) Check() error {
	control := func(r rune) bool { return r < ' ' || r == 0x7F }
	switch {
	case w.SSID == "" || len(w.SSID) > 32:
		return errors.New("ssid must have 1 to 32 bytes")
	case strings.ContainsFunc(w.SSID, control) || strings.ContainsFunc(w.Password, control):
		return errors.New("ssid and password take no control characters")
	case w.Password != "" && (len(w.Password) < 8 || len(w.Password) > 64),
		len(w.Password) == 64 && !rawKey.MatchString(w.Password):
		return errors.New("password must have 8 to 63 characters, or 64 hex digits")
	case len(w.Country) != 2 || w.Country != strings.ToUpper(w.Country):
		return errors.New("country must be two capital letters, such as \"DE\"")
	}
	return nil
}

// networkConfig is the file in which cloud-init finds it, in netplan's form.
func (w Wifi) networkConfig() ([]byte, error) {
	point := map[string]any{"password": w.Password}
	if w.Password == "" { // as Raspberry Pi Imager writes it (its issue 1396)
		point = map[string]any{"auth": map[string]any{"key-management": "none"}}
	}
	if w.Hidden {
		point["hidden"] = true
	}
	dhcp := map[string]any{"dhcp4": true, "dhcp6": true, "optional": true}
	text, err := yaml.Marshal(map[string]any{"network": map[string]any{
		"version":   2,
		"ethernets": map[string]any{"eth0": dhcp},
		"wifis": map[string]any{"wlan0": map[string]any{
			"dhcp4": true, "dhcp6": true, "optional": true, "regulatory-domain": w.Country,
			"access-points": map[string]any{w.SSID: point},
		}},
	}})
	return text, err
}

// header is the first line of what cloud-init reads.
const header = "#cloud-config\n"

// start is how cloud-init starts our part of the first boot: at each boot, until that
// has come to its end and nothing of it is left.
var start = []string{"sh", "-c", "! [ -e /boot/firmware/timeclock/first-boot.sh ] || sh " +
	"/boot/firmware/timeclock/first-boot.sh start"}

// userData returns what cloud-init is to do, with what it was to do before.
func userData(before []byte, d Device) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(before, &doc); err != nil {
		return nil, fmt.Errorf("it is no YAML: %w", err)
	}
	root := &yaml.Node{Kind: yaml.MappingNode}
	if len(doc.Content) > 0 { // else it has comments at most
		root = doc.Content[0]
		if root.Kind != yaml.MappingNode || !bytes.HasPrefix(before, []byte(header)) {
			return nil, errors.New("it is no cloud-config: remove it if it does nothing that is needed")
		}
		if aliased(root) {
			return nil, errors.New("it uses anchors and aliases (&, *): write them out")
		}
		root.HeadComment = ""
		if len(root.Content) > 0 {
			root.Content[0].HeadComment = strings.TrimPrefix(root.Content[0].HeadComment, strings.TrimSpace(header))
		}
	}
	for _, key := range []string{"bootcmd", "runcmd", "users"} {
		if n := value(root, key); n != nil && n.Kind != yaml.SequenceNode {
			return nil, fmt.Errorf("line %d: %s is no list", n.Line, key)
		}
	}
	if n := value(root, "user"); n != nil { // cloud-init merges it with ours
		return nil, fmt.Errorf("line %d: there is a user by Raspberry Pi Imager's customisation already: "+
			"write the card again, without customisation", n.Line)
	}
	forget(root)
	name(root, d)
	if d.Zone != "" {
		set(root, "timezone", text(d.Zone))
	}
	makeUser(root, d)
	set(root, "ssh_pwauth", truth(false))
	if d.SSHKey != "" {
		add(sequence(root, "runcmd"), "systemctl", "enable", "--now", "ssh").LineComment = ours
	}
	add(sequence(root, "bootcmd"), start...)
	var out bytes.Buffer
	out.WriteString(header)
	in := yaml.NewEncoder(&out)
	in.SetIndent(2)
	if err := in.Encode(root); err != nil {
		return nil, err
	}
	if err := in.Close(); err != nil {
		return nil, err
	}
	var was, is any
	if yaml.Unmarshal(before, &was) == nil && yaml.Unmarshal(out.Bytes(), &is) == nil && reflect.DeepEqual(was, is) {
		return before, nil // comments may stand elsewhere now, for no gain
	}
	return out.Bytes(), nil
}

// name says who the device is. Where the first boot finds that out, cloud-init keeps away from it.
func name(root *yaml.Node, d Device) {
	if d.bySerial() {
		drop(root, "hostname")
		drop(root, "manage_etc_hosts")
		set(root, "preserve_hostname", truth(true))
		return
	}
	drop(root, "preserve_hostname")
	set(root, "hostname", text(d.Name))
	set(root, "manage_etc_hosts", truth(true))
}

// aliased reports whether a value stands for another.
func aliased(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, aliased)
}

// groups are those of the first user of Raspberry Pi OS (pi-gen at 314262cb,
// stage2/01-sys-tweaks/01-run.sh). What cloud-init is told replaces them.
const groups = "adm,dialout,cdrom,audio,users,sudo,video,games,plugdev,input,gpio,spi,i2c,netdev,render"

// makeUser makes the one user that there is. It always does: Raspberry Pi OS asks for one
// at the console otherwise, and waits. Only a key lets anybody in.
func makeUser(root *yaml.Node, d Device) {
	users := sequence(root, "users")
	i := slices.IndexFunc(users.Content,
		func(n *yaml.Node) bool { u := value(n, "name"); return u != nil && u.Value == d.User })
	if i < 0 {
		u := &yaml.Node{Kind: yaml.MappingNode}
		name := text(d.User)
		name.LineComment = ours
		set(u, "name", name)
		set(u, "groups", text(groups))
		set(u, "shell", text("/bin/bash"))
		set(u, "sudo", text("ALL=(ALL) NOPASSWD:ALL"))
		set(u, "lock_passwd", truth(true))
		users.Content = append(users.Content, u)
		i = len(users.Content) - 1
	}
	if d.SSHKey == "" {
		return
	}
	keys := sequence(users.Content[i], "ssh_authorized_keys")
	if !slices.ContainsFunc(keys.Content, func(n *yaml.Node) bool { return n.Value == d.SSHKey }) {
		key := text(d.SSHKey)
		key.LineComment = ours
		keys.Content = append(keys.Content, key)
	}
}

// ours marks a user, a key and a command as what another call may take back.
const ours = "# by timeclock flash"

// forget takes back what an earlier call has added for another user or key.
func forget(root *yaml.Node) {
	without := func(list *yaml.Node, added func(*yaml.Node) bool) {
		if list != nil && list.Kind == yaml.SequenceNode {
			list.Content = slices.DeleteFunc(list.Content, added)
		}
	}
	users := value(root, "users")
	without(users, func(u *yaml.Node) bool { name := value(u, "name"); return name != nil && name.LineComment == ours })
	if users != nil {
		for _, u := range users.Content {
			without(value(u, "ssh_authorized_keys"), func(key *yaml.Node) bool { return key.LineComment == ours })
		}
	}
	without(value(root, "runcmd"), func(command *yaml.Node) bool { return command.LineComment == ours })
}

func truth(yes bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(yes)}
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// add adds a command to a list, if it is not there, and returns it.
func add(commands *yaml.Node, words ...string) *yaml.Node {
	if i := slices.IndexFunc(commands.Content, func(n *yaml.Node) bool { return is(n, words) }); i >= 0 {
		return commands.Content[i]
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, w := range words {
		n.Content = append(n.Content, text(w))
	}
	commands.Content = append(commands.Content, n)
	return n
}

func is(command *yaml.Node, words []string) bool {
	return command.Kind == yaml.SequenceNode &&
		slices.EqualFunc(command.Content, words, func(n *yaml.Node, w string) bool { return n.Value == w })
}

// PreparedFor returns the name of the device for which a card waits; empty if for none.
func PreparedFor(boot Partition) string {
	content, err := boot.ReadFile("user-data")
	if err != nil {
		return ""
	}
	var root yaml.Node
	if yaml.Unmarshal(content, &root) != nil || len(root.Content) == 0 {
		return ""
	}
	runs := value(root.Content[0], "bootcmd")
	if runs == nil || !slices.ContainsFunc(runs.Content, func(n *yaml.Node) bool { return is(n, start) }) {
		return ""
	}
	device, _ := boot.ReadFile(path.Join(folder, "device"))
	first, _, _ := strings.Cut(string(device), "\n")
	return strings.TrimPrefix(first, "name=")
}

// value returns what a key of a mapping has; nil if it is not there.
func value(mapping *yaml.Node, key string) *yaml.Node {
	if mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func set(mapping *yaml.Node, key string, to *yaml.Node) {
	if old := value(mapping, key); old != nil {
		*old = *to
		return
	}
	mapping.Content = append(mapping.Content, text(key), to)
}

func drop(mapping *yaml.Node, key string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = slices.Delete(mapping.Content, i, i+2)
			return
		}
	}
}

// sequence returns the list under a key, which is made if it is not there.
func sequence(mapping *yaml.Node, key string) *yaml.Node {
	if value(mapping, key) == nil {
		set(mapping, key, &yaml.Node{Kind: yaml.SequenceNode})
	}
	return value(mapping, key)
}
