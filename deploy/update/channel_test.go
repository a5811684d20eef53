package update

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aead.dev/minisign"
)

// server is a folder on a web server.
type server struct {
	*httptest.Server
	files map[string]string
	asked []string
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{files: map[string]string{}}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/x/")
		s.asked = append(s.asked, name)
		text, ok := s.files[name]
		if to, moved := strings.CutPrefix(text, "moved to "); moved {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(text))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) source(key string) Source {
	return Source{URL: s.URL + "/x/", Key: key, HTTP: s.Client()}
}

// put puts a file there, with its signature.
func (s *server) put(key minisign.PrivateKey, name, text string) {
	s.files[name], s.files[name+signed] = text, string(minisign.Sign(key, []byte(text)))
}

// today is when the tests take place.
var today = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func dated(day, version string, withdrawn ...string) string {
	return fmt.Sprintf("date = %s\nversion = %q\nwithdrawn = [%s]\n", day, version, strings.Join(withdrawn, ", "))
}

const arch = "arm64"

func newerThan1(version string) bool { return version > "1" }

// A fetcher downloads an index and a package, each once, and keeps one package.
func TestFetch(t *testing.T) {
	public, key := keyPair(t)
	s, dir := serve(t), t.TempDir()
	here := func() string {
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			names[i] = filepath.Base(name)
		}
		return strings.Join(names, " ")
	}
	fetch := func() error { return s.source(public).Fetch(t.Context(), dir, arch, newerThan1) }
	if err := fetch(); !errors.Is(err, errMissing) {
		t.Errorf("an empty folder: %v", err)
	}
	s.files[bareIndexName] = "2\n"
	if err := fetch(); !errors.Is(err, errMissing) {
		t.Errorf("without its package: %v", err)
	}
	for _, v := range []string{"2", "3"} {
		s.files[packageName(v, arch)], s.files[packageName(v, arch)+signed] = "<html>a captive portal</html>", "<html>"
		if err := fetch(); v == "2" && err == nil || strings.Contains(here(), "timeclock") {
			t.Errorf("a portal's answer: %v, %s", err, here())
		}
	}
	for _, v := range []string{"2", "3"} {
		s.put(key, packageName(v, arch), "package "+v)
	}
	for range 2 {
		if err := fetch(); err != nil || here() != "latest.txt timeclock_2_arm64.deb timeclock_2_arm64.deb.minisig" {
			t.Errorf("%v, %s", err, here())
		}
	}
	s.put(key, indexName, dated("2026-11-01", "3"))
	for range 2 {
		const want = "latest.toml latest.toml.minisig latest.txt timeclock_3_arm64.deb timeclock_3_arm64.deb.minisig"
		if err := fetch(); err != nil || here() != want {
			t.Errorf("%v, %s", err, here())
		}
	}
	got := strings.Count(strings.Join(s.asked, " "), "timeclock_3_arm64.deb ")
	if text, err := os.ReadFile(filepath.Join(dir, "timeclock_3_arm64.deb")); err != nil ||
		string(text) != "package 3" || got > 1 {
		t.Errorf("%q, %v, asked for %d times", text, err, got)
	}
	s.put(key, indexName, dated("2026-11-02", "1"))
	if err := fetch(); err != nil || !strings.Contains(here(), "timeclock_3") {
		t.Errorf("an older one: %v, %s", err, here())
	}
}

// What a server should not send is refused.
func TestFetchIsBounded(t *testing.T) {
	public, key := keyPair(t)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("2")) }))
	defer plain.Close()
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a path for a version": {map[string]string{bareIndexName: "../../etc/passwd"}, "names no version"},
		"a long bare version":  {map[string]string{bareIndexName: strings.Repeat("1", 200)}, "larger than 100 bytes"},
		"a long index": {
			map[string]string{indexName: strings.Repeat("#", maxIndex+1), indexName + signed: "y"},
			"larger than 16384 bytes",
		},
		"an index without a sign": {map[string]string{indexName: dated("2026-11-01", "2")}, "latest.txt is not there"},
		"an index by another": {
			map[string]string{indexName: dated("2026-11-01", "2"), indexName + signed: "y"},
			"the signature is not by the key",
		},
		"no index": {map[string]string{indexName: "<html>", indexName + signed: "x"}, "cannot be read"},
		"an index of a path": {
			map[string]string{indexName: dated("2026-11-01", "2/../../x"), indexName + signed: "x"}, "names no version",
		},
		"no date": {map[string]string{indexName: `version = "2"`, indexName + signed: "x"}, "has no date"},
		"something else in it": {
			map[string]string{indexName: dated("2026-11-01", "2") + "run = 1\n", indexName + signed: "x"},
			"cannot be read",
		},
		"offered and withdrawn": {
			map[string]string{indexName: dated("2026-11-01", "2", `"2"`), indexName + signed: "x"},
			"which is withdrawn",
		},
		"a way out of https": {map[string]string{indexName + signed: "moved to " + plain.URL}, "is not https"},
		"a circle": {
			map[string]string{indexName + signed: "moved to latest.toml.minisig"}, "more than 5 redirects",
		},
		"a long signature": {
			map[string]string{bareIndexName: "2", "timeclock_2_arm64.deb.minisig": strings.Repeat("x", 5000)},
			"larger than 4096 bytes",
		},
	} {
		s, dir := serve(t), t.TempDir()
		for name, text := range tc.files {
			switch {
			case tc.files[name+signed] == "x":
				s.put(key, name, text)
			case text != "x":
				s.files[name] = text
			}
		}
		err := s.source(public).Fetch(t.Context(), dir, arch, newerThan1)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if packages, _ := filepath.Glob(filepath.Join(dir, "*.deb")); len(packages) > 0 {
			t.Errorf("%s: %v", name, packages)
		}
	}
}

