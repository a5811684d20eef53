package display

import (
	"fmt"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/devices/v3/ssd1306"
	"periph.io/x/devices/v3/ssd1306/image1bit"
)

var _ Panel = (*OLED)(nil)

// OLED is a panel with an SSD1306 controller on an I2C bus, at address 3C hex.
type OLED struct {
	// Open opens the bus; it is called again after each failure, so that a
	// panel may be plugged in at any time.
	Open func() (i2c.BusCloser, error)

	bus i2c.BusCloser
	dev *ssd1306.Dev
}

func (o *OLED) String() string { return "SSD1306" }

// Draw implements Panel.
func (o *OLED) Draw(picture *image1bit.VerticalLSB) error {
	if o.dev == nil {
		if err := o.open(); err != nil {
			return err
		}
	}
	if err := o.dev.Draw(o.dev.Bounds(), picture, picture.Rect.Min); err != nil {
		o.bus.Close()
		o.dev = nil
		return fmt.Errorf("SSD1306 does not answer at I2C address 3C: check its four wires: %w", err)
	}
	return nil
}

func (o *OLED) open() error {
	bus, err := o.Open()
	if err != nil {
		return err
	}
	dev, err := ssd1306.NewI2C(bus, &ssd1306.DefaultOpts)
	if err != nil {
		bus.Close()
		return fmt.Errorf("SSD1306 does not answer at I2C address 3C: check its four wires: %w", err)
	}
	o.bus, o.dev = bus, dev
	return nil
}
