package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Headers of a delivery.
const (
	HeaderSignature = "Lxdfleet-Signature" // t=UNIX SECONDS,v1=HEX
	HeaderDelivery  = "Lxdfleet-Delivery"  // ID, the same when it is sent again
	HeaderEvent     = "Lxdfleet-Event"     // type
)

// Sign gives the signature of a body sent at a time: the HMAC with SHA-256 and the secret as key,
// in hex, of the time in seconds since 1970, a dot and the body.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + mac(secret, t, body)
}

func mac(secret, t string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(t + "."))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// Verify reports, as fleet.Forbidden, a signature that is not of the body and the secret, or is
// older or newer than most.
func Verify(secret, signature string, body []byte, now time.Time, most time.Duration) error {
	var t, v1 string
	for part := range strings.SplitSeq(signature, ",") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "t":
			t = value
		case "v1":
			v1 = value
		}
	}
	seconds, err := strconv.ParseInt(t, 10, 64)
	if err != nil || !hmac.Equal([]byte(v1), []byte(mac(secret, t, body))) {
		return fleet.Errorf(fleet.Forbidden, "the signature is not of this body").WithHint("check the secret")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > most || age < -most {
		return fleet.Errorf(fleet.Forbidden, "it was signed %s ago", age.Round(time.Second)).WithHint("check the clock")
	}
	return nil
}
