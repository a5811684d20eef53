package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"timeclock/device/config"
	"timeclock/device/doctor"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/host/v3/gpioioctl"
)

// findPins looks for GPIO chips, once. It goes by the character devices of the kernel
// alone: periph's package host would map /dev/mem as root, at addresses that mean
// something else on a Pi 5.
var findPins = sync.OnceValue(func() error {
	_, err := driverreg.Init()
	return err
})

// pin finds a GPIO by its name; nil for a line that is not wired.
func pin(name, key string) (gpio.PinIO, error) {
	if name == "" {
		return nil, nil
	}
	if err := findPins(); err != nil {
		return nil, fmt.Errorf("%s: GPIO cannot be used: %w", key, err)
	}
	chips := make([]gpioChip, len(gpioioctl.Chips))
	for i, c := range gpioioctl.Chips {
		chips[i] = c
	}
	if line := choosePin(chips, name); line != nil {
		return line, nil
	}
	if len(gpioioctl.Chips) == 0 {
		return nil, fmt.Errorf("%s: %w", key, noChips())
	}
	return nil, fmt.Errorf("%s: this computer has no pin %s; empty means not wired", key, name)
}

// gpioChip is what is to be known of a *gpioioctl.GPIOChip.
type gpioChip interface {
	Name() string
	Label() string // the driver's
	LineCount() int
	ByName(string) *gpioioctl.GPIOLine
	ByNumber(int) *gpioioctl.GPIOLine
}

// choosePin finds a line by the name that the kernel gives it, else by its number on the
// chip that a Pi's header is wired to. Where periph's registry had such a name already,
// the line's begins with that of its chip.
func choosePin(chips []gpioChip, name string) *gpioioctl.GPIOLine {
	for _, chip := range chips {
		for _, spelled := range []string{name, chip.Name() + "-" + name} {
			if line := chip.ByName(spelled); line != nil {
				return line
			}
		}
	}
	n, known := config.PinNumber(name)
	for _, chip := range chips {
		header := strings.HasPrefix(chip.Label(), "pinctrl-bcm") || chip.Label() == "pinctrl-rp1"
		if known && header && n < chip.LineCount() {
			return chip.ByNumber(n)
		}
	}
	return nil
}

// noChips says why there are none.
func noChips() error {
	nodes, _ := filepath.Glob("/dev/gpiochip*")
	if len(nodes) == 0 {
		return errors.New("this computer has no GPIO (/dev/gpiochip*); empty means not wired")
	}
	if err := openable(nodes[0], doctor.GPIO); err != nil {
		return err
	}
	return errors.New("GPIO could not be used when the clock was started: restart it (sudo systemctl restart " +
		"timeclock)")
}
