package update

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"timeclock/device"
)

// keep makes a package of the installed version, as it is installed, and returns its
// version. dpkg keeps none.
func (u *Updater) keep(ctx context.Context) (version string, err error) {
	if version, err = u.run(ctx, "dpkg-query", "--showformat=${Version}", "--show", "timeclock"); err != nil {
		return "", err
	}
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
	for _, name := range []string{"postinst", "prerm", "postrm", "conffiles", "md5sums"} {
		err := copyFile(filepath.Join("/var/lib/dpkg/info", "timeclock."+name), filepath.Join(root, "DEBIAN", name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
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
			err = copyFile(path, filepath.Join(root, path))
			fallthrough
		default:
			if err != nil {
				return "", err
			}
		}
	}
	if _, err := u.run(ctx, "dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", root, u.path(oldPackage+".new")); err != nil {
		return "", err
	}
	return version, device.Rename(u.path(oldPackage+".new"), u.path(oldPackage))
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
