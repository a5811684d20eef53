package queue

import (
	"slices"
	"testing"

	"timeclock/device"

	"pgregory.net/rapid"
)

func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ranges
		set := map[device.PunchID]bool{}
		for _, id := range rapid.SliceOf(rapid.Uint64Range(1, 40)).Draw(t, "ids") {
			r = r.with(device.PunchID(id))
			set[device.PunchID(id)] = true
		}
		for id := device.PunchID(0); id < 42; id++ {
			if r.has(id) != set[id] {
				t.Fatalf("%v.has(%d) = %v", r, id, r.has(id))
			}
		}
		if r.len() != len(set) {
			t.Fatalf("%v.len() = %d, want %d", r, r.len(), len(set))
		}
		again, err := decodeRanges(r.encode())
		if err != nil || !slices.Equal(again, r) {
			t.Fatalf("%v came back as %v, %v", r, again, err)
		}
		first := device.PunchID(rapid.Uint64Range(1, 40).Draw(t, "first"))
		add := run{first, first + device.PunchID(rapid.Uint64Range(0, 9).Draw(t, "length"))}
		more, less := r.withRun(add), r.without(ranges{add})
		for id := device.PunchID(0); id < 60; id++ {
			in := id >= add.first && id <= add.last
			if more.has(id) != (set[id] || in) || less.has(id) != (set[id] && !in) {
				t.Fatalf("%v and %v: with %v, without %v", r, add, more, less)
			}
		}
		if again, err := decodeRanges(more.encode()); err != nil || !slices.Equal(again, more) {
			t.Fatalf("%v came back as %v, %v", more, again, err)
		}
	})
}

func FuzzDecodeRanges(f *testing.F) {
	f.Add(ranges{{1, 5}, {9, 9}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRanges(b)
		if err != nil {
			return
		}
		if again, err := decodeRanges(r.encode()); err != nil || !slices.Equal(again, r) {
			t.Errorf("%v came back as %v, %v", r, again, err)
		}
	})
}
