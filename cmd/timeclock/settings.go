package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"timeclock/device/config"
	"timeclock/device/durable"
)

// acceptedFile is the copy of the settings with which the clock was last started, in the
// state directory. Where their own directory takes files there is one beside them, too:
// bad settings may not say any more where the state directory is.
const (
	acceptedFile   = "settings.accepted.toml"
	acceptedSuffix = ".accepted"
)

// startConfig reads the settings for a start. Settings that cannot be read or used are no
// reason for a clock to stand still: it runs on those that it was last started with, and
// problem says so.
func startConfig(path string) (cfg config.Config, problem string, err error) {
	cfg, err = loadConfig(path)
	if text, unread := os.ReadFile(path); err == nil && unread == nil && len(bytes.TrimSpace(text)) == 0 {
		err = fmt.Errorf("%s is empty", path) // nobody means that
	}
	if err == nil {
		return cfg, "", nil
	}
	for _, copied := range acceptedCopies(path) {
		if !isCopyOf(copied, path) {
			continue
		}
		if cfg, bad := loadConfig(copied); bad == nil {
			return cfg, fmt.Sprintf("%v; the clock runs on the settings of its last start (%s) until they are mended "+
				"(timeclock config check) and it is started anew", err, copied), nil
		}
	}
	if cfg.StateDir != "" { // there is nothing better
		return cfg, "", nil
	}
	return cfg, "", err
}

// stateDirSetting finds the state directory in settings of which other parts may be bad.
var stateDirSetting = regexp.MustCompile(`(?m)^\s*state_dir\s*=\s*["']([^"'\n]+)["']`)

// acceptedCopies is where a copy of the settings may be.
func acceptedCopies(path string) []string {
	copies := []string{path + acceptedSuffix}
	if text, err := os.ReadFile(path); err == nil {
		if found := stateDirSetting.FindSubmatch(text); found != nil {
			copies = append(copies, filepath.Join(string(found[1]), acceptedFile))
		}
	}
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" { // systemd.exec(5)
		copies = append(copies, filepath.Join(dir, acceptedFile))
	}
	if path == config.DefaultPath {
		copies = append(copies, filepath.Join(config.Default().StateDir, acceptedFile))
	}
	return copies
}

// copyLine is the first line of a copy: other settings than those are none of its business.
func copyLine(path string) []byte {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return fmt.Appendf(nil, "# With these settings, of %q, the clock was last started.\n", path)
}

func isCopyOf(copied, path string) bool {
	text, err := os.ReadFile(copied)
	return err == nil && bytes.HasPrefix(text, copyLine(path))
}

// accept keeps a copy of settings with which the clock was started. What fails is tried at
// the next start.
func accept(path string, cfg config.Config) {
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	text = append(copyLine(path), text...)
	for _, copied := range []string{filepath.Join(cfg.StateDir, acceptedFile), path + acceptedSuffix} {
		if old, err := os.ReadFile(copied); err != nil || !bytes.Equal(old, text) {
			durable.WriteFile(copied, text)
		}
	}
}
