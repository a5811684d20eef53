package update

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"timeclock/device/durable"
)

// keep makes a package of the installed version, as it is installed, and returns its
// version. dpkg keeps none.
func (u *Updater) keep(ctx context.Context) (version string, err error) {
	if version, err = u.installed(ctx); err != nil {
		return "", err
	}
	defer readable()() // dpkg wants its folders so
	root := u.path("kept")
	if err := os.RemoveAll(root); err != nil {
		return "", err
	}
	defer os.RemoveAll(root)
	control, err := u.run(ctx, "dpkg-query", "--status", "timeclock")
	if err != nil {
		return "", err
	}
	if err := write(filepath.Join(root, "DEBIAN", "control"), []byte(ofPackage(control)), 0o644); err != nil {
		return "", err
	}
	names, err := u.run(ctx, "dpkg-query", "--control-list", "timeclock")
	if err != nil {
		return "", err
	}
	for _, name := range append(strings.Fields(names), "conffiles") { // which it has, but does not list
		text, err := u.run(ctx, "dpkg-query", "--control-show", "timeclock", name)
		if err != nil {
			return "", err
		}
		if err := write(filepath.Join(root, "DEBIAN", name), []byte(text), scriptMode(name)); err != nil {
			return "", err
		}
	}
	files, err := u.run(ctx, "dpkg-query", "--listfiles", "timeclock")
	if err != nil {
		return "", err
	}
	for _, path := range strings.Split(strings.TrimSpace(files), "\n") {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // what the admin, or a lean system, has removed
		case err == nil && info.Mode().IsRegular():
			err = copyFile(asShipped(path), filepath.Join(root, path))
			fallthrough
		default:
			if err != nil {
				return "", err
			}
		}
	}
	if _, err := u.run(ctx, "dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", root,
		u.path(oldPackage+".new")); err != nil {
		return "", err
	}
	return version, durable.Rename(u.path(oldPackage+".new"), u.path(oldPackage))
}

// scriptMode is the mode of a file that is dpkg's own: scripts are executable.
func scriptMode(name string) fs.FileMode {
	if strings.HasPrefix(name, "pre") || strings.HasPrefix(name, "post") {
		return 0o755
	}
	return 0o644
}

// asShipped is where a file is as it came. Of settings that is another place: a package
// with the admin's own would have dpkg take them for untouched, and replace them by the
// next one's.
func asShipped(path string) string {
	if name, ok := strings.CutPrefix(path, "/etc/timeclock/"); ok {
		return filepath.Join("/usr/share/timeclock", name)
	}
	return path
}

var statusOnly = regexp.MustCompile(`(?m)^(Status|Config-Version): .*\n|^Conffiles:\n( .*\n)+`)

// ofPackage returns the control file of a package from what dpkg says of it when it is
// installed.
func ofPackage(status string) string { return statusOnly.ReplaceAllString(status, "") }

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return write(to, text, info.Mode().Perm())
}

func write(path string, text []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path, text, mode), os.Chmod(path, mode))
}
