package fat

import (
	"encoding/binary"
	"fmt"
	"path"
	"slices"
)

// Fault is what is wrong with a file system.
type Fault struct {
	Text     string
	Harmless bool // all files are whole, and what is written next is
}

// Check reads the whole file system anew, as somebody who does not know what was written, and lists
// what is wrong with it: tables that differ, chains that break off, end late or meet, clusters that
// belong to no file, folders that do not know where they are, names that are there twice, a wrong
// count of what is free. Nothing is repaired.
func Check(disk Disk, offset, size int64) (faults []Fault, err error) {
	v, err := Open(disk, offset, size)
	if err != nil {
		return nil, err
	}
	c := &check{v: v, owner: make([]string, len(v.next))}
	for n := 1; n < v.tables; n++ {
		other, err := v.readTable(n)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(v.next, other) {
			c.fault("its tables differ")
		}
	}
	if err := c.folder("/", v.root, v.root); err != nil {
		return nil, err
	}
	lost := 0
	for n := first; n < len(v.next); n++ {
		if used := v.next[n]&value != free && v.next[n]&value != bad; used && c.owner[n] == "" {
			lost++
		}
	}
	if lost > 0 {
		c.faults = append(c.faults, Fault{fmt.Sprintf("%d clusters belong to no file", lost), true})
	}
	for _, at := range []int64{v.infoAt, v.backupAt} {
		info, err := v.info(at)
		if err != nil {
			return nil, err
		}
		if info == nil {
			continue
		}
		if n := binary.LittleEndian.Uint32(info[infoCount:]); n != v.unused() && n != unknown {
			text := fmt.Sprintf("%d clusters are said to be free, %d are", n, v.unused())
			c.faults = append(c.faults, Fault{text, true})
		}
	}
	return c.faults, nil
}

// check is a file system that is looked at.
type check struct {
	v      *Volume
	owner  []string // of a cluster
	faults []Fault
}

func (c *check) fault(format string, args ...any) {
	c.faults = append(c.faults, Fault{Text: fmt.Sprintf(format, args...)})
}

// chain takes a file's clusters, and says how many there are.
func (c *check) chain(name string, cluster uint32) (n int64, whole bool) {
	all, err := c.v.chain(cluster)
	if err != nil {
		c.fault("%s: %v", name, err)
		return 0, false
	}
	for _, at := range all {
		if other := c.owner[at]; other != "" {
			c.fault("%s and %s share a cluster", other, name)
			return 0, false
		}
		c.owner[at] = name
	}
	return int64(len(all)), true
}

// folder looks at a folder and all that is in it.
func (c *check) folder(name string, cluster, above uint32) error {
	if _, whole := c.chain(name, cluster); !whole {
		return nil
	}
	f, err := c.v.open(cluster)
	if err != nil {
		return err
	}
	if name != "/" {
		if above == c.v.root {
			above = 0
		}
		if len(f.entries) < 2 || f.entries[0].name != "." || f.entries[1].name != ".." ||
			f.entries[0].cluster != cluster || f.entries[1].cluster != above {
			c.fault("%s does not know where it is", name)
			return nil
		}
		f.entries = f.entries[2:]
	}
	seen := map[[11]byte]bool{}
	for _, e := range f.entries {
		full := path.Join(name, e.name)
		if seen[e.short] {
			c.fault("%s has a short name that is there twice", full)
		}
		seen[e.short] = true
		if e.isDir() {
			if err := c.folder(full, e.cluster, cluster); err != nil {
				return err
			}
			continue
		}
		if n, whole := c.chain(full, e.cluster); whole && n != (int64(e.size)+c.v.cluster-1)/c.v.cluster {
			c.fault("%s has %d bytes in %d clusters", full, e.size, n)
		}
	}
	return nil
}
