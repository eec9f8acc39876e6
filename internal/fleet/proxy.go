package fleet

import (
	"regexp"
	"time"
)

// Proxy is a proxy on a host of its own that has joined the fleet.
type Proxy struct {
	Name string `json:"name"` // as ParseProxyName takes it
	// ID tells a proxy from an earlier one of its name: it is in the certificate it was given.
	ID       string    `json:"id"`
	JoinedAt time.Time `json:"joined_at"`
	SeenAt   time.Time `json:"seen_at,omitzero"` // when it last came or went; zero: never
	Address  string    `json:"address"`          // where it came from last, without a port
	Version  string    `json:"version"`          // of lxdfleet, when it last came
}

// ProxyStatus is a proxy as its controller sees it now.
type ProxyStatus struct {
	Proxy
	Connected bool
	Since     time.Time // connected since, or silent since; zero: it was not there since the controller started
	// Generation is the last state of the routes it has confirmed to have in use, Newest the
	// one there is. Both are 0 before the first.
	Generation, Newest int64
	// Lag is for how long there has been a newer state than it has; 0: it has the newest.
	Lag time.Duration
}

// ProxyToken lets one proxy join, once.
type ProxyToken struct {
	Hash      string // of its secret; the secret itself is not kept
	Name      string // the only name it may join as; empty: any
	CreatedAt time.Time
	ExpiresAt time.Time
}

var proxyNameRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// ParseProxyName checks the name of a proxy: 1 to 63 lower-case letters, digits, hyphens and dots, as
// most host names are. The error is of code Invalid and field "name".
func ParseProxyName(s string) (string, error) {
	if !proxyNameRule.MatchString(s) {
		return "", Errorf(Invalid, "%q is not a name for a proxy", s).WithField("name").
			WithHint("use 1 to 63 lower-case letters, digits, hyphens and dots")
	}
	return s, nil
}
