package display

import (
	"bytes"
	"testing"
	"time"

	"timeclock/device"
)

// Whoever takes a choice back sees it.
func TestChoiceTakenBackShows(t *testing.T) {
	l, err := NewLanguage("en")
	if err != nil {
		t.Fatal(err)
	}
	style := Style{Language: l, Zone: time.UTC}
	d := New(style, Care{AnswerTime: 3 * time.Second}, func() Facts { return Facts{} }, nil)
	now := time.Now()
	o := device.Outcome{Kind: device.Chosen, Next: device.Choice{Function: device.TakeBreak, Until: now.Add(10 * time.Second)}}
	d.Show(o)
	o.Next = device.Choice{}
	d.Show(o)
	f, _ := d.frame(time.Now())
	if !bytes.Equal(f.picture.Pix, style.Answer(o).Pix) {
		t.Error("the display shows the idle picture: that the choice was taken back is never said")
	}
}
