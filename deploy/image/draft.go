package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"timeclock/deploy/fat"
	"timeclock/device/durable"
)

// Draft is a card file that is being made. Until Finish nothing is at its name.
type Draft struct {
	Boot *fat.Volume // its boot partition, after Begin

	path     string // as it will be
	file     *os.File
	from     io.Reader
	boot     partition
	faults   []fat.Fault // that the image came with
	size     int64
	done     int64
	progress Progress
	named    bool
}

// ErrExists says that there is a file of that name already.
var ErrExists = errors.New("is there already: remove it, or name another one")

// IsNew says why a card file cannot be made at a path.
func IsNew(path string) error {
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name the file that is to be made (door.img, say)", path)
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is a device: a card file is made as a file, and written to cards by Raspberry Pi Imager",
			path)
	case err == nil:
		return fmt.Errorf("%s %w", path, ErrExists)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %s", filepath.Dir(path))
	}
	return nil
}

// NewDraft begins a card file. What an earlier one has left that was cut off is overwritten.
func NewDraft(path string) (*Draft, error) {
	if err := IsNew(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(part(path), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600) // it will have a token
	if err != nil {
		return nil, err
	}
	return &Draft{path: path, file: f}, nil
}

// part is a card file's name while it is none.
func part(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".part")
}

// Begin unpacks an image up to the end of its boot partition, and opens that.
func (d *Draft) Begin(ctx context.Context, s *Source, p Progress) (err error) {
	d.size, d.progress = s.Size, p
	if d.from, err = s.open(); err != nil {
		return fmt.Errorf("%w (%w)", ErrCut, err)
	}
	if err := d.copy(ctx, 512); err != nil {
		return err
	}
	sector := make([]byte, 512)
	if _, err := d.file.ReadAt(sector, 0); err != nil {
		return err
	}
	if d.boot, err = partitions(sector); err != nil {
		return err
	}
	if d.boot.end > d.size {
		return ErrCut
	}
	if err := d.copy(ctx, d.boot.at+d.boot.size-512); err != nil {
		return err
	}
	if d.Boot, err = fat.Open(d.file, d.boot.at, d.boot.size); err != nil {
		return fmt.Errorf("its boot partition: %w", err)
	}
	d.faults, err = fat.Check(d.file, d.boot.at, d.boot.size)
	for _, f := range d.faults {
		if !f.Harmless {
			return fmt.Errorf("%w (its boot partition: %s)", ErrCut, f.Text)
		}
	}
	return err
}

func (d *Draft) copy(ctx context.Context, most int64) error {
	return copyTo(ctx, d.file, d.from, most, func(n int64) {
		d.done += n
		d.progress(d.done, d.size)
	})
}

// Complete unpacks the rest, and brings all to the disk, with what was changed in the boot partition.
func (d *Draft) Complete(ctx context.Context) error {
	if err := d.Boot.Flush(); err != nil {
		return err
	}
	if err := d.copy(ctx, d.size-d.done); err != nil {
		return err
	}
	// The sums of xz are compared at its very end.
	if _, err := io.ReadFull(d.from, make([]byte, 1)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w (%w)", ErrCut, err)
	}
	return d.file.Sync()
}

// Finish examines the card file, reads back what was written (nil: removed), and only then gives the
// file its name.
func (d *Draft) Finish(wrote map[string][]byte) error {
	f, err := os.Open(d.file.Name()) // as somebody who knows nothing
	if err != nil {
		return err
	}
	defer f.Close()
	if err := d.examine(readOnly{f}, wrote); err != nil {
		return fmt.Errorf("the card file is not right, and was not kept: %w", err)
	}
	if _, err := os.Lstat(d.path); err == nil { // somebody was faster
		return fmt.Errorf("%s %w", d.path, ErrExists)
	}
	if err := errors.Join(f.Close(), d.file.Close(), durable.Rename(part(d.path), d.path)); err != nil {
		return err
	}
	d.named = true
	return nil
}

func (d *Draft) examine(f fat.Disk, wrote map[string][]byte) error {
	faults, err := fat.Check(f, d.boot.at, d.boot.size)
	if err != nil {
		return err
	}
	for _, fault := range faults {
		if !slices.Contains(d.faults, fault) {
			return errors.New(fault.Text)
		}
	}
	v, err := fat.Open(f, d.boot.at, d.boot.size)
	if err != nil {
		return err
	}
	for name, content := range wrote {
		got, err := v.ReadFile(name)
		if content == nil && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if content == nil || !bytes.Equal(got, content) {
			return fmt.Errorf("%s is not what was written", name)
		}
	}
	return nil
}

// readOnly is a file that is only read.
type readOnly struct{ *os.File }

func (readOnly) WriteAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }

// Drop removes what was begun. After Finish it does nothing.
func (d *Draft) Drop() {
	d.file.Close()
	if !d.named {
		os.Remove(part(d.path))
	}
}
