package zeitstrom

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"timeclock/device"
)

// Shape is what an answer looks like that does not say by itself that it is a success:
// its status, its content type and the keys of its body. The documents do not say how the
// API answers a posted app timestamp, so a shape has to be proven: by asking for the
// punch. It is empty if the answer named the punch, which proves itself.
type Shape string

// answer is an answer with a status of success.
type answer struct {
	status      int
	contentType string
	body        []byte // JSON, or nothing
}

func (a answer) shape(keys []string) Shape {
	return Shape(fmt.Sprintf("%d %s %s", a.status, a.contentType, strings.Join(keys, ",")))
}

// receipt reads the answer to a posted punch. Whoever answers with no object, with an
// error or with somebody else's punch was not the API taking this one.
func receipt(p device.Punch, a answer) (Shape, error) {
	if len(a.body) == 0 {
		return a.shape(nil), nil
	}
	var object map[string]json.RawMessage
	strange := func(what string) error {
		cause := fmt.Errorf("%d with %s: is there a captive portal or a proxy in between?", a.status, what)
		return &Error{Kind: NotAPI, Status: a.status, Sent: true, Cause: cause}
	}
	if json.Unmarshal(a.body, &object) != nil || object == nil {
		return "", strange("a body that is no object")
	}
	for _, key := range []string{"error", "detail"} {
		if words, there := object[key]; there {
			return "", strange(fmt.Sprintf("%q: %s", key, Sanitize(string(words))))
		}
	}
	echo := compare(object["employee_id"],
		func(s string) verdict { return equal(strings.EqualFold(s, string(p.Employee))) })
	for _, v := range []verdict{
		echo,
		compare(object["intent"], func(s string) verdict { return equal(s == string(p.Intent)) }),
		compare(object["time"], func(s string) verdict {
			t, err := parseInstant(s)
			if err != nil || t.vague {
				return unclear
			}
			return equal(sameInstant(t.Time, p.Time))
		}),
	} {
		switch v {
		case contrary:
			return "", strange("a body that names another booking")
		case unclear:
			echo = unclear
		}
	}
	if echo == agrees {
		return "", nil
	}
	return a.shape(slices.Sorted(maps.Keys(object))), nil
}

// verdict is how a field of an answer compares with what was sent.
type verdict uint8

const (
	absent verdict = iota
	agrees
	contrary
	unclear // it cannot be compared
)

func equal(yes bool) verdict {
	if yes {
		return agrees
	}
	return contrary
}

func compare(field json.RawMessage, with func(string) verdict) verdict {
	var text *string
	switch err := json.Unmarshal(field, &text); {
	case field == nil || err == nil && text == nil:
		return absent
	case err != nil:
		return unclear
	}
	return with(*text)
}
