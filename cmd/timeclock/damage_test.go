package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/devicetest"
)

// nobody is the user that runs the clock in these tests if they run as root: a user who
// may read and write only what is theirs.
const nobody = 65534

// clockFiles is a directory with a clock's files, which are nobody's.
type clockFiles struct {
	t        *testing.T
	program  string
	dir      string
	settings string
	state    string
}

// newClockFiles makes a clock that has worked: with badges, a booking, and an admin.
func newClockFiles(t *testing.T, api string) *clockFiles {
	dir, err := os.MkdirTemp("", "clock-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	if err := errors.Join(os.Chmod(dir, 0o755), copyTo(self, program, 0o755)); err != nil {
		t.Fatal(err)
	}
	f := &clockFiles{t: t, program: program, dir: filepath.Join(dir, "worked")}
	f.place()
	f.make(api)
	return f
}

func (f *clockFiles) place() {
	f.settings, f.state = filepath.Join(f.dir, "etc", "timeclock.toml"), filepath.Join(f.dir, "state")
}

func copyTo(from, to string, mode os.FileMode) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(to, content, mode), os.Chmod(to, mode))
}

func (f *clockFiles) make(api string) {
	t := f.t
	t.Helper()
	text := fmt.Sprintf("state_dir = %q\n[zeitstrom]\nurl = %q\ntoken_file = %q\nca_file = %q\n"+
		"[reader]\ndriver = \"simulated\"\npoll = \"20ms\"\n"+
		"[display]\ndriver = \"none\"\n[terminal]\nlockout = \"0s\"\n[web]\nlisten = \"127.0.0.1:0\"\ncert_file = "+
		"%q\nkey_file = %q\n",
		f.state, api, filepath.Join(f.dir, "etc", "token"), filepath.Join(f.dir, "etc", "ca.pem"),
		filepath.Join(f.dir, "etc", "page-cert.pem"), filepath.Join(f.dir, "etc", "page-key.pem"))
	badges := "uid,employee_id,name\n"
	for n := range 5 {
		badges += fmt.Sprintf("%s,%s,Employee %d\n", badgeOf(n).Hex(), employeeOf(n), n)
	}
	cert, key := selfSigned(t)
	for name, content := range map[string][]byte{
		"timeclock.toml": []byte(text), "token": []byte("good"), "badges.csv": []byte(badges),
		"ca.pem": cert, "page-cert.pem": cert, "page-key.pem": key,
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(f.settings), 0o755),
			os.WriteFile(filepath.Join(f.dir, "etc", name), content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(f.state, 0o750); err != nil {
		t.Fatal(err)
	}
	f.own()
	stop := f.start()
	client := dial(t.Context(), f.state)
	list, err := os.ReadFile(filepath.Join(f.dir, "etc", "badges.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := f.command("badge", "import", "-config", f.settings,
		filepath.Join(f.dir, "etc", "badges.csv")).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", list, err, out)
	}
	if a, err := client.Tap(badgeOf(0)); err != nil || a.Outcome != device.CheckedIn {
		t.Fatalf("%+v, %v", a, err)
	}
	stop()
	account := `[{"name":"anna","role":"admin","salt":"AAAA","hash":"AAAA"}]`
	err = errors.Join(copyTo(filepath.Join(f.state, "queue.db"), filepath.Join(f.state, "queue.db.snapshot"), 0o600),
		os.WriteFile(filepath.Join(f.state, "accounts.json"), []byte(account), 0o600),
		os.WriteFile(filepath.Join(f.state, "accounts.mark"), nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(f.dir, "etc", "badges.csv"))
	f.own()
}

// own gives all files to the clock's user.
func (f *clockFiles) own() {
	if os.Geteuid() != 0 {
		return
	}
	err := filepath.WalkDir(f.dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, nobody, nobody))
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// copied is a copy of the files at another place.
func (f *clockFiles) copied(t *testing.T) *clockFiles {
	t.Helper()
	c := &clockFiles{t: t, program: f.program}
	var err error
	if c.dir, err = os.MkdirTemp(filepath.Dir(f.dir), "copy-"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(c.dir, 0o755), os.CopyFS(c.dir, os.DirFS(f.dir))); err != nil {
		t.Fatal(err)
	}
	c.place()
	for _, settings := range []string{c.settings, c.settings + acceptedSuffix, filepath.Join(c.state, acceptedFile)} {
		text, err := os.ReadFile(settings)
		if err == nil {
			err = os.WriteFile(settings, bytes.ReplaceAll(text, []byte(f.dir), []byte(c.dir)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	err = filepath.WalkDir(c.dir, func(path string, e fs.DirEntry, err error) error {
		mode := os.FileMode(0o600)
		if err == nil && e.IsDir() {
			mode = 0o750
		}
		return errors.Join(err, os.Chmod(path, mode))
	})
	if err != nil {
		t.Fatal(err)
	}
	c.own()
	return c
}

func (f *clockFiles) command(args ...string) *exec.Cmd {
	cmd := exec.Command(f.program)
	cmd.Args = append([]string{"timeclock"}, args...)
	cmd.Dir = f.dir
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

// start starts the clock and waits until it answers; stop ends it.
func (f *clockFiles) start() (stop func()) {
	f.t.Helper()
	var log bytes.Buffer
	cmd := f.command("run", "-config", f.settings)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithCancel(context.Background())
	client := dial(ctx, f.state)
	giveUp := time.After(time.Until(devicetest.Deadline(f.t)))
	for {
		if s, err := client.Status(); err == nil && s.Reader.Healthy {
			break
		}
		select {
		case err := <-ended:
			cancel()
			f.t.Fatalf("it did not start: %v\n%s", err, &log)
		case <-giveUp:
			cmd.Process.Kill()
			<-ended
			cancel()
			f.t.Fatalf("it does not answer\n%s", &log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return func() {
		f.t.Helper()
		cancel()
		cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			f.t.Errorf("it ended with %v\n%s", err, &log)
		}
	}
}

var fileDamages = map[string]func(path string) error{
	"missing": os.Remove,
	"empty":   func(path string) error { return os.Truncate(path, 0) },
	"half":    func(path string) error { return changed(path, func(b []byte) []byte { return b[:len(b)/2] }) },
	"zeros": func(path string) error {
		return changed(path,
			func(b []byte) []byte { return make([]byte, len(b)) })
	},
	"a flipped bit": func(path string) error { return changed(path, flip) },
	"a directory":   func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	"no permission": func(path string) error { return os.Chmod(path, 0) },
}

// selfSigned makes a certificate and its key.
func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{
		Type: "PRIVATE KEY", Bytes: keyDER,
	})
}

func flip(b []byte) []byte {
	if len(b) > 0 {
		b[len(b)/2] ^= 4
	}
	return b
}

func changed(path string, how func([]byte) []byte) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, how(content), 0o600)
}

// TestDamagedFiles damages every file that a clock has, and every one that its settings
// name, in every way. The clock starts, and books; or it says why it does not.
func TestDamagedFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes a while")
	}
	t.Parallel()
	a, err := newAPI()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.down)
	worked := newClockFiles(t, a.url())
	var files []string
	err = filepath.WalkDir(worked.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			rel, relErr := filepath.Rel(worked.dir, path)
			files, err = append(files, rel), relErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 12 {
		t.Errorf("the clock has only %q", files)
	}
	for _, file := range files {
		for name, damage := range fileDamages {
			t.Run(file+"/"+name, func(t *testing.T) {
				t.Parallel()
				c := worked.copied(t)
				defer os.RemoveAll(c.dir)
				if err := damage(filepath.Join(c.dir, file)); err != nil {
					t.Fatal(err)
				}
				c.own()
				stop := c.start()
				defer stop()
				client := dial(t.Context(), c.state)
				answer, err := client.Tap(badgeOf(1))
				if err != nil {
					t.Fatal(err)
				}
				s, err := client.Status()
				if err != nil {
					t.Fatal(err)
				}
				if booked := answer.Outcome == device.CheckedIn || answer.Outcome == device.CheckedOut; !booked ||
					answer.Employee != employeeOf(1) {
					t.Errorf("a tap: %+v\n%+v", answer, s)
				}
				if said := whatItSays(s); said == "" && needed[file] && name != "no permission" &&
					!unseen[file+" "+name] {
					t.Errorf("nothing is said of it: %+v", s)
				}
				if p, err := client.Pair(); err == nil && file == "state/accounts.json" && name != "no permission" {
					t.Errorf("it pairs: %+v", p)
				}
			})
		}
	}
}

// needed are the files without which something is amiss.
var needed = map[string]bool{
	"state/roster.csv": true, "state/accounts.json": true, "etc/timeclock.toml": true, "state/queue.db": true,
}

// unseen are damages of which nothing is to be seen: pages that are not in use.
var unseen = map[string]bool{"state/queue.db half": true, "state/queue.db a flipped bit": true}

// whatItSays is all that a status has of trouble.
func whatItSays(s admin.Status) string {
	return strings.Join([]string{
		s.Storage.Problem, s.Storage.Notice, s.Roster.Damage, s.Page.Problem, s.Settings.Problem,
	}, "")
}
