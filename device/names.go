package device

import (
	"strings"
	"unicode"
)

// Names says how much of an employee's name is shown where others can see it.
type Names string

// The policies for names.
const (
	FullName  Names = "full"
	FirstName Names = "first"
	Initials  Names = "initials"
	NoName    Names = "none"
)

// AllNames are the policies that one may name.
var AllNames = []Names{FullName, FirstName, Initials, NoName}

// Shorten applies the policy to a name, which may be "Anna Müller" or "Müller, Anna".
func (n Names) Shorten(name string) string {
	switch n {
	case FullName:
		return name
	case NoName:
		return ""
	}
	if family, first, ok := strings.Cut(name, ","); ok {
		name = first + " " + family
	}
	words := strings.Fields(name)
	if n == FirstName && len(words) > 0 {
		return words[0]
	}
	var short []string
	for _, w := range words {
		if r := []rune(w)[0]; unicode.IsLetter(r) {
			short = append(short, string(unicode.ToUpper(r))+".")
		}
	}
	return strings.Join(short, " ")
}