// taker is an updater whose package manager says what is written in a package: NAME ARCH
// VERSION.
func taker(t *testing.T) (u *Updater, key minisign.PrivateKey, downloads string) {
	t.Helper()
	public, key := keyPair(t)
	tools(t, map[string]string{
		"dpkg": `case $1 in
			--print-architecture) echo arm64 ;;
			--compare-versions) [ "$(printf '%s\n%s\n' "$2" "$4" | sort -V | tail -1)" = "$2" ] && [ "$2" != "$4" ] ;;
			esac`,
		"dpkg-deb": `case $1 in
			--root-owner-group) mkdir -p "$(dirname "$6")"; : >"$6" ;;
			*) cat "$3" ;;
			esac`,
		"dpkg-query": `case $1 in
			--showformat*) printf 1 ;;
			--status) printf 'Package: timeclock\nVersion: 1\n' ;;
			--listfiles) echo /. ;;
			esac`,
	})
	u = &Updater{
		Dir: t.TempDir(), Shown: t.TempDir(), Key: public, Log: slog.New(slog.DiscardHandler),
		Ask: func(context.Context, string) (State, error) { return State{Version: "1"}, nil },
	}
	return u, key, t.TempDir()
}

// left is what a fetcher has left.
func left(t *testing.T, downloads string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(downloads, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func offer(key minisign.PrivateKey, index, version string) map[string]string {
	pkg := "timeclock arm64 " + version
	return map[string]string{
		indexName: index, indexName + signed: string(minisign.Sign(key, []byte(index))),
		packageName(version, arch): pkg, packageName(version, arch) + signed: string(minisign.Sign(key, []byte(pkg))),
	}
}

// Root takes what is signed and newer, and stages it; nothing else.
func TestTake(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(key minisign.PrivateKey, downloads string, u *Updater) error
		staged string
		want   string
	}{
		"good": {nil, "2", ""},
		"by the bare index": {func(_ minisign.PrivateKey, d string, _ *Updater) error {
			return errors.Join(os.Remove(filepath.Join(d, indexName)),
				os.WriteFile(filepath.Join(d, bareIndexName), []byte("2\n"), 0o600))
		}, "2", ""},
		"nothing fetched yet": {
			func(_ minisign.PrivateKey, d string, _ *Updater) error { return os.Remove(filepath.Join(d, indexName)) },
			"", "",
		},
		"it has failed before": {func(_ minisign.PrivateKey, _ string, u *Updater) error {
			return os.WriteFile(u.path(failedFile), []byte("2"), 0o600)
		}, "", ""},
		"an index by somebody else": {func(_ minisign.PrivateKey, d string, _ *Updater) error {
			_, other := keyPair(t)
			return os.WriteFile(filepath.Join(d, indexName+signed),
				minisign.Sign(other, []byte(dated("2026-11-20", "2"))), 0o600)
		}, "", "latest.toml: the signature is not by the key"},
		"a package by somebody else": {func(_ minisign.PrivateKey, d string, _ *Updater) error {
			_, other := keyPair(t)
			return os.WriteFile(filepath.Join(d, packageName("2", arch)+signed),
				minisign.Sign(other, []byte("timeclock arm64 2")), 0o600)
		}, "", "the signature is not by the key"},
		"an old package under a new name": {func(key minisign.PrivateKey, d string, _ *Updater) error {
			const old = "timeclock arm64 0.5"
			name, signature := packageName("2", arch), minisign.Sign(key, []byte(old))
			left(t, d, map[string]string{name: old, name + signed: string(signature)})
			return nil
		}, "", "what is offered as version 2 is version 0.5"},
		"of tomorrow's week": {func(key minisign.PrivateKey, d string, _ *Updater) error {
			left(t, d, offer(key, dated("2026-12-04", "2"), "2"))
			return nil
		}, "", "which is not yet"},
		"a link for an index": {func(_ minisign.PrivateKey, d string, _ *Updater) error {
			return errors.Join(os.Remove(filepath.Join(d, indexName)),
				os.Symlink("/etc/passwd", filepath.Join(d, indexName)))
		}, "", "is a link"},
		"a link for a package": {func(_ minisign.PrivateKey, d string, _ *Updater) error {
			path := filepath.Join(d, packageName("2", arch))
			return errors.Join(os.Rename(path, path+".away"), os.Symlink(path+".away", path))
		}, "", "is a link"},
		"a pipe for a package": {func(_ minisign.PrivateKey, d string, _ *Updater) error {
			path := filepath.Join(d, packageName("2", arch))
			return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600))
		}, "", "is no file"},
		"a package without an end": {func(_ minisign.PrivateKey, d string, _ *Updater) error {
			return os.Truncate(filepath.Join(d, packageName("2", arch)), maxPackage+1)
		}, "", "has more than"},
		"a plan of the fetcher's": {func(_ minisign.PrivateKey, d string, _ *Updater) error {
			left(t, d, map[string]string{planFile: `{"from":"1","to":"9","step":"install"}`, helperFile: "#!/bin/sh"})
			return os.Remove(filepath.Join(d, indexName))
		}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			u, key, downloads := taker(t)
			left(t, downloads, offer(key, dated("2026-11-20", "2"), "2"))
			if tc.change != nil {
				if err := tc.change(key, downloads, u); err != nil {
					t.Fatal(err)
				}
			}
			staged, err := u.Take(t.Context(), downloads, "1", today)
			if staged != tc.staged || (err == nil) != (tc.want == "") || err != nil &&
				!strings.Contains(err.Error(), tc.want) {
				t.Errorf("staged %q, %v, want %q, %q", staged, err, tc.staged, tc.want)
			}
			p, err := u.plan()
			if err != nil || (p != nil) != (tc.staged != "") || p != nil && p.To != tc.staged {
				t.Errorf("the plan is %+v, %v", p, err)
			}
			if c := ReadChannel(u.Shown); (c.Problem != "") != (tc.want != "") {
				t.Errorf("it shows %+v", c)
			}
		})
	}
}

