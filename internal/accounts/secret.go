package accounts

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// newSecret gives 256 random bits as 43 characters that need no quoting anywhere.
func newSecret() string {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand never fails on a supported kernel
	}
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// hashOf is what is stored of a secret. A secret of 256 random bits needs no slow hash.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
