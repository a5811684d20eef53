package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"timeclock/device/durable"

	"github.com/pelletier/go-toml/v2"
)

// said is what a technician has answered, but for secrets: the next card begins with it.
type said struct {
	From     string `toml:"from"` // the image
	Boot     string `toml:"boot"`
	Out      string `toml:"out"` // the folder
	Package  string `toml:"package"`
	Name     string `toml:"name"`
	Language string `toml:"language"`
	Zone     string `toml:"zone"`
	SSID     string `toml:"ssid"`
	Country  string `toml:"country"`
	Page     string `toml:"page"`
	SSHKey   string `toml:"ssh_key"`
}

// saidPath is where it is kept, in the folder that the system has for such; empty: nowhere.
func saidPath() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "timeclock", "card.toml")
}

// lastSaid is that of the last card, or what is likely.
func lastSaid() said {
	a := said{Language: "de", Zone: "Europe/Berlin", Country: "DE", Page: "yes", Name: "door-0"}
	if text, err := os.ReadFile(saidPath()); err == nil {
		toml.Unmarshal(text, &a) // what is not there, or wrong, is asked for all the same
	}
	a.Name = nextName(a.Name)
	return a
}

func (a said) keep() error {
	text, err := toml.Marshal(a)
	path := saidPath()
	if err != nil || path == "" {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(path, text)
}

var endNumber = regexp.MustCompile(`\d+$`)

// nextName is the name that follows: door-2 after door-1.
func nextName(name string) string {
	return endNumber.ReplaceAllStringFunc(name, func(digits string) string {
		n, err := strconv.Atoi(digits)
		if err != nil {
			return digits
		}
		return fmt.Sprintf("%0*d", len(digits), n+1)
	})
}

// likelyImage is the newest image of Raspberry Pi OS Lite that lies where downloads do.
func likelyImage() string {
	var newest string
	var at time.Time
	home, _ := os.UserHomeDir()
	for _, dir := range []string{".", "..", filepath.Join(home, "Downloads"), home} {
		for _, pattern := range []string{"*raspios*lite*.img.xz", "*raspios*lite*.img"} {
			found, _ := filepath.Glob(filepath.Join(dir, pattern))
			for _, path := range found {
				if info, err := os.Stat(path); err == nil && info.ModTime().After(at) {
					newest, at = path, info.ModTime()
				}
			}
		}
	}
	return newest
}

// likelyBoot is where a system shows a card's boot partition.
func likelyBoot() string {
	patterns := []string{"/media/*/bootfs", "/run/media/*/bootfs", "/Volumes/bootfs"}
	for letter := 'D'; letter <= 'Z'; letter++ {
		patterns = append(patterns, string(letter)+`:\`)
	}
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern)
		for _, dir := range found {
			if _, err := os.Stat(filepath.Join(dir, "cmdline.txt")); err == nil {
				return dir
			}
		}
	}
	return ""
}
