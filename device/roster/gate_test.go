//go:build gates

package roster

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// How long a hundred thousand badges may take.
const (
	maxImport = 20 * time.Second
	maxLookup = 10 * time.Microsecond
)

// TestGateManyBadges imports a hundred thousand badges and finds each. Of several times the
// best counts: this computer has other things to do.
func TestGateManyBadges(t *testing.T) {
	imported, each := time.Hour, time.Hour
	file := manyBadges()
	for range 2 {
		path := filepath.Join(t.TempDir(), "roster.csv")
		began := time.Now()
		if _, err := open(t, path).Import(strings.NewReader(file), Options{}); err != nil {
			t.Fatal(err)
		}
		imported = min(imported, time.Since(began))
		r := open(t, path)
		began = time.Now()
		for i := range many {
			if _, ok := r.Lookup(uid(t, manyUID(i))); !ok {
				t.Fatalf("badge %d is not found", i)
			}
		}
		each = min(each, time.Since(began)/many)
	}
	t.Logf("%d badges: imported in %v, found in %v each", many, imported.Round(time.Millisecond), each)
	if imported > maxImport {
		t.Errorf("importing %d badges took %v, limit %v", many, imported, maxImport)
	}
	if each > maxLookup {
		t.Errorf("a badge is found after %v, limit %v", each, maxLookup)
	}
}
