package device

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Function is what a function badge or a key makes of the next tap: "break", "hours", "in", "out"
// or "project=CODE". The empty Function is an ordinary tap.
type Function string

// The functions that there are beside those of projects.
const (
	TakeBreak Function = "break" // a check-out; the check-in that ends it goes on with the project
	ShowHours Function = "hours" // books nothing
	ComeIn    Function = "in"    // a check-in, whatever is known
	GoOut     Function = "out"   // a check-out, whatever is known
)

const projectPrefix = "project="

// MaxProjectCode is how many characters a project's code has at most (timespans, "Assign a Project").
const MaxProjectCode = 8

// ParseFunction reads a function as people write it.
func ParseFunction(s string) (Function, error) {
	s = strings.TrimSpace(s)
	code, project := strings.CutPrefix(s, projectPrefix)
	n := utf8.RuneCountInString(code)
	switch f := Function(s); {
	case f == TakeBreak, f == ShowHours, f == ComeIn, f == GoOut:
		return f, nil
	case !project:
		return "", fmt.Errorf("%q is no function: use break, hours, in, out or project=CODE", s)
	case n == 0:
		return "", fmt.Errorf("a project has a code, such as project=P-101")
	case n > MaxProjectCode:
		return "", fmt.Errorf("a project code has at most %d characters, %q has %d", MaxProjectCode, code, n)
	case strings.ContainsFunc(code, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) ||
		!utf8.ValidString(code):
		return "", fmt.Errorf("%q is no project code: it has no spaces", code)
	}
	return Function(s), nil
}

// Project is the code of the project that the function is for; empty: it is for none.
func (f Function) Project() string {
	code, project := strings.CutPrefix(string(f), projectPrefix)
	if !project {
		return ""
	}
	return code
}

// Detail is what there is to know of a punch beside who, when and which way. Zeitstrom gets none of it
// with the punch.
type Detail struct {
	// Function is by which it was made; empty: by an ordinary tap.
	Function Function
	// Project is the code of the project that the time belongs to which a check-in begins. Of a
	// break it is the one with which its end goes on. Empty: nobody has chosen one.
	Project string
	Hints   Hints // that the employee was given
}

// OnBreak reports whether a break began with the punch.
func (p Punch) OnBreak() bool { return p.Intent == CheckOut && p.Function == TakeBreak }

// Project is a project of the company.
type Project struct {
	ID       string // UUID at Zeitstrom
	Code     string // at most MaxProjectCode characters; empty: it cannot be chosen at a door
	Name     string
	Archived bool
}

// Projects are those that Zeitstrom has listed.
type Projects interface {
	// Name is what people call the project with a code; the code itself if that is not known.
	Name(code string) string
	// Code is that of the project with an id; empty: it is not known, or has none.
	Code(id string) string
}

// Press is a key that was pressed.
type Press struct {
	Function Function
	Time     time.Time
}

// Choice is a function that was chosen for the next tap.
type Choice struct {
	Function Function // empty: none
	Project  string   // the project's name, if it is one's
	Until    time.Time

	since time.Time // a tap from before was not meant
}

// Times of a choice.
const (
	choiceTime = 10 * time.Second // so long it is kept for a tap
	// takeBackTime is how long after a booking its function can be taken back, by choosing the same
	// one again: somebody else may have used it by mistake.
	takeBackTime = 10 * time.Second
	// flickerTime is less than a person takes to bring the same badge again on purpose.
	flickerTime = time.Second
)

// TakeBackTime is how long after a booking its function may still be taken back: the choice is kept for
// a tap, too.
const TakeBackTime = takeBackTime + choiceTime

// at is the choice as it counts at an instant.
func (c Choice) at(now time.Time) Choice {
	if c.Function == "" || now.Before(c.since) || !now.Before(c.Until) {
		return Choice{}
	}
	return c
}

// next is the choice for the tap after one that was made at an instant.
func (c Choice) next(now time.Time) Choice {
	if now.Before(c.since) {
		return c
	}
	return c.at(now)
}

// choose takes a function for the next tap. The one that is chosen already is taken back. A badge that is held
// badly is read several times in a moment, and chooses once.
func (t *Terminal) choose(f Function, now time.Time) {
	flickers := t.chose.Function == f && now.Sub(t.chose.Time) < flickerTime
	if t.chose = (Press{f, now}); flickers {
		return
	}
	c := Choice{Function: f, Until: now.Add(choiceTime), since: now}
	if code := f.Project(); code != "" {
		c.Project = t.Projects.Name(code)
	}
	if t.choice.at(now).Function == f {
		c = Choice{}
	}
	t.choice = c
}

// press is what a key does: it chooses a function.
func (t *Terminal) press(p Press) {
	t.endSecondThought()
	t.choose(p.Function, p.Time)
	at := Punch{Time: p.Time.Round(0), Stamp: t.Clock.Stamp(p.Time)}
	t.Screen.Show(Outcome{Kind: Chosen, Next: t.choice, Punch: at})
	t.Log.Info("key pressed", "function", string(p.Function))
}

// takePresses takes the keys that were pressed while the terminal was busy: before the badge that is next, or
// after it, which Choice.at tells.
func (t *Terminal) takePresses() {
	for {
		select {
		case p := <-t.Keys:
			t.press(p)
		default:
			return
		}
	}
}

// plan says what a function books: nothing, a punch, or two at the same second.
func (f Function) plan(k knowledge) []Intent {
	in, known := k.next == CheckOut, k.basis.Intent
	switch {
	case f == "":
		return []Intent{k.next}
	case f == ComeIn && !in:
		return []Intent{CheckIn}
	case f == GoOut && known != CheckOut, f == TakeBreak && (in || known == ""):
		return []Intent{CheckOut}
	case f.Project() != "" && !in:
		return []Intent{CheckIn}
	case f.Project() != "" && k.project != f.Project():
		return []Intent{CheckOut, CheckIn}
	}
	return nil
}

// used is a booking whose function can still be taken back.
type used struct {
	function Function
	punch    Punch
	plain    Detail // what an ordinary tap would have chosen
	switched bool   // it was a switch of projects: a check-out and the punch
	until    time.Time
}

// takesBack reports whether a tap takes back the function of the badge's last booking. What takes the place of
// a switch cannot be at the same second: Zeitstrom keeps whole ones.
func (t *Terminal) takesBack(tap Tap, c Choice) bool {
	u, booked := t.used[tap.UID]
	return booked && u.function == c.Function && c.since.Before(u.until) && !sameSecond(tap.Time, u.punch.Time)
}

func sameSecond(a, b time.Time) bool { return a.Truncate(time.Second).Equal(b.Truncate(time.Second)) }

// ErrTooLate says that the function of a punch cannot be taken back any more.
var ErrTooLate = errors.New("the function of the booking cannot be taken back any more")

// takeBack takes the function of a booking back: what it was without stays. Whoever had switched projects
// wanted to go. False: it cannot be taken back any more.
func (t *Terminal) takeBack(tap Tap, o *Outcome) bool {
	was := t.used[tap.UID]
	p, err := t.Queue.TakeBack(was.punch, was.plain)
	switch {
	case errors.Is(err, ErrTooLate):
		return false
	case err != nil:
		o.Kind, o.Err = Failed, err
		return true
	}
	if o.TakenBack = true; p.Project != "" {
		o.Project = t.Projects.Name(p.Project)
	}
	if !was.switched {
		o.booked(p, !t.Elsewhere.Sends())
		return true
	}
	t.book(tap, o, p, Punch{Intent: CheckOut, Basis: p.basis()})
	return true
}
