package accounts

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Hashing turns passwords into hashes and compares them. Both take about as long.
type Hashing interface {
	Hash(password string) (string, error)
	Matches(password, hash string) (bool, error)
}

// leastPassword and mostPassword bound a password, in characters and bytes. NIST SP 800-63B asks
// for 8 at least where there is a second factor and 15 where there is none; 12 is between, and
// nothing is asked of what kinds of characters they are.
const (
	leastPassword = 12
	mostPassword  = 512
)

type argon struct {
	params argon2id.Params
	turns  chan struct{} // bounds the memory that hashing takes at once
}

// NewArgon2id hashes with argon2id, with so much memory in bytes, passes and lanes. Two hashes
// are computed at a time.
func NewArgon2id(memory fleet.Size, passes uint32, lanes uint8) Hashing {
	return argon{
		argon2id.Params{Memory: uint32(memory / fleet.KiB), Iterations: passes, Parallelism: lanes, SaltLength: 16, KeyLength: 32},
		make(chan struct{}, 2),
	}
}

func (a argon) Hash(password string) (string, error) {
	a.turns <- struct{}{}
	defer func() { <-a.turns }()
	return argon2id.CreateHash(password, &a.params)
}

func (a argon) Matches(password, hash string) (bool, error) {
	a.turns <- struct{}{}
	defer func() { <-a.turns }()
	return argon2id.ComparePasswordAndHash(password, hash)
}

// lazyHash gives a hash of nobody's password, computed at its first use.
func lazyHash(h Hashing) func() string {
	return sync.OnceValue(func() string {
		hash, err := h.Hash(newSecret())
		if err != nil {
			return "" // then no comparison succeeds either, only faster
		}
		return hash
	})
}

// checkPassword refuses passwords that are easily guessed.
func checkPassword(user, password string) error {
	n := utf8.RuneCountInString(password)
	refused := func(why string) error {
		return fleet.Errorf(fleet.Invalid, "the password %s", why).WithField("password").
			WithHint("use at least %d characters, such as four or five words that have nothing to do with each other", leastPassword)
	}
	switch {
	case !utf8.ValidString(password):
		return refused("is not text")
	case n < leastPassword:
		return refused("is too short")
	case len(password) > mostPassword:
		return fleet.Errorf(fleet.Invalid, "the password has more than %d bytes", mostPassword).WithField("password").WithHint("use a shorter one")
	case len(strings.ReplaceAll(strings.ToLower(password), user, "")) < leastPassword/2:
		return refused("is little more than the user's name")
	case fewDifferent(password):
		return refused("repeats the same few characters")
	}
	return nil
}

func fewDifferent(password string) bool {
	seen := map[rune]bool{}
	for _, r := range password {
		seen[r] = true
	}
	return len(seen) < 5
}
