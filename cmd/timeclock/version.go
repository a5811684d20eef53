package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker when a package is built.
var version = ""

// theVersion is what was set, or what Go knows of the source.
func theVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func runVersion(_ context.Context, c *call) error {
	if err := c.want(0, 0); err != nil {
		return err
	}
	if c.json {
		return json.NewEncoder(c.stdout).Encode(map[string]string{"version": theVersion(), "go": runtime.Version(), "arch": runtime.GOARCH})
	}
	_, err := fmt.Fprintf(c.stdout, "timeclock %s, %s %s/%s\n", theVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
