package roster

import (
	"fmt"
	"strings"

	"timeclock/device"
)

// guess finds out how the numbers of a file are written: by badges that are known
// already, the best evidence first, or else by what can be read at all. It returns
// why it thinks so.
func guess(numbers []string, evidence []func(device.UID) bool) (n device.Numbers, why string, err error) {
	for _, known := range evidence {
		if way, matches, clear := best(numbers, known); matches > 0 && clear {
			return way, fmt.Sprintf("%d of them are known so: tapped here, or given out by hand", matches), nil
		} else if matches > 0 {
			return device.AnyNumbers, "", &device.Refusal{
				Cause:  "badges that were tapped here match these numbers in more than one way",
				Remedy: device.SayNumbers,
			}
		}
	}
	readable := func(way device.Numbers) bool {
		for _, number := range numbers {
			if _, err := way.UID(number); err != nil {
				return false
			}
		}
		return len(numbers) > 0
	}
	digits := strings.Trim(strings.Join(numbers, ""), "0123456789") == ""
	switch {
	case readable(device.Hex) && digits:
		return device.Hex, "all have 8, 14 or 20 digits; none has a letter, though: are they decimal?", nil
	case readable(device.Hex):
		return device.Hex, "all have 8, 14 or 20 hex digits", nil
	case readable(device.CheckByte) && (len(numbers) > 2 || !readable(device.Decimal) || !short(numbers)):
		return device.CheckByte, "all have five bytes, of which the last checks the others", nil
	case readable(device.Decimal):
		return device.AnyNumbers, "", &device.Refusal{
			Cause: "the badge numbers are decimal, and in which order their bytes stand cannot be seen: " +
				"tap one of these badges at the clock and try again",
			Remedy: device.SayIfDecimal,
		}
	}
	return device.Hex, "some have 8, 14 or 20 hex digits", nil
}

// short reports whether a number would fit into four bytes: then five, of which the
// last checks the others, may be chance.
func short(numbers []string) bool {
	for _, number := range numbers {
		if uid, err := device.Decimal.UID(number); err == nil && uid.Size() == 4 {
			return true
		}
	}
	return false
}

// best returns in which way the most numbers are known, and whether in no other as
// many are.
func best(numbers []string, known func(device.UID) bool) (n device.Numbers, most int, clear bool) {
	for _, way := range device.AllNumbers {
		matches := 0
		for _, number := range numbers {
			if uid, err := way.UID(number); err == nil && known(uid) {
				matches++
			}
		}
		switch {
		case matches > most:
			n, most, clear = way, matches, true
		case matches == most:
			clear = false
		}
	}
	return n, most, clear
}
