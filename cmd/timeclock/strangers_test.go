package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"timeclock/cmd/internal/admin"
	"timeclock/device"
	"timeclock/device/devicetest"
	"timeclock/device/roster"
)

// A thousand logins with names of 60 kB leave nothing behind.
func TestLongNamesTakeNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it takes a while")
	}
	_, address := startPage(t, newPlace(t))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for n := range 990 {
		eve := visitFrom(t, address, fmt.Sprint("127.0.1.", n%200+1))
		status, body := eve.post("/login", url.Values{
			"name": {strings.Repeat("x", 60<<10) + fmt.Sprint(n)}, "password": {"guess"},
		})
		if status != http.StatusForbidden || strings.Contains(body, "xxxxx") {
			t.Fatalf("%d %.300s", status, body)
		}
		eve.CloseIdleConnections()
	}
	devicetest.Eventually(t, func() error { // connections end beside us
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
			return fmt.Errorf("%d MB are kept of strangers", grown>>20)
		}
		return nil
	})
	t.Logf("%d kB more on the heap after 990 logins", (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>10)
}

// Whoever tries a wrong password on another computer slows nobody else down, however many
// computers that are; and on the admin's own computer the admin has tries left.
func TestNobodyLocksTheAdminOut(t *testing.T) {
	d, address := startPage(t, newPlace(t))
	admin := visit(t, address)
	admin.pair(d.page.Code())
	for n := range 30 {
		eve := visitFrom(t, address, fmt.Sprint("127.0.3.", n+1))
		for range 3 {
			eve.post("/login", url.Values{"name": {"admin"}, "password": {"guess"}})
		}
		eve.CloseIdleConnections()
	}
	own := visit(t, address)
	for range 9 {
		own.post("/login", url.Values{"name": {"admin"}, "password": {"guess"}})
	}
	status, body := own.post("/login", url.Values{"name": {"admin"}, "password": {password}})
	if status != http.StatusOK || !strings.Contains(body, "Health") {
		t.Errorf("the admin: %d %.300s", status, body)
	}
	other := visitFrom(t, address, "127.0.4.1")
	if status, _ := other.post("/login",
		url.Values{"name": {"admin"}, "password": {password}}); status != http.StatusOK {
		t.Errorf("the admin at another computer: %d", status)
	}
}

// Several who send the right code at once: one becomes admin.
func TestOneCodeOneAdmin(t *testing.T) {
	d, address := startPage(t, newPlace(t))
	code := d.page.Code()
	var all sync.WaitGroup
	var admins atomic.Int32
	for n := range 5 {
		all.Go(func() {
			v := visitFrom(t, address, fmt.Sprint("127.0.5.", n+1))
			defer v.CloseIdleConnections()
			resp, err := v.PostForm(
				address+"/pair",
				url.Values{
					"code": {code}, "name": {fmt.Sprint("admin", n)}, "password": {password}, "again": {password},
				},
			)
			if err != nil {
				t.Error(err)
				return
			}
			if resp.Body.Close(); resp.StatusCode == http.StatusOK {
				admins.Add(1)
			}
		})
	}
	all.Wait()
	if n := admins.Load(); n != 1 {
		t.Errorf("one code made %d admins", n)
	}
}

// The display shows what a browser shows of the certificate, beside the code.
func TestFingerprintIsTheCertificates(t *testing.T) {
	d, address := startPage(t, newPlace(t))
	resp, err := visit(t, address).Get(address + "/pair")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	sum := sha256.Sum256(resp.TLS.PeerCertificates[0].Raw)
	want := fmt.Sprintf("%X", sum[:8])
	f := d.facts()
	if f.Pair == "" || strings.ReplaceAll(f.Fingerprint, " ", "") != want || len(want) != 16 {
		t.Errorf("the display shows %q beside %q, the certificate is %s", f.Fingerprint, f.Pair, want)
	}
}

// While a file that is no list is read, people go on tapping.
func TestTapsWhileAFileSwells(t *testing.T) {
	d, _ := newPlace(t).start(t)
	devicetest.Eventually(t, func() error {
		if !d.rooms.Reader.Health().Healthy {
			return errors.New("the reader is not ready")
		}
		return nil
	})
	file := "uid,employee_id,name\n" + strings.Repeat(strings.Repeat("x,", 99)+"x\n", 75_000)
	done := make(chan error)
	go func() {
		_, err := d.admin.ImportBadges(t.Context(), "admin", admin.BadgeList{File: []byte(file)})
		done <- err
	}()
	for taps := 0; ; taps++ {
		select {
		case err := <-done:
			if err == nil || taps == 0 {
				t.Errorf("%d taps meanwhile, the file: %v", taps, err)
			}
			return
		default:
		}
		if o := (&place{}).tap(t, d, taps%3); !o.Booked() {
			t.Fatalf("a tap meanwhile: %+v", o)
		}
	}
}

// No column of an export is a formula, whoever wrote what stands in it.
func TestExportIsHarmless(t *testing.T) {
	p := newPlace(t)
	d, _ := p.start(t)
	d.queue.Note(device.Event{Kind: "=1+1", Reason: "\t=2", By: "@admin"})
	settings := filepath.Join(t.TempDir(), "timeclock.toml")
	text := fmt.Sprintf("state_dir = %q\nzeitstrom = { url = %q, token_file = %q }\n", p.cfg.StateDir, p.api.url(),
		p.cfg.Zeitstrom.TokenFile)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	devicetest.Eventually(t, func() error {
		out, err := exec.Command("timeclock", "queue", "export", "-config", settings).Output()
		if err != nil {
			return err
		}
		lines, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
		if err != nil || len(lines) < 2 {
			return fmt.Errorf("%d lines, %w", len(lines), err)
		}
		for _, field := range slices.Concat(lines...) {
			if strings.IndexAny(field, "=+-@\t\r") == 0 {
				t.Errorf("%q is a formula", field)
			}
		}
		return nil
	})
}

// Of a file that is no badge list only as much is read as shows that.
func TestLongListIsNotReadWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.csv")
	must(t, os.WriteFile(path, make([]byte, roster.MaxFile+100), 0o600))
	if list, err := readList(path); err != nil || len(list) != roster.MaxFile+1 {
		t.Errorf("%d bytes, %v", len(list), err)
	}
}
