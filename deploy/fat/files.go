package fat

import (
	"fmt"
	"io/fs"
	"path"
)

// ReadFile returns what is in a file. A path has slashes; FAT tells no upper case from lower case.
func (v *Volume) ReadFile(name string) ([]byte, error) {
	f, base, err := v.walk(name, false)
	if err != nil {
		return nil, err
	}
	e, there := f.find(base)
	switch {
	case !there:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case e.isDir():
		return nil, fmt.Errorf("%s is a folder", name)
	}
	content, err := v.content(e.cluster)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(content)) < int64(e.size) {
		return nil, fmt.Errorf("%s: %d bytes are missing", name, int64(e.size)-int64(len(content)))
	}
	return content[:e.size], nil
}

// Names lists the files and folders in a folder; "" is the root.
func (v *Volume) Names(dir string) ([]string, error) {
	f, _, err := v.walk(dir+"/", false)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range f.entries {
		if e.name != "." && e.name != ".." {
			names = append(names, e.name)
		}
	}
	return names, nil
}

// WriteFile replaces a file, or makes it, with its folders. What does not find room changes nothing.
func (v *Volume) WriteFile(name string, content []byte) error {
	if int64(len(content)) > v.Free()-8*v.cluster { // folders may grow, too
		return fmt.Errorf("%s: %w", path.Base(name), ErrFull)
	}
	f, base, err := v.walk(name, true)
	if err != nil {
		return err
	}
	old, there := f.find(base)
	if there && old.isDir() {
		return fmt.Errorf("%s is a folder", name)
	}
	if there {
		if err := v.release(old.cluster); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	e := entry{name: base, attr: archive, size: uint32(len(content))}
	all, err := v.allocate(int((int64(len(content)) + v.cluster - 1) / v.cluster))
	if err != nil {
		return fmt.Errorf("%s: %w", base, err)
	}
	if len(all) > 0 {
		e.cluster = all[0]
	}
	if err := v.store(all, content); err != nil {
		return err
	}
	return v.put(f, e)
}

// Remove removes a file.
func (v *Volume) Remove(name string) error {
	f, base, err := v.walk(name, false)
	if err != nil {
		return err
	}
	e, there := f.find(base)
	switch {
	case !there:
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	case e.isDir():
		return fmt.Errorf("%s is a folder", name)
	}
	if err := v.release(e.cluster); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for i := e.from; i < e.to; i++ {
		f.raw[i*slot] = deleted
	}
	return v.save(f)
}
