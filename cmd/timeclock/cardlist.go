package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"timeclock/device/roster"
)

// readCards reads a list of devices. What a line leaves empty is as the flags say; its
// files are named from the list's folder.
func readCards(path string, flags card) (list []card, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var header []string
	known := map[string]int{}
	err = roster.Table(f, func(number int, fields []string, broken string) error {
		if broken != "" {
			return fmt.Errorf("line %d cannot be read: %s", number, broken)
		}
		if header == nil {
			header = make([]string, len(fields))
			for i, column := range fields {
				header[i] = strings.ToLower(strings.TrimSpace(column))
				if _, may := flags[header[i]]; !may && header[i] != "" {
					return fmt.Errorf("there is no column %q: use %s", column,
						strings.Join(slices.Sorted(maps.Keys(flags)), ", "))
				}
			}
			return nil
		}
		k, err := cardOf(path, header, fields, flags)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		for _, unique := range []string{"name", "serial"} {
			value := k[unique]
			if at := known[unique+" "+value]; at > 0 && value != "" {
				return fmt.Errorf("line %d: %q is there twice, in line %d, too", number, value, at)
			}
			known[unique+" "+value] = number
		}
		list = append(list, k)
		return nil
	})
	if err == nil && len(list) == 0 {
		err = errors.New("it names no device")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// cardOf is a line of the list.
func cardOf(path string, header, fields []string, flags card) (card, error) {
	k := maps.Clone(flags)
	for i, value := range fields {
		value = strings.TrimSpace(value)
		switch {
		case value == "":
			continue
		case i >= len(header) || header[i] == "":
			return nil, fmt.Errorf("%q stands in a column without a name", value)
		}
		switch header[i] {
		case "name", "timezone":
		case "serial":
			value = strings.ToLower(value)
		default:
			if !filepath.IsAbs(value) {
				value = filepath.Join(filepath.Dir(path), value)
			}
		}
		k[header[i]] = value
	}
	return k, nil
}
