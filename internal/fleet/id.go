package fleet

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"
)

// NewID gives a new identifier: 26 lower-case letters and digits, 48 bits of time in
// milliseconds followed by 82 random bits, so that identifiers sort by the time they were
// made and two daemons never make the same one.
func NewID(now time.Time) string {
	var b [20]byte // 130 bits are used: 26 letters of 5 bits
	binary.BigEndian.PutUint64(b[0:8], uint64(now.UnixMilli())<<16)
	if _, err := rand.Read(b[6:]); err != nil {
		panic(err) // crypto/rand never fails on a supported kernel
	}
	return strings.ToLower(crockford.EncodeToString(b[:])[:26])
}

var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)
