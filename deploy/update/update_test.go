package update

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

func TestOfPackage(t *testing.T) {
	const status = "Package: timeclock\nStatus: install ok installed\nPriority: optional\nVersion: " +
		"1.0\nConffiles:\n /etc/timeclock/timeclock.toml 0123\n /etc/x 4567\nDescription: clock\n It is one.\n"
	const want = "Package: timeclock\nPriority: optional\nVersion: 1.0\nDescription: clock\n It is one.\n"
	if got := ofPackage(status); got != want {
		t.Errorf("%q", got)
	}
}

// tools are programs that stand in for dpkg and its like.
func tools(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// under makes an update that is under way, of a clock that is healthy as version 2 or
// not at all.
func under(t *testing.T, p plan) *Updater {
	t.Helper()
	u := &Updater{
		Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Restart: func(context.Context) error { return nil },
		Ask: func(context.Context, string) (State, error) { return State{}, errors.New("nobody answers") },
	}
	if err := u.save(p); err != nil {
		t.Fatal(err)
	}
	return u
}

// Whoever interrupts an update, by a signal or by switching off, gets one that goes on:
// neither is a fault of the new version.
func TestInterruptedGoesOn(t *testing.T) {
	tools(t, map[string]string{"dpkg": "sleep 1", "dpkg-query": "printf 2"})
	for step, want := range map[step]step{install: install, watch: watch} {
		u := under(t, plan{From: "1", To: "2", Step: step})
		ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := u.Resume(ctx)
		stop()
		if p, _ := u.plan(); !errors.Is(err, context.DeadlineExceeded) || p == nil || p.Step != want ||
			u.Failed() != "" {
			t.Errorf("interrupted in %s: %v, %+v", step, err, p)
		}
	}
}

// A version that never lets a step come to its end is taken back in the end.
func TestTries(t *testing.T) {
	tools(t, map[string]string{"dpkg": "exit 0", "dpkg-query": "printf 2"})
	u := under(t, plan{From: "1", To: "2", Step: watch, Tries: maxTries})
	ask := u.Ask
	u.Ask = func(ctx context.Context, dir string) (State, error) {
		if p, _ := u.plan(); p == nil || p.Step == goBack {
			return State{Version: "1"}, nil
		}
		return ask(ctx, dir)
	}
	if _, err := u.Resume(t.Context()); err == nil ||
		!strings.Contains(err.Error(), `2 was taken back, 1 runs again: the step "watch" did not come to its end 3 `+
			`times`) {
		t.Error(err)
	}
	if p, err := u.plan(); p != nil || err != nil || u.Failed() != "2" {
		t.Errorf("%+v, %v, failed %q", p, err, u.Failed())
	}
}

// A package that dpkg refuses is taken back at once; one of which dpkg says that another
// process works is tried again.
func TestRefusedByDpkg(t *testing.T) {
	for says, tries := range map[string]int{
		"dpkg: error processing package timeclock (--install): installed timeclock package post-installation script": 1,
		"dpkg: error: dpkg frontend lock was locked by another process with pid 1":                                   2,
	} {
		dir := t.TempDir()
		calls := filepath.Join(dir, "calls")
		tools(t, map[string]string{
			"dpkg": `echo install >>` + calls + `; [ $(wc -l <` + calls + `) -gt 1 ] || { echo "` + says +
				`" >&2; exit 1; }`,
			"dpkg-query": "printf 2",
		})
		u := under(t, plan{})
		u.Dir = dir
		err := u.install(newPackage)
		made, _ := os.ReadFile(calls)
		if n := strings.Count(string(made), "install"); n != tries || (tries == 1) != (err != nil) {
			t.Errorf("%q: dpkg was called %d times, %v", says, n, err)
		}
	}
}

// Whatever was installed by others meanwhile stays.
func TestReplaced(t *testing.T) {
	tools(t, map[string]string{"dpkg": "exit 1", "dpkg-query": "printf 3"})
	for _, s := range []step{watch, goBack} {
		u := under(t, plan{From: "1", To: "2", Step: s})
		if _, err := u.Resume(t.Context()); !errors.Is(err, errReplaced) {
			t.Errorf("%s: %v", s, err)
		}
		if p, err := u.plan(); p != nil || err != nil {
			t.Errorf("%s: %+v, %v", s, p, err)
		}
	}
}
