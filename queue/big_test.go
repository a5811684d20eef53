package queue

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"timeclock/device/devicetest"
)

var big = flag.Int("big", 0, "how many punches TestBigDamagedQueue has in its queue; 0: it is not run")

// TestBigDamagedQueue starts the whole program on a large queue with one bad page, or with
// a bad meta page, under the memory that its unit has and on half a core:
//
//	go test -v -run TestBigDamagedQueue ./queue -big 1000000 -timeout 30m
//
// It needs root, and control groups of version 1 or 2 that may be written. It reads badges
// within a minute, and in the end has all that can be read.
func TestBigDamagedQueue(t *testing.T) {
	if *big == 0 {
		t.Skip("SKIPPED: it takes minutes: say -big 1000000")
	}
	program := devicetest.Program(t)
	s := fill(t, *big-100, 100)
	path := s.db.Path()
	must(t, s.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	t.Logf("%d punches in %.0f MB", *big, float64(len(whole))/1e6)
	for name, damage := range map[string]func([]byte){
		"a good file": func([]byte) {},
		"a bad page":  func(b []byte) { clear(b[len(b)/8/pageSize*pageSize:][:pageSize]) },
		"a bad meta page": func(b []byte) {
			newest := 0
			if readMeta(b[pageSize:]).tx > readMeta(b).tx {
				newest = 1
			}
			b[newest*pageSize+metaAt+40] ^= 1 << rand.IntN(8)
		},
	} {
		t.Run(name, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), "state")
			settings := filepath.Join(filepath.Dir(state), "timeclock.toml")
			bad := bytes.Clone(whole)
			damage(bad)
			must(t, os.Mkdir(state, 0o700), os.WriteFile(filepath.Join(state, "queue.db"), bad, 0o600),
				os.WriteFile(settings, fmt.Appendf(nil,
					"state_dir = %q\nzeitstrom.url = \"http://127.0.0.1:1/\"\nzeitstrom.token_file = \"/nowhere\"\n"+
						"reader.driver = \"simulated\"\ndisplay.driver = \"none\"\n", state), 0o600))
			cmd := exec.Command(program, "run", "-config", settings)
			var log bytes.Buffer
			cmd.Stderr = &log
			confine(t, cmd)
			began := time.Now()
			must(t, cmd.Start())
			defer func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() }()
			var ready time.Duration
			most := 0
			for {
				time.Sleep(100 * time.Millisecond)
				most = max(most, childMemory(cmd.Process.Pid))
				out, err := exec.Command(program, "status", "-json", "-config", settings).Output()
				var s struct {
					Pending, Delivered int
					Reader             struct{ Healthy bool }
					Storage            struct{ Notice string }
				}
				if err == nil {
					must(t, json.Unmarshal(out, &s))
				}
				if err == nil && s.Reader.Healthy && ready == 0 {
					ready = time.Since(began)
				}
				if err == nil && (name == "a good file" || strings.Contains(s.Storage.Notice, "were recovered")) {
					t.Logf("reads badges after %.1f s, all is there after %.1f s; children take %.0f MB at most; %s",
						ready.Seconds(), time.Since(began).Seconds(), float64(most)/1e6, s.Storage.Notice)
					if n := s.Pending + s.Delivered; n < *big*9/10 {
						t.Errorf("%d of %d punches", n, *big)
					}
					break
				}
				if time.Since(began) > 20*time.Minute {
					t.Fatalf("it does not end: %s\n%s", out, &log)
				}
			}
			if ready > time.Minute {
				t.Errorf("it reads badges after %v", ready)
			}
			if most > 64_000_000 {
				t.Errorf("a child takes %d bytes of anonymous memory", most)
			}
		})
	}
}

// confine gives a process the memory of the unit (deploy/timeclock.service) and half a core.
func confine(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	name := fmt.Sprintf("timeclock-%d", time.Now().UnixNano())
	limits := map[string]string{
		"/sys/fs/cgroup/memory/" + name + "/memory.limit_in_bytes": "201326592",
		"/sys/fs/cgroup/cpu/" + name + "/cpu.cfs_quota_us":         "50000",
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		limits = map[string]string{
			"/sys/fs/cgroup/" + name + "/memory.max": "201326592",
			"/sys/fs/cgroup/" + name + "/cpu.max":    "50000 100000",
		}
	}
	var groups []string
	for file, limit := range limits {
		group := filepath.Dir(file)
		os.Mkdir(group, 0o755)
		if err := os.WriteFile(file, []byte(limit), 0); err != nil {
			t.Skipf("SKIPPED: no limits can be set on this computer: %v", err)
		}
		groups = append(groups, group)
		t.Cleanup(func() { os.Remove(group) })
	}
	script := ""
	for _, group := range groups {
		script += "echo $$ >" + group + "/cgroup.procs && "
	}
	cmd.Args = append([]string{"sh", "-c", script + `exec "$0" "$@"`}, cmd.Args...)
	sh, err := exec.LookPath("sh")
	must(t, err)
	cmd.Path = sh
}

var anonymous = regexp.MustCompile(`RssAnon:\s+(\d+) kB`)

// childMemory is the anonymous memory of a process's children.
func childMemory(pid int) (bytes int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range tasks {
		children, _ := os.ReadFile(file)
		for _, child := range strings.Fields(string(children)) {
			status, _ := os.ReadFile("/proc/" + child + "/status")
			if found := anonymous.FindSubmatch(status); found != nil {
				kb, _ := strconv.Atoi(string(found[1]))
				bytes = max(bytes, kb<<10)
			}
		}
	}
	return bytes
}
