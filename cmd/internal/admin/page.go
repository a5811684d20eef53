package admin

import (
	"context"
	"errors"
	"fmt"

	"timeclock/device"
)

// Pairing is how somebody becomes admin of the page.
type Pairing struct {
	Code        string `json:"code"`
	Address     string `json:"address"`
	Fingerprint string `json:"fingerprint"` // of the page's certificate, SHA-256
}

// ErrNoPage refuses a pairing where there is no page.
var ErrNoPage = errors.New("this clock serves no page: set [web] listen and restart it")

// Pair begins a pairing.
func (a *Admin) Pair(_ context.Context, by string, _ None) (Pairing, error) {
	return a.onPage(by, device.EventPairingBegun, Page.Pair)
}

// ResetPage takes all accounts of the page away, and begins a pairing.
func (a *Admin) ResetPage(_ context.Context, by string, _ None) (Pairing, error) {
	return a.onPage(by, device.EventAccountsReset, Page.Reset)
}

// onPage does something about the page that ends in a pairing.
func (a *Admin) onPage(by string, kind device.EventKind, do func(Page) (Pairing, error)) (Pairing, error) {
	if a.rooms.Page == nil {
		return Pairing{}, ErrNoPage
	}
	p, err := do(a.rooms.Page)
	a.did(by, kind, "", err)
	return p, err
}

// Paired notes that somebody has become admin of the page.
func (a *Admin) Paired(name string) { a.did(name, device.EventAdminPaired, name, nil) }

// AccountSet notes that somebody may log in at the page.
func (a *Admin) AccountSet(by, name, role string) {
	a.did(by, device.EventAccountSet, fmt.Sprintf("%s (%s)", name, role), nil)
}

// AccountRemoved notes that somebody may not any more.
func (a *Admin) AccountRemoved(by, name string) { a.did(by, device.EventAccountRemoved, name, nil) }

// NoteReset notes that all accounts of the page were taken away while no clock ran.
func (a *Admin) NoteReset(_ context.Context, by string, _ None) (None, error) {
	a.did(by, device.EventAccountsReset, "", nil)
	return None{}, nil
}
