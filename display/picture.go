package display

import (
	"fmt"
	"image"
	"image/draw"
	"slices"
	"strings"
	"time"

	"timeclock/device"

	"periph.io/x/devices/v3/ssd1306/image1bit"
)

// Size of a picture in pixels.
const (
	Width  = 128
	Height = 64
)

// Idle is the picture while nobody taps.
func (s Style) Idle(now time.Time, f Facts) *image1bit.VerticalLSB {
	return s.idle(now, f).VerticalLSB
}

func (s Style) idle(now time.Time, f Facts) *picture {
	p, l := newPicture(), s.Language
	switch {
	case f.ReaderBroken:
		return p.broken(l.Idle.Broken, l.Idle.Reader)
	case f.DiskBroken:
		return p.broken(l.Idle.Broken, l.Idle.Disk)
	}
	if f.Enrolls {
		return s.enrolls(f)
	}
	now = now.In(s.Zone)
	big, small := now.Format("15:04"), l.date(now, l.Date.Long)
	if f.NoTime {
		big, small = l.Idle.NoTime, l.Idle.AsUsual
	}
	if f.Pair != "" {
		const half = 9 // "A1B2 C3D4"
		p.line(0, 16, big)
		p.line(17, 16, f.Fingerprint[:min(half, len(f.Fingerprint))])
		p.line(33, 16, f.Fingerprint[min(half+1, len(f.Fingerprint)):])
		p.notes(fmt.Sprintf(l.Idle.Pair, f.Pair))
		return p
	}
	note := ""
	switch {
	case f.Token:
		note = l.Idle.Token
	case f.BadgesLost:
		note = l.Idle.Badges
	case f.OldSettings:
		note = l.Idle.Settings
	case f.Checked && f.Faults > 0:
		note = fmt.Sprintf(l.Idle.Faults, f.Faults)
	case f.Offline && f.Pending > 0:
		note = fmt.Sprintf(l.Idle.Pending, f.Pending)
	case f.Offline:
		note = l.Idle.Offline
	case f.Checked:
		note = l.Idle.Well
	case now.Minute()/10%2 == 0: // takes turns with the one below, to spare the panel
		p.time(5, big)
		p.line(44, 18, small)
		return p
	default:
		p.line(2, 18, small)
		p.time(29, big)
		return p
	}
	p.time(0, big)
	p.line(34, 14, small)
	p.notes(note)
	return p
}

// enrolls is the idle picture while a badge is waited for.
func (s Style) enrolls(f Facts) *picture {
	p, l := newPicture(), s.Language.Enroll
	p.line(0, 20, l.Waiting)
	if f.NewFunction != "" {
		p.name(22, 24, s.function(f.NewFunction, f.NewFunction.Project()))
	} else {
		p.name(22, 24, s.Names.Shorten(f.NewOwner))
	}
	p.notes(l.Hold)
	return p
}

// timeHigh is how high the time of day is on the idle screen.
const timeHigh = 32

// time writes the time of day twice as large as the letters are, or words as large as they fit.
func (p *picture) time(y int, text string) {
	f := faceOf(24)
	if width := 2 * f.measure(text); width <= room && len(text) == len("15:04") {
		above := slices.IndexFunc(f.glyph('0').rows, func(row uint32) bool { return row != 0 })
		f.draw(p, (Width-width)/2, y-2*above, text, 2)
		return
	}
	p.line(y+(timeHigh-24)/2, 24, text)
}

// broken is the picture of a clock that cannot book.
func (p *picture) broken(big string, why [2]string) *picture {
	p.line(2, 24, big)
	p.line(29, 16, why[0])
	p.line(47, 16, why[1])
	return p
}

// Choice is the picture while a function is chosen for the next tap.
func (s Style) Choice(c device.Choice, now time.Time) *image1bit.VerticalLSB {
	return s.choice(c, now).VerticalLSB
}

