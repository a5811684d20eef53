package main

import (
	"archive/tar"
	"archive/zip"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// pack packs a folder. Programs stay programs, and belong to nobody.
func pack(out, folder string, at time.Time) error {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	switch {
	case strings.HasSuffix(out, ".zip"):
		err = packZip(f, folder, at)
	case strings.HasSuffix(out, ".tar.gz"):
		err = packTar(f, folder, at)
	default:
		err = fmt.Errorf("%s is neither .zip nor .tar.gz", out)
	}
	return errors.Join(err, f.Close())
}

// files calls f for each file, in the order of their names, with its name in the archive.
func files(folder string, f func(name string, info fs.FileInfo, content []byte) error) error {
	return filepath.WalkDir(folder, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(folder, file)
		if err != nil {
			return err
		}
		return f(path.Join(filepath.Base(folder), filepath.ToSlash(inside)), info, content)
	})
}

// mode is the same whatever the umask was.
func mode(info fs.FileInfo) fs.FileMode {
	if info.Mode()&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

func packZip(w io.Writer, folder string, at time.Time) error {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	err := files(folder, func(name string, info fs.FileInfo, content []byte) error {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at}
		h.SetMode(mode(info))
		to, err := z.CreateHeader(h)
		if err == nil {
			_, err = to.Write(content)
		}
		return err
	})
	return errors.Join(err, z.Close())
}

func packTar(w io.Writer, folder string, at time.Time) error {
	g, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(g)
	err = files(folder, func(name string, info fs.FileInfo, content []byte) error {
		h := &tar.Header{Name: name, Size: int64(len(content)), Mode: int64(mode(info)), ModTime: at}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err := t.Write(content)
		return err
	})
	return errors.Join(err, t.Close(), g.Close())
}
