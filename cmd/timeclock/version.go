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

var versionCommand = command{
	name: "version", help: "print the version",
	flags: func(f *flags) action {
		asJSON := f.json()
		return func(_ context.Context, c *call) (err error) {
			if *asJSON {
				return json.NewEncoder(c.stdout).Encode(map[string]string{
					"version": theVersion(), "go": runtime.Version(), "arch": runtime.GOARCH,
				})
			}
			_, err = fmt.Fprintf(c.stdout, "timeclock %s, %s %s/%s\n", theVersion(), runtime.Version(),
				runtime.GOOS, runtime.GOARCH)
			return err
		}
	},
}
