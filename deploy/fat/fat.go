// Package fat reads and changes the files of a FAT32 file system inside of a disk image, and
// examines whether it is whole. What it writes is what the kernel, the Pi's firmware and
// fsck.vfat take for right.
//
// The source is Microsoft's "FAT32 File System Specification", version 1.03 (fatgen103), named
// by its chapters. The libraries that there are were tried: what go-diskfs 1.9.4 writes,
// fsck.vfat refuses (the count of free clusters stays as it was, removed files keep theirs, the
// ".." of a folder in the root names cluster 2, an empty file that grows loses its content).
//
// It makes no file system, knows no FAT12 and FAT16, and does no more than small files in few
// folders need: it reads and writes whole ones.
package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Disk is where a file system is.
type Disk interface {
	io.ReaderAt
	io.WriterAt
}

// Volume is a FAT32 file system. What is changed is whole on the disk after Flush.
type Volume struct {
	disk Disk
	at   int64 // where it begins

	sector   int64 // bytes, as all that follows
	cluster  int64
	tableAt  int64
	table    int64 // the size of one
	tables   int
	dataAt   int64
	infoAt   int64  // FSInfo; 0: there is none
	backupAt int64  // FSInfo's copy; 0: there is none
	root     uint32 // cluster
	count    uint32 // of clusters: they are numbered from 2 on

	next []uint32 // the table: what comes after a cluster, with its four upper bits
	hint uint32   // where the search for a free cluster begins
}

// Values in the table (fatgen103, "FAT Data Structure"). The upper four bits are not ours.
const (
	value  = 0x0FFFFFFF
	free   = 0
	bad    = 0x0FFFFFF7
	endMin = 0x0FFFFFF8
	end    = 0x0FFFFFFF
	first  = 2 // the first cluster's number
)

// ErrFormat says that there is no FAT32 file system.
var ErrFormat = errors.New("there is no FAT32 file system")

// Open opens the file system of size bytes that begins at an offset.
func Open(disk Disk, offset, size int64) (*Volume, error) {
	var b [512]byte
	if _, err := disk.ReadAt(b[:], offset); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	le := binary.LittleEndian
	v := &Volume{disk: disk, at: offset, sector: int64(le.Uint16(b[11:]))}
	perCluster, reserved := int64(b[13]), int64(le.Uint16(b[14:]))
	sectors, tableSectors := int64(le.Uint32(b[32:])), int64(le.Uint32(b[36:]))
	info, backup := int64(le.Uint16(b[48:])), int64(le.Uint16(b[50:]))
	switch { // fatgen103, "Boot Sector and BPB Structure"
	case b[510] != 0x55 || b[511] != 0xAA,
		!slices.Contains([]int64{512, 1024, 2048, 4096}, v.sector),
		perCluster == 0 || perCluster&(perCluster-1) != 0 || perCluster*v.sector > 64<<10,
		reserved == 0 || b[16] == 0 || b[16] > 4,
		le.Uint16(b[17:]) != 0 || le.Uint16(b[19:]) != 0 || le.Uint16(b[22:]) != 0: // FAT12 and FAT16 have these
		return nil, ErrFormat
	case sectors*v.sector > size:
		return nil, fmt.Errorf("%w: it is larger than its partition", ErrFormat)
	case le.Uint16(b[40:])&0x80 != 0 || le.Uint16(b[42:]) != 0:
		return nil, fmt.Errorf("%w of a kind that is known here", ErrFormat)
	}
	v.cluster, v.tables, v.root = perCluster*v.sector, int(b[16]), le.Uint32(b[44:])
	v.tableAt, v.table = reserved*v.sector, tableSectors*v.sector
	v.dataAt = v.tableAt + int64(v.tables)*v.table
	room := sectors*v.sector - v.dataAt
	if room < v.cluster || v.table < 4*(room/v.cluster+first) {
		return nil, fmt.Errorf("%w: its table is too small", ErrFormat)
	}
	v.count = uint32(room / v.cluster)
	if info > 0 && info < reserved {
		v.infoAt = info * v.sector
		if backup > 0 && backup+info < reserved {
			v.backupAt = (backup + info) * v.sector
		}
	}
	var err error
	if v.next, err = v.readTable(0); err != nil {
		return nil, err
	}
	if !v.is(v.root) {
		return nil, fmt.Errorf("%w: it has no root", ErrFormat)
	}
	v.hint = first
	return v, nil
}

// readTable reads one of the tables, as far as there are clusters.
func (v *Volume) readTable(n int) ([]uint32, error) {
	raw := make([]byte, 4*(int64(v.count)+first))
	if err := v.read(raw, v.tableAt+int64(n)*v.table); err != nil {
		return nil, err
	}
	t := make([]uint32, len(raw)/4)
	for i := range t {
		t[i] = binary.LittleEndian.Uint32(raw[4*i:])
	}
	return t, nil
}

