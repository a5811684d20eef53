package web

import (
	"sync"

	"timeclock/display"

	"periph.io/x/devices/v3/ssd1306/image1bit"
)

var _ display.Panel = (*Mirror)(nil)

// Mirror shows on the page what the display shows.
type Mirror struct {
	mu      sync.Mutex
	picture []byte // PNG
	changed chan struct{}
}

// NewMirror makes one that shows nothing yet.
func NewMirror() *Mirror { return &Mirror{changed: make(chan struct{})} }

func (m *Mirror) String() string { return "page" }

// Draw implements display.Panel.
func (m *Mirror) Draw(p *image1bit.VerticalLSB, _ display.Light) error {
	picture, err := display.PNG(p)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.picture = picture
	close(m.changed)
	m.changed = make(chan struct{})
	return nil
}

// now returns the picture, and a channel that is closed when there is another one.
func (m *Mirror) now() (picture []byte, changed <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.picture, m.changed
}
