package roster

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// plainLetters are the letters that no decomposition makes plain.
var plainLetters = strings.NewReplacer(
	"ß", "ss", "ł", "l", "ø", "o", "đ", "d", "ð", "d", "þ", "th", "æ", "ae", "œ", "oe", "ı", "i", "ħ", "h", "ŧ", "t",
)

// germanLetters are how people write umlauts without the keys for them.
var germanLetters = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue")

// folded is a text as it is compared: in lower case, without accents, and with spaces for
// whatever is neither letter nor digit. German is the same with "ue" for "ü".
type folded struct{ plain, german string }

func fold(s string) folded {
	if isPlain(s) { // most are, and a search looks at all
		return folded{s, s}
	}
	lower := norm.NFC.String(strings.ToLower(s))
	f := folded{plain: bareWords(lower)}
	f.german = f.plain
	if german := germanLetters.Replace(lower); german != lower {
		f.german = bareWords(german)
	}
	return f
}

func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// bareWords takes accents and signs out of a text in lower case.
func bareWords(lower string) string {
	if lower = plainLetters.Replace(lower); !isASCII(lower) {
		lower = norm.NFD.String(lower)
	}
	var out strings.Builder
	out.Grow(len(lower))
	gap := false
	for _, r := range lower {
		switch {
		case isGap(r):
			gap = true
		case unicode.IsLetter(r), unicode.IsDigit(r):
			if gap && out.Len() > 0 {
				out.WriteByte(' ')
			}
			gap = false
			out.WriteRune(r)
		}
	}
	return out.String()
}

// isGap reports whether words end here. Accents are in them, and O'Brien is one.
func isGap(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) && r != '\'' && r != '’'
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// same reports whether two texts are the same for people: Muller and Mueller are Müller, and not
// each other.
func (f folded) same(g folded) bool { return f.plain == g.plain || f.german == g.german }

// hasWord reports whether a word is one of the text's.
func (f folded) hasWord(word folded) bool {
	return slices.Contains(strings.Fields(f.plain), word.plain) ||
		slices.Contains(strings.Fields(f.german), word.german)
}

// has reports whether a word stands somewhere in the text.
func (f folded) has(word folded) bool {
	return strings.Contains(f.plain, word.plain) || strings.Contains(f.german, word.german)
}
