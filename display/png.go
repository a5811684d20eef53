package display

import (
	"bytes"
	"image"
	"image/color"
	"image/png"

	"periph.io/x/devices/v3/ssd1306/image1bit"
)

// glow is the colour of a panel's pixels on a page.
var glow = color.RGBA{0xBF, 0xE9, 0xFF, 0xFF}

// PNG shows a picture as a panel would, light on black.
func PNG(p *image1bit.VerticalLSB) ([]byte, error) {
	lit := image.NewPaletted(p.Rect, color.Palette{color.Black, glow})
	for y := range Height {
		for x := range Width {
			if p.BitAt(x, y) {
				lit.SetColorIndex(x, y, 1)
			}
		}
	}
	var buf bytes.Buffer
	err := png.Encode(&buf, lit)
	return buf.Bytes(), err
}
