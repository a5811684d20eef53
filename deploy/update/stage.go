package update

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"aead.dev/minisign"

	"timeclock/device/durable"
)

// Verify checks that a package, or an index, is signed by the key.
func (u *Updater) Verify(pkg, signature []byte) error { return verify(u.Key, pkg, signature) }

func verify(public string, pkg, signature []byte) error {
	var key minisign.PublicKey
	if public == "" {
		return errors.New("the settings name no key to check packages by: set [update] key")
	}
	if err := key.UnmarshalText([]byte(public)); err != nil {
		return fmt.Errorf("[update] key is none: %w", err)
	}
	if !minisign.Verify(key, pkg, signature) {
		return errors.New("the signature is not by the key in [update] key, or what was signed has been changed: " +
			"it was not opened")
	}
	return nil
}

// Stage takes a package with its signature, keeps the installed version, and has the
// next Resume begin. Nothing is installed yet, and after an error nothing will be. With a
// version it takes no other: who offers an old package under a new name is refused.
func (u *Updater) Stage(ctx context.Context, pkg, signature []byte, only string) (version string, err error) {
	if err := u.Verify(pkg, signature); err != nil {
		return "", err
	}
	if p, err := u.plan(); err != nil || p != nil {
		return "", errors.Join(err, ErrBusy)
	}
	if err := durable.WriteFile(u.path(newPackage), pkg); err != nil {
		return "", err
	}
	if version, err = u.judge(ctx); err != nil {
		return "", err
	}
	if only != "" && version != only {
		return "", fmt.Errorf("what is offered as version %s is version %s", only, version)
	}
	from, err := u.keep(ctx)
	if err != nil {
		return "", fmt.Errorf("the installed version cannot be kept, so it stays: %w", err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = errors.Join(durable.WriteFile(u.path(helperFile), self), os.Chmod(u.path(helperFile), 0o700))
	}
	if err != nil {
		return "", err
	}
	p := plan{From: from, To: version, Step: install, Reader: u.reads(ctx), StateDir: u.StateDir}
	return version, errors.Join(ctx.Err(), u.save(p))
}

// reads reports whether the reader works; one that nobody can say anything about is
// expected to.
func (u *Updater) reads(ctx context.Context) bool {
	for end := time.Now().Add(steady / 2); ; time.Sleep(look) {
		s, err := u.Ask(ctx, u.StateDir)
		if err == nil || ctx.Err() != nil || time.Now().After(end) {
			return s.Reader == ""
		}
	}
}

// judge reads what the new package says of itself, and returns its version.
func (u *Updater) judge(ctx context.Context) (version string, err error) {
	out, err := u.run(ctx, "dpkg-deb", "--showformat=${Package} ${Architecture} ${Version}", "--show",
		u.path(newPackage))
	if err != nil {
		return "", fmt.Errorf("the package is damaged: %w", err)
	}
	arch, err := u.Architecture(ctx)
	if err != nil {
		return "", err
	}
	words := strings.Fields(out)
	switch {
	case len(words) != 3 || words[0] != "timeclock":
		return "", fmt.Errorf("the package is no time clock: %s", out)
	case words[1] != arch:
		return "", fmt.Errorf("the package is for %s, this device is %s: take that one", words[1], arch)
	}
	return words[2], nil
}
