package display

import (
	"image"
	"image/color"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// sizes of the faces in pixels, largest first. Below the smallest a bold face
// in black and white cannot be read from a metre.
var sizes = []int{36, 26, 24, 22, 20, 17, 16, 15, 14, 13}

// sizedFace is the Go Bold typeface at one size. It has all of Latin,
// Greek and Cyrillic.
type sizedFace struct {
	font.Face
	size int
}

// faces are parsed once, when the first picture is drawn.
var faces = sync.OnceValue(func() map[int]sizedFace {
	typeface, err := opentype.Parse(gobold.TTF)
	if err != nil {
		panic(err) // it is built in
	}
	out := map[int]sizedFace{}
	for _, size := range sizes {
		f, err := opentype.NewFace(typeface, &opentype.FaceOptions{Size: float64(size), DPI: 72})
		if err != nil {
			panic(err)
		}
		out[size] = sizedFace{f, size}
	}
	return out
})

func face(size int) sizedFace { return faces()[size] }

// drawing serialises the use of faces, which are not safe for concurrent use.
var drawing sync.Mutex

func (f sizedFace) width(text string) int {
	drawing.Lock()
	defer drawing.Unlock()
	return font.MeasureString(f.Face, text).Ceil()
}

// draw writes text with its line's upper left corner at x, y.
func (f sizedFace) draw(p *picture, x, y int, text string) {
	drawing.Lock()
	defer drawing.Unlock()
	grey := image.NewGray(p.Rect)
	d := font.Drawer{Dst: grey, Src: image.White, Face: f.Face, Dot: fixed.P(x, y+f.size*9/10)}
	d.DrawString(text)
	const ink = 110 // of 255: keeps thin strokes of a bold face without clotting
	for i, v := range grey.Pix {
		if v >= ink {
			p.Set(i%grey.Stride, i/grey.Stride, color.White)
		}
	}
}

// fit returns the largest face up to size in which text fits the width, and
// the text, shortened if it fits in none.
func fit(text string, size int) (sizedFace, string) {
	var f sizedFace
	for _, s := range sizes {
		if s > size {
			continue
		}
		if f = face(s); f.width(text) <= Width {
			return f, text
		}
	}
	runes := []rune(text)
	for len(runes) > 0 && f.width(string(runes)+"…") > Width {
		runes = runes[:len(runes)-1]
	}
	return f, string(runes) + "…"
}
