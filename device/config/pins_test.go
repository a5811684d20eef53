package config

import "testing"

// Each spelling that version 0.9 took names the same pin.
func TestPinNumber(t *testing.T) {
	for name, want := range map[string]int{
		"GPIO25": 25, "25": 25, "P1_22": 25, "SO_83": 25, "SPI4_CS1": 25, "GPIO0": 0, "0": 0, "GPIO46": 46, "P5_3": 28,
		"PWM0": 12, "PWM0_OUT": 12, "GPCLK0": 4, "UART1_TX": 14, "SPI2_CS2": 45, "P1_3": 2,
		"GPIO47": -1, "GPIO": -1, "": -1, "-1": -1, "P1_1": -1, "P1_41": -1, "P1_x": -1, "P2_3": -1, "GPIO_GCLK": -1,
		"buzzer": -1,
	} {
		if n, known := PinNumber(name); known != (want >= 0) || known && n != want {
			t.Errorf("%q is %d (%v), want %d", name, n, known, want)
		}
	}
}
