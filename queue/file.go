package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"timeclock/device/durable"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// findFile notices that somebody removed the file, or the whole state directory,
// while it is open: what is written then would be gone with the process. The
// file is still readable, so it is written anew and opened again.
func (s *Store) findFile() error {
	path := s.path
	if s.db.Path() == "" { // it was closed: there is no file to be missed
		return berrors.ErrDatabaseNotOpen
	}
	if now, err := inodeOf(path); err == nil && now == s.file {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("the queue file is gone and cannot be made anew: %w", err)
	}
	if err := snapshot(s.db, path); err != nil {
		return fmt.Errorf("the queue file is gone and cannot be made anew: %w", err)
	}
	db, err := bolt.Open(path, 0o600, options())
	if err != nil {
		return fmt.Errorf("the queue file was gone and cannot be opened again: %w", err)
	}
	file, err := inodeOf(path)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	old := s.db
	s.db, s.file = db, file
	return old.Close()
}

// bolt returns the open file, for what goes on without the store's lock.
func (s *Store) bolt() (*bolt.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.db, s.absent
}

// Snapshot writes a copy of the queue to path, as a whole or not at all.
func (s *Store) Snapshot(path string) error {
	if s.Stats().Awaiting {
		return errors.New("recovered bookings are still to join, and the last snapshot has some of them")
	}
	if err := s.takeOutUnconfirmed(); err != nil {
		return err
	}
	db, err := s.bolt()
	if err != nil {
		return err
	}
	return snapshot(db, path)
}

func snapshot(db *bolt.DB, path string) error {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = db.View(func(tx *bolt.Tx) error {
		_, err := tx.WriteTo(f)
		return err
	})
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return durable.Rename(temp, path)
}