// Once a dated index was seen nothing older is believed, nor one without a date; one that is
// not signed anew is told after a while, by a clock that knows the day; so is a version that
// was withdrawn.
func TestChannel(t *testing.T) {
	u, key, downloads := taker(t)
	take := func(index string, now time.Time) error {
		left(t, downloads, offer(key, index, "1"))
		_, err := u.Take(t.Context(), downloads, "1", now)
		return err
	}
	for _, day := range []string{"2026-11-01", "2026-11-20", "2026-11-20"} {
		if err := take(dated(day, "1", `"0.9"`), today); err != nil ||
			ReadChannel(u.Shown).Date.Format(time.DateOnly) != day {
			t.Errorf("%s: %v, %+v", day, err, ReadChannel(u.Shown))
		}
	}
	for _, old := range []string{
		dated("2026-11-19", "1"), dated("2026-11-19T23:59:59Z", "1"), dated("2026-11-20", "0.8"),
	} {
		if err := take(old, today); err == nil || !strings.Contains(err.Error(), "offers an old one") {
			t.Errorf("%s: %v", old, err)
		}
	}
	// An index of the same day takes no withdrawal back.
	if err := take(dated("2026-11-20", "1"), today); err != nil || len(ReadChannel(u.Shown).Withdrawn) != 1 {
		t.Errorf("of the same day: %v, %+v", err, ReadChannel(u.Shown))
	}
	left(t, downloads, map[string]string{bareIndexName: "2"})
	if err := os.Remove(filepath.Join(downloads, indexName)); err != nil {
		t.Fatal(err)
	}
	if staged, err := u.Take(t.Context(), downloads, "1", today); staged != "" || err != nil {
		t.Errorf("by a bare index: %q, %v", staged, err)
	}
	c := ReadChannel(u.Shown)
	for _, tc := range []struct {
		version string
		now     time.Time
		want    string
	}{
		{"1", today, ""},
		{"1", today.AddDate(0, 0, 52), ""},
		{"1", today.AddDate(0, 0, 54), "nothing new was said of updates since 2026-11-20"},
		{"1", time.Time{}, ""},
		{"0.9", time.Time{}, "version 0.9, which runs here, was withdrawn"},
	} {
		if got := c.Warning(tc.version, tc.now); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("version %s at %v: %q, want %q", tc.version, tc.now, got, tc.want)
		}
	}
	if info, err := os.Stat(filepath.Join(u.Shown, channelFile)); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.Remove(filepath.Join(u.Shown, channelFile)); err != nil {
		t.Fatal(err)
	}
	if err := u.Show(); err != nil || ReadChannel(u.Shown).Date.IsZero() {
		t.Errorf("after a restart of the device: %v, %+v", err, ReadChannel(u.Shown))
	}
	if (Channel{}).Warning("1", today) != "" {
		t.Error("a clock that has seen no index yet warns")
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(dated("2026-11-27", "1.2", `"1.1"`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		if x, err := parseIndex(text); err == nil && (!versionText.MatchString(x.Version) || x.Date.IsZero()) {
			t.Errorf("%+v", x)
		}
	})
}
