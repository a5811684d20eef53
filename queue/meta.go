package queue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"timeclock/device"
)

// bbolt keeps two meta pages and writes them in turn; it takes the newer one that is whole.
// So a flipped bit in the newest one silently takes back the last commit, which was
// confirmed. Layout and checksum: go.etcd.io/bbolt/internal/common, Meta and Page.
const (
	metaAt     = 16 // behind the page's header
	metaSize   = 64
	boltMagic  = 0xED0CDAED
	boltFormat = 2
)

// metaPage is what is needed of a meta page.
type metaPage struct {
	whole bool
	root  uint64 // page of the root bucket
	tx    uint64
}

func readMeta(page []byte) (m metaPage) {
	b := page[metaAt : metaAt+metaSize]
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	m.whole = binary.LittleEndian.Uint32(b) == boltMagic && binary.LittleEndian.Uint32(b[4:]) == boltFormat &&
		binary.LittleEndian.Uint64(b[metaSize-8:]) == sum.Sum64()
	m.root, m.tx = binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[48:])
	return m
}

// readMetas reads the meta pages of a queue file.
func readMetas(f io.ReaderAt) (metas [2]metaPage, err error) {
	page := make([]byte, pageSize)
	for i := range metas {
		if _, err := f.ReadAt(page, int64(i)*pageSize); err != nil {
			return metas, err
		}
		metas[i] = readMeta(page)
	}
	return metas, nil
}

// checkMetas says whether one of the meta pages is not what bbolt wrote.
func checkMetas(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	metas, err := readMetas(f)
	if err != nil {
		return err
	}
	for i, m := range metas {
		if !m.whole {
			return fmt.Errorf("%w: meta page %d", ErrDamaged, i)
		}
	}
	return nil
}

// confirmed returns the newest punch that the newest commit of a file has in its tail.
// A file whose meta pages are not both whole cannot tell: what was written last may have
// been confirmed.
func confirmed(f io.ReaderAt) (newest device.PunchID, ok bool) {
	metas, err := readMetas(f)
	if err != nil || !metas[0].whole || !metas[1].whole {
		return 0, false
	}
	m := metas[0]
	if metas[1].tx > m.tx {
		m = metas[1]
	}
	page := make([]byte, pageSize) // the tail is small enough to be stored inside it
	if n, err := f.ReadAt(page, int64(m.root)*pageSize); n < pageSize || err != nil && !errors.Is(err, io.EOF) {
		return 0, false
	}
	for p := range punchesIn(page) {
		newest = max(newest, p.ID)
	}
	return newest, newest > 0
}
