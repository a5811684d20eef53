package display

import (
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"timeclock/device"

	"periph.io/x/devices/v3/ssd1306/image1bit"
)

var update = flag.Bool("update", false, "write the goldens anew")

// halfBlocks shows a picture as text, two rows of pixels per line.
func halfBlocks(p *image1bit.VerticalLSB) string {
	var b strings.Builder
	for y := 0; y < Height; y += 2 {
		line := ""
		for x := range Width {
			line += []string{" ", "▀", "▄", "█"}[bit(p, x, y)+2*bit(p, x, y+1)]
		}
		b.WriteString("|" + line + "|\n")
	}
	return b.String()
}

func bit(p *image1bit.VerticalLSB, x, y int) int {
	if p.BitAt(x, y) {
		return 1
	}
	return 0
}

func TestPictures(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 15, 30, 0, time.Local)
	joerg := device.Employee{ID: "x", Name: "Jörg Müßig-Ärmel"}
	answer := func(kind device.OutcomeKind, intent device.Intent) *image1bit.VerticalLSB {
		return Answer(device.Outcome{Kind: kind, Employee: joerg, Punch: device.Punch{Intent: intent, Time: at}})
	}
	long := device.Employee{Name: "Maximiliane Freifrau von Wolkenstein-Trostburg"}
	for name, picture := range map[string]*image1bit.VerticalLSB{
		"idle":            Idle(at, Facts{}),
		"idle-offline":    Idle(at, Facts{Offline: true, Pending: 17}),
		"idle-reader":     Idle(at, Facts{ReaderBroken: true, Offline: true}),
		"idle-disk":       Idle(at, Facts{DiskBroken: true}),
		"checkin":         answer(device.CheckedIn, device.CheckIn),
		"checkout":        answer(device.CheckedOut, device.CheckOut),
		"checkin-long":    Answer(device.Outcome{Kind: device.CheckedIn, Employee: long, Punch: device.Punch{Time: at}}),
		"checkin-no-name": Answer(device.Outcome{Kind: device.CheckedIn, Punch: device.Punch{Time: at}}),
		"repeated":        answer(device.Repeated, device.CheckIn),
		"unknown":         answer(device.Unknown, ""),
		"unknown-claim":   Answer(device.Outcome{Kind: device.Unknown, Claim: 17}),
		"several":         answer(device.Several, ""),
		"failed":          answer(device.Failed, ""),
	} {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", name+".txt")
			got := halfBlocks(picture)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got == string(want) {
				return
			}
			file := filepath.Join(t.ArtifactDir(), name+".png")
			if f, err := os.Create(file); err == nil {
				png.Encode(f, picture)
				f.Close()
			}
			t.Errorf("%s looks otherwise (%s); if that is right: go test ./display -update\n%s", golden, file, got)
		})
	}
}

// Whatever the name, it stays inside the picture and is not cut mid-letter.
func TestNamesFit(t *testing.T) {
	for n := range 60 {
		f, text := fit(strings.Repeat("W", n), 17)
		if w := f.width(text); w > Width {
			t.Errorf("%d letters take %d pixels", n, w)
		}
	}
	if _, text := fit(strings.Repeat("W", 60), 17); !strings.HasSuffix(text, "…") {
		t.Errorf("a shortened name must show that it is: %q", text)
	}
}
