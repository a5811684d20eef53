package display

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"timeclock/device"

	"periph.io/x/devices/v3/ssd1306/image1bit"
)

// stages are what a technician sees on a new device, in order: for the manual.
var stages = []struct{ caption, name string }{
	{"1. It runs; the time is not known yet", "idle-no-time"},
	{"2. For a minute: what it has found", "idle-checked"},
	{"3. For ten minutes: the code for the page", "idle-pair"},
	{"4. A badge is given out at the reader", "idle-enrolls"},
	{"5. The first booking", "checkin"},
	{"6. From then on", "idle"},
}

// The manual's picture of the display shows what the display shows.
func TestStages(t *testing.T) {
	style := Style{language(t, "en"), device.FullName, time.UTC}
	var svg bytes.Buffer
	const scale, gap, caption = 2, 24, 26
	const wide, high = Width*scale + gap, Height*scale + gap + caption
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" `+
		`font-family="DejaVu Sans, Arial, sans-serif" font-size="12">`+"\n", 3*wide+gap, 2*high+gap)
	fmt.Fprintf(&svg, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", 3*wide+gap, 2*high+gap)
	for i, s := range stages {
		picture := style.Idle(sunday, idles[s.name])
		if s.name == "checkin" {
			picture = style.Answer(answers("Anna Müller")["checkin"])
		}
		x, y := gap+i%3*wide, gap+i/3*high
		fmt.Fprintf(&svg, `<rect x="%d" y="%d" width="%d" height="%d" rx="4" fill="#0b0f14"/>`+"\n",
			x-6, y-6, Width*scale+12, Height*scale+12)
		fmt.Fprintf(&svg, `<path transform="translate(%d %d) scale(%d)" fill="#9fd8ff" d="%s"/>`+"\n", x, y, scale,
			runs(picture))
		fmt.Fprintf(&svg, `<text x="%d" y="%d">%s</text>`+"\n", x-6, y+Height*scale+caption, s.caption)
	}
	svg.WriteString("</svg>\n")
	file := filepath.Join("..", "deploy", "display.svg")
	if *update {
		if err := os.WriteFile(file, svg.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if there, err := os.ReadFile(file); err != nil || !bytes.Equal(there, svg.Bytes()) {
		t.Errorf("%s shows something else (%v); go test ./display -run TestStages -update writes it anew", file, err)
	}
}

// runs draws each run of lit pixels of a line.
func runs(p *image1bit.VerticalLSB) string {
	var path strings.Builder
	for y := range Height {
		for x := 0; x < Width; x++ {
			from := x
			for x < Width && bool(p.BitAt(x, y)) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	return path.String()
}
