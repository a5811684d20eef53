//go:build !unix

package durable

import (
	"fmt"
	"io"
	"os"
)

// ReadRegular reads a file, if it is none of a kind that cannot be read to its end, and so many
// bytes of it at most. Nobody else puts files where ours are expected here.
func ReadRegular(path string, most int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%s has more than %d bytes", path, most)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
