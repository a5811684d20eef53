package queue

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"timeclock/device"
)

var images = flag.Int("images", 10_000, "how many files TestPowerCut rebuilds")

// TestPowerCut records every write and sync of a process that stores punches,
// and rebuilds what the disk may hold if the power goes at any moment: all that
// was synced, and any part of what was not, down to torn sectors. Each of these
// files is opened; every punch that was confirmed by then must be in it. As a
// control it does the same with every other sync ignored, which must find losses.
func TestPowerCut(t *testing.T) {
	switch {
	case os.Getenv(powerCutEnv) != "":
		storeAndTell(os.Getenv(powerCutEnv))
	case os.Getenv(openerEnv) != "":
		openAndTell()
	case testing.Short():
		t.Skip("SKIPPED: it takes a while")
	}
	ops := record(t)
	bad, opened := replay(t, ops, *images, false)
	t.Logf("%d writes and syncs, %d files opened: %d without a confirmed punch, or not readable", len(ops), opened, bad)
	if bad > 0 || opened < *images {
		t.Error("a power cut loses punches")
	}
	bad, opened = replay(t, ops, *images/10, true)
	t.Logf("control with every other sync ignored: %d of %d files are bad", bad, opened)
	if bad == 0 {
		t.Error("the control finds no loss: this test has no power")
	}
}

const (
	powerCutEnv = "QUEUE_TEST_POWER_CUT" // store into this directory
	openerEnv   = "QUEUE_TEST_OPENER"    // open the files that are named on stdin
	punches     = 150
)

// storeAndTell creates a queue and stores punches; each is told on stdout once
// it is confirmed.
func storeAndTell(dir string) {
	s, err := Open(filepath.Join(dir, "queue.db"), nil)
	if err != nil {
		panic(err)
	}
	for i := range punches {
		p, err := s.Append(punch(i%9, device.CheckIn, time.Unix(int64(i), 0)), true)
		if err == nil {
			os.Stdout.WriteString(fmt.Sprintf("confirmed %d\n", p.ID))
			if i%3 > 0 {
				err = s.Deliver(p)
			} else if i%5 == 0 {
				err = s.Quarantine(p, "no")
			}
		}
		if err != nil {
			panic(err)
		}
	}
	os.Exit(0)
}

// openAndTell opens file after file and tells how many punches each has.
func openAndTell() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		s, err := Open(in.Text(), nil)
		if err != nil {
			fmt.Println("error", err)
			continue
		}
		all, err := recent(s, 1<<20)
		fmt.Println("punches", len(all), err)
		s.db.Close()
	}
	os.Exit(0)
}

// op is a system call that changes what is on the disk, or what was confirmed.
type op struct {
	kind      string // write, truncate, sync, rename, confirm
	at        int64
	data      []byte
	confirmed int
}

