package web

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// pairing is the time in which the display shows a code with which somebody who
// stands before it may become admin.
type pairing struct {
	mu    sync.Mutex
	code  string // empty: void
	until time.Time
	next  time.Time // when a code that is void is followed by another one
	wrong int
	taken bool // somebody has brought the right code, and is being made admin
}

const (
	pairTime   = 10 * time.Minute
	wrongCodes = 5                // after so many a code is void
	nextCode   = 30 * time.Second // until there is another one
)

// begin makes a new code.
func (p *pairing) begin() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.code, p.until, p.wrong = newCode(), time.Now().Add(pairTime), 0
	return p.code
}

func newCode() string {
	var b [8]byte
	rand.Read(b[:])
	n := binary.BigEndian.Uint64(b[:])
	return fmt.Sprintf("%04d %04d", n/10000%10000, n%10000)
}

// current returns the code, empty if there is none now.
func (p *pairing) current() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !now.Before(p.until) {
		return ""
	}
	if p.code == "" && !now.Before(p.next) {
		p.code, p.wrong = newCode(), 0
	}
	return p.code
}

// begun reports whether the time is not over, though a code may be void for a moment.
func (p *pairing) begun() bool { return p.current() != "" || p.paused() }

// paused reports whether a code is void, and another one follows.
func (p *pairing) paused() bool {
	code := p.current()
	p.mu.Lock()
	defer p.mu.Unlock()
	return code == "" && time.Now().Before(p.until)
}

// Why a code makes nobody admin.
var (
	errNoCode    = errors.New("no code is valid")
	errWrongCode = errors.New("the code is wrong")
)

// check says whether a code is right. After too many wrong ones it is void.
func (p *pairing) check(code string) error {
	p.current() // the next one, if it is time for that
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.judge(code)
}

// judge is check for whoever holds the lock.
func (p *pairing) judge(code string) error {
	if p.code == "" || !time.Now().Before(p.until) {
		return errNoCode
	}
	bare := func(c string) []byte { return []byte(strings.ReplaceAll(c, " ", "")) }
	if subtle.ConstantTimeCompare(bare(code), bare(p.code)) == 1 {
		return nil
	}
	if p.wrong++; p.wrong >= wrongCodes {
		p.code, p.next = "", time.Now().Add(nextCode)
	}
	return errWrongCode
}

// redeem makes an admin by a code that was right. Of several at once it makes one; of one
// that fails the code stays.
func (p *pairing) redeem(code string, make func() error) error {
	if err := p.take(code); err != nil {
		return err
	}
	err := make()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken = false; err == nil {
		p.code, p.until = "", time.Time{}
	}
	return err
}

// take has a code to itself, if it is still right.
func (p *pairing) take(code string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken {
		return errNoCode
	}
	if err := p.judge(code); err != nil {
		return err
	}
	p.taken = true
	return nil
}
