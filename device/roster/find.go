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
	WordFit      // every word is a word of the name
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
		if w := fold(word); w.plain != "" {
			q.words = append(q.words, w)
		}
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
	fit := WordFit
	for _, w := range q.words {
		switch {
		case name.hasWord(w):
		case name.has(w), number.has(w), external.has(w):
			fit = PartFit
		default:
			return NoFit
		}
	}
	return fit
}

// maxFound bounds what is sorted of those that fit.
const maxFound = 1000

// Found are the people who fit a question: those that fit as a whole first, in order.
type Found struct {
	People []device.Person
	Fit    Fit // how well the best of them fit
	Best   int // how many fit so well
	Left   Fit // how well the best of those fit who have left
	More   int // how many more fit
}

// One returns whom words mean, if that is certain: the only one whom they name as a whole, or by whole
// words of the name; and nobody who has left fits as well.
func (f Found) One() (device.Person, bool) {
	if f.Best != 1 || f.Fit < WordFit || f.Left > f.Fit || f.Left == WordFit && f.Fit == WordFit {
		return device.Person{}, false
	}
	return f.People[0], true
}

// Find returns so many of those who fit, at most. Archived people do not, and everybody once.
func (q Question) Find(people iter.Seq2[device.Person, error], most int) (Found, error) {
	var found Found
	var by [WholeFit + 1][]device.Person
	kept := 0
	for p, err := range people {
		if err != nil {
			return Found{}, err
		}
		fit := q.Fits(p)
		switch {
		case fit == NoFit:
			continue
		case p.Archived:
			found.Left = max(found.Left, fit)
			continue
		case fit > found.Fit:
			found.Fit, found.Best = fit, 1
		case fit == found.Fit:
			found.Best++
		}
		if kept++; kept <= maxFound || fit == WholeFit { // those who fit as a whole are few
			by[fit] = append(by[fit], p)
		}
	}
	var all []device.Person
	for fit := WholeFit; fit > NoFit; fit-- {
		Order(by[fit], func(p device.Person) device.Employee { return p.Employee })
		all = append(all, by[fit]...)
	}
	n := min(most, len(all))
	found.People, found.More = all[:n:n], kept-n
	return found, nil
}