// record runs storeAndTell under strace.
func record(t *testing.T) (ops []op) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no strace: install it")
		}
		t.Skip("SKIPPED: there is no strace on this computer, so no power was cut")
	}
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	cmd := exec.Command("strace", "-f", "-y", "-xx", "-s", "1000000", "-o", trace,
		"-e", "trace=pwrite64,write,ftruncate,fdatasync,fsync,rename,renameat,renameat2", os.Args[0],
		"-test.run=^TestPowerCut$")
	cmd.Env = append(os.Environ(), powerCutEnv+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadString('\n')
		if o, ok := parseTrace(line); ok {
			ops = append(ops, o)
		}
		if errors.Is(err, io.EOF) {
			return ops
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

var (
	pwrite   = regexp.MustCompile(`pwrite64\(\d+<[^>]*>, "([^"]*)", \d+, (\d+)`)
	truncate = regexp.MustCompile(`ftruncate\(\d+<[^>]*>, (\d+)`)
	stdout   = regexp.MustCompile(`write\(1<[^>]*>, "([^"]*)"`)
)

func parseTrace(line string) (o op, ok bool) {
	number := func(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
	switch {
	case strings.Contains(line, "resumed>"):
		return o, false
	case pwrite.MatchString(line):
		m := pwrite.FindStringSubmatch(line)
		return op{kind: "write", data: unhex(m[1]), at: number(m[2])}, true
	case truncate.MatchString(line):
		return op{kind: "truncate", at: number(truncate.FindStringSubmatch(line)[1])}, true
	case strings.Contains(line, "fdatasync(") || strings.Contains(line, "fsync("):
		return op{kind: "sync"}, true
	case strings.Contains(line, "rename"):
		return op{kind: "rename"}, true
	case stdout.MatchString(line):
		var n int
		if _, err := fmt.Sscanf(string(unhex(stdout.FindStringSubmatch(line)[1])), "confirmed %d", &n); err == nil {
			return op{kind: "confirm", confirmed: n}, true
		}
	}
	return o, false
}

// unhex reads strace's \x00\x01.
func unhex(s string) []byte {
	b := make([]byte, 0, len(s)/4)
	for ; len(s) >= 4; s = s[4:] {
		v, err := strconv.ParseUint(s[2:4], 16, 8)
		if err != nil {
			return nil
		}
		b = append(b, byte(v))
	}
	return b
}

// disk is what is surely on it, and what may be.
type disk struct {
	sure    []byte
	pending []op
	named   bool // the file has its name
	maybe   bool // it may have it: renamed, the directory not yet synced
}

func (d *disk) apply(o op, ignoreSync bool) {
	switch o.kind {
	case "write", "truncate":
		d.pending = append(d.pending, o)
	case "rename":
		d.maybe = true
	case "sync":
		if ignoreSync {
			return
		}
		for _, p := range d.pending {
			d.sure = p.on(d.sure)
		}
		d.pending = nil
		d.named = d.maybe
	}
}

func (o op) on(file []byte) []byte {
	end := o.at + int64(len(o.data))
	if o.kind == "truncate" {
		if int64(len(file)) > o.at {
			return file[:o.at]
		}
		end = o.at
	}
	if grow := end - int64(len(file)); grow > 0 {
		file = append(file, make([]byte, grow)...)
	}
	copy(file[o.at:], o.data)
	return file
}

// image is one file that a power cut may leave: some of the pending writes, the
// last of them perhaps torn at a sector.
func (d *disk) image(random *rand.Rand) []byte {
	file := slices.Clone(d.sure)
	for _, p := range d.pending {
		switch random.IntN(4) {
		case 0:
			continue
		case 1:
			if sectors := len(p.data) / 512; sectors > 1 {
				p.data = p.data[:512*random.IntN(sectors)]
			}
		}
		file = p.on(file)
	}
	return file
}

// replay opens n images, spread over all moments, and returns how many of them
// lack a confirmed punch.
func replay(t *testing.T, ops []op, n int, ignoreEveryOther bool) (bad, opened int) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	opener := newOpener(t)
	defer opener.stop()
	var d disk
	confirmed, syncs := 0, 0
	perMoment := 3*n/len(ops) + 1 // a third of all moments has something pending
	for _, o := range ops {
		if o.kind == "confirm" {
			confirmed = o.confirmed
			continue
		}
		if o.kind == "sync" {
			syncs++
		}
		d.apply(o, ignoreEveryOther && syncs > 8 && syncs%2 == 0)
		moments := perMoment
		if len(d.pending) == 0 {
			moments = 1
		}
		for range moments {
			if !d.maybe || !d.named && random.IntN(2) == 0 { // no file: a new start
				if confirmed > 0 {
					bad++
				}
				continue
			}
			opened++
			if got := opener.open(d.image(random)); got < confirmed {
				if bad++; bad < 5 && !ignoreEveryOther {
					t.Errorf("%d punches were confirmed, the file has %d", confirmed, got)
				}
			}
		}
	}
	return bad, opened
}

// opener is a child process that opens files. One that dies of a file is
// replaced.
type opener struct {
	t    *testing.T
	path string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

func newOpener(t *testing.T) *opener {
	o := &opener{t: t, path: filepath.Join(t.TempDir(), "image.db")}
	o.start()
	return o
}

func (o *opener) start() {
	o.cmd = exec.Command(os.Args[0], "-test.run=^TestPowerCut$")
	o.cmd.Env = append(os.Environ(), openerEnv+"=1")
	in, err := o.cmd.StdinPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		o.t.Fatal(err)
	}
	o.in, o.out = in, bufio.NewReader(out)
	if err := o.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
}

func (o *opener) stop() {
	o.in.Close()
	o.cmd.Wait()
}

// open returns how many punches a file has; -1 if it cannot be opened.
func (o *opener) open(image []byte) int {
	if err := os.WriteFile(o.path, image, 0o600); err != nil {
		o.t.Fatal(err)
	}
	fmt.Fprintln(o.in, o.path)
	line, err := o.out.ReadString('\n')
	if err != nil { // it died
		o.stop()
		o.start()
		return -1
	}
	n := -1
	fmt.Sscanf(line, "punches %d <nil>", &n)
	return n
}
