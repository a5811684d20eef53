package main

import (
	"cmp"
	"debug/buildinfo"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// bom lists the modules that programs are made of, by what the linker has written into them, in CycloneDX.
func bom(w io.Writer, version string, at time.Time, programs []string) error {
	used := map[string]cdx.Component{}
	in := map[string][]string{} // the programs that have one
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
		name := filepath.Base(program)
		std := &debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}
		for _, m := range append(info.Deps, std) {
			if m.Replace != nil {
				m = m.Replace
			}
			c := component(*m)
			used[c.BOMRef] = c
			in[c.BOMRef] = append(in[c.BOMRef], name)
		}
	}
	root := cdx.Component{
		Type: cdx.ComponentTypeApplication, BOMRef: "timeclock", Name: "timeclock", Version: version,
		PackageURL: "pkg:generic/timeclock@" + version,
	}
	all := make([]cdx.Component, 0, len(used))
	depends := []string{}
	for _, ref := range slices.Sorted(maps.Keys(used)) {
		c := used[ref]
		c.Properties = &[]cdx.Property{{Name: "timeclock:programs", Value: strings.Join(in[ref], " ")}}
		all, depends = append(all, c), append(depends, ref)
	}
	b := cdx.NewBOM()
	b.Metadata = &cdx.Metadata{Timestamp: at.Format(time.RFC3339), Component: &root}
	b.Components = &all
	b.Dependencies = &[]cdx.Dependency{{Ref: root.BOMRef, Dependencies: &depends}}
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).Encode(b)
}

func component(m debug.Module) cdx.Component {
	ref := "pkg:golang/" + m.Path + "@" + cmp.Or(m.Version, "unknown")
	return cdx.Component{
		Type: cdx.ComponentTypeLibrary, BOMRef: ref, Name: m.Path, Version: m.Version, PackageURL: ref,
	}
}
