package device_test

import (
	"fmt"
	"strings"
	"testing"

	"timeclock/device"
)

func TestExplain(t *testing.T) {
	for number, want := range map[string]string{
		"A1B2C3D4":                  "hex A1B2C3D4, hex-reversed D4C3B2A1",
		"2712847316":                "decimal A1B2C3D4, decimal-reversed D4C3B2A1",
		"12345678":                  "hex 12345678, hex-reversed 78563412, decimal 00BC614E, decimal-reversed 4E61BC00",
		"A1 B2 C3 D4 04":            "check-byte A1B2C3D4",
		"694488912900":              "check-byte A1B2C3D4, decimal 0000A1B2C3D404, decimal-reversed 04D4C3B2A10000",
		"08112233":                  "hex 08112233!, hex-reversed 33221108, decimal 007BC869, decimal-reversed 69C87B00",
		"88041122":                  "hex 88041122!, hex-reversed 22110488, decimal 053F66A2, decimal-reversed A2663F05",
		"no number":                 "",
		"1208925819614629174706176": "",
	} {
		var got []string
		for _, r := range device.Explain(number) {
			s := fmt.Sprintf("%s %s", r.Numbers, r.UID.Hex())
			if r.Problem != nil {
				s += "!"
			}
			got = append(got, s)
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s is %s, want %s", number, s, want)
		}
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("A1:B2:C3:D4")
	f.Add("0694488904708")
	f.Fuzz(func(t *testing.T, number string) {
		for _, r := range device.Explain(number) {
			if again, err := device.Hex.UID(r.UID.Hex()); err != nil || again != r.UID {
				t.Errorf("%q became %s", number, r.UID.Hex())
			}
		}
	})
}
