package web

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	eve  = netip.MustParseAddr("192.168.1.66")
	anna = netip.MustParseAddr("192.168.1.5")
)

// Tries become ever slower, never shorter than a second nor longer than minutes, and a
// right one forgives them. Nobody slows down others.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limiter
		last := time.Duration(0)
		for n := range 30 {
			if wait, _ := l.try("admin", eve); n < freeTries && wait > 0 {
				t.Errorf("try %d waits %v", n+1, wait)
			} else if wait > 0 {
				if wait < max(time.Second, last) || wait > longestWait {
					t.Errorf("try %d: %v after %v", n+1, wait, last)
				}
				last = wait
				time.Sleep(wait)
				if wait, _ := l.try("admin", eve); wait > 0 {
					t.Errorf("after waiting %v it waits on", wait)
				}
			}
		}
		wait, trial := l.try("admin", anna)
		if wait > 0 {
			t.Error("somebody else waits, too")
		}
		trial.right()
		time.Sleep(longestWait)
		_, trial = l.try("admin", eve)
		trial.right()
		if wait, _ := l.try("admin", eve); wait > 0 {
			t.Error("a right try does not forgive")
		}
		time.Sleep(forgetAfter + time.Second)
		l.try("", netip.Addr{})
		if n := len(l.tries); n > 2 {
			t.Errorf("%d sources are remembered for ever", n)
		}
	})
}

// However many other names somebody tries in between, what they got wrong of one is not
// forgotten; and one computer has so many tries over all names.
func TestOtherNamesForgiveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limiter
		for range freeTries {
			l.try("admin", eve)
		}
		made := 0
		for n := range 20_000 {
			if wait, _ := l.try(fmt.Sprint("nobody ", n), eve); wait == 0 {
				made++
			}
		}
		if wait, _ := l.try("admin", eve); wait == 0 {
			t.Error("twenty thousand other names forgive the first one")
		}
		if made > freeComputer {
			t.Errorf("one computer makes %d tries at once", made)
		}
	})
}

// What is remembered of strangers has a bound. When it is reached nobody is forgotten
// before their time, and all who are new share one budget.
func TestLimiterIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limiter
		for range freeTries {
			l.try("admin", eve)
		}
		made, tried := 0, 0
		for n := range uint32(20_000) {
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], 10<<24+n)
			tried++
			if wait, _ := l.try("admin", netip.AddrFrom4(a)); wait == 0 {
				made++
			}
		}
		if n := len(l.tries); n > maxSources+1 {
			t.Errorf("%d sources are remembered", n)
		}
		if most := maxSources/2 + freeNetwork; made > most || made < maxSources/4 {
			t.Errorf("%d of %d tries were made, want at most %d", made, tried, most)
		}
		if wait, _ := l.try("admin", eve); wait == 0 {
			t.Error("somebody was forgotten to make room for others")
		}
		if wait, _ := l.try("admin", anna); wait == 0 {
			t.Error("newcomers have no budget in common")
		}
	})
}

// Neighbours in one IPv6 network have budgets of their own, and a wider one in common.
func TestNeighbours(t *testing.T) {
	for _, network := range []string{"2001:db8:1:2::%x", "fe80::%x%%eth0"} {
		synctest.Test(t, func(t *testing.T) {
			var l limiter
			neighbour := func(n int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf(network, n+1)) }
			for range freeTries {
				l.try("admin", neighbour(0))
			}
			if wait, _ := l.try("admin", neighbour(0)); wait == 0 {
				t.Error("somebody has no bound")
			}
			if wait, _ := l.try("admin", neighbour(1)); wait > 0 {
				t.Errorf("a neighbour waits %v", wait)
			}
			made := 0
			for n := range 1000 {
				if wait, _ := l.try("admin", neighbour(n+2)); wait == 0 {
					made++
				}
			}
			if made > freeNetwork {
				t.Errorf("one network makes %d tries at once", made)
			}
		})
	}
}

