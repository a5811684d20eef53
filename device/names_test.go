package device_test

import (
	"testing"

	"timeclock/device"
)

func TestNames(t *testing.T) {
	for _, tc := range []struct{ name, first, initials string }{
		{"Anna Maria Müller", "Anna", "A. M. M."},
		{"Müller, Anna", "Anna", "A. M."},
		{"özlem", "özlem", "Ö."},
		{"", "", ""},
		{" , ", "", ""},
		{"Jean-Luc (Technik)", "Jean-Luc", "J."},
	} {
		if full, none := device.FullName.Shorten(tc.name), device.NoName.Shorten(tc.name); full != tc.name ||
			none != "" {
			t.Errorf("%q: full %q, none %q", tc.name, full, none)
		}
		if first, initials := device.FirstName.Shorten(tc.name), device.Initials.Shorten(tc.name); first != tc.first ||
			initials != tc.initials {
			t.Errorf("%q: first %q, initials %q", tc.name, first, initials)
		}
	}
}
