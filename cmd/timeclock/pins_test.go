package main

import (
	"os/exec"
	"strings"
	"testing"

	"periph.io/x/host/v3/gpioioctl"
)

// chipOf is a GPIO chip as the kernel describes it.
type chipOf struct {
	name, label string
	lines       []string // their names
	made        []*gpioioctl.GPIOLine
}

func (c *chipOf) Name() string   { return c.name }
func (c *chipOf) Label() string  { return c.label }
func (c *chipOf) LineCount() int { return len(c.lines) }

func (c *chipOf) ByNumber(n int) *gpioioctl.GPIOLine {
	for len(c.made) < len(c.lines) {
		c.made = append(c.made, &gpioioctl.GPIOLine{})
	}
	return c.made[n]
}

func (c *chipOf) ByName(name string) *gpioioctl.GPIOLine {
	for i, line := range c.lines {
		if line == name {
			return c.ByNumber(i)
		}
	}
	return nil
}

// A pin is found by the kernel's name for its line, else by its number on the chip that a
// Pi's header is wired to; also where periph's registry had its name before.
func TestChoosePin(t *testing.T) {
	unnamed := make([]string, 54)
	named := make([]string, 54)
	named[25], named[8], named[27] = "GPIO25", "SPI_CE0_N", "gpiochip0-GPIO27"
	expander := &chipOf{
		name: "gpiochip2", label: "raspberrypi-exp-gpio", lines: []string{"BT_ON", "WL_ON", "2712_WAKE"},
	}
	for name, c := range map[string]struct {
		header   *chipOf
		spelling string
		want     int // line of the header's chip; -1: none
	}{
		"by line name":            {&chipOf{name: "gpiochip0", label: "pinctrl-bcm2711", lines: named}, "GPIO25", 25},
		"by the kernel's own":     {&chipOf{name: "gpiochip0", label: "pinctrl-bcm2711", lines: named}, "SPI_CE0_N", 8},
		"its name was taken":      {&chipOf{name: "gpiochip0", label: "pinctrl-bcm2711", lines: named}, "GPIO27", 27},
		"by number":               {&chipOf{name: "gpiochip0", label: "pinctrl-bcm2835", lines: unnamed}, "GPIO25", 25},
		"a bare number":           {&chipOf{name: "gpiochip0", label: "pinctrl-bcm2835", lines: unnamed}, "25", 25},
		"a place on the header":   {&chipOf{name: "gpiochip4", label: "pinctrl-rp1", lines: unnamed}, "P1_22", 25},
		"a function":              {&chipOf{name: "gpiochip0", label: "pinctrl-rp1", lines: unnamed}, "PWM0", 12},
		"nothing of the kind":     {&chipOf{name: "gpiochip0", label: "pinctrl-rp1", lines: unnamed}, "P1_1", -1},
		"another computer's chip": {&chipOf{name: "gpiochip0", label: "9030000.pl061", lines: unnamed}, "GPIO5", -1},
		"fewer lines": {
			&chipOf{name: "gpiochip0", label: "pinctrl-rp1", lines: unnamed[:20]}, "GPIO25", -1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := choosePin([]gpioChip{expander, c.header}, c.spelling)
			switch {
			case c.want < 0 && got != nil:
				t.Errorf("%s is a pin", c.spelling)
			case c.want >= 0 && got != c.header.ByNumber(c.want):
				t.Errorf("%s is not line %d", c.spelling, c.want)
			}
		})
	}
}

// Nothing in the program maps /dev/mem: what would is not linked.
func TestNoMemoryMapping(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{
		"periph.io/x/host/v3", "periph.io/x/host/v3/pmem",
		"periph.io/x/host/v3/bcm283x", "periph.io/x/host/v3/rpi",
	} {
		if strings.Contains("\n"+string(out), "\n"+name+"\n") {
			t.Errorf("%s is linked", name)
		}
	}
	if !strings.Contains(string(out), "periph.io/x/host/v3/gpioioctl\n") {
		t.Error("and neither is what uses the character devices")
	}
}
