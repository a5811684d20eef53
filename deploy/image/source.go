// Package image makes a card file out of an image of Raspberry Pi OS as it is downloaded: it
// unpacks it, hands out its boot partition to be changed, and examines what was made before it gets
// its name. Pure Go: it takes no root, mounts nothing, and runs on any computer.
//
// It knows where the boot partition is, and not what belongs there: that is deploy/flash's.
package image

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/ulikunitz/xz"
)

// Source is an image of a card, packed by xz or not. It is only read.
type Source struct {
	Path string
	Size int64 // unpacked, in bytes
	file *os.File
	xz   bool
}

// Magic numbers of files that people take for an image.
var (
	xzMagic = []byte("\xFD7zXZ\x00") // xz file format 1.1.0, 2.1.1.1
	packed  = map[string]string{
		"PK\x03\x04": "a ZIP archive", "\x1F\x8B": "packed by gzip", "\x28\xB5\x2F\xFD": "packed by zstd",
		"7z\xBC\xAF": "a 7-Zip archive", "BZh": "packed by bzip2",
	}
)

// ErrCut says that an image is not all there.
var ErrCut = errors.New("the image is cut off or damaged: download it again, and compare its SHA-256 sum with that " +
	"of the download page")

// OpenSource opens an image. What it is is seen by its first bytes, not by its name; whether all of it is
// there is told before anything is unpacked.
func OpenSource(path string) (*Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file: name the image that was downloaded (raspios-lite.img.xz, say)", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &Source{Path: path, Size: info.Size(), file: f}
	if err := s.look(info.Size()); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *Source) look(length int64) error {
	head := make([]byte, 512)
	n, err := s.file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	for magic, what := range packed {
		if bytes.HasPrefix(head, []byte(magic)) {
			return fmt.Errorf("it is %s: unpack it first, or take the .img.xz", what)
		}
	}
	if s.xz = bytes.HasPrefix(head, xzMagic); s.xz {
		s.Size, err = unpackedSize(s.file, length)
		return err
	}
	boot, err := partitions(head)
	if err == nil && boot.end > length {
		err = ErrCut
	}
	return err
}

// Packed reports whether it has to be unpacked.
func (s *Source) Packed() bool { return s.xz }

// Close closes the image.
func (s *Source) Close() error { return s.file.Close() }

// open begins to read it from its start, unpacked.
func (s *Source) open() (io.Reader, error) {
	raw := io.NewSectionReader(s.file, 0, 1<<62)
	if !s.xz {
		return raw, nil
	}
	return xz.NewReader(bufio.NewReaderSize(raw, 1<<20))
}

// Limits of what an image can be.
const (
	maxSize    = 64 << 30 // bytes
	maxIndex   = 16 << 20 // bytes of an index of xz: a block has some megabytes
	xzEnds     = 12       // bytes of a stream's header, and of its footer
	xzBackward = 4        // of the footer
)

// unpackedSize reads from the indexes at the end of a file's streams how long it is unpacked
// (xz file format 1.1.0, 2.1.2 "Stream Footer" and 4 "Index"). The file is read backwards; one that is
// cut off has no footer where it ends.
func unpackedSize(f io.ReaderAt, end int64) (size int64, err error) {
	for end > 0 {
		var footer [xzEnds]byte
		if _, err := f.ReadAt(footer[:], end-xzEnds); end < xzEnds || err != nil {
			return 0, ErrCut
		}
		if binary.LittleEndian.Uint32(footer[8:]) == 0 && footer[10] == 0 { // padding between streams
			end -= 4
			continue
		}
		le := binary.LittleEndian
		index := (int64(le.Uint32(footer[xzBackward:])) + 1) * 4
		if string(footer[10:]) != "YZ" || crc32.ChecksumIEEE(footer[4:10]) != le.Uint32(footer[:]) ||
			index > maxIndex || end-xzEnds-index < xzEnds {
			return 0, ErrCut
		}
		b := make([]byte, index)
		if _, err := f.ReadAt(b, end-xzEnds-index); err != nil {
			return 0, err
		}
		blocks, holds, err := readIndex(b)
		if err != nil {
			return 0, err
		}
		if end -= xzEnds + index + blocks + xzEnds; end < 0 {
			return 0, ErrCut
		}
		if size += holds; size > maxSize {
			return 0, errors.New("unpacked it has more than 64 GB: this is no image of a card")
		}
	}
	return size, nil
}

// readIndex returns how long the blocks of a stream are, packed and unpacked.
func readIndex(b []byte) (blocks, holds int64, err error) {
	sum := binary.LittleEndian.Uint32(b[len(b)-4:])
	if b = b[:len(b)-4]; crc32.ChecksumIEEE(b) != sum || b[0] != 0 {
		return 0, 0, ErrCut
	}
	in := bytes.NewReader(b[1:])
	number := func() int64 { // multibyte integers are Go's uvarint (1.2)
		n, broken := binary.ReadUvarint(in)
		if broken != nil || n > maxSize {
			err = ErrCut
		}
		return int64(n)
	}
	for left := number(); left > 0 && err == nil; left-- {
		blocks += (number() + 3) / 4 * 4
		holds += number()
	}
	return blocks, holds, err
}

// partition is where the boot partition is.
type partition struct {
	at, size int64
	end      int64 // of the last partition
}

// partitions reads an MBR of the layout that pi-gen makes (export-image/prerun.sh): FAT32, then Linux.
func partitions(sector []byte) (boot partition, err error) {
	const (
		table, entries, length = 446, 4, 16
		fat32LBA, linux        = 0x0C, 0x83
		protective             = 0xEE // of a GPT
	)
	if len(sector) < 512 || sector[510] != 0x55 || sector[511] != 0xAA {
		return boot, errors.New("this is no image of a card: it has no partitions. Take Raspberry Pi OS Lite")
	}
	var kinds []byte
	for i := range entries {
		e := sector[table+i*length:][:length]
		at, size := int64(binary.LittleEndian.Uint32(e[8:]))*512, int64(binary.LittleEndian.Uint32(e[12:]))*512
		if e[4] == 0 {
			continue
		}
		if kinds = append(kinds, e[4]); len(kinds) == 1 {
			boot.at, boot.size = at, size
		}
		boot.end = max(boot.end, at+size)
	}
	switch {
	case len(kinds) == 1 && kinds[0] == protective:
		return boot, errors.New("this is an image of another layout (GPT): take Raspberry Pi OS Lite")
	case len(kinds) != 2 || kinds[0] != fat32LBA || kinds[1] != linux:
		return boot, fmt.Errorf("this is an image of another layout (partitions % X, wanted 0C 83): "+
			"take Raspberry Pi OS Lite", kinds)
	case boot.at < 512 || boot.end > maxSize:
		return boot, ErrCut
	}
	return boot, nil
}

// Progress is told how many bytes there are of all.
type Progress func(done, all int64)

// copyTo copies so many bytes, or up to the end if they are fewer, in pieces: it stops when ctx ends.
func copyTo(ctx context.Context, to io.Writer, from io.Reader, most int64, told func(n int64)) error {
	b := make([]byte, 4<<20)
	for done := int64(0); done < most; {
		if err := ctx.Err(); err != nil {
			return errors.New("interrupted: nothing was made")
		}
		n, err := io.ReadFull(from, b[:min(int64(len(b)), most-done)])
		if _, werr := to.Write(b[:n]); werr != nil {
			return werr
		}
		done += int64(n)
		told(int64(n))
		if err != nil {
			return fmt.Errorf("%w (%w)", ErrCut, err)
		}
	}
	return nil
}
