package web

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// phrase is something that the clock says in English, and how a language says it. What the clock
// says comes as a whole sentence, often with a cause behind it that another room has said; the parts
// between the words of a phrase are translated for themselves.
type phrase struct {
	parts []string // of the English text, between its verbs
	to    string   // with %[1]s for what stands between the first two parts, and so on
}

var (
	goVerb    = regexp.MustCompile(`%(\[\d+\])?[-+# 0]*\d*(\.\d+)?[a-zA-Z]`)
	plainVerb = regexp.MustCompile(`%(\[(\d+)\])?[-+# 0]*\d*(\.\d+)?[a-zA-Z]`)
)

// newPhrases reads a table of messages. Those with more words of their own come first: they say
// more surely what is meant.
func newPhrases(messages map[string]string) ([]phrase, error) {
	var all []phrase
	for from, to := range messages {
		parts := goVerb.Split(strings.ReplaceAll(from, "%%", "%"), -1)
		n, used := 0, 0
		to = plainVerb.ReplaceAllStringFunc(to, func(verb string) string {
			n, used = n+1, used+1
			if at := plainVerb.FindStringSubmatch(verb)[1]; at != "" {
				return "%" + at + "s"
			}
			return fmt.Sprintf("%%[%d]s", n)
		})
		if used != len(parts)-1 {
			return nil, fmt.Errorf("%q has %d verbs, its translation %d", from, len(parts)-1, used)
		}
		all = append(all, phrase{parts, to})
	}
	slices.SortFunc(all, func(a, b phrase) int {
		x, y := strings.Join(a.parts, ""), strings.Join(b.parts, "")
		return cmp.Or(len(y)-len(x), strings.Compare(x, y))
	})
	return all, nil
}

// match returns what stands between the parts of a phrase, if a text is one.
func (p phrase) match(text string) ([]any, bool) {
	last := len(p.parts) - 1
	if last == 0 {
		return nil, text == p.parts[0]
	}
	rest, ok := strings.CutPrefix(text, p.parts[0])
	if !ok {
		return nil, false
	}
	if rest, ok = strings.CutSuffix(rest, p.parts[last]); !ok {
		return nil, false
	}
	var found []any
	for _, part := range p.parts[1:last] {
		between, behind, ok := strings.Cut(rest, part)
		if !ok {
			return nil, false
		}
		found, rest = append(found, between), behind
	}
	return append(found, rest), true
}

// maxDepth is how deep phrases are looked for within phrases.
const maxDepth = 6

// say says in this language what the clock has said in English. What it has no phrase for stays as
// it is: names, numbers, and the words of Zeitstrom, the kernel and people.
func (l *language) say(text string) string { return l.sayWithin(text, maxDepth) }

// dates writes dates and times as this language does.
func (l *language) dates(text string) string {
	return isoMoment.ReplaceAllStringFunc(text, func(at string) string {
		for layout, ours := range map[string]string{
			time.DateTime: l.Formats.Moment, "2006-01-02 15:04": l.Formats.Moment, time.DateOnly: l.Formats.Date,
		} {
			if t, err := time.Parse(layout, at); err == nil {
				return t.Format(ours)
			}
		}
		return at
	})
}

// isoMoment finds dates and times as the clock writes them.
var isoMoment = regexp.MustCompile(`\b\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?\b`)

func (l *language) sayWithin(text string, depth int) string {
	if text == "" || depth == 0 {
		return text
	}
	for _, p := range l.phrases {
		if between, ok := p.match(text); ok {
			for i, x := range between {
				between[i] = l.sayWithin(x.(string), depth-1) //nolint:forcetypeassert // match gives strings
			}
			return fmt.Sprintf(p.to, between...)
		}
	}
	// What is said of something, one cause behind another, or one advice behind another.
	for _, sign := range []string{"\n", "; ", ": "} {
		if first, rest, ok := strings.Cut(text, sign); ok {
			a, b := l.sayWithin(first, depth-1), l.sayWithin(rest, depth-1)
			if a != first || b != rest {
				return a + sign + b
			}
		}
	}
	return l.dates(text)
}
