package queue

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"timeclock/device"
)

// ranges is a set of punch ids, as ascending runs that neither touch nor
// overlap. Deliveries are nearly in order, so a handful of runs describes
// years of punches, as TCP's selective acknowledgements do.
type ranges []run

type run struct{ first, last device.PunchID }

// find returns the index of the first run that ends at id or later.
func (r ranges) find(id device.PunchID) int {
	return sort.Search(len(r), func(i int) bool { return r[i].last >= id })
}

func (r ranges) has(id device.PunchID) bool {
	i := r.find(id)
	return i < len(r) && r[i].first <= id
}

func (r ranges) len() int {
	n := 0
	for _, run := range r {
		n += int(run.last - run.first + 1)
	}
	return n
}

// with returns a set that also has id; r itself stays as it is.
func (r ranges) with(id device.PunchID) ranges {
	if r.has(id) {
		return r
	}
	return r.withRun(run{id, id})
}

// withRun returns a set that also has a whole run.
func (r ranges) withRun(add run) ranges {
	i := r.find(add.first - 1) // the first run that add may touch
	j := i
	for j < len(r) && r[j].first <= add.last+1 {
		add.first, add.last = min(add.first, r[j].first), max(add.last, r[j].last)
		j++
	}
	return slices.Replace(slices.Clone(r), i, j, add)
}

// minus returns a set without id.
func (r ranges) minus(id device.PunchID) ranges {
	if !r.has(id) {
		return r
	}
	return r.without(ranges{{id, id}})
}

// without returns what is in r and not in other.
func (r ranges) without(other ranges) ranges {
	var out ranges
	for _, mine := range r {
		first := mine.first
		for i := other.find(first); i < len(other) && other[i].first <= mine.last; i++ {
			if other[i].first > first {
				out = append(out, run{first, other[i].first - 1})
			}
			first = other[i].last + 1
		}
		if first <= mine.last {
			out = append(out, run{first, mine.last})
		}
	}
	return out
}

// encode writes each run as two varints: the gap before it and its length.
func (r ranges) encode() []byte {
	var b []byte
	end := device.PunchID(0)
	for _, run := range r {
		b = binary.AppendUvarint(b, uint64(run.first-end))
		b = binary.AppendUvarint(b, uint64(run.last-run.first))
		end = run.last
	}
	return b
}

func decodeRanges(b []byte) (ranges, error) {
	var r ranges
	end := uint64(0)
	for len(b) > 0 {
		gap, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, fmt.Errorf("%w: list of settled punches", ErrDamaged)
		}
		length, m := binary.Uvarint(b[n:])
		first := end + gap
		last := first + length
		touches := len(r) > 0 && gap < 2
		if m <= 0 || gap == 0 || touches || first < end || last < first {
			return nil, fmt.Errorf("%w: list of settled punches", ErrDamaged)
		}
		r = append(r, run{device.PunchID(first), device.PunchID(last)})
		end, b = last, b[n+m:]
	}
	return r, nil
}
