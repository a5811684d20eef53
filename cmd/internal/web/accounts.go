package web

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"timeclock/cmd/internal/admin"
	"timeclock/device/durable"
)

// Role is what somebody may do.
type Role string

// The roles. Viewers see names as the display shows them, and no whole UID.
const (
	Admin  Role = "admin"
	Viewer Role = "viewer"
)

// account is somebody who may log in.
type account struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	Salt []byte `json:"salt"`
	Hash []byte `json:"hash"` // argon2id
}

// Bounds of accounts.
const (
	maxName     = 40 // characters
	maxAccounts = 50
)

func newAccount(name string, role Role, password string) (account, error) {
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword || n > maxPassword:
		return account{}, fmt.Errorf("a password has %d to %d characters", minPassword, maxPassword)
	case name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl):
		return account{}, errors.New("a name has 1 to 40 characters")
	case strings.EqualFold(name, admin.Console): // the command line is called so in the journal
		return account{}, errors.New("this name is taken")
	case role != Admin && role != Viewer:
		return account{}, errors.New("there is no such role")
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	return account{name, role, salt, hash(password, salt)}, nil
}

// accounts are those who may log in, in one file of the state directory. That there ever
// were some is noted in another one: whoever damages the accounts does not become admin.
type accounts struct {
	path string

	mu     sync.Mutex
	list   []account
	broken string // why nobody may log in or become admin by standing at the clock; empty: they may
	fresh  bool   // there never were any
}

// Files in the state directory.
const (
	accountsFile = "accounts.json"
	accountsMark = "accounts.mark" // there were accounts
)

// open reads the accounts, once: again as long as they cannot be read.
func (a *accounts) open(stateDir string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.path != "" && a.broken == "" {
		return
	}
	a.path = filepath.Join(stateDir, accountsFile)
	_, noMark := os.Stat(a.mark())
	content, err := os.ReadFile(a.path)
	var list []account
	if err == nil {
		err = json.Unmarshal(content, &list)
	}
	const reset = "`sudo timeclock web reset` lets somebody who stands at the clock become admin anew"
	a.broken, a.fresh = "", false
	switch {
	case errors.Is(err, fs.ErrNotExist) && errors.Is(noMark, fs.ErrNotExist):
		if err := a.saves(); err != nil {
			a.broken = err.Error()
			return
		}
		a.fresh = true
	case errors.Is(err, fs.ErrNotExist):
		a.broken = fmt.Sprintf("the accounts of this page are gone: %s", reset)
	case err != nil, !slices.ContainsFunc(list, func(x account) bool { return x.Role == Admin }):
		a.broken = fmt.Sprintf("the accounts of this page are damaged: %s", reset)
	default:
		a.list = list
		if noMark != nil { // version 0.9 made none
			durable.WriteFile(a.mark(), nil)
		}
	}
}

// saves reports whether an account could be saved.
func (a *accounts) saves() error {
	try := a.mark() + ".try"
	if err := durable.WriteFile(try, make([]byte, 16<<10)); err != nil {
		return fmt.Errorf("nobody can become admin while nothing can be saved: %w", err)
	}
	return os.Remove(try)
}

func (a *accounts) mark() string { return filepath.Join(filepath.Dir(a.path), accountsMark) }

// problem says why nobody may log in; empty if they may.
func (a *accounts) problem() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.broken
}

// isFresh reports whether there never was an account, so that the first to stand at the clock
// may become admin.
func (a *accounts) isFresh() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fresh
}

// Reset takes all accounts away, and what is left of damaged ones: as on a new clock.
func Reset(stateDir string) error {
	for _, name := range []string{accountsFile, accountsMark} {
		if err := os.RemoveAll(filepath.Join(stateDir, name)); err != nil {
			return err
		}
	}
	return nil
}

// reset takes all accounts away.
func (a *accounts) reset() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := Reset(filepath.Dir(a.path)); err != nil {
		return err
	}
	a.list, a.fresh, a.broken, a.path = nil, true, "", ""
	return nil
}

var errLastAdmin = errors.New("the last admin stays one")

// AccountNames returns the names of those who have an account on the page of the clock
// with a state directory, as far as they can be read. It may be root that asks.
func AccountNames(stateDir string) []string {
	var list []account
	if content, err := durable.ReadRegular(filepath.Join(stateDir, accountsFile), 1<<20); err == nil {
		json.Unmarshal(content, &list)
	}
	var names []string
	for _, x := range list {
		names = append(names, x.Name)
	}
	return names
}

// current reports whether an account is still as it was.
func (a *accounts) current(x account) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.list, func(y account) bool {
		return y.Name == x.Name && y.Role == x.Role && slices.Equal(y.Salt, x.Salt)
	})
}

func (a *accounts) all() []account {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list)
}

// set adds an account, or replaces the one of that name.
func (a *accounts) set(x account) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != "" {
		return errors.New(a.broken)
	}
	next := slices.DeleteFunc(slices.Clone(a.list), func(old account) bool { return old.Name == x.Name })
	next = append(next, x)
	if len(next) > maxAccounts {
		return fmt.Errorf("there are %d accounts already", maxAccounts)
	}
	if len(a.list) > 0 && !slices.ContainsFunc(next, func(x account) bool { return x.Role == Admin }) {
		return errLastAdmin
	}
	return a.replace(next)
}

// remove takes an account away, but not the last admin's.
func (a *accounts) remove(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := slices.DeleteFunc(slices.Clone(a.list), func(old account) bool { return old.Name == name })
	if !slices.ContainsFunc(next, func(x account) bool { return x.Role == Admin }) {
		return errLastAdmin
	}
	return a.replace(next)
}

func (a *accounts) replace(next []account) error {
	content, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := errors.Join(durable.WriteFile(a.mark(), nil), durable.WriteFile(a.path, content)); err != nil {
		return err
	}
	a.list, a.fresh = next, false
	return nil
}
