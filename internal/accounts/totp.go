package accounts

import (
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// One-time codes are those of RFC 6238 with SHA-1, six digits and steps of 30 s, which every
// authenticator knows. A code of the step before or after is taken too: clocks differ.
const totpStep = 30 * time.Second

// newTOTP makes a secret, and the otpauth:// address that authenticators read from a QR code.
func newTOTP(issuer, user string) (secret, address string, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: user})
	if err != nil {
		return "", "", fmt.Errorf("make a secret for one-time codes: %w", err)
	}
	return key.Secret(), key.URL(), nil
}

// stepOf gives the time step whose code it is; 0 where it is none's that is good now.
func stepOf(secret, code string, now time.Time) int64 {
	current := now.Unix() / int64(totpStep/time.Second)
	found := int64(0)
	for step := current - 1; step <= current+1; step++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = step
		}
	}
	return found
}

func wrongCode() error {
	return fleet.Errorf(fleet.Invalid, "the code is not right").WithField("code").
		WithHint("give the six digits that the authenticator shows now; check the clock of the phone")
}
