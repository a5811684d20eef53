package display

import (
	"fmt"
	"io"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/devices/v3/ssd1306"
	"periph.io/x/devices/v3/ssd1306/image1bit"
)

var _ Panel = (*OLED)(nil)

// OLED is a panel with an SSD1306 controller. Its bus is opened anew after each
// failure, so that a panel may be plugged in at any time.
type OLED struct {
	open  func() (*ssd1306.Dev, io.Closer, error)
	where string // in the words of whoever must look there

	dev   *ssd1306.Dev
	bus   io.Closer
	light Light
}

// NewI2C returns a panel on an I2C bus, at address 3C hex.
func NewI2C(open func() (i2c.BusCloser, error)) *OLED {
	return &OLED{where: "at I2C address 3C: check its four wires", open: func() (*ssd1306.Dev, io.Closer, error) {
		bus, err := open()
		if err != nil {
			return nil, nil, err
		}
		dev, err := ssd1306.NewI2C(bus, &ssd1306.DefaultOpts)
		return dev, bus, err
	}}
}

// SPI is what a panel on an SPI bus needs. Reset may be nil.
type SPI struct {
	Port      spi.PortCloser
	DC, Reset gpio.PinOut
}

// resetTime is longer than the controller's reset pulse of 3 µs (SSD1306 data
// sheet, chapter 8.9).
const resetTime = time.Millisecond

// NewSPI returns a panel on an SPI bus. Such a panel answers nothing: whether it is
// there can only be seen.
func NewSPI(open func() (SPI, error)) *OLED {
	return &OLED{where: "on the SPI bus: check its wires", open: func() (*ssd1306.Dev, io.Closer, error) {
		bus, err := open()
		if err != nil {
			return nil, nil, err
		}
		if bus.Reset != nil {
			for _, level := range []gpio.Level{gpio.Low, gpio.High} {
				if err := bus.Reset.Out(level); err != nil {
					return nil, bus.Port, err
				}
				time.Sleep(resetTime)
			}
		}
		dev, err := ssd1306.NewSPI(bus.Port, bus.DC, &ssd1306.DefaultOpts)
		return dev, bus.Port, err
	}}
}

func (o *OLED) String() string { return "SSD1306" }

// Contrasts of the lights that are on (SSD1306 data sheet, table 9-1, command
// 81h); the brighter one is the driver's default.
const (
	fullContrast = 0xFF
	dimContrast  = 0x01
)

// Draw implements Panel.
func (o *OLED) Draw(picture *image1bit.VerticalLSB, light Light) error {
	if o.dev == nil {
		dev, bus, err := o.open()
		if dev == nil || err != nil {
			return o.failed(bus, err)
		}
		o.dev, o.bus, o.light = dev, bus, Bright
	}
	if err := o.draw(picture, light); err != nil {
		o.dev = nil
		return o.failed(o.bus, err)
	}
	o.light = light
	return nil
}

func (o *OLED) draw(picture *image1bit.VerticalLSB, light Light) error {
	if err := o.dev.Draw(o.dev.Bounds(), picture, picture.Rect.Min); err != nil || light == o.light {
		return err
	}
	switch light {
	case Dark:
		return o.dev.Halt()
	case Dim:
		return o.dev.SetContrast(dimContrast)
	}
	return o.dev.SetContrast(fullContrast)
}

// failed gives the bus back; without one it was the bus that could not be opened.
func (o *OLED) failed(bus io.Closer, err error) error {
	if bus == nil {
		return err
	}
	bus.Close()
	return fmt.Errorf("SSD1306 does not answer %s: %w", o.where, err)
}
