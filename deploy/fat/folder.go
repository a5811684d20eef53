package fat

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// slot is the size of one entry of a folder in bytes.
const slot = 32

// Attributes and marks of an entry (fatgen103, "FAT Directory Structure").
const (
	label     = 0x08
	directory = 0x10
	archive   = 0x20
	longName  = 0x0F
	noMore    = 0x00
	deleted   = 0xE5
	lastPart  = 0x40
	perPart   = 13  // UTF-16 units of a long name in a slot
	maxName   = 255 // of them in all
)

// entry is a file or a folder in its folder.
type entry struct {
	name     string
	short    [11]byte
	from, to int // its slots, long name included
	attr     byte
	cluster  uint32 // 0: it is empty
	size     uint32
}

func (e entry) isDir() bool { return e.attr&directory != 0 }

// folder is a folder, as it is on the disk.
type folder struct {
	cluster uint32
	raw     []byte
	entries []entry
	end     int // the first slot behind which there is nothing
}

// open reads a folder.
func (v *Volume) open(cluster uint32) (*folder, error) {
	raw, err := v.content(cluster)
	if err != nil {
		return nil, err
	}
	f := &folder{cluster: cluster, raw: raw}
	f.parse()
	return f, nil
}

// parse finds the entries. Long names whose parts do not belong together are none.
func (f *folder) parse() {
	f.entries, f.end = nil, len(f.raw)/slot
	var long longEntry
	for i := range len(f.raw) / slot {
		b := f.raw[i*slot:][:slot]
		switch {
		case b[0] == noMore:
			f.end = i
			clear(f.raw[i*slot:]) // what stands behind the end counts for nothing, and may be anything
			return
		case b[0] == deleted:
			long = longEntry{}
		case b[11]&0x3F == longName:
			long.add(b, i)
		case b[11]&label != 0:
			long = longEntry{}
		default:
			f.entries = append(f.entries, long.entry(b, i))
			long = longEntry{}
		}
	}
}

// longEntry is a long name whose parts come one after the other, the last one first.
type longEntry struct {
	from  int
	units []uint16
	sum   byte
	wants byte // the number of the part that comes next; 0: it is whole
}

// unitsAt are where the parts of a name are in a slot.
var unitsAt = [perPart]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}

func (l *longEntry) add(b []byte, i int) {
	number := b[0] &^ lastPart
	switch {
	case b[0]&lastPart != 0:
		*l = longEntry{from: i, sum: b[13], wants: number}
	case l.units == nil || number != l.wants || b[13] != l.sum:
		*l = longEntry{}
		return
	}
	part := make([]uint16, perPart)
	for k, at := range unitsAt {
		part[k] = binary.LittleEndian.Uint16(b[at:])
	}
	l.units = append(part, l.units...)
	l.wants--
}

func (l *longEntry) entry(b []byte, i int) entry {
	le := binary.LittleEndian
	e := entry{
		from: i, to: i + 1, attr: b[11], size: le.Uint32(b[28:]),
		cluster: uint32(le.Uint16(b[20:]))<<16 | uint32(le.Uint16(b[26:])),
	}
	copy(e.short[:], b)
	if l.units != nil && l.wants == 0 && l.sum == checksum(e.short) {
		units := l.units
		if n := slices.Index(units, 0); n >= 0 {
			units = units[:n]
		}
		e.name, e.from = string(utf16.Decode(units)), l.from
		return e
	}
	e.name = shortText(e.short, b[12])
	return e
}

// shortText is a short name as people read it. Two bits say that a part of it is meant in lower case,
// as Windows and the kernel write them.
func shortText(short [11]byte, lower byte) string {
	base, ext := strings.TrimRight(string(short[:8]), " "), strings.TrimRight(string(short[8:]), " ")
	if lower&0x08 != 0 {
		base = strings.ToLower(base)
	}
	if lower&0x10 != 0 {
		ext = strings.ToLower(ext)
	}
	if ext != "" {
		base += "." + ext
	}
	return base
}

