package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// version09 is the commit from which version 0.9 was built.
const version09 = "7033d3292814ec8fc32519bf656307931b43a049"

// TestWayBack goes back to the real version 0.9 and forward again, as somebody does whose new version does
// not suit them. It needs the whole history: git clone without -depth.
func TestWayBack(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it builds another version")
	}
	t.Parallel()
	old := build09(t)
	params := scriptParams(t, "wayback")
	setup := params.Setup
	params.Setup = func(env *testscript.Env) error {
		env.Setenv("OLD", old)
		return setup(env)
	}
	testscript.Run(t, params)
}

// build09 builds version 0.9.
func build09(t *testing.T) (program string) {
	t.Helper()
	dir := t.TempDir()
	archive := exec.Command("git", "archive", version09)
	archive.Dir = "../.."
	content, err := archive.Output()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("version 0.9 is not in the history: clone it whole: %v", err)
		}
		t.Skipf("SKIPPED: version 0.9 is not in the history here: %v", err)
	}
	unpack := exec.Command("tar", "x", "-C", dir)
	unpack.Stdin = bytes.NewReader(content)
	program = filepath.Join(dir, "timeclock-0.9")
	build := exec.Command("go", "build", "-o", program, "./cmd/timeclock")
	build.Dir = dir
	for _, cmd := range []*exec.Cmd{unpack, build} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}
	return program
}
