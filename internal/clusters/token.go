package clusters

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// trustToken is what `lxc config trust add` prints.
type trustToken struct {
	Fingerprint string    `json:"fingerprint"` // of the server's certificate
	Addresses   []string  `json:"addresses"`   // host:port
	Secret      string    `json:"secret"`
	ExpiresAt   time.Time `json:"expires_at"` // zero: never
}

func parseToken(text string, now time.Time) (trustToken, error) {
	bad := func(why string) error {
		return fleet.Errorf(fleet.Invalid, "%s", why).WithField("token").
			WithHint("on a member of that cluster run: lxc config trust add --name lxdfleet")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	var t trustToken
	if err != nil || json.Unmarshal(raw, &t) != nil || t.Fingerprint == "" || t.Secret == "" {
		return trustToken{}, bad("this is no trust token of LXD's")
	}
	if !t.ExpiresAt.IsZero() && now.After(t.ExpiresAt) {
		return trustToken{}, bad("the trust token has expired")
	}
	return t, nil
}
