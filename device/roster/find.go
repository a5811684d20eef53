package roster

import (
	"iter"
	"strings"

	"timeclock/device"
)

// Fit is how well somebody fits what was asked for.
type Fit int

// The fits, the worst first.
const (
	NoFit    Fit = iota
	PartFit      // every word is a part of a name or a number
	WholeFit     // it is the whole name, personnel number or external id
)

// Question asks for an employee by words, as people type them: parts of names, of the personnel
// number or of the external id, in any order, accents and hyphens ignored.
type Question struct {
	whole folded
	words []folded
}

// Ask makes a question of what somebody has typed.
func Ask(text string) Question {
	q := Question{whole: fold(text)}
	for word := range strings.FieldsFuncSeq(text, isGap) {
		q.words = append(q.words, fold(word))
	}
	return q
}

// Fits says how well a person fits.
func (q Question) Fits(p device.Person) Fit {
	if len(q.words) == 0 {
		return NoFit
	}
	first, last := p.Names()
	name, number, external := fold(first+" "+last), fold(p.Number), fold(p.External)
	switch {
	case p.Number != "" && q.whole.same(number), p.External != "" && q.whole.same(external),
		q.whole.same(name), q.whole.same(fold(last + " " + first)):
		return WholeFit
	}
	for _, w := range q.words {
		if !name.has(w) && !number.has(w) && !external.has(w) {
			return NoFit
		}
	}
	return PartFit
}

// maxFound bounds what is sorted of those that fit.
const maxFound = 1000

// Found are the people who fit a question: those that fit as a whole first, in order.
type Found struct {
	People []device.Person
	Whole  int // how many fit as a whole
	More   int // how many more fit
}

// Find returns so many of those who fit, at most. Archived people do not, and everybody once.
func (q Question) Find(people iter.Seq2[device.Person, error], most int) (Found, error) {
	var whole, part []device.Person
	more := 0
	for p, err := range people {
		if err != nil {
			return Found{}, err
		}
		if p.Archived {
			continue
		}
		switch fit := q.Fits(p); {
		case fit == NoFit:
		case len(whole)+len(part) == maxFound:
			more++
		case fit == WholeFit:
			whole = append(whole, p)
		default:
			part = append(part, p)
		}
	}
	for _, list := range [][]device.Person{whole, part} {
		Order(list, func(p device.Person) device.Employee { return p.Employee })
	}
	all := append(whole, part...)
	n := min(most, len(all))
	return Found{all[:n:n], len(whole), more + len(all) - n}, nil
}
