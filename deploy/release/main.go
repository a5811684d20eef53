// Command release does for deploy/release.sh what the shell does not do the same twice: it packs
// archives, and lists what programs are made of. It builds nothing and signs nothing.
//
//	release pack OUT.zip|OUT.tar.gz FOLDER      what is in a folder, under the folder's name
//	release bom VERSION PROGRAM...              a software bill of materials on the standard output
//
// Times in what it makes are SOURCE_DATE_EPOCH's (reproducible-builds.org).
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	at := time.Unix(seconds, 0).UTC()
	switch {
	case len(args) == 3 && args[0] == "pack":
		return pack(args[1], args[2], at)
	case len(args) > 2 && args[0] == "bom":
		return bom(os.Stdout, args[1], at, args[2:])
	}
	return errors.New("wrong usage: it takes pack OUT FOLDER, or bom VERSION and programs")
}
