package config

import (
	"slices"
	"strconv"
	"strings"
)

// PinNumber returns the number of a Raspberry Pi's GPIO by any of its names: "GPIO25", "25",
// its place on a header ("P1_22"), or what the processor can use it for ("PWM0"). Other
// names are for the kernel to know.
func PinNumber(name string) (n int, known bool) {
	if n, err := strconv.Atoi(strings.TrimPrefix(name, "GPIO")); err == nil && n >= 0 && n <= lastPin {
		return n, true
	}
	if header, place, found := strings.Cut(name, "_"); found {
		if places, known := headers[header]; known {
			at, err := strconv.Atoi(place)
			n, known = places[at]
			return n, known && err == nil
		}
	}
	n = slices.IndexFunc(functions[:], func(names string) bool { return slices.Contains(strings.Fields(names), name) })
	return n, n >= 0
}

// lastPin is the last GPIO of the processors before the Pi 5's, which has fewer.
const lastPin = 46

// headers are the GPIOs on a Pi's headers, by place: that of every Pi (P1), of the first
// ones (P5), and of the first compute modules (SO). Version 0.9 took them by these names,
// which are those of periph.io/x/host/v3/rpi v3.8.5.
var headers = map[string]map[int]int{
	"P1": {
		3: 2, 5: 3, 7: 4, 8: 14, 10: 15, 11: 17, 12: 18, 13: 27, 15: 22, 16: 23, 18: 24, 19: 10, 21: 9, 22: 25,
		23: 11, 24: 8, 26: 7, 27: 0, 28: 1, 29: 5, 31: 6, 32: 12, 33: 13, 35: 19, 36: 16, 37: 26, 38: 20, 40: 21,
	},
	"P5": {
		3: 28, 4: 29, 5: 30, 6: 31,
	},
	"SO": {
		3: 0, 5: 1, 9: 2, 11: 3, 15: 4, 17: 5, 21: 6, 23: 7, 27: 8, 28: 28, 29: 9, 30: 29, 33: 10, 34: 30, 35: 11,
		36: 31, 45: 12, 46: 32, 47: 13, 48: 33, 51: 14, 52: 34, 53: 15, 54: 35, 57: 16, 58: 36, 59: 17, 60: 37,
		63: 18, 64: 38, 65: 19, 66: 39, 69: 20, 70: 40, 71: 21, 72: 41, 75: 22, 76: 42, 77: 23, 78: 43, 81: 24,
		82: 44, 83: 25, 84: 45, 87: 26, 89: 27,
	},
}

// functions are the names of what each GPIO can be used for besides; of several pins for
// one use the first one has it. Version 0.9 took them by these names, which are those of
// periph.io/x/host/v3/bcm283x v3.8.5.
var functions = [...]string{
	0:  "I2C0_SDA I2C6_SDA SPI3_CS0 UART2_TX",
	1:  "I2C0_SCL I2C6_SCL SPI3_MISO UART2_RX",
	2:  "I2C1_SDA I2C3_SDA SPI3_MOSI UART2_CTS",
	3:  "I2C1_SCL I2C3_SCL SPI3_CLK UART2_RTS",
	4:  "CLK0 GPCLK0 SPI4_CS0 UART3_TX",
	5:  "CLK1 GPCLK1 SPI4_MISO UART3_RX",
	6:  "CLK2 GPCLK2 I2C4_SDA SPI4_MOSI UART3_CTS",
	7:  "I2C4_SCL SPI0_CS1 SPI4_CLK UART3_RTS",
	8:  "SPI0_CS0 UART4_TX",
	9:  "SPI0_MISO UART4_RX",
	10: "I2C5_SDA SPI0_MOSI UART4_CTS",
	11: "I2C5_SCL SPI0_CLK UART4_RTS",
	12: "PWM0 PWM0_0 PWM0_OUT SPI5_CS0 UART5_TX",
	13: "PWM0_1 PWM1 PWM1_OUT SPI5_MISO UART5_RX",
	14: "SPI5_MOSI UART0_TX UART1_TX UART5_CTS",
	15: "SPI5_CLK UART0_RX UART1_RX UART5_RTS",
	16: "SPI1_CS2 UART0_CTS UART1_CTS",
	17: "SPI1_CS1 UART0_RTS UART1_RTS",
	18: "I2S_SCK SPI1_CS0 SPI6_CS0",
	19: "I2S_WS SPI1_MISO SPI6_MISO",
	20: "I2S_DIN SPI1_MOSI SPI6_MOSI",
	21: "I2S_DOUT SPI1_CLK SPI6_CLK",
	24: "SPI3_CS1",
	25: "SPI4_CS1",
	26: "SPI5_CS1",
	27: "SPI6_CS1",
	40: "PWM1_0 SPI2_MISO",
	41: "PWM1_1 SPI2_MOSI",
	42: "SPI2_CLK",
	43: "SPI2_CS0",
	44: "SPI2_CS1",
	45: "SPI0_CS2 SPI2_CS2",
}