// checksum ties a long name to its short one (fatgen103, "ChkSum").
func checksum(short [11]byte) (sum byte) {
	for _, c := range short {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

// find returns the entry of a name, in whatever case: FAT tells none apart.
func (f *folder) find(name string) (entry, bool) {
	for _, e := range f.entries {
		if strings.EqualFold(e.name, name) {
			return e, true
		}
	}
	return entry{}, false
}

// walk goes to the folder of a path and returns it with the path's last name. With create it makes
// the folders on the way.
func (v *Volume) walk(name string, create bool) (*folder, string, error) {
	f, err := v.open(v.root)
	if err != nil {
		return nil, "", err
	}
	dir, base := path.Split(name)
	for _, part := range strings.Split(strings.Trim(dir, "/"), "/") {
		if part == "" {
			continue
		}
		e, there := f.find(part)
		switch {
		case there && !e.isDir():
			return nil, "", fmt.Errorf("%s is no folder", part)
		case !there && !create:
			return nil, "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		case !there:
			if e, err = v.makeFolder(f, part); err != nil {
				return nil, "", err
			}
		}
		if f, err = v.open(e.cluster); err != nil {
			return nil, "", err
		}
	}
	return f, base, nil
}

func (v *Volume) makeFolder(in *folder, name string) (entry, error) {
	all, err := v.allocate(1)
	if err != nil {
		return entry{}, err
	}
	e := entry{name: name, attr: directory, cluster: all[0]}
	above := in.cluster
	if above == v.root { // which has no number there
		above = 0
	}
	b := make([]byte, 2*slot)
	dot(b, ".", e.cluster)
	dot(b[slot:], "..", above)
	if err := v.store(all, b); err != nil {
		return e, err
	}
	return e, v.put(in, e)
}

func dot(b []byte, name string, cluster uint32) {
	e := entry{attr: directory, cluster: cluster}
	copy(e.short[:], fmt.Sprintf("%-11s", name))
	e.encode(b)
}

// encode writes the short entry, changed now.
func (e entry) encode(b []byte) {
	le := binary.LittleEndian
	copy(b, e.short[:])
	b[11] = e.attr
	now := time.Now()
	date := uint16((now.Year()-1980)<<9 | int(now.Month())<<5 | now.Day())
	clock := uint16(now.Hour()<<11 | now.Minute()<<5 | now.Second()/2)
	le.PutUint16(b[14:], clock)
	le.PutUint16(b[16:], date)
	le.PutUint16(b[18:], date)
	le.PutUint16(b[22:], clock)
	le.PutUint16(b[24:], date)
	le.PutUint16(b[20:], uint16(e.cluster>>16))
	le.PutUint16(b[26:], uint16(e.cluster))
	le.PutUint32(b[28:], e.size)
}

// put writes an entry: in the place of one of its name, or where there is room.
func (v *Volume) put(f *folder, e entry) error {
	if old, there := f.find(e.name); there {
		e.short, e.attr = old.short, old.attr
		e.encode(f.raw[(old.to-1)*slot:])
		return v.save(f)
	}
	e.short = f.shortFor(e.name)
	units := utf16.Encode([]rune(e.name))
	if len(units) > maxName {
		return fmt.Errorf("%q is too long for a name", e.name)
	}
	parts := (len(units) + perPart - 1) / perPart
	at := f.room(parts + 1)
	for missing := (at+parts+1)*slot - len(f.raw); missing > 0; missing -= int(v.cluster) {
		if err := v.extend(f); err != nil {
			return err
		}
	}
	if len(units) < parts*perPart {
		units = append(units, 0)
	}
	for len(units) < parts*perPart {
		units = append(units, 0xFFFF)
	}
	for n := parts; n > 0; n-- {
		b := f.raw[(at+parts-n)*slot:][:slot]
		clear(b)
		b[0], b[11], b[13] = byte(n), longName, checksum(e.short)
		if n == parts {
			b[0] |= lastPart
		}
		for k, to := range unitsAt {
			binary.LittleEndian.PutUint16(b[to:], units[(n-1)*perPart+k])
		}
	}
	b := f.raw[(at+parts)*slot:][:slot]
	clear(b)
	e.encode(b)
	return v.save(f)
}

// room finds so many slots in a row: deleted ones, or those behind the end.
func (f *folder) room(n int) int {
	run := 0
	for i := range f.end {
		if f.raw[i*slot] != deleted {
			run = 0
			continue
		}
		if run++; run == n {
			return i - n + 1
		}
	}
	return f.end - run
}

// extend makes a folder longer by a cluster. A folder takes 65 536 entries at most.
func (v *Volume) extend(f *folder) error {
	if len(f.raw)+int(v.cluster) > 65536*slot {
		return ErrFull
	}
	all, err := v.chain(f.cluster)
	if err != nil {
		return err
	}
	more, err := v.allocate(1)
	if err != nil {
		return err
	}
	v.set(all[len(all)-1], more[0])
	f.raw = append(f.raw, make([]byte, v.cluster)...)
	return nil
}

// save writes a folder back.
func (v *Volume) save(f *folder) error {
	all, err := v.chain(f.cluster)
	if err == nil {
		err = v.store(all, f.raw)
	}
	f.parse()
	return err
}

// shortFor finds a short name that the folder does not have yet: "timeclock.toml" is TIMECL~1.TOM
// (fatgen103, "Short Name Generation").
func (f *folder) shortFor(name string) (short [11]byte) {
	plain := func(s string, most int) string {
		s = strings.Map(func(r rune) rune {
			switch {
			case r == '.' || r == ' ':
				return -1
			case r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_$%'@~!(){}^#&", r):
				return r
			}
			return '_'
		}, strings.ToUpper(s))
		return s[:min(len(s), most)]
	}
	ext := path.Ext(name)
	base := plain(strings.TrimSuffix(name, ext), 8)
	if base == "" {
		base = "_"
	}
	for n := 1; ; n++ {
		tail := fmt.Sprintf("~%d", n)
		copy(short[:], fmt.Sprintf("%-8s%-3s", base[:min(len(base), 8-len(tail))]+tail, plain(ext, 3)))
		if !slices.ContainsFunc(f.entries, func(e entry) bool { return e.short == short }) {
			return short
		}
	}
}
