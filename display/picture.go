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
func Idle(now time.Time, f Facts) *image1bit.VerticalLSB {
	p := newPicture()
	if f.ReaderBroken {
		p.line(2, 24, "Out of order")
		p.line(28, 15, "The reader does")
		p.line(45, 15, "not answer")
		return p.VerticalLSB
	}
	if f.DiskBroken {
		p.line(2, 24, "Out of order")
		p.line(28, 15, "Bookings cannot")
		p.line(45, 15, "be saved")
		return p.VerticalLSB
	}
	p.line(0, 36, now.Format("15:04"))
	date := now.Format("Mon 2 Jan 2006")
	if !f.Offline {
		p.line(42, 16, date)
		return p.VerticalLSB
	}
	p.line(33, 14, date)
	p.invert(image.Rect(0, 49, Width, Height), func() {
		p.line(49, 14, offline(f.Pending))
	})
	return p.VerticalLSB
}

func offline(pending int) string {
	if pending == 0 {
		return "offline"
	}
	return fmt.Sprintf("offline, %d saved", pending)
}

// Answer is the picture after a tap.
func Answer(o device.Outcome) *image1bit.VerticalLSB {
	p := newPicture()
	w := words(o)
	switch o.Kind {
	case device.CheckedIn:
		p.booked(w, arrowIn)
	case device.CheckedOut:
		p.booked(w, arrowOut)
	case device.Repeated:
		p.line(0, 20, w.big)
		p.line(24, 16, w.name)
		p.line(43, 20, w.more)
	case device.Unknown:
		p.line(3, 22, w.big)
		if o.Claim > 0 {
			p.line(24, 24, fmt.Sprintf("No. %d", o.Claim))
			p.line(47, 15, "see the office")
			return p.VerticalLSB
		}
		p.line(36, 16, w.more)
	case device.Several:
		p.line(3, 22, w.big)
		p.line(36, 16, w.more)
	default:
		p.invert(p.Rect, func() {
			p.line(3, 26, w.big)
			p.line(38, 16, w.more)
		})
	}
	return p.VerticalLSB
}

// Line is the answer to a tap in one line of text.
func Line(o device.Outcome) string {
	w := words(o)
	if w.name != "" {
		return w.big + ", " + w.name + ": " + w.more
	}
	return w.big + ": " + w.more
}

// text is what an answer says: one big word, a name, and what else there is.
type text struct{ big, name, more string }

func words(o device.Outcome) text {
	at := o.Punch.Time.Local().Format("15:04")
	switch o.Kind {
	case device.CheckedIn:
		return text{"Welcome", o.Employee.Name, at}
	case device.CheckedOut:
		return text{"Goodbye", o.Employee.Name, at}
	case device.Repeated:
		if o.Punch.Intent == device.CheckIn {
			return text{"Already booked", o.Employee.Name, "in at " + at}
		}
		return text{"Already booked", o.Employee.Name, "out at " + at}
	case device.Unknown:
		if o.Claim > 0 {
			return text{"Unknown badge", "", fmt.Sprintf("No. %d, see the office", o.Claim)}
		}
		return text{"Unknown badge", "", "see the office"}
	case device.Several:
		return text{"One badge", "", "please, not several"}
	}
	return text{"NOT SAVED", "", "please tap again"}
}

type picture struct{ *image1bit.VerticalLSB }

func newPicture() picture {
	return picture{image1bit.NewVerticalLSB(image.Rect(0, 0, Width, Height))}
}

// booked is the answer to a tap that became a punch: a word, a name, and the
// time with an arrow that points in or out.
func (p picture) booked(w text, arrow []string) {
	p.line(-3, 26, w.big) // its capitals begin four pixels further down
	p.line(26, 17, w.name)
	f := face(22)
	width := len(arrow[0]) + 6 + f.width(w.more)
	x := (Width - width) / 2
	for dy, row := range arrow {
		for dx, pixel := range row {
			if pixel == '#' {
				p.SetBit(x+dx, 48+dy, image1bit.On)
			}
		}
	}
	f.draw(p, x+width-f.width(w.more), 43, w.more)
}

// line writes centred text at y, as large as fits the width but no larger than
// size; what fits at no size ends in an ellipsis.
func (p picture) line(y, size int, text string) {
	f, text := fit(text, size)
	// A smaller face sits in the middle of the line that a larger one has.
	f.draw(p, (Width-f.width(text))/2, y+(size-f.size)/2, text)
}

// invert draws dark on light inside r.
func (p picture) invert(r image.Rectangle, paint func()) {
	paint()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p.SetBit(x, y, !p.BitAt(x, y))
		}
	}
}

var _ draw.Image = picture{}

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
