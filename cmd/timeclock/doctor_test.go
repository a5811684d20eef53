package main

import (
	"bytes"
	"strings"
	"testing"
)

// What a technician is told, by what was heard.
func TestVerdict(t *testing.T) {
	for _, tc := range []struct {
		heard hearing
		want  string
	}{
		{hearing{}, "no badge"},
		{hearing{Errors: 40}, "unreadable"},
		{hearing{Reads: 1, Asked: 203, Answered: 200}, "good"},
		{hearing{Reads: 1, Asked: 210, Answered: 200}, "fair"},
		{hearing{Reads: 2, Errors: 5, Asked: 206, Answered: 200}, "fair"},
		{hearing{Reads: 9, Errors: 3, Asked: 200, Answered: 120}, "weak"},
	} {
		var out bytes.Buffer
		c := &listener{call: &call{env: env{stdout: &out}}}
		if err := c.verdict(tc.heard); err != nil || !strings.HasPrefix(out.String(), "\n"+tc.want+": ") {
			t.Errorf("%+v: %q, %v; want %s", tc.heard, &out, err, tc.want)
		}
	}
}
