package update

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aead.dev/minisign"
)

func keyPair(t *testing.T) (string, minisign.PrivateKey) {
	t.Helper()
	public, private, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return public.String(), private
}

// A package is taken with a signature by the key, and by no other. That of the program
// minisign is tried by deploy/test-update.sh.
func TestVerify(t *testing.T) {
	key, private := keyPair(t)
	_, other := keyPair(t)
	pkg := []byte("a package")
	good := minisign.Sign(private, pkg)
	for name, c := range map[string]struct {
		key            string
		pkg, signature []byte
		want           string
	}{
		"good":             {key, pkg, good, ""},
		"somebody else's":  {key, pkg, minisign.Sign(other, pkg), "not by the key"},
		"another package":  {key, []byte("a package!"), good, "not by the key"},
		"cut off":          {key, pkg, good[:len(good)-40], "not by the key"},
		"no signature":     {key, pkg, nil, "not by the key"},
		"no key":           {"", pkg, good, "set [update] key"},
		"a key that is no": {"RWnonsense", pkg, good, "key is none"},
	} {
		u := &Updater{Key: c.key}
		switch err := u.Verify(c.pkg, c.signature); {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Two updates do not happen at once.
func TestLock(t *testing.T) {
	u := &Updater{Dir: filepath.Join(t.TempDir(), "update")}
	unlock, err := u.Lock(false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Lock(false); err != ErrBusy {
		t.Errorf("a second one: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if unlock, err = u.Lock(true); err != nil {
		t.Error(err)
	} else if err := unlock(); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(u.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestSource(t *testing.T) {
	files := map[string]string{
		"/x/latest.txt": "1.2\n", "/x/timeclock_1.2_arm64.deb": "package", "/x/timeclock_1.2_arm64.deb.minisig": "signature",
		"/odd/latest.txt": "../../etc/passwd", "/long/latest.txt": strings.Repeat("1", 200),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
		}
		w.Write([]byte(text))
	}))
	defer server.Close()
	source := func(folder string) Source { return Source{URL: server.URL + folder, HTTP: server.Client()} }
	version, err := source("/x/").Newest(t.Context())
	if err != nil || version != "1.2" {
		t.Errorf("%q, %v", version, err)
	}
	pkg, signature, err := source("/x/").Fetch(t.Context(), "1.2", "arm64")
	if err != nil || string(pkg) != "package" || string(signature) != "signature" {
		t.Errorf("%q, %q, %v", pkg, signature, err)
	}
	if _, _, err := source("/x/").Fetch(t.Context(), "1.2", "armhf"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a package that is not there: %v", err)
	}
	for folder, want := range map[string]string{"/odd/": "names no version", "/long/": "larger than 100 bytes", "/none/": "404"} {
		if _, err := source(folder).Newest(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", folder, err, want)
		}
	}
}

func TestOfPackage(t *testing.T) {
	const status = "Package: timeclock\nStatus: install ok installed\nPriority: optional\nVersion: 1.0\nConffiles:\n /etc/timeclock/timeclock.toml 0123\n /etc/x 4567\nDescription: clock\n It is one.\n"
	const want = "Package: timeclock\nPriority: optional\nVersion: 1.0\nDescription: clock\n It is one.\n"
	if got := ofPackage(status); got != want {
		t.Errorf("%q", got)
	}
}
