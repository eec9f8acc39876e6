package proxy

import (
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// canonicalHost brings the host of a request (a Host header or :authority, with or without a
// port) to the form of a fleet.Domain. It gives "" for what no domain can be: an address, an
// empty or malformed host. A host that is in that form already costs no allocation.
func canonicalHost(host string) string {
	if i := strings.IndexByte(host, ':'); i >= 0 {
		if !isPort(host[i+1:]) { // also refuses an IPv6 literal, with or without brackets
			return ""
		}
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" || host[len(host)-1] == '.' || strings.TrimSpace(host) != host {
		return ""
	}
	plain, numeric := true, true
	for i := range len(host) {
		c := host[i]
		switch {
		case c >= 'a' && c <= 'z', c == '-':
			numeric = false
		case c >= '0' && c <= '9':
		case c == '.':
			if i == 0 || host[i-1] == '.' || host[i-1] == '-' || i+1 < len(host) && host[i+1] == '-' {
				plain = false
			}
		default:
			plain = false
		}
	}
	// Encoded international labels and long or odd names take the strict way.
	if plain && !numeric && len(host) <= 63 && host[0] != '-' && host[len(host)-1] != '-' &&
		!strings.Contains(host, "--") {
		return host
	}
	d, err := fleet.ParseDomain(host)
	if err != nil {
		return ""
	}
	if again, err := fleet.ParseDomain(string(d)); err != nil || again != d {
		return "" // an encoding of what no name can hold, such as broken UTF-8
	}
	return string(d)
}

// isPort reports whether s is what may follow the colon of a host: digits, or nothing.
func isPort(s string) bool {
	if len(s) > 5 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
