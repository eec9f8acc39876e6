package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Validate checks every setting. Its error is of code Invalid, and its field is the path of
// the setting at fault, such as "proxy.https".
func (c Config) Validate() error {
	for _, check := range []func(Config) *fleet.Error{
		checkPaths, checkAPI, checkOIDC, checkLXD, checkStore, checkProxy, checkSeen, checkProxies, checkTLS, checkDNS, checkS3, checkTenants, checkNetwork, checkPlacement, checkDomains, checkSnapshots, checkBackups,
		checkJobs, checkImages, checkLog,
	} {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

func invalid(field, hint, format string, args ...any) *fleet.Error {
	return fleet.Errorf(fleet.Invalid, format, args...).WithField(field).WithHint("%s", hint)
}

func checkPaths(c Config) *fleet.Error {
	for _, p := range []struct{ field, path string }{
		{"data_dir", c.DataDir}, {"socket.path", c.Socket.Path},
	} {
		if !filepath.IsAbs(p.path) {
			return invalid(p.field, "give a path that starts with /", "%q is not an absolute path", p.path)
		}
	}
	if len(c.Socket.Path) > 107 {
		return invalid("socket.path", "choose a shorter path", "a unix socket's path has at most 107 characters, this one %d", len(c.Socket.Path))
	}
	return nil
}

var projectRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

func checkLXD(c Config) *fleet.Error {
	l := c.LXD
	if !projectRule.MatchString(l.Project) {
		return invalid("lxd.project", "use letters, digits, hyphens, dots and underscores", "%q is not a name for an LXD project", l.Project)
	}
	if l.URL == "" {
		for _, f := range []struct{ field, value string }{
			{"lxd.client_cert", l.ClientCert}, {"lxd.client_key", l.ClientKey}, {"lxd.server_cert", l.ServerCert},
		} {
			if f.value != "" {
				return invalid(f.field, "set lxd.url too, or remove this", "a certificate is used only with lxd.url")
			}
		}
		if l.Socket != "" && !filepath.IsAbs(l.Socket) {
			return invalid("lxd.socket", "give a path that starts with /", "%q is not an absolute path", l.Socket)
		}
		return nil
	}
	if l.Socket != "" {
		return invalid("lxd.url", "keep one of lxd.socket and lxd.url", "lxd.socket is set too")
	}
	if u, err := url.Parse(l.URL); err != nil || u.Scheme != "https" || u.Host == "" {
		return invalid("lxd.url", "write it as https://10.0.0.1:8443", "%q is not the address of an LXD server", l.URL)
	}
	if l.ClientCert == "" {
		return invalid("lxd.client_cert", "name the PEM file of a certificate that LXD trusts", "lxd.url needs a client certificate")
	}
	if l.ClientKey == "" {
		return invalid("lxd.client_key", "name the PEM file of the client certificate's key", "lxd.url needs a client key")
	}
	return nil
}

func checkStore(c Config) *fleet.Error {
	dsn := c.Store.DSN
	if dsn == "" || strings.HasPrefix(dsn, "sqlite://") || strings.HasPrefix(dsn, "sqlite::memory:") || strings.HasPrefix(dsn, "mysql://") {
		return nil
	}
	// The value is not repeated: it may hold a password.
	return invalid("store.dsn", "write sqlite:///absolute/path.db or mysql://user:password@tcp(127.0.0.1:3306)/lxdfleet",
		"it names neither an SQLite file nor a MySQL database")
}

func checkProxy(c Config) *fleet.Error {
	p := c.Proxy
	for _, a := range []struct{ field, addr string }{{"proxy.http", p.HTTP}, {"proxy.https", p.HTTPS}} {
		if a.addr == "" {
			continue
		}
		port, ok := listenable(a.addr)
		if !ok {
			return invalid(a.field, "write :443 or 10.0.0.1:443", "%q is not an address and port to listen on", a.addr)
		}
		if a.field == "proxy.https" && a.addr == p.HTTP && port != 0 {
			return invalid(a.field, "give them different ports", "proxy.http has the same address")
		}
	}
	if p.HoldWaiters < 0 {
		return invalid("proxy.hold_waiters", "write 0 or more", "it cannot be negative")
	}
	if err := checkGuard(p); err != nil {
		return err
	}
	return durations(
		span{"proxy.hold_timeout", p.HoldTimeout, 0},
		span{"proxy.retry_timeout", p.RetryTimeout, 0},
		span{"proxy.drain_timeout", p.DrainTimeout, 0},
		span{"proxy.header_timeout", p.HeaderTimeout, time.Second},
		span{"proxy.body_timeout", p.BodyTimeout, time.Second},
		span{"proxy.write_timeout", p.WriteTimeout, time.Second},
		span{"proxy.idle_timeout", p.IdleTimeout, time.Second},
	)
}

// listenable gives the port of an address to listen on, and whether it is one.
func listenable(address string) (port uint64, ok bool) {
	host, text, err := net.SplitHostPort(address)
	if err != nil || host != "" && net.ParseIP(host) == nil && host != "localhost" {
		return 0, false
	}
	port, err = strconv.ParseUint(text, 10, 16)
	return port, err == nil
}

func checkProxies(c Config) *fleet.Error {
	p := c.Proxies
	if p.Listen != "" {
		if _, ok := listenable(p.Listen); !ok {
			return invalid("proxies.listen", "write :8444 or 10.0.0.1:8444", "%q is not an address and port to listen on", p.Listen)
		}
	}
	if p.Address != "" {
		if u, err := url.Parse(p.Address); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Port() == "" || u.Path != "" {
			return invalid("proxies.address", "write it as https://controller.example:8444", "%q is not an address that proxies can reach", p.Address)
		}
	}
	return nil
}

var planRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func checkTenants(c Config) *fleet.Error {
	t := c.Tenants
	if t.BaseDomain != "" {
		if d, err := fleet.ParseDomain(t.BaseDomain); err != nil || d.String() != t.BaseDomain {
			return invalid("tenants.base_domain", "write a host name in lower case, such as clients.example", "%q is not a domain", t.BaseDomain)
		}
	}
	if !planRule.MatchString(t.DefaultPlan) {
		return invalid("tenants.default_plan", "name a plan, such as small", "%q is not the name of a plan", t.DefaultPlan)
	}
	return durations(
		span{"tenants.trash_for", t.TrashFor, 0},
		span{"tenants.stop_timeout", t.StopTimeout, time.Second},
		span{"tenants.health_interval", t.HealthInterval, time.Second},
	)
}

func checkDomains(c Config) *fleet.Error {
	d := c.Domains
	if !slices.Contains([]string{"auto", "always", "never"}, d.Verify) {
		return invalid("domains.verify", "write auto, always or never", "%q does not say which domains have to be proven", d.Verify)
	}
	if d.Target != "" && net.ParseIP(d.Target) == nil {
		if name, err := fleet.ParseDomain(d.Target); err != nil || name.String() != d.Target {
			return invalid("domains.target", "write it as proxy.agency.example or 192.0.2.1", "%q is neither a host name nor an address", d.Target)
		}
	}
	if d.Resolver != "" && net.ParseIP(d.Resolver) == nil {
		if _, err := netip.ParseAddrPort(d.Resolver); err != nil {
			return invalid("domains.resolver", "write it as 192.0.2.53 or 192.0.2.53:53", "%q is not the address of a DNS server", d.Resolver)
		}
	}
	return nil
}

func checkJobs(c Config) *fleet.Error {
	if c.Jobs.Workers < 1 || c.Jobs.Workers > 1000 {
		return invalid("jobs.workers", "write a number from 1 to 1000", "%d is out of range", c.Jobs.Workers)
	}
	return durations(span{"jobs.keep_for", c.Jobs.KeepFor, time.Hour})
}

var sourceRule = regexp.MustCompile(`^(\*\.[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+|[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[1-9][0-9]{0,4})?$`)

func checkImages(c Config) *fleet.Error {
	if m := c.Images.DebootstrapMirror; m != "" {
		if u, err := url.Parse(m); err != nil || !slices.Contains([]string{"http", "https", "file"}, u.Scheme) {
			return invalid("images.debootstrap_mirror", "write it as http://mirror.example/debian", "%q is not the address of a mirror", m)
		}
	}
	for _, host := range c.Images.Sources {
		if !sourceRule.MatchString(host) {
			return invalid("images.sources", "write hosts as images.example.org, *.example.org or images.example.org:8443", "%q is not a host", host)
		}
	}
	for _, folder := range c.Images.Folders {
		if !filepath.IsAbs(folder) || folder == "/" {
			return invalid("images.folders", "write absolute paths such as /srv/images", "%q is not a folder to take images from", folder)
		}
	}
	if c.Images.UploadLimit < fleet.MiB {
		return invalid("images.upload_limit", "write 1MiB or more", "%s is too little for an image", c.Images.UploadLimit)
	}
	return nil
}

func checkLog(c Config) *fleet.Error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		return invalid("log.level", "write debug, info, warn or error", "%q is not a level", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		return invalid("log.format", "write text or json", "%q is not a format", c.Log.Format)
	}
	return nil
}

// span is a duration that must not be below its least value.
type span struct {
	field string
	value time.Duration
	least time.Duration
}

func durations(spans ...span) *fleet.Error {
	for _, s := range spans {
		if s.value < s.least {
			return invalid(s.field, "write "+s.least.String()+" or more", "%s is too short", s.value)
		}
	}
	return nil
}
