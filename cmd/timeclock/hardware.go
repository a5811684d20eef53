package main

import (
	"errors"
	"fmt"
	"log/slog"

	"timeclock/device"
	"timeclock/device/config"
	"timeclock/device/doctor"
	"timeclock/display"
	"timeclock/reader"
	"timeclock/reader/keys"
	"timeclock/reader/mfrc522"
	"timeclock/reader/mfrc522/mfrc522test"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/host/v3/sysfs"
)

// readerSource opens the reader that is configured. With a simulated one the
// chip is returned too.
func readerSource(cfg config.Config) (reader.Source, *mfrc522test.Chip) {
	if cfg.Reader.Driver == config.Simulated {
		chip := &mfrc522test.Chip{}
		return reader.Source{Fatal: mfrc522.Fatal, Open: func() (reader.Chip, error) {
			return mfrc522.New(chip, chipOpts(cfg))
		}}, chip
	}
	return reader.Source{Fatal: mfrc522.Fatal, Open: func() (reader.Chip, error) {
		reset, err := pin(cfg.Reader.ResetPin, "reader.reset_pin")
		if err != nil {
			return nil, err
		}
		irq, err := pin(cfg.Reader.IRQPin, "reader.irq_pin")
		if err != nil {
			return nil, err
		}
		opts := chipOpts(cfg)
		if reset != nil {
			opts.Reset = reset
		}
		if irq != nil {
			opts.IRQ = irq
		}
		port, err := openSPI(cfg.Reader.SPI)
		if err != nil {
			return nil, err
		}
		return mfrc522.New(port, opts)
	}}, nil
}

func chipOpts(cfg config.Config) mfrc522.Opts {
	return mfrc522.Opts{Speed: physic.Frequency(cfg.Reader.SPIKHz) * physic.KiloHertz, Gain: cfg.Reader.Gain}
}

func readerOptions(cfg config.Config) reader.Options {
	return reader.Options{Poll: cfg.Reader.Poll, One: cfg.Reader.Several == "one"}
}

func openSPI(path string) (spi.PortCloser, error) {
	var bus, cs int
	if _, err := fmt.Sscanf(path, "/dev/spidev%d.%d", &bus, &cs); err != nil {
		return nil, fmt.Errorf("%s is no SPI device", path)
	}
	if err := openable(path, doctor.SPI); err != nil {
		return nil, err
	}
	return sysfs.NewSPI(bus, cs)
}

func openI2C(path string) (i2c.BusCloser, error) {
	var bus int
	if _, err := fmt.Sscanf(path, "/dev/i2c-%d", &bus); err != nil {
		return nil, fmt.Errorf("%s is no I2C bus", path)
	}
	if err := openable(path, doctor.I2C); err != nil {
		return nil, err
	}
	return sysfs.NewI2C(bus)
}

// openable says in a technician's words why a device cannot be opened.
func openable(path string, kind doctor.Kind) error {
	if f := (doctor.Host{}).Node("", path, kind); f.Verdict != doctor.OK {
		return fmt.Errorf("%s: %s", f.Found, f.Do)
	}
	return nil
}

// panels returns the display that is configured.
func panels(cfg config.Config) []display.Panel {
	if cfg.Display.Driver == config.NoDisplay {
		return nil
	}
	if cfg.Display.SPI == "" {
		return []display.Panel{display.NewI2C(func() (i2c.BusCloser, error) { return openI2C(cfg.Display.I2C) })}
	}
	return []display.Panel{display.NewSPI(func() (s display.SPI, err error) {
		dc, err := pin(cfg.Display.DCPin, "display.dc_pin")
		if err != nil {
			return s, err
		}
		reset, err := pin(cfg.Display.ResetPin, "display.reset_pin")
		if err != nil {
			return s, err
		}
		s.DC = dc
		if reset != nil {
			s.Reset = reset
		}
		s.Port, err = openSPI(cfg.Display.SPI)
		return s, err
	})}
}

// signalPins finds what sound and light are wired to. The clock goes on without
// what is not there.
func signalPins(cfg config.Config) (pins display.Pins, missing error) {
	s := cfg.Signal
	pins.Low = s.ActiveLow
	for _, p := range []struct {
		name, key string
		to        *gpio.PinOut
	}{
		{s.BuzzerPin, "buzzer_pin", &pins.Buzzer},
		{s.RedPin, "red_pin", &pins.Red},
		{s.GreenPin, "green_pin", &pins.Green},
		{s.BluePin, "blue_pin", &pins.Blue},
	} {
		found, err := pin(p.name, "signal."+p.key)
		if err != nil {
			missing = errors.Join(missing, err)
		} else if found != nil {
			*p.to = found
		}
	}
	return pins, missing
}

// keysOf are the push-buttons that are wired. The clock goes on without those whose pins are not there.
func keysOf(cfg config.Config, to chan<- device.Press, log *slog.Logger) *keys.Keys {
	var wired []keys.Key
	var missing error
	for _, k := range cfg.Keys {
		found, err := pin(k.Pin, "keys."+k.Pin)
		if err != nil {
			log.Error("a key is missing, the clock goes on without", "error", err)
			missing = errors.Join(missing, err)
			continue
		}
		wired = append(wired, keys.Key{Pin: found, Function: k.Function})
	}
	return keys.New(wired, missing, to, log)
}
