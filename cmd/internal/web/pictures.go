package web

import (
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
)

// Sizes of the pictures, in their own units.
const (
	pictureWidth  = 720
	pictureHeight = 160
	pictureLeft   = 32
	pictureBottom = 24
)

// svg begins a picture and returns what ends it. Its colours suit light and dark.
func svg(w io.Writer, title string) func() {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" font-family="system-ui, `+
		`sans-serif" font-size="11"><title>%s</title>`, pictureWidth, pictureHeight, html.EscapeString(title))
	fmt.Fprint(w, `<g fill="#667788">`)
	return func() { fmt.Fprint(w, "</g></svg>") }
}

// axis draws the lower line with its labels, and how much the highest bar is.
func axis(w io.Writer, labels map[float64]string, most int) {
	base := pictureHeight - pictureBottom
	fmt.Fprintf(w, `<line stroke="#99a" x1="%d" y1="%d" x2="%d" y2="%d"/>`, pictureLeft, base, pictureWidth, base)
	for share, label := range labels {
		x := pictureLeft + share*(pictureWidth-pictureLeft)
		fmt.Fprintf(w, `<text x="%.0f" y="%d" text-anchor="middle">%s</text>`, x, pictureHeight-8,
			html.EscapeString(label))
	}
	fmt.Fprintf(w, `<text x="%d" y="14" text-anchor="end">%d</text>`, pictureLeft-4, most)
}

// drawDay shows how many came and went in each quarter of an hour of a day.
func drawDay(w io.Writer, now time.Time, punches []admin.Punch, title string) {
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
	defer svg(w, title)()
	labels := map[float64]string{}
	for hour := 0; hour <= 24; hour += 3 {
		labels[float64(hour)/24] = fmt.Sprintf("%02d:00", hour)
	}
	axis(w, labels, most)
	width := float64(pictureWidth-pictureLeft) / slots
	unit := float64(pictureHeight-pictureBottom-8) / float64(most)
	for i := range slots {
		x, base := pictureLeft+float64(i)*width, float64(pictureHeight-pictureBottom)
		high := float64(in[i]) * unit
		if in[i] > 0 {
			fmt.Fprintf(w, `<rect fill="#2a9d5c" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x+.5, base-high,
				width-1, high)
		}
		if out[i] > 0 {
			fmt.Fprintf(w, `<rect fill="#3b7dd8" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, x+.5,
				base-high-float64(out[i])*unit, width-1, float64(out[i])*unit)
		}
	}
}

// drawBacklog shows how much waited over the last day.
func drawBacklog(w io.Writer, samples []admin.Sample, zone *time.Location, title string) {
	defer svg(w, title)()
	most := 1
	for _, s := range samples {
		most = max(most, s.Pending)
	}
	now := samples[len(samples)-1].At
	labels := map[float64]string{}
	for hours := 0; hours <= 24; hours += 4 {
		labels[1-float64(hours)/24] = now.Add(-time.Duration(hours) * time.Hour).In(zone).Format("15:04")
	}
	axis(w, labels, most)
	base := float64(pictureHeight - pictureBottom)
	var line []string
	for _, s := range samples {
		x := pictureLeft + (1-now.Sub(s.At).Hours()/24)*(pictureWidth-pictureLeft)
		y := base - float64(s.Pending)/float64(most)*(base-8)
		line = append(line, fmt.Sprintf("%.1f,%.1f", max(pictureLeft, x), y))
	}
	first, _, _ := strings.Cut(line[0], ",")
	points := strings.Join(line, " ")
	fmt.Fprintf(w, `<polygon fill="#c2571a" opacity=".18" points="%s,%.0f %s %d,%.0f"/><polyline fill="none" `+
		`stroke="#c2571a" stroke-width="2" points="%s"/>`, first, base, points, pictureWidth, base, points)
}
