package main

import (
	"strings"
	"testing"
)

// Elsewhere than on a device a command runs, or says where it does.
func TestSystems(t *testing.T) {
	for words, home := range map[string]bool{
		"flash": true, "config check": true, "badge explain": true, "timespan list": true, "demo": true,
		"version": true, "completion": true,
		"run": false, "tap": false, "badge list": false, "queue list": false, "doctor": false, "web pair": false,
	} {
		cmd, _ := find(strings.Fields(words))
		if err := cmd.runsOn("linux"); err != nil {
			t.Errorf("%s: %v", words, err)
		}
		for _, system := range []string{"windows", "darwin"} {
			err := cmd.runsOn(system)
			if home != (err == nil) || err != nil && !strings.Contains(err.Error(), "ssh pi@NAME.local") {
				t.Errorf("%s on %s: %v", words, system, err)
			}
		}
	}
}
