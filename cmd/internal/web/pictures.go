package web

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
)

// canvas is what pictures are drawn on, in CSS pixels: a phone has fewer of them, and the letters
// stay as large.
type canvas struct {
	width  float64
	narrow bool
}

func newCanvas(r *http.Request) canvas {
	if r.FormValue("narrow") != "" {
		return canvas{330, true}
	}
	return canvas{1080, false}
}

// Sizes of the pictures.
const (
	pictureHeight = 170
	pictureLeft   = 36
	pictureBottom = 24
)

// Colours that can be told apart in light and dark, and by people who see no red or green.
const (
	colourIn   = "#2a9d5c"
	colourOut  = "#3b7dd8"
	colourOpen = "#d9822b"
	colourText = "#6b7686"
	colourLine = "#9aa3b0"
)

// begin begins a picture and returns what ends it.
func (c canvas) begin(w io.Writer, height float64, title string) func() {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" role="img" `+
		`font-family="system-ui, sans-serif" font-size="12"><title>%s</title><g fill="%s">`, c.width, height,
		html.EscapeString(title), colourText)
	return func() { fmt.Fprint(w, "</g></svg>") }
}

// label writes a text below an axis, so that it stays in the picture.
func (c canvas) label(w io.Writer, x, y float64, text string) {
	anchor := "middle"
	switch half := float64(len(text)) * 3.5; {
	case x+half > c.width:
		anchor, x = "end", c.width
	case x-half < 0:
		anchor, x = "start", 0
	}
	fmt.Fprintf(w, `<text x="%.0f" y="%.0f" text-anchor="%s">%s</text>`, x, y, anchor, html.EscapeString(text))
}

// share is where a share of the width behind the left edge is.
func (c canvas) share(of float64) float64 { return pictureLeft + of*(c.width-pictureLeft-1) }

// axis draws the lower line with its labels, by their share of it, and how much the highest bar is.
func (c canvas) axis(w io.Writer, labels map[float64]string, most int) {
	base := pictureHeight - pictureBottom
	fmt.Fprintf(w, `<line stroke="%s" x1="%d" y1="%d" x2="%.0f" y2="%d"/>`, colourLine, pictureLeft, base,
		c.width, base)
	for share, text := range labels {
		c.label(w, c.share(share), pictureHeight-7, text)
	}
	fmt.Fprintf(w, `<text x="%d" y="16" text-anchor="end">%d</text><text x="%d" y="%d" text-anchor="end">0</text>`,
		pictureLeft-6, most, pictureLeft-6, base)
}

// drawDay shows how many came and went in each quarter of an hour of a day.
func (c canvas) drawDay(w io.Writer, now time.Time, punches []admin.Punch, title string) {
	const slots = 24 * 4
	year, month, day := now.Date()
	var in, out [slots]int
	most := 1
	for _, p := range punches {
		at := p.Time.In(now.Location())
		if y, m, d := at.Date(); y != year || m != month || d != day || p.Uncertain {
			continue
		}
		slot := at.Hour()*4 + at.Minute()/15
		if p.Intent == device.CheckIn {
			in[slot]++
		} else {
			out[slot]++
		}
		most = max(most, in[slot]+out[slot])
	}
	defer c.begin(w, pictureHeight, title)()
	step, labels := 3, map[float64]string{}
	if c.narrow {
		step = 6
	}
	for hour := 0; hour <= 24; hour += step {
		labels[float64(hour)/24] = fmt.Sprintf("%02d:00", hour)
	}
	c.axis(w, labels, most)
	width := (c.width - pictureLeft) / slots
	unit := float64(pictureHeight-pictureBottom-8) / float64(most)
	bar := func(slot, from, n int, colour string) {
		if n > 0 {
			fmt.Fprintf(w, `<rect fill="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, colour,
				pictureLeft+float64(slot)*width+.5, pictureHeight-pictureBottom-float64(from+n)*unit, width-1,
				float64(n)*unit)
		}
	}
	for i := range slots {
		bar(i, 0, in[i], colourIn)
		bar(i, in[i], out[i], colourOut)
	}
}

// drawBacklog shows how much waited over the last day.
func (c canvas) drawBacklog(w io.Writer, samples []admin.Sample, zone *time.Location, title string) {
	defer c.begin(w, pictureHeight, title)()
	most := 1
	for _, s := range samples {
		most = max(most, s.Pending)
	}
	now := samples[len(samples)-1].At
	step, labels := 4, map[float64]string{}
	if c.narrow {
		step = 8
	}
	for hours := 0; hours <= 24; hours += step {
		labels[1-float64(hours)/24] = now.Add(-time.Duration(hours) * time.Hour).In(zone).Format("15:04")
	}
	c.axis(w, labels, most)
	base := float64(pictureHeight - pictureBottom)
	var line []string
	for _, s := range samples {
		x := c.share(max(0, 1-now.Sub(s.At).Hours()/24))
		line = append(line, fmt.Sprintf("%.1f,%.1f", x, base-float64(s.Pending)/float64(most)*(base-8)))
	}
	first, _, _ := strings.Cut(line[0], ",")
	points := strings.Join(line, " ")
	fmt.Fprintf(w, `<polygon fill="%s" opacity=".18" points="%s,%.0f %s %.0f,%.0f"/><polyline fill="none" `+
		`stroke="%s" stroke-width="2" points="%s"/>`, colourOpen, first, base, points, c.share(1), base,
		colourOpen, points)
}

// weekOf is a week of one person.
type weekOf struct {
	monday time.Time
	spans  []admin.Timespan
	works  func(admin.Timespan) bool // whether somebody works in it now
	title  string
	days   []string // their short names, Monday first
}

// drawWeek shows it: a row for each day, a bar for each timespan; what goes on now, and an open end
// where nobody checked out, have colours of their own.
func (c canvas) drawWeek(w io.Writer, week weekOf) {
	const row, left = 28, 74
	defer c.begin(w, 7*row+26, week.title)()
	width := c.width - left - 2
	step := 3
	if c.narrow {
		step = 6
	}
	for hour := 0; hour <= 24; hour += step {
		x := left + float64(hour)/24*width
		fmt.Fprintf(w, `<line stroke="%s" stroke-width=".5" x1="%.0f" y1="2" x2="%.0f" y2="%d"/>`, colourLine, x, x,
			7*row)
		c.label(w, x, 7*row+18, fmt.Sprintf("%02d", hour))
	}
	for i := range 7 {
		day := week.monday.AddDate(0, 0, i)
		fmt.Fprintf(w, `<text x="0" y="%d">%s %s</text>`, i*row+19, html.EscapeString(week.days[i]),
			day.Format("02.01."))
		for _, t := range week.spans {
			from, to, colour := week.bar(t, day)
			if to > from {
				fmt.Fprintf(w, `<rect fill="%s" x="%.1f" y="%d" width="%.1f" height="%d" rx="3"/>`, colour,
					left+from*width, i*row+6, max(2, (to-from)*width), row-10)
			}
		}
	}
}

// bar is what of a timespan lies on a day, as shares of it, and in which colour it is shown.
func (week weekOf) bar(t admin.Timespan, day time.Time) (from, to float64, colour string) {
	end, colour := t.CheckOut, colourIn
	switch {
	case !end.IsZero():
	case week.works(t):
		end, colour = time.Now(), colourOut
	default:
		end, colour = t.CheckIn.Add(30*time.Minute), colourOpen
	}
	whole := day.AddDate(0, 0, 1).Sub(day)
	share := func(at time.Time) float64 { return min(1, max(0, float64(at.Sub(day))/float64(whole))) }
	return share(t.CheckIn), share(end), colour
}
