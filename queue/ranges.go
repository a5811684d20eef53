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
	i := r.find(id)
	out := slices.Insert(slices.Clone(r), i, run{id, id})
	if i+1 < len(out) && out[i+1].first == id+1 {
		out[i].last = out[i+1].last
		out = slices.Delete(out, i+1, i+2)
	}
	if i > 0 && out[i-1].last == id-1 {
		out[i-1].last = out[i].last
		out = slices.Delete(out, i, i+1)
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
