package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"timeclock/device/config"
	"timeclock/device/durable"
)

// stateDir is the state directory, held against other daemons and tools.
type stateDir struct {
	path string
	dir  *os.File
}

// errHeld says that another process holds the state directory.
var errHeld = errors.New("another timeclock is running on this state directory")

// openState makes the state directory if there is none, takes it, and sees that it takes
// files.
func openState(cfg config.Config) (*stateDir, error) {
	s, err := holdState(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.writable(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// holdState makes the state directory if there is none, and takes it, also if nothing can be
// written there. Root acts as its owner from then on, so that no file is left that the
// daemon cannot read.
func holdState(cfg config.Config) (*stateDir, error) {
	path := cfg.StateDir
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, fmt.Errorf("state directory: %w: choose another state_dir, or make room there", err)
	}
	if err := actAsOwner(path); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	err = durable.Lock(dir, false)
	if errors.Is(err, durable.ErrLocked) {
		err = fmt.Errorf("%w (%s): stop that one first, or give this one a state_dir of its own", errHeld, path)
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return &stateDir{path, dir}, nil
}

// Close lets others have the directory.
func (s *stateDir) Close() error { return s.dir.Close() }

func (s *stateDir) writable() error {
	f, err := os.CreateTemp(s.path, ".writable-*")
	if err != nil {
		return fmt.Errorf("state directory %s takes no files: %w: give it to the user that runs the clock (chown), "+
			"and see that its disk is not full", s.path, errors.Unwrap(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// tokenWarning says what is wrong with the token file; empty if nothing is.
func tokenWarning(cfg config.Config) string {
	path := cfg.Zeitstrom.TokenFile
	mend := fmt.Sprintf("sudo chown timeclock: %s && sudo chmod 600 %s", path, path)
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("there is no token: put the API token into %s (mode 600)", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("the token in %s may not be read by the clock's user: %s", path, mend)
	case err != nil:
		return fmt.Sprintf("the token cannot be read: %v", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		return fmt.Sprintf("the token in %s can be read by others (mode %o): %s", path, info.Mode().Perm(), mend)
	}
	return ""
}

// safeKHz is the fastest that [reader] spi_khz is tested at, on buses of up to 2.5 times its
// speed: the chip takes 10 MHz, and Pis before the 5 run at up to 1.6 times of what is asked for
// (rsta2/circle issue 648).
const safeKHz = 4000

// speedWarning says what is wrong with the speed of the reader's bus; empty if nothing is.
func speedWarning(cfg config.Config) string {
	if cfg.Reader.SPIKHz <= safeKHz || cfg.Reader.Driver != config.Hardware {
		return ""
	}
	return fmt.Sprintf("reader.spi_khz = %d: on Pis before the 5 the bus may run faster than that, "+
		"and the chip takes 10000 at most",
		cfg.Reader.SPIKHz)
}