func (s Style) choice(c device.Choice, now time.Time) *picture {
	p, l := newPicture(), s.Language
	left := (c.Until.Sub(now) + time.Second - 1) / time.Second
	if c.Function.Project() != "" {
		p.line(0, 20, l.Function.Project)
		p.name(22, 24, c.Project)
	} else {
		p.line(10, 24, s.function(c.Function, ""))
	}
	p.notes(fmt.Sprintf(l.Function.Badge, left))
	return p
}

// Answer is the picture after a tap.
func (s Style) Answer(o device.Outcome) *image1bit.VerticalLSB {
	return s.answer(o).VerticalLSB
}

func (s Style) answer(o device.Outcome) *picture {
	p := newPicture()
	w := s.words(o)
	switch o.Kind {
	case device.CheckedIn, device.CheckedOut:
		if o.TakenBack {
			p.three(w)
			break
		}
		arrow := arrowIn
		if o.Kind == device.CheckedOut {
			arrow = arrowOut
		}
		p.booked(w, arrow)
	case device.Repeated, device.Enrolled, device.NotEnrolled, device.HoursShown, device.Chosen,
		device.Tried:
		p.three(w)
	case device.Unknown, device.Several:
		p.line(2, 20, w.big)
		if len(w.notes) > 0 {
			p.line(23, 24, w.notes[0])
			p.line(48, 16, w.more)
		} else {
			p.line(36, 16, w.more)
		}
	case device.Blocked:
		p.invert(image.Rect(0, 0, Width, 32), func() { p.line(4, 24, w.big) })
		p.line(40, 16, w.more)
	default:
		p.invert(p.Rect, func() {
			p.line(4, 24, w.big)
			p.line(38, 16, w.more)
		})
	}
	return p
}

// three writes a word, a name, and one thing more.
func (p *picture) three(w text) {
	p.line(0, 20, w.big)
	p.name(20, 24, w.name)
	p.line(44, 20, w.more)
}

// picture remembers which texts were too long for it, names apart, and where its lines are.
type picture struct {
	*image1bit.VerticalLSB
	cut   []string
	lines []image.Rectangle
}

func newPicture() *picture {
	return &picture{VerticalLSB: image1bit.NewVerticalLSB(image.Rect(0, 0, Width, Height))}
}

// booked is the answer to a tap that became a punch: a word, a name, the time
// with an arrow that points in or out, and notes if there is something to know.
// A name that needs two lines takes room from the others.
func (p *picture) booked(w text, arrow []string) {
	long := !fits(w.name)
	switch {
	case len(w.notes) == 0 && long:
		p.line(0, 20, w.big)
		p.name(20, 24, w.name)
		p.clock(44, 20, w.more, arrow)
	case len(w.notes) == 0:
		p.line(0, 24, w.big)
		p.name(23, 20, w.name)
		p.clock(42, 22, w.more, arrow)
	case len(w.notes) == 1 && long:
		p.line(0, 18, w.big+" "+w.more)
		p.name(20, 24, w.name)
	case len(w.notes) == 1:
		p.line(0, 18, w.big)
		p.name(18, 16, w.name)
		p.clock(35, 14, w.more, arrow)
	default:
		p.line(0, 18, w.big+" "+w.more)
		p.name(18, 16, w.name)
	}
	p.notes(w.notes...)
}

// clock writes a time with an arrow before it.
func (p *picture) clock(y, size int, at string, arrow []string) {
	f := faceOf(size)
	width := len(arrow[0]) + 6 + f.measure(at)
	if width > room { // more than a time: it has no place for an arrow
		p.line(y, size, at)
		return
	}
	x := (Width - width) / 2
	for dy, row := range arrow {
		for dx, pixel := range row {
			if pixel == '#' {
				p.SetBit(x+dx, y+(size-len(arrow))/2+dy, image1bit.On)
			}
		}
	}
	f.draw(p, x+width-f.measure(at), y, at, 1)
}

