package web

import (
	"crypto/subtle"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
)

// Parameters of argon2id, as OWASP's password storage cheat sheet has them for
// little memory: the smallest Pi has 512 MB.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	hashBytes    = 32
	minPassword  = 10 // characters
	maxPassword  = 200
)

// hashing lets one password be hashed at a time: each takes memory.
var hashing struct {
	sync.Mutex
	waiting atomic.Int32 // for it, or at it
}

// maxWaiting is how many strangers may wait to have their password hashed.
const maxWaiting = 8

// errBusy refuses one more.
var errBusy = errors.New("too many log in at once")

func hash(password string, salt []byte) []byte {
	hashing.waiting.Add(1)
	return hashInTurn(password, salt)
}

// hashInTurn is for whoever is counted as waiting.
func hashInTurn(password string, salt []byte) []byte {
	defer hashing.waiting.Add(-1)
	hashing.Lock()
	defer hashing.Unlock()
	return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, hashBytes)
}

// check returns the account that a password opens. Whether the name exists does
// not show in the time that it takes. It keeps nobody who is known waiting for strangers.
func (a *accounts) check(name, password string, known bool) (x account, right bool, err error) {
	if len(password) > 4*maxPassword {
		return account{}, false, nil
	}
	if hashing.waiting.Add(1) > maxWaiting && !known {
		hashing.waiting.Add(-1)
		return account{}, false, errBusy
	}
	a.mu.Lock()
	x = account{Salt: make([]byte, 16), Hash: make([]byte, hashBytes)}
	i := slices.IndexFunc(a.list, func(x account) bool { return x.Name == name })
	if i >= 0 {
		x = a.list[i]
	}
	a.mu.Unlock()
	same := subtle.ConstantTimeCompare(hashInTurn(password, x.Salt), x.Hash) == 1
	return x, same && i >= 0, nil
}
