package device_test

import (
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allowed says which rooms of the project a room may import beside device,
// device/durable and its own. A package whose name ends in test may also import what it
// fakes.
var allowed = map[string][]string{
	"device":             {},
	"device/clock":       {},
	"device/config":      {},
	"device/doctor":      {},
	"device/durable":     {},
	"device/roster":      {},
	"reader":             {},
	"reader/keys":        {},
	"reader/mfrc522":     {},
	"display":            {},
	"queue":              {},
	"sync/zeitstrom":     {},
	"sync/uplink":        {"sync/zeitstrom"},
	"deploy/fat":         {},
	"deploy/flash":       {},
	"deploy/image":       {"deploy/fat"},
	"deploy/release":     {},
	"deploy/update":      {},
	"cmd/internal/serve": {},
	"cmd/internal/sheet": {},
	"cmd/internal/admin": {"*"},
	// The page knows no queue and no Zeitstrom.
	"cmd/internal/web": {
		"cmd/internal/admin", "cmd/internal/serve", "cmd/internal/sheet", "device/clock", "device/roster", "display",
	},
	"cmd/timeclock": {"*", "cmd/internal/admin", "cmd/internal/serve", "cmd/internal/sheet", "cmd/internal/web"},
}

// TestRooms keeps the plan of the house: who imports whom. What tests import
// is free, they put rooms together.
func TestRooms(t *testing.T) {
	packages := 0
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		if name := e.Name(); path != ".." && (strings.HasPrefix(name, ".") || name == "testdata") {
			return fs.SkipDir
		}
		pkg, err := build.ImportDir(path, 0)
		if err != nil {
			return nil //nolint:nilerr // a folder without Go files
		}
		packages++
		room := strings.TrimPrefix(filepath.ToSlash(path), "../")
		for _, imp := range pkg.Imports {
			checkImport(t, room, imp)
		}
		return nil
	})
	if err != nil || packages < len(allowed) {
		t.Errorf("saw %d packages, %v", packages, err)
	}
}

func checkImport(t *testing.T, room, imp string) {
	theirs, ours := strings.CutPrefix(imp, "timeclock/")
	if !ours {
		if external := strings.Contains(strings.SplitN(imp, "/", 2)[0], "."); external &&
			(room == "device" || room == "device/durable") {
			t.Errorf("%s imports %s: the domain takes the standard library only", room, imp)
		}
		return
	}
	may, known := allowed[room]
	switch {
	case strings.HasSuffix(room, "test"):
		if theirs != "device" && theirs != filepath.ToSlash(filepath.Dir(room)) {
			t.Errorf("%s imports %s: it may import only what it fakes", room, theirs)
		}
	case !known:
		t.Errorf("%s is not in the plan of the house", room)
	case slices.Contains([]string{"device", "device/durable"}, room):
		t.Errorf("%s imports %s: the domain and its files take the standard library only", room, theirs)
	case theirs == "device", theirs == "device/durable", slices.Contains(may, theirs):
	case slices.Contains(may, "*") && !strings.HasPrefix(theirs, "cmd/"):
	default:
		t.Errorf("%s imports %s: rooms know device, not each other", room, theirs)
	}
}
