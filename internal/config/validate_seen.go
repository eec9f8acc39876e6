package config

import (
	"path/filepath"
	"strings"
	"unicode"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// checkSeen checks what shows the proxy's work: access log, metrics and its own pages.
func checkSeen(c Config) *fleet.Error {
	p := c.Proxy
	if p.AccessLog != "off" && p.AccessLog != "stdout" && !filepath.IsAbs(p.AccessLog) {
		return invalid("proxy.access_log", "write off, stdout or a path such as /var/log/lxdfleet/access.log",
			"%q is not where an access log can be written", p.AccessLog)
	}
	if !(p.AccessSample >= 0 && p.AccessSample <= 1) { // also what is no number
		return invalid("proxy.access_sample", "write 1 for all requests, 0.01 for one in a hundred", "%v is not a part of the requests", p.AccessSample)
	}
	for _, text := range []struct{ field, value string }{{"proxy.pages_from", p.PagesFrom}, {"proxy.pages_contact", p.PagesContact}} {
		if len(text.value) > 200 || strings.ContainsFunc(text.value, unicode.IsControl) {
			return invalid(text.field, "write at most 200 characters", "it is not one short line of text")
		}
	}
	if c.Metrics.Listen != "off" {
		if _, ok := listenable(c.Metrics.Listen); !ok {
			return invalid("metrics.listen", "write 127.0.0.1:8445 or off", "%q is not an address and port to listen on", c.Metrics.Listen)
		}
	}
	return nil
}
