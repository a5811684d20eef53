package display

import (
	_ "embed"
	"image"
	"sort"
	"strconv"

	"golang.org/x/text/unicode/norm"
	"periph.io/x/devices/v3/ssd1306/image1bit"
)

// The letters are a bitmap font, made pixel by pixel for panels like ours: bold, with crisp stems, in
// Latin, Greek and Cyrillic. They are text files, one for each size, with a line for each letter: its
// code point, and its rows as hex digits, as GNU Unifont's files have them. The zero has no stroke,
// which from afar would make it an eight. Where they come from, and their licence, is in
// letters/OFL.txt.
var (
	//go:embed letters/12.hex
	letters12 string
	//go:embed letters/14.hex
	letters14 string
	//go:embed letters/16.hex
	letters16 string
	//go:embed letters/18.hex
	letters18 string
	//go:embed letters/20.hex
	letters20 string
	//go:embed letters/22.hex
	letters22 string
	//go:embed letters/24.hex
	letters24 string
	//go:embed letters/28.hex
	letters28 string
)

// face is the font at one size: its letters are so many pixels high, accents and descenders
// included, so that lines below each other share no row.
type face struct {
	size    int
	width   int // of the widest letter
	letters string
}

// faces are those that there are, the largest first.
var faces = []face{
	{28, 14, letters28},
	{24, 12, letters24},
	{22, 11, letters22},
	{20, 10, letters20},
	{18, 10, letters18},
	{16, 8, letters16},
	{14, 8, letters14},
	{12, 6, letters12},
}

// faceOf is the largest that is no larger than a size.
func faceOf(size int) face {
	for _, f := range faces {
		if f.size <= size {
			return f
		}
	}
	return faces[len(faces)-1]
}

// glyph is a letter: a bit for each pixel of a row, the leftmost the highest of width, and between which
// columns there is ink.
type glyph struct {
	rows        []uint32
	left, right int
}

const codePoint = 5 // hex digits at the beginning of a line

// glyph finds a letter. One that is not there loses its accent, or is a question mark.
func (f face) glyph(r rune) glyph {
	digits := 2 * ((f.width + 7) / 8)
	line := codePoint + 1 + f.size*digits + 1
	at := func(i int) string { return f.letters[i*line : (i+1)*line] }
	find := func(r rune) (string, bool) {
		n := len(f.letters) / line
		i := sort.Search(n, func(i int) bool { return number(at(i)[:codePoint]) >= uint32(r) })
		if i < n && number(at(i)[:codePoint]) == uint32(r) {
			return at(i)[codePoint+1:], true
		}
		return "", false
	}
	found, ok := find(r)
	if !ok {
		found, ok = find([]rune(norm.NFD.String(string(r)))[0])
	}
	if !ok {
		found, _ = find('?')
	}
	g := glyph{rows: make([]uint32, f.size), left: f.width, right: 0}
	for y := range g.rows {
		row := number(found[y*digits:(y+1)*digits]) >> (4*digits - f.width)
		g.rows[y] = row
		for x := range f.width {
			if row>>(f.width-1-x)&1 != 0 {
				g.left, g.right = min(g.left, x), max(g.right, x+1)
			}
		}
	}
	switch {
	case g.right == 0: // a space
		g.left, g.right = 0, f.width/2-1
	case r >= '0' && r <= '9': // stand below each other, so that a clock does not jump
		g.left, g.right = 0, max(f.width-1, g.right)
	}
	return g
}

func number(hex string) uint32 {
	n, _ := strconv.ParseUint(hex, 16, 32) // the files are part of the program; a test reads all of them
	return uint32(n)
}

// gap is the space between two letters.
func (f face) gap() int {
	if f.size < 20 {
		return 1
	}
	return 2
}

// measure returns how wide a text is.
func (f face) measure(text string) (width int) {
	for _, r := range norm.NFC.String(text) {
		g := f.glyph(r)
		width += g.right - g.left + f.gap()
	}
	return max(0, width-f.gap())
}

// draw writes text with its upper left corner at x, y, each pixel as a square of so many.
func (f face) draw(p *picture, x, y int, text string, scale int) {
	if text != "" {
		p.lines = append(p.lines, image.Rect(x, y, x+f.measure(text)*scale, y+f.size*scale))
	}
	for _, r := range norm.NFC.String(text) {
		g := f.glyph(r)
		for dy, row := range g.rows {
			for dx := g.left; dx < g.right; dx++ {
				if row>>(f.width-1-dx)&1 != 0 {
					p.fill(image.Rect(0, 0, scale, scale).Add(image.Pt(x+(dx-g.left)*scale, y+dy*scale)))
				}
			}
		}
		x += (g.right - g.left + f.gap()) * scale
	}
}

// fill lights a rectangle.
func (p *picture) fill(r image.Rectangle) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p.SetBit(x, y, image1bit.On)
		}
	}
}

// room is how wide a line may be: letters that touch the edge look cut.
const room = Width - 2

// fit returns the largest face up to size in which text fits the width, and
// the text, shortened if it fits in none.
func fit(text string, size int) (face, string) {
	var f face
	for _, f = range faces {
		if f.size <= size && f.measure(text) <= room {
			return f, text
		}
	}
	runes := []rune(text)
	for len(runes) > 0 && f.measure(string(runes)+"…") > room {
		runes = runes[:len(runes)-1]
	}
	return f, string(runes) + "…"
}
