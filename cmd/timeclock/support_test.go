package main

import (
	"os"
	"strings"
	"testing"

	"timeclock/device"
)

// Names, badge numbers and tokens are masked wherever they turn up, in capitals or not;
// where two of them begin alike, the longer one is.
func TestMask(t *testing.T) {
	p := newPlace(t)
	if err := os.WriteFile(p.cfg.Zeitstrom.TokenFile, []byte("good\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, _ := p.start(t)
	for hex, name := range map[string]string{"0A0B0C0D": "Ann", "0A0B0C0D0E0F01": "Ann Marie"} {
		uid, err := device.ParseUID(hex)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.rooms.Roster.Add(device.Badge{
			UID: uid, Employee: device.Employee{ID: employeeOf(7), Name: name},
		}, false); err != nil {
			t.Fatal(err)
		}
	}
	mask, err := newMask(p.cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := mask.Replace("Ann Marie, Ann, 0a0b0c0d0e0f01 and 0A0B0C0D say good")
	for _, secret := range []string{"Ann", "Marie", "0a0b", "0A0B", "good"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q still has %q", got, secret)
		}
	}
}
