package display

import (
	"fmt"
	"image"
	"image/draw"
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
		p.line(0, 20, l.Enroll.Waiting)
		p.name(22, 17, s.Names.Shorten(f.NewOwner))
		p.notes(l.Enroll.Hold)
		return p
	}
	now = now.In(s.Zone)
	big, small, size := now.Format("15:04"), l.date(now, l.Date.Long), 36
	if f.NoTime {
		big, small, size = l.Idle.NoTime, l.Idle.AsUsual, 24
	}
	if f.Pair != "" {
		const half = 9 // "A1B2 C3D4"
		p.line(0, 17, big)
		p.line(16, 15, f.Fingerprint[:min(half, len(f.Fingerprint))])
		p.line(31, 15, f.Fingerprint[min(half+1, len(f.Fingerprint)):])
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
		p.line((36-size)/2, size, big)
		p.line(42, 16, small)
		return p
	default:
		p.line(3, 16, small)
		p.line(20+(36-size)/2, size, big)
		return p
	}
	p.line((36-size)/2, size, big)
	p.line(33, 14, small)
	p.notes(note)
	return p
}

// broken is the picture of a clock that cannot book.
func (p *picture) broken(big string, why [2]string) *picture {
	p.line(2, 24, big)
	p.line(28, 15, why[0])
	p.line(45, 15, why[1])
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
	case device.CheckedIn:
		p.booked(w, arrowIn)
	case device.CheckedOut:
		p.booked(w, arrowOut)
	case device.Repeated, device.Enrolled, device.NotEnrolled:
		p.line(0, 20, w.big)
		p.name(24, 16, w.name)
		p.line(43, 20, w.more)
	case device.Unknown, device.Several:
		p.line(3, 22, w.big)
		if len(w.notes) > 0 {
			p.line(24, 24, w.notes[0])
			p.line(47, 15, w.more)
		} else {
			p.line(36, 16, w.more)
		}
	case device.Blocked:
		p.invert(image.Rect(0, 0, Width, 32), func() { p.line(2, 26, w.big) })
		p.line(40, 16, w.more)
	default:
		p.invert(p.Rect, func() {
			p.line(3, 26, w.big)
			p.line(38, 16, w.more)
		})
	}
	return p
}

// picture remembers which texts were too long for it; names may be.
type picture struct {
	*image1bit.VerticalLSB
	cut []string
}

func newPicture() *picture {
	return &picture{VerticalLSB: image1bit.NewVerticalLSB(image.Rect(0, 0, Width, Height))}
}

// booked is the answer to a tap that became a punch: a word, a name, the time
// with an arrow that points in or out, and notes if there is something to know.
func (p *picture) booked(w text, arrow []string) {
	switch len(w.notes) {
	case 0:
		p.line(-3, 26, w.big) // its capitals begin four pixels further down
		p.name(26, 17, w.name)
		p.clock(43, 22, w.more, arrow)
	case 1:
		p.line(-4, 22, w.big)
		p.name(16, 15, w.name)
		p.clock(31, 17, w.more, arrow)
	default:
		p.line(-3, 20, w.big+" "+w.more)
		p.name(17, 15, w.name)
	}
	p.notes(w.notes...)
}

// clock writes a time with an arrow before it.
func (p *picture) clock(y, size int, at string, arrow []string) {
	f := face(size)
	width := len(arrow[0]) + 6 + f.width(at)
	x := (Width - width) / 2
	for dy, row := range arrow {
		for dx, pixel := range row {
			if pixel == '#' {
				p.SetBit(x+dx, y+(size+size/2-len(arrow))/3+dy, image1bit.On)
			}
		}
	}
	f.draw(p, x+width-f.width(at), y, at)
}

// notes are lines at the bottom, dark on light.
func (p *picture) notes(lines ...string) {
	top := Height - 15*len(lines)
	p.invert(image.Rect(0, top, Width, Height), func() {
		for i, line := range lines {
			p.line(top+15*i, 14, line)
		}
	})
}

// line writes centred text at y, as large as fits the width but no larger than
// size; what fits at no size ends in an ellipsis.
func (p *picture) line(y, size int, text string) {
	if !p.name(y, size, text) {
		p.cut = append(p.cut, text)
	}
}

// name writes a line that may be too long, and reports whether it was not.
func (p *picture) name(y, size int, text string) (whole bool) {
	f, shown := fit(text, size)
	// A smaller face sits in the middle of the line that a larger one has.
	f.draw(p, (Width-f.width(shown))/2, y+(size-f.size)/2, shown)
	return shown == text
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
