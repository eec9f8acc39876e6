package config

import (
	"net/url"
	"path/filepath"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

func checkAPI(c Config) *fleet.Error {
	a := c.API
	if a.Listen != "off" {
		if _, ok := listenable(a.Listen); !ok {
			return invalid("api.listen", "write 127.0.0.1:8446, :8446 or off", "%q is not an address and port to listen on", a.Listen)
		}
	}
	if a.Address != "" {
		if u, err := url.Parse(a.Address); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Path != "" || u.User != nil || u.RawQuery != "" {
			return invalid("api.address", "write it as https://fleet.example:8446", "%q is not an address that people can reach", a.Address)
		}
	}
	if a.RateLimit < 0 || a.RateLimit > 1_000_000 {
		return invalid("api.rate_limit", "give 1 to 1000000 requests a minute, or 0 for any number", "%d is no limit", a.RateLimit)
	}
	for _, f := range []struct{ field, path, other string }{{"api.cert", a.Cert, a.Key}, {"api.key", a.Key, a.Cert}} {
		switch {
		case f.path == "" && f.other != "":
			return invalid(f.field, "set both api.cert and api.key, or none", "a certificate needs its key")
		case f.path != "" && !filepath.IsAbs(f.path):
			return invalid(f.field, "give a path that starts with /", "%q is not an absolute path", f.path)
		}
	}
	return nil
}