// notes are lines at the bottom, dark on light.
func (p *picture) notes(lines ...string) {
	top := Height - 15*len(lines)
	p.invert(image.Rect(0, top, Width, Height), func() {
		for i, line := range lines {
			p.line(top+15*i, noteSize, line)
		}
	})
}

const noteSize = 14

// line writes centred text at y, as large as fits the width but no larger than
// size; what fits at no size ends in an ellipsis.
func (p *picture) line(y, size int, text string) {
	if !p.one(y, size, text) {
		p.cut = append(p.cut, text)
	}
}

// one writes a line, and reports whether it has all of the text.
func (p *picture) one(y, size int, text string) (whole bool) {
	f, shown := fit(text, size)
	// A smaller face sits in the middle of the line that a larger one has.
	f.draw(p, (Width-f.measure(shown))/2, y+(size-f.size)/2, shown, 1)
	return shown == text
}

// Sizes of names: the largest is enough for a metre.
const (
	nameSize  = 18
	smallName = 12
)

// fits reports whether a name fits into a line.
func fits(name string) bool { return faceOf(smallName).measure(name) <= room }

// name writes a name into so many rows: in one line as large as it fits, else in two, and only then
// cut.
func (p *picture) name(y, high int, name string) {
	size := min(high, nameSize)
	if fits(name) || high < 2*smallName {
		p.one(y+(high-size)/2, size, name)
		return
	}
	words := strings.Fields(name)
	for n := len(words) - 1; n > 0; n-- {
		if first := strings.Join(words[:n], " "); fits(first) {
			p.one(y, smallName, first)
			p.one(y+smallName, smallName, strings.Join(words[n:], " "))
			return
		}
	}
	p.one(y+(high-size)/2, size, name)
}

// invert draws dark on light inside r.
func (p *picture) invert(r image.Rectangle, paint func()) {
	paint()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p.SetBit(x, y, !p.BitAt(x, y))
		}
	}
}

var _ draw.Image = (*picture)(nil)

// Arrows of 13×12 pixels: into the door, and out of it.
var (
	arrowIn = []string{
		"      #......",
		"      ##.....",
		"      ###....",
		"      ####...",
		"############.",
		"#############",
		"#############",
		"############.",
		"      ####...",
		"      ###....",
		"      ##.....",
		"      #......",
	}
	arrowOut = []string{
		"......#      ",
		".....##      ",
		"....###      ",
		"...####      ",
		".############",
		"#############",
		"#############",
		".############",
		"...####      ",
		"....###      ",
		".....##      ",
		"......#      ",
	}
)

// wander moves a picture within its own margins, a little further each minute:
// pixels of an OLED that are lit day and night fade.
func wander(p *image1bit.VerticalLSB, now time.Time) *image1bit.VerticalLSB {
	lit := image.Rectangle{Min: p.Rect.Max, Max: p.Rect.Min}
	for y := range Height {
		for x := range Width {
			if p.BitAt(x, y) {
				lit.Min = image.Pt(min(lit.Min.X, x), min(lit.Min.Y, y))
				lit.Max = image.Pt(max(lit.Max.X, x+1), max(lit.Max.Y, y+1))
			}
		}
	}
	if lit.Dx() <= 0 {
		return p
	}
	minute := int(now.Unix() / 60)
	dx := step(minute, Width-lit.Dx()) - lit.Min.X
	dy := step(minute/7, Height-lit.Dy()) - lit.Min.Y
	moved := newPicture().VerticalLSB
	for y := lit.Min.Y; y < lit.Max.Y; y++ {
		for x := lit.Min.X; x < lit.Max.X; x++ {
			moved.SetBit(x+dx, y+dy, p.BitAt(x, y))
		}
	}
	return moved
}

// step goes up and down between 0 and room, by one each time.
func step(n, room int) int {
	if room == 0 {
		return 0
	}
	n %= 2 * room
	return min(n, 2*room-n)
}
