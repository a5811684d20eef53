package roster

import (
	"bytes"
	"cmp"
	"slices"

	"timeclock/device"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// Order sorts by employee as a German phone book does: the last name first, É with E and ö with o,
// then the first name, the personnel number and the id.
func Order[T any](list []T, who func(T) device.Employee) {
	type keyed struct {
		value T
		key   []byte
	}
	words, buf := collate.New(language.German), new(collate.Buffer)
	all := make([]keyed, len(list))
	for i, v := range list {
		e := who(v)
		first, last := e.Names()
		var key []byte
		for _, part := range []string{last, first} {
			key = append(append(key, words.KeyFromString(buf, part)...), 0, 0)
			buf.Reset()
		}
		all[i] = keyed{v, key}
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		x, y := who(a.value), who(b.value)
		return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(x.Number, y.Number), cmp.Compare(x.ID, y.ID))
	})
	for i, k := range all {
		list[i] = k.value
	}
}
