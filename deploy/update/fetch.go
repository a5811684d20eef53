package update

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// Source is a folder on a web server with packages: timeclock_VERSION_ARCH.deb, beside
// each its signature with .minisig, and latest.txt, which has the newest VERSION.
type Source struct {
	URL  string // with a final slash
	HTTP *http.Client
}

// maxPackage bounds a download; a package has 5 MB.
const maxPackage = 64 << 20

var versionText = regexp.MustCompile(`^[0-9][0-9A-Za-z.+~-]*$`)

// Newest returns the version that the source offers.
func (s Source) Newest(ctx context.Context) (string, error) {
	text, err := s.get(ctx, "latest.txt", 100)
	version := strings.TrimSpace(string(text))
	if err == nil && !versionText.MatchString(version) {
		err = fmt.Errorf("%slatest.txt names no version", s.URL)
	}
	return version, err
}

// Fetch downloads a version. Nothing is said yet about whether it is signed.
func (s Source) Fetch(ctx context.Context, version, arch string) (pkg, signature []byte, err error) {
	name := fmt.Sprintf("timeclock_%s_%s.deb", version, arch)
	if signature, err = s.get(ctx, name+".minisig", 4096); err != nil {
		return nil, nil, err
	}
	pkg, err = s.get(ctx, name, maxPackage)
	return pkg, signature, err
}

func (s Source) get(ctx context.Context, name string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+name, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s%s: %s", s.URL, name, resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s%s is larger than %d bytes", s.URL, name, most)
	}
	return text, err
}

// Newer reports whether a version is newer than another, by Debian's rules.
func (u *Updater) Newer(ctx context.Context, version, than string) bool {
	_, err := u.run(ctx, "dpkg", "--compare-versions", version, "gt", than)
	return err == nil
}
