package flash

import (
	"regexp"
	"slices"
	"strings"
)

// System is what a boot partition says of the system beside it.
type System struct {
	Date    string // of its image, such as 2025-11-24; empty: it does not say
	Desktop bool   // it has one, which a clock has no use for
	Bits    int    // 32 or 64; 0: it has no kernel
}

// issue is what pi-gen writes into issue.txt: "Raspberry Pi reference 2025-11-24", and in the second line
// the stage that the image is of; the second one is Lite (scripts/common, update_issue;
// export-image/05-finalise/01-run.sh).
var issue = regexp.MustCompile(`^Raspberry Pi reference (\d{4}-\d\d-\d\d)\n.*, stage(\d)\s*$`)

// About reads what a boot partition says.
func About(boot Partition) (s System) {
	text, _ := boot.ReadFile("issue.txt")
	if found := issue.FindSubmatch(text); found != nil {
		s.Date, s.Desktop = string(found[1]), string(found[2]) > "2"
	}
	names, _ := boot.Names("")
	has := func(name string) bool { return slices.Contains(names, name) }
	switch { // Raspberry Pi documentation, config.txt: kernel; 64-bit systems have no other
	case has("kernel.img") || has("kernel7.img"):
		s.Bits = 32
	case has("kernel8.img"):
		s.Bits = 64
	}
	return s
}

// Architecture is the system's, in Debian's words; empty if that is not known.
func (s System) Architecture() string {
	return map[int]string{32: "armhf", 64: "arm64"}[s.Bits]
}

// String is the system in words; empty if nothing is known.
func (s System) String() string {
	if s.Date == "" {
		return ""
	}
	words := []string{"Raspberry Pi OS"}
	if !s.Desktop {
		words = append(words, "Lite")
	}
	switch s.Bits {
	case 32:
		words = append(words, "(32-bit)")
	case 64:
		words = append(words, "(64-bit)")
	}
	return strings.Join(append(words, "of", s.Date), " ")
}
