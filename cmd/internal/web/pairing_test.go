package web

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A code ends with its time, and after a few wrong tries; the next one comes half a minute
// later.
func TestPairingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pairing
		code := p.begin()
		if !regexp.MustCompile(`^\d{4} \d{4}$`).MatchString(code) || p.current() != code || p.begin() == code {
			t.Errorf("code %q", code)
		}
		time.Sleep(pairTime)
		if p.current() != "" || p.begun() || p.check("") == nil {
			t.Error("the code does not end")
		}
		code = p.begin()
		for n := range wrongCodes {
			if p.current() != code || p.check(code) != nil || p.check(strings.ReplaceAll(code, " ", "")) != nil {
				t.Errorf("the code is void after %d wrong ones", n)
			}
			if err := p.check("none"); !errors.Is(err, errWrongCode) {
				t.Error(err)
			}
		}
		if err := p.check(code); !errors.Is(err, errNoCode) {
			t.Errorf("after %d wrong ones the code still counts: %v", wrongCodes, err)
		}
		time.Sleep(nextCode - time.Millisecond)
		if p.current() != "" || !p.begun() {
			t.Error("the next code comes too early")
		}
		time.Sleep(time.Millisecond)
		if next := p.current(); next == "" || next == code || p.check(next) != nil {
			t.Error("no other code follows")
		}
	})
}

// Two who have the right code at once: one becomes admin. One whose account could not be
// saved has the code again.
func TestOneAdminOfACode(t *testing.T) {
	var p pairing
	code := p.begin()
	if err := p.redeem(code, func() error { return fs.ErrPermission }); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	saving, saved := make(chan bool), make(chan bool)
	first := make(chan error)
	go func() {
		first <- p.redeem(code, func() error { saving <- true; <-saved; return nil })
	}()
	<-saving
	if err := p.redeem(code, func() error { t.Error("two admins"); return nil }); !errors.Is(err, errNoCode) {
		t.Error(err)
	}
	saved <- true
	if err := <-first; err != nil || p.current() != "" {
		t.Errorf("%v, code %q", err, p.current())
	}
	for range 300 {
		code := p.begin()
		var admins atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { p.redeem(code, func() error { admins.Add(1); return nil }) })
		}
		if all.Wait(); admins.Load() != 1 {
			t.Fatalf("one code made %d admins", admins.Load())
		}
	}
}
