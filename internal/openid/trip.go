package openid

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// tripFor is how long somebody may take at the provider.
const tripFor = 10 * time.Minute

// trip is a login that has begun. Only the browser that began it has its secret.
type trip struct {
	began  int64 // seconds since 1970
	secret string
}

func newTrip(now time.Time) trip {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return trip{now.Unix(), base64.RawURLEncoding.EncodeToString(b[:])}
}

// parseTrip reads what String wrote. fleet.Unauthenticated where it is none, or too old.
func parseTrip(text string, now time.Time) (trip, error) {
	began, secret, ok := strings.Cut(text, ".")
	at, err := strconv.ParseInt(began, 10, 64)
	if !ok || err != nil || len(secret) != 43 {
		return trip{}, refused("this browser has begun no login")
	}
	if age := now.Sub(time.Unix(at, 0)); age > tripFor || age < -time.Minute {
		return trip{}, refused("the login took longer than %s", tripFor)
	}
	return trip{at, secret}, nil
}

// String is for the cookie.
func (t trip) String() string { return strconv.FormatInt(t.began, 10) + "." + t.secret }

// The provider is shown what follows from the secret, and cannot get back to it.

func (t trip) state() string    { return t.derive("state") }
func (t trip) nonce() string    { return t.derive("nonce") }
func (t trip) verifier() string { return t.derive("verifier") }

func (t trip) derive(what string) string {
	mac := hmac.New(sha256.New, []byte(t.secret))
	mac.Write([]byte("lxdfleet " + what + " " + strconv.FormatInt(t.began, 10)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func refused(format string, args ...any) error {
	return fleet.Errorf(fleet.Unauthenticated, format, args...).WithHint("begin again, in the browser that is to be logged in")
}