// Who has logged in from a computer within thirty days, also before a restart, has tries
// there that nobody else can use up.
func TestFamiliar(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		open := func() *familiar {
			f := &familiar{}
			f.open(dir)
			return f
		}
		f := open()
		if _, known := f.try("admin", anna); known || f.knows(anna) {
			t.Error("a stranger is known")
		}
		f.met("admin", anna)
		for _, f := range []*familiar{f, open()} {
			for n := range familiarTries + 1 {
				if wait, known := f.try("admin", anna); !known || (wait > 0) != (n == familiarTries) ||
					wait > time.Minute {
					t.Errorf("try %d: known %v, wait %v", n+1, known, wait)
				}
			}
			for who, from := range map[string]netip.Addr{"admin": eve, "ben": anna} {
				if _, known := f.try(who, from); known {
					t.Errorf("%s at %s is known", who, from)
				}
			}
			if !f.knows(anna) || f.knows(eve) {
				t.Error("the wrong computer is known")
			}
			time.Sleep(time.Minute)
			if wait, _ := f.try("admin", anna); wait > 0 {
				t.Errorf("a minute later it waits %v", wait)
			}
		}
		for n := range 2 * maxFamiliar {
			f.met("admin", netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}))
		}
		if len(f.list) > maxFamiliar {
			t.Errorf("%d pairs are kept", len(f.list))
		}
		if info, err := os.Stat(filepath.Join(dir, familiarFile)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		time.Sleep(familiarFor + time.Second)
		for _, f := range []*familiar{f, open()} {
			if _, known := f.try("admin", anna); known || len(f.list) > 0 {
				t.Error("somebody is known for ever")
			}
		}
	})
	if err := os.WriteFile(filepath.Join(dir, familiarFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &familiar{}
	if f.open(dir); len(f.list) > 0 {
		t.Error("what cannot be read is believed")
	}
}

// Only so many wait for their password to be hashed; who is known waits beside them.
func TestFewWaitForTheHash(t *testing.T) {
	a := &accounts{}
	a.open(t.TempDir())
	x, err := newAccount("admin", Admin, "correct horse 1")
	if err := errors.Join(err, a.set(x)); err != nil {
		t.Fatal(err)
	}
	hashing.Lock() // somebody's is being hashed
	var all sync.WaitGroup
	busy := make(chan error, 100)
	for range 100 {
		all.Go(func() {
			_, right, err := a.check("admin", "correct horse 1", false)
			if err == nil && !right {
				err = errors.New("the right password was refused")
			}
			busy <- err
		})
	}
	for range 100 - maxWaiting {
		if err := <-busy; !errors.Is(err, errBusy) {
			t.Error(err)
		}
	}
	known := make(chan error)
	go func() {
		_, _, err := a.check("admin", "correct horse 1", true)
		known <- err
	}()
	hashing.Unlock()
	all.Wait()
	if err := <-known; err != nil {
		t.Error(err)
	}
	for range maxWaiting {
		if err := <-busy; err != nil {
			t.Error(err)
		}
	}
	if n := hashing.waiting.Load(); n != 0 {
		t.Errorf("%d are counted as waiting", n)
	}
}

// Wrong passwords are told at once, and then a line a minute, however many there are.
func TestFailuresAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		var f failures
		f.add(log, eve)
		time.Sleep(500 * time.Millisecond) // never at the instant at which it is told
		for range 5 * 60 {
			f.add(log, anna)
			f.add(log, eve)
			time.Sleep(time.Second)
		}
		time.Sleep(2 * failuresEvery)
		synctest.Wait()
		lines := strings.Count(out.String(), "\n")
		if lines != 6 || strings.Count(out.String(), "count=120 computers=2") != 5 {
			t.Errorf("%d lines: %s", lines, &out)
		}
		f.add(log, eve)
		if !strings.HasSuffix(out.String(), "address=192.168.1.66\n") {
			t.Error("after a quiet while the next one is not told at once")
		}
	})
}

// What the limiter keeps of strangers fits beside a clock.
func TestLimiterMemory(t *testing.T) {
	var l limiter
	name := make([]byte, maxName)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 10 * maxSources {
		var a [16]byte
		rand.Read(a[:])
		rand.Read(name)
		l.try(string(name), netip.AddrFrom16(a))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("%d bytes are kept of strangers", grown)
	}
	runtime.KeepAlive(&l)
}

// Whatever a page asks for by itself is marked, so that a session ends although its page is
// left open.
func TestAutomaticRequestsAreMarked(t *testing.T) {
	script, err := static.ReadFile("static/app.js")
	if err != nil {
		t.Fatal(err)
	}
	asks := regexp.MustCompile(`load\(location\.href[^)]*\)|EventSource\([^)]*\)`).FindAllString(string(script), -1)
	both := strings.Join(asks, "")
	if len(asks) != 2 || !strings.Contains(both, "byItself") || !strings.Contains(both, "?automatic") {
		t.Errorf("the script asks by itself: %q", asks)
	}
	if pictures := regexp.MustCompile(`display\\\.png.*automatic=`); !pictures.Match(script) {
		t.Error("it asks for pictures that are not marked")
	}
	for address, want := range map[string]bool{
		"/": false, "/badges?q=automatic": false, "/events?automatic": true, "/display.png?automatic=1": true,
	} {
		if got := automatic(httptest.NewRequest(http.MethodGet, address, nil)); got != want {
			t.Errorf("%s is automatic: %v", address, got)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Automatic", "yes")
	if !automatic(r) {
		t.Error("a fetch is not automatic")
	}
}