func (v *Volume) read(b []byte, at int64) error {
	_, err := v.disk.ReadAt(b, v.at+at)
	if errors.Is(err, io.EOF) {
		return errors.New("the disk ends within its file system")
	}
	return err
}

func (v *Volume) write(b []byte, at int64) error {
	_, err := v.disk.WriteAt(b, v.at+at)
	return err
}

// is reports whether there is such a cluster.
func (v *Volume) is(c uint32) bool { return c >= first && c < v.count+first }

func (v *Volume) offset(c uint32) int64 { return v.dataAt + int64(c-first)*v.cluster }

// chain lists the clusters from one on.
func (v *Volume) chain(c uint32) (all []uint32, err error) {
	for c != 0 {
		if !v.is(c) {
			return nil, fmt.Errorf("a chain of clusters leads to %d, which does not exist", c)
		}
		if all = append(all, c); len(all) > int(v.count) {
			return nil, errors.New("a chain of clusters has no end")
		}
		switch after := v.next[c] & value; {
		case after >= endMin:
			return all, nil
		case after == free || after == bad:
			return nil, fmt.Errorf("a chain of clusters breaks off at %d", c)
		default:
			c = after
		}
	}
	return nil, nil
}

// content reads a chain.
func (v *Volume) content(c uint32) ([]byte, error) {
	all, err := v.chain(c)
	if err != nil {
		return nil, err
	}
	b := make([]byte, int64(len(all))*v.cluster)
	for i, c := range all {
		if err := v.read(b[int64(i)*v.cluster:][:v.cluster], v.offset(c)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Free is how many bytes are free.
func (v *Volume) Free() int64 { return int64(v.unused()) * v.cluster }

func (v *Volume) unused() (n uint32) {
	for _, c := range v.next[first:] {
		if c&value == free {
			n++
		}
	}
	return n
}

// ErrFull says that a file finds no room.
var ErrFull = errors.New("there is no room left in the boot partition")

// allocate takes free clusters and chains them. What they have held is not looked at.
func (v *Volume) allocate(n int) (all []uint32, err error) {
	for range v.count {
		if len(all) == n {
			break
		}
		if v.next[v.hint]&value == free {
			all = append(all, v.hint)
		}
		if v.hint++; v.hint == v.count+first {
			v.hint = first
		}
	}
	if len(all) < n {
		return nil, ErrFull
	}
	for i, c := range all {
		to := uint32(end)
		if i+1 < n {
			to = all[i+1]
		}
		v.set(c, to)
	}
	return all, nil
}

func (v *Volume) set(c, to uint32) { v.next[c] = v.next[c]&^value | to }

// release gives a chain back.
func (v *Volume) release(c uint32) error {
	all, err := v.chain(c)
	for _, c := range all {
		v.set(c, free)
	}
	return err
}

// store writes content into clusters, with zeros behind it.
func (v *Volume) store(all []uint32, content []byte) error {
	for _, c := range all {
		b := make([]byte, v.cluster)
		content = content[copy(b, content):]
		if err := v.write(b, v.offset(c)); err != nil {
			return err
		}
	}
	return nil
}

// Signatures of FSInfo (fatgen103, "FAT32 FSInfo Sector Structure").
const (
	infoLead  = 0x41615252
	infoTail  = 0x61417272
	infoCount = 488 // free clusters
	infoNext  = 492 // where to look for one
	unknown   = 0xFFFFFFFF
)

// Flush writes all tables, and how much is free.
func (v *Volume) Flush() error {
	raw := make([]byte, 4*len(v.next))
	for i, n := range v.next {
		binary.LittleEndian.PutUint32(raw[4*i:], n)
	}
	for n := range v.tables {
		if err := v.write(raw, v.tableAt+int64(n)*v.table); err != nil {
			return err
		}
	}
	for _, at := range []int64{v.infoAt, v.backupAt} {
		info, err := v.info(at)
		if err != nil || info == nil {
			continue // nobody reads one that is not there
		}
		binary.LittleEndian.PutUint32(info[infoCount:], v.unused())
		binary.LittleEndian.PutUint32(info[infoNext:], v.hint)
		if err := v.write(info, at); err != nil {
			return err
		}
	}
	return nil
}

// info reads an FSInfo; nil if there is none.
func (v *Volume) info(at int64) ([]byte, error) {
	if at == 0 {
		return nil, nil
	}
	b := make([]byte, 512)
	if err := v.read(b, at); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(b) != infoLead || binary.LittleEndian.Uint32(b[484:]) != infoTail {
		return nil, nil
	}
	return b, nil
}
