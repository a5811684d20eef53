package update

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"timeclock/device/durable"
)

// Source is a folder on a web server with packages: timeclock_VERSION_ARCH.deb, beside
// each its signature with .minisig; latest.toml with its signature, which has the newest
// version; and latest.txt, which has just that.
type Source struct {
	URL  string // with a final slash
	Key  string // as an Updater has it: what a portal, say, sends instead is not kept
	HTTP *http.Client
}

// errMissing says that the server has no such file.
var errMissing = errors.New("is not there")

// Fetch downloads what the source offers into a directory: its index and, if that names a
// version for which newer holds, the package. It needs no rights but to write there, and
// decides nothing: whoever takes what is there checks it.
func (s Source) Fetch(ctx context.Context, dir, arch string, newer func(version string) bool) error {
	version, err := s.index(ctx, dir)
	if err != nil || !newer(version) {
		return err
	}
	name := packageName(version, arch)
	if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
		return nil // it waits to be taken, or was refused
	}
	old, err := filepath.Glob(filepath.Join(dir, "timeclock_*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	_, err = s.save(ctx, dir, name, maxPackage)
	return err
}

func packageName(version, arch string) string {
	return fmt.Sprintf("timeclock_%s_%s.deb", version, arch)
}

// index downloads the index, or where there is none the bare one, and returns the version.
func (s Source) index(ctx context.Context, dir string) (version string, err error) {
	text, err := s.save(ctx, dir, indexName, maxIndex)
	if err == nil {
		x, err := parseIndex(text)
		return x.Version, err
	}
	if !errors.Is(err, errMissing) {
		return "", err
	}
	if text, err = s.get(ctx, bareIndexName, maxBareIndex); err != nil {
		return "", err
	}
	if version = strings.TrimSpace(string(text)); !versionText.MatchString(version) {
		return "", fmt.Errorf("%s%s names no version", s.URL, bareIndexName)
	}
	for _, name := range []string{indexName, indexName + signed} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	return version, durable.WriteFile(filepath.Join(dir, bareIndexName), text)
}

// save downloads a file and its signature, and keeps both if they fit.
func (s Source) save(ctx context.Context, dir, name string, most int64) ([]byte, error) {
	signature, err := s.get(ctx, name+signed, maxSignature)
	if err != nil {
		return nil, err
	}
	content, err := s.get(ctx, name, most)
	if err != nil {
		return nil, err
	}
	if err := verify(s.Key, content, signature); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return content, errors.Join(
		durable.WriteFile(filepath.Join(dir, name+signed), signature),
		durable.WriteFile(filepath.Join(dir, name), content),
	)
}

func (s Source) get(ctx context.Context, name string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+name, nil)
	if err != nil {
		return nil, err
	}
	client := *s.HTTP
	client.CheckRedirect = stayPrivate
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return nil, fmt.Errorf("%s%s %w: %s", s.URL, name, errMissing, resp.Status)
	default:
		return nil, fmt.Errorf("%s%s: %s", s.URL, name, resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s%s is larger than %d bytes", s.URL, name, most)
	}
	return text, err
}

// stayPrivate follows a few redirects, and none from https to anything else.
func stayPrivate(req *http.Request, via []*http.Request) error {
	const most = 5
	switch first := via[0].URL; {
	case len(via) > most:
		return fmt.Errorf("more than %d redirects", most)
	case first.Scheme == "https" && req.URL.Scheme != "https":
		return fmt.Errorf("%s is redirected to %s, which is not https", first.Redacted(), req.URL.Redacted())
	}
	return nil
}

// Newer reports whether a version is newer than another, by Debian's rules.
func (u *Updater) Newer(ctx context.Context, version, than string) bool {
	_, err := u.run(ctx, "dpkg", "--compare-versions", version, "gt", than)
	return err == nil
}
