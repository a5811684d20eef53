package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"timeclock/device/control"
	"timeclock/reader/mfrc522/mfrc522test/spidevtest"
	"timeclock/sync/zeitstrom/zeitstromtest"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// Nothing here may reach another computer: a proxy that does not exist
	// takes whatever is not loopback.
	os.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	if os.Getenv(bareEnv) != "" {
		pollBare()
	}
	spidevtest.Launch()
	testscript.Main(m, map[string]func(){"timeclock": main})
}

// TestScripts runs the scripts in testdata/script, which read like the manual:
// the real program, as its users call it, against a Zeitstrom over TCP.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			a, err := newAPI()
			if err != nil {
				return err
			}
			env.Defer(a.close)
			env.Values[apiKey{}] = a
			env.Setenv("API", a.url())
			return os.WriteFile(filepath.Join(env.WorkDir, "token"), []byte("good\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready":      cmdReady,
			"received":   cmdReceived,
			"network":    cmdNetwork,
			"eventually": cmdEventually,
			"exits":      cmdExits,
			"envsubst":   cmdEnvsubst,
		},
	})
}

type apiKey struct{}

// api is a Zeitstrom whose network can be cut: then nobody listens.
type api struct {
	server zeitstromtest.Server
	addr   string
	http   atomic.Pointer[http.Server]
}

func newAPI() (*api, error) {
	a := &api{addr: "127.0.0.1:0"}
	a.server.Token = "good"
	return a, a.up()
}

func (a *api) up() error {
	l, err := net.Listen("tcp", a.addr)
	if err != nil {
		return err
	}
	a.addr = l.Addr().String()
	srv := &http.Server{Handler: &a.server}
	a.http.Store(srv)
	go srv.Serve(l)
	return nil
}

func (a *api) close() { a.http.Load().Close() }

func (a *api) url() string { return "http://" + a.addr + zeitstromtest.Base }

// soon is how long scripts wait for what must happen.
const soon = 10 * time.Second

func until(f func() error) error {
	var err error
	for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err = f(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("after %v still: %w", soon, err)
}

// ready STATE_DIR waits until a daemon answers there and its reader works.
func cmdReady(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(until(func() error {
		s, err := control.Dial(context.Background(), ts.MkAbs(args[0])).Status()
		if err == nil && !s.Reader.Healthy && len(args) == 1 {
			err = errors.New("the reader is not ready")
		}
		return err
	}))
}

// received WANT... waits until Zeitstrom has these bookings, each as
// intent:last digits of the employee id.
func cmdReceived(ts *testscript.TestScript, _ bool, args []string) {
	a := ts.Value(apiKey{}).(*api)
	ts.Check(until(func() error { return a.has(args) }))
}

// has compares what Zeitstrom has with what it should have.
func (a *api) has(want []string) error {
	var got []string
	for _, t := range a.server.Timestamps() {
		got = append(got, t.Intent+":"+t.Employee[34:])
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		return fmt.Errorf("Zeitstrom has %v, want %v", got, want)
	}
	return nil
}

// network up|down
func cmdNetwork(ts *testscript.TestScript, _ bool, args []string) {
	a := ts.Value(apiKey{}).(*api)
	if args[0] == "down" {
		a.close()
		return
	}
	ts.Check(until(a.up))
}

// eventually TEXT COMMAND... runs a command until its output has the text.
func cmdEventually(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(until(func() error {
		out, err := program(ts, args[1:]).CombinedOutput()
		if !strings.Contains(string(out), args[0]) {
			return fmt.Errorf("%v says %q (%w)", args[1:], out, err)
		}
		return nil
	}))
}

// exits CODE COMMAND... checks an exit code; its output is in the log.
func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	out, err := program(ts, args[1:]).CombinedOutput()
	ts.Logf("%s", out)
	var exit *exec.ExitError
	code := 0
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func program(ts *testscript.TestScript, args []string) *exec.Cmd {
	path := filepath.Join(strings.SplitN(ts.Getenv("PATH"), string(os.PathListSeparator), 2)[0], args[0])
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"))
	return cmd
}

// envsubst FILE fills in $WORK and $API.
func cmdEnvsubst(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(os.Expand(text, ts.Getenv)), 0o600))
}
