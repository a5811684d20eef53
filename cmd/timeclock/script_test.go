package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"timeclock/deploy/image/imagetest"
	"timeclock/device/devicetest"
	"timeclock/reader/mfrc522/mfrc522test/spidevtest"
	"timeclock/sync/zeitstrom/zeitstromtest"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// Nothing here may reach another computer: a proxy that does not exist
	// takes whatever is not loopback.
	os.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	spidevtest.Launch()
	// What an ordinary run has time for, and as many at once as there is to do: most of these tests wait for a
	// daemon most of the time. -rapid.checks and -parallel say otherwise.
	atOnce := strconv.Itoa(2 * runtime.GOMAXPROCS(0))
	if err := errors.Join(flag.Set("rapid.checks", "50"), flag.Set("test.parallel", atOnce)); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"timeclock": main})
}

// TestScripts runs the scripts in testdata/script, which read like the manual:
// the real program, as its users call it, against a Zeitstrom over TCP.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, scriptParams(t, "script"))
}

// scriptParams are those of the scripts in a folder of testdata.
func scriptParams(t *testing.T, folder string) testscript.Params {
	return testscript.Params{
		Dir: filepath.Join("testdata", folder),
		Setup: func(env *testscript.Env) error {
			a, err := newAPI()
			if err != nil {
				return err
			}
			env.Defer(a.down)
			env.Values[apiKey{}], env.Values[deadlineKey{}] = a, devicetest.Deadline(t)
			env.Setenv("API", a.url())
			return os.WriteFile(filepath.Join(env.WorkDir, "token"), []byte("good\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready":      cmdReady,
			"received":   cmdReceived,
			"network":    cmdNetwork,
			"eventually": cmdEventually,
			"employees":  cmdEmployees,
			"books":      cmdBooks,
			"people":     cmdPeople,
			"projects":   cmdProjects,
			"spans":      cmdSpans,
			"exits":      cmdExits,
			"hears":      cmdHears,
			"envsubst":   cmdEnvsubst,
			"cut":        cmdCut,
			"utf16":      cmdUTF16,
			"raspios":    func(ts *testscript.TestScript, _ bool, args []string) { cmdRaspios(t, ts, args) },
		},
	}
}

// What scripts share: their Zeitstrom, and when they give up waiting.
type (
	apiKey      struct{}
	deadlineKey struct{}
)

// api is a Zeitstrom and the way to it.
type api struct {
	server zeitstromtest.Server
	network
}

func newAPI() (*api, error) {
	a := &api{}
	a.server.Token = "good"
	a.handler = &a.server
	return a, a.up()
}

func (a *api) url() string { return "http://" + a.address + zeitstromtest.Base }

// waits gives a script's command the time that it needs.
func waits(ts *testscript.TestScript, f func() error) {
	ts.Check(devicetest.Until(ts.Value(deadlineKey{}).(time.Time), f))
}

// ready STATE_DIR waits until a daemon answers there and its reader works.
func cmdReady(ts *testscript.TestScript, _ bool, args []string) {
	waits(ts, func() error {
		s, err := dial(context.Background(), ts.MkAbs(args[0])).Status()
		if err == nil && !s.Reader.Healthy && len(args) == 1 {
			err = errors.New("the reader is not ready")
		}
		return err
	})
}

// received WANT... waits until Zeitstrom has these bookings and no others, each as
// intent:last digits of the employee id.
func cmdReceived(ts *testscript.TestScript, _ bool, args []string) {
	a := ts.Value(apiKey{}).(*api)
	waits(ts, func() error { return a.has(args) })
}

// has compares what Zeitstrom has with what it should have, each employee's in
// order; between employees there is none.
func (a *api) has(want []string) error {
	var got []string
	for _, t := range a.server.Timestamps() {
		got = append(got, t.Intent+":"+t.Employee[34:])
	}
	byEmployee := func(a, b string) int { return strings.Compare(a[len(a)-2:], b[len(b)-2:]) }
	want = slices.Clone(want)
	slices.SortStableFunc(got, byEmployee)
	slices.SortStableFunc(want, byEmployee)
	if !slices.Equal(got, want) {
		return fmt.Errorf("Zeitstrom has %v, want %v", got, want)
	}
	return nil
}

// network up|down
func cmdNetwork(ts *testscript.TestScript, _ bool, args []string) {
	a := ts.Value(apiKey{}).(*api)
	if args[0] == "down" {
		a.down()
		return
	}
	waits(ts, a.up)
}

// employees ID... says who exists at Zeitstrom.
func cmdEmployees(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value(apiKey{}).(*api).server.SetEmployees(args)
}

// books INTENT EMPLOYEE AGO is a booking by the app, so long ago.
func cmdBooks(ts *testscript.TestScript, _ bool, args []string) {
	ago, err := time.ParseDuration(args[2])
	ts.Check(err)
	ts.Value(apiKey{}).(*api).server.Book(zeitstromtest.Timestamp{
		Intent: args[0], Employee: args[1], Time: time.Now().Add(-ago),
	})
}

// people ID:FIRST:LAST:TOKEN:archived... says who stands at Zeitstrom.
func cmdPeople(ts *testscript.TestScript, _ bool, args []string) {
	var people []zeitstromtest.Employee
	for _, arg := range args {
		f := strings.Split(arg, ":")
		people = append(people, zeitstromtest.Employee{
			ID: f[0], FirstName: f[1], LastName: f[2], Token: f[3], Archived: f[4] != "",
		})
	}
	ts.Value(apiKey{}).(*api).server.SetPeople(people)
}

// projects CODE=NAME... says which projects there are; _ is a space in a name.
func cmdProjects(ts *testscript.TestScript, _ bool, args []string) {
	var projects []zeitstromtest.Project
	for i, arg := range args {
		code, name, _ := strings.Cut(arg, "=")
		projects = append(projects, zeitstromtest.Project{
			ID: fmt.Sprintf("1a2b3c4d-5e6f-7890-abcd-%012d", i), Code: code, Name: strings.ReplaceAll(name, "_", " "),
		})
	}
	ts.Value(apiKey{}).(*api).server.SetProjects(projects)
}

// spans ID EMPLOYEE CHECKIN CHECKOUT puts a timespan there; - leaves it open.
func cmdSpans(ts *testscript.TestScript, _ bool, args []string) {
	t := zeitstromtest.Timespan{ID: args[0], Employee: args[1]}
	var err error
	t.CheckIn, err = time.Parse(time.RFC3339, args[2])
	ts.Check(err)
	if args[3] != "-" {
		t.CheckOut, err = time.Parse(time.RFC3339, args[3])
		ts.Check(err)
	}
	ts.Value(apiKey{}).(*api).server.Put(t)
}

// eventually TEXT COMMAND... runs a command until its output has the text.
func cmdEventually(ts *testscript.TestScript, _ bool, args []string) {
	waits(ts, func() error {
		out, err := program(ts, args[1:]).CombinedOutput()
		if !strings.Contains(string(out), args[0]) {
			return fmt.Errorf("%v says %q (%w)", args[1:], out, err)
		}
		return nil
	})
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

// hears UID COMMAND... runs a command and brings a badge once it asks for one.
func cmdHears(ts *testscript.TestScript, _ bool, args []string) {
	cmd := program(ts, args[1:])
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(ts.Stdout(), lines.Text())
		if strings.HasPrefix(lines.Text(), "Hold ") {
			// It books nothing: the tap is no success, and none is wanted.
			_ = program(ts, []string{"timeclock", "tap", "-config", "timeclock.toml", args[0]}).Run()
		}
	}
	ts.Check(cmd.Wait())
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

// utf16 FILE writes a file anew as Windows PowerShell writes its output.
func cmdUTF16(ts *testscript.TestScript, _ bool, args []string) {
	text := []byte{0xFF, 0xFE}
	for _, unit := range utf16.Encode([]rune(strings.ReplaceAll(ts.ReadFile(args[0]), "\n", "\r\n"))) {
		text = append(text, byte(unit), byte(unit>>8))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// cut FROM TO copies all of a file but its last hundred bytes.
func cmdCut(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text[:len(text)-100]), 0o600))
}

// raspios IMAGE [FILE=TEXT...] makes an image as that of Raspberry Pi OS Lite, packed if its name says so,
// with these files in its boot partition; TEXT - means that it lacks that one, and of issue.txt it is the date.
func cmdRaspios(t *testing.T, ts *testscript.TestScript, args []string) {
	path, packed := strings.CutSuffix(ts.MkAbs(args[0]), ".xz")
	i := imagetest.Image{Packed: packed, Files: map[string]string{}}
	for _, arg := range args[1:] {
		name, text, _ := strings.Cut(arg, "=")
		if name == "issue.txt" {
			text = strings.Replace(imagetest.Usual[name], "2025-11-24", text, 1)
		}
		i.Files[name] = text
	}
	i.Make(t, filepath.Dir(path), filepath.Base(path))
}
